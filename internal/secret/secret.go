// Package secret seals the secrets of connections and webhooks, and PGP keys. A key ring encrypts them with
// AES-256-GCM, and a master key encrypts the ring. The ring is stored with the data, the master key where the operator
// wants it (see Key, KeyFile and KMS). A sealed text is bound to its place, so a connection's secret cannot be moved to
// another connection.
package secret

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"roster/internal/durable"
)

// Ring seals and opens secrets. It is safe for concurrent use.
type Ring struct {
	path string

	mu     sync.RWMutex
	aead   tink.AEAD
	handle *keyset.Handle
	master tink.AEAD
}

// Open opens the ring in a file with a master key. If the file is absent, it creates a ring with one key.
func Open(path string, master tink.AEAD) (*Ring, error) {
	r := &Ring{master: master, path: path}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if r.handle, err = keyset.NewHandle(aead.AES256GCMKeyTemplate()); err != nil {
			return nil, err
		}
		if err := r.save(r.handle, master); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	default:
		if r.handle, err = keyset.Read(keyset.NewJSONReader(bytes.NewReader(text)), master); err != nil {
			return nil, fmt.Errorf("%s cannot be opened with the master key: it belongs to another master key, or is damaged, or the key service does not answer", path)
		}
	}
	r.aead, err = aead.New(r.handle)
	return r, err
}

// Rotate adds a new key, which seals everything from now on. Texts that were sealed with older keys can still be
// opened.
func (r *Ring) Rotate() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := keyset.NewManagerFromHandle(r.handle)
	id, err := m.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return err
	}
	if err := m.SetPrimary(id); err != nil {
		return err
	}
	h, err := m.Handle()
	if err != nil {
		return err
	}
	next, err := aead.New(h)
	if err != nil {
		return err
	}
	if err := r.save(h, r.master); err != nil {
		return err
	}
	r.handle, r.aead = h, next
	return nil
}

// Rewrap encrypts the ring with another master key.
func (r *Ring) Rewrap(master tink.AEAD) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.save(r.handle, master); err != nil {
		return err
	}
	r.master = master
	return nil
}

// save writes a ring atomically and durably.
func (r *Ring) save(h *keyset.Handle, master tink.AEAD) error {
	var b bytes.Buffer
	if err := h.Write(keyset.NewJSONWriter(&b), master); err != nil {
		return fmt.Errorf("the keys cannot be encrypted with the master key: %w", err)
	}
	return durable.WriteFile(r.path, b.Bytes())
}

func (r *Ring) primitive() tink.AEAD {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.aead
}

// Seal encrypts a secret for a place.
func (r *Ring) Seal(secret []byte, place string) (string, error) {
	sealed, err := r.primitive().Encrypt(secret, []byte(place))
	return base64.StdEncoding.EncodeToString(sealed), err
}

// Open decrypts a text that was sealed for the place.
func (r *Ring) Open(sealed, place string) ([]byte, error) {
	text, err := base64.StdEncoding.DecodeString(sealed)
	if err == nil {
		text, err = r.primitive().Decrypt(text, []byte(place))
	}
	if err != nil {
		return nil, errors.New("a sealed secret cannot be opened: it was sealed with other keys, or for another place")
	}
	return text, nil
}
