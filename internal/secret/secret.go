// Package secret seals the secrets of connections. They are encrypted by a ring of keys (AES-256-GCM), which is itself
// encrypted by a master key: the ring lies beside the data, the master key where the operator wants it. What is sealed
// is bound to its place, so that one connection's secret cannot be put into another's.
package secret

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// MasterKeySize is the size of a master key in bytes.
const MasterKeySize = 32

// Ring seals and opens. It is safe for concurrent use.
type Ring struct {
	aead   tink.AEAD
	handle *keyset.Handle
	master tink.AEAD
	path   string
}

// Open opens the ring in a file, which it creates with a first key when it is absent.
func Open(path string, masterKey []byte) (*Ring, error) {
	master, err := subtle.NewAESGCM(masterKey)
	if err != nil || len(masterKey) != MasterKeySize {
		return nil, fmt.Errorf("the master key must be %d bytes", MasterKeySize)
	}
	r := &Ring{master: master, path: path}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if r.handle, err = keyset.NewHandle(aead.AES256GCMKeyTemplate()); err != nil {
			return nil, err
		}
		if err := r.save(); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	default:
		if r.handle, err = keyset.Read(keyset.NewJSONReader(bytes.NewReader(text)), master); err != nil {
			return nil, fmt.Errorf("%s cannot be opened by the master key: it is another one's, or damaged", path)
		}
	}
	return r, r.use(r.handle)
}

func (r *Ring) use(h *keyset.Handle) (err error) {
	r.handle = h
	r.aead, err = aead.New(h)
	return err
}

// Rotate makes a new key, by which everything is sealed from now on. What older keys have sealed can still be opened.
func (r *Ring) Rotate() error {
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
	was := r.handle
	if err := r.use(h); err != nil {
		return err
	}
	if err := r.save(); err != nil {
		return errors.Join(err, r.use(was))
	}
	return nil
}

// save writes the ring, whole and durable or not at all.
func (r *Ring) save() error {
	var b bytes.Buffer
	if err := r.handle.Write(keyset.NewJSONWriter(&b), r.master); err != nil {
		return err
	}
	return write(r.path, b.Bytes())
}

// Seal encrypts a secret for a place.
func (r *Ring) Seal(secret []byte, place string) (string, error) {
	sealed, err := r.aead.Encrypt(secret, []byte(place))
	return base64.StdEncoding.EncodeToString(sealed), err
}

// Open decrypts what was sealed for the place.
func (r *Ring) Open(sealed, place string) ([]byte, error) {
	text, err := base64.StdEncoding.DecodeString(sealed)
	if err == nil {
		text, err = r.aead.Decrypt(text, []byte(place))
	}
	if err != nil {
		return nil, errors.New("a sealed secret cannot be opened: it was sealed by other keys, or for another place")
	}
	return text, nil
}

// MasterKey reads a master key, base64 in a file of mode 0600. It creates one when the file is absent and create is set.
func MasterKey(path string, create bool) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && create {
		key := make([]byte, MasterKeySize)
		_, _ = rand.Read(key) // never fails
		if err := write(path, []byte(base64.StdEncoding.EncodeToString(key)+"\n")); err != nil {
			return nil, fmt.Errorf("create the master key: %w", err)
		}
		info, err = os.Stat(path)
	}
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others than its owner (mode %04o); run chmod 600 on it", path, info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(key) != MasterKeySize {
		return nil, fmt.Errorf("%s is not a master key: %d bytes in base64, as openssl rand -base64 %d writes", path, MasterKeySize, MasterKeySize)
	}
	return key, nil
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
