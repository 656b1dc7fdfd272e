package auth

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/go-jose/go-jose/v4"

	"roster/internal/durable"
)

// openKey reads the signing key, a JSON Web Key, and creates it if the file is absent.
func openKey(path string) (jose.JSONWebKey, error) {
	key, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := createKey(path); err != nil {
		return key, fmt.Errorf("create the signing key: %w", err)
	}
	return readKey(path)
}

func readKey(path string) (jose.JSONWebKey, error) {
	var key jose.JSONWebKey
	info, err := os.Stat(path)
	if err != nil {
		return key, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return key, fmt.Errorf("%s is readable by other users (mode %04o); run chmod 600 on it", path, info.Mode().Perm())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return key, err
	}
	if err := json.Unmarshal(data, &key); err != nil {
		return key, fmt.Errorf("%s is not a signing key (JSON Web Key)", path)
	}
	if _, ok := key.Key.(ed25519.PrivateKey); !ok || !key.Valid() {
		return key, fmt.Errorf("%s does not contain an Ed25519 private key", path)
	}
	return key, nil
}

// createKey writes a new key atomically and durably. If another process has created a key first, that key stays.
func createKey(path string) error {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	var id [12]byte
	_, _ = rand.Read(id[:]) // never fails
	data, err := json.Marshal(jose.JSONWebKey{Key: private, KeyID: base64.RawURLEncoding.EncodeToString(id[:]), Algorithm: string(algorithm), Use: "sig"})
	if err != nil {
		return err
	}
	if err := durable.CreateFile(path, append(data, '\n')); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
