package secret

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/tink"

	"roster/internal/durable"
)

// Master is a master key.
type Master = tink.AEAD

// keySize is the size of a master key in bytes.
const keySize = 32

var errNoKey = fmt.Errorf("it is not a master key: %d bytes in base64, as openssl rand -base64 %d writes", keySize, keySize)

// Key returns a master key from its text form, 32 bytes in base64.
func Key(text string) (Master, error) {
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != keySize {
		return nil, errNoKey
	}
	return subtle.NewAESGCM(key)
}

// KeyFile returns the master key in a file of mode 0600. It creates one if the file is absent and create is set.
func KeyFile(path string, create bool) (Master, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && create {
		key := make([]byte, keySize)
		_, _ = rand.Read(key) // never fails
		if err := durable.WriteFile(path, []byte(base64.StdEncoding.EncodeToString(key)+"\n")); err != nil {
			return nil, fmt.Errorf("create the master key: %w", err)
		}
		info, err = os.Stat(path)
	}
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s is readable by other users (mode %04o); run chmod 600 on it", path, info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key, err := Key(string(bytes.TrimSpace(text)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}
