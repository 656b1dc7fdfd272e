// Package secret seals the secrets of connections and webhooks, and PGP keys. They are encrypted by a ring of keys (AES-256-GCM),
// which is itself encrypted by a master key: the ring lies beside the data, the master key where the operator wants it (see Key,
// KeyFile and KMS). What is sealed is bound to its place, so that one connection's secret cannot be put into another's.
package secret

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Ring seals and opens. It is safe for concurrent use.
type Ring struct {
	path string

	mu     sync.RWMutex
	aead   tink.AEAD
	handle *keyset.Handle
	master tink.AEAD
}

// Open opens the ring in a file by a master key. It creates the ring with a first key when the file is absent.
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
			return nil, fmt.Errorf("%s cannot be opened by the master key: it is another one's, or damaged, or the key service does not answer", path)
		}
	}
	r.aead, err = aead.New(r.handle)
	return r, err
}

// Rotate makes a new key, by which everything is sealed from now on. What older keys have sealed can still be opened.
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

// Rewrap has the ring opened by another master key from now on.
func (r *Ring) Rewrap(master tink.AEAD) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.save(r.handle, master); err != nil {
		return err
	}
	r.master = master
	return nil
}

// save writes a ring, whole and durable or not at all.
func (r *Ring) save(h *keyset.Handle, master tink.AEAD) error {
	var b bytes.Buffer
	if err := h.Write(keyset.NewJSONWriter(&b), master); err != nil {
		return fmt.Errorf("the keys cannot be encrypted by the master key: %w", err)
	}
	return write(r.path, b.Bytes())
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

// Open decrypts what was sealed for the place.
func (r *Ring) Open(sealed, place string) ([]byte, error) {
	text, err := base64.StdEncoding.DecodeString(sealed)
	if err == nil {
		text, err = r.primitive().Decrypt(text, []byte(place))
	}
	if err != nil {
		return nil, errors.New("a sealed secret cannot be opened: it was sealed by other keys, or for another place")
	}
	return text, nil
}

// write writes a file of mode 0600, whole and durable or not at all.
func write(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".secret-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
