// Package pgp generates OpenPGP keys and decrypts messages. Decrypted data must not be trusted before the end of the
// message: only there the integrity check and the signature are verified.
package pgp

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

const (
	// skew is how much the clocks of senders may differ from the server's.
	skew = 5 * time.Minute
	// maxPublicKey is the largest public key in bytes. Only a key with thousands of third-party signatures is larger.
	maxPublicKey = 256 << 10
)

// Generate generates a key pair on Curve25519, which GnuPG supports since 2014, with the given lifetime. The user id
// contains the id, so gpg --recipient finds the key. Generate returns the armoured public key and the unprotected
// private key.
func Generate(id string, now time.Time, life time.Duration) (public string, private []byte, err error) {
	// A program whose clock is behind would not use a key that was created in the future.
	created := now.Add(-time.Hour)
	entity, err := openpgp.NewEntity("Roster", id, "", &packet.Config{
		Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve25519, DefaultHash: crypto.SHA256, DefaultCipher: packet.CipherAES256, DefaultCompressionAlgo: packet.CompressionZLIB,
		KeyLifetimeSecs: uint32((life + now.Sub(created)) / time.Second), Time: func() time.Time { return created },
		NonDeterministicSignaturesViaNotation: packet.BoolPointer(false),
	})
	if err != nil {
		return "", nil, fmt.Errorf("make a PGP key: %w", err)
	}
	var b bytes.Buffer
	if err := entity.SerializePrivateWithoutSigning(&b, nil); err != nil {
		return "", nil, fmt.Errorf("make a PGP key: %w", err)
	}
	public, err = armoured(entity)
	return public, b.Bytes(), err
}

// armoured returns the armoured public part of a key.
func armoured(entity *openpgp.Entity) (string, error) {
	var b strings.Builder
	w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
	if err == nil {
		err = errors.Join(entity.Serialize(w), w.Close())
	}
	if err != nil {
		return "", fmt.Errorf("write a PGP public key: %w", err)
	}
	return b.String() + "\n", nil
}

// Public is the public key of a sender, for verifying signatures.
type Public struct {
	Armoured string    // only the public key, without comments
	Expires  time.Time // zero for never
}

// ParsePublic parses a public key that can sign: armoured, or the armoured or binary form in base64. The error
// describes the problem as a continuation of "the key".
func ParsePublic(text string, now time.Time) (Public, error) {
	entity, err := readPublic(text)
	if err != nil {
		return Public{}, err
	}
	cfg := config(now)
	self, err := entity.VerifyPrimaryKey(now.Add(skew), cfg)
	switch {
	case entity.Revoked(now):
		return Public{}, errors.New("has been revoked by its owner")
	case err != nil:
		return Public{}, fmt.Errorf("has expired or is not valid: %w; export the current one", plain(err))
	}
	if _, can := entity.SigningKey(now.Add(skew), cfg); !can {
		return Public{}, errors.New("cannot sign with a secure method: use a signing key of RSA with 2048 bits or more, or of Ed25519")
	}
	p := Public{Expires: expires(entity.PrimaryKey, self)}
	p.Armoured, err = armoured(entity)
	return p, err
}

// expires returns the expiry time in a key's self-signature.
func expires(key *packet.PublicKey, self *packet.Signature) time.Time {
	if self.KeyLifetimeSecs == nil || *self.KeyLifetimeSecs == 0 {
		return time.Time{}
	}
	return key.CreationTime.Add(time.Duration(*self.KeyLifetimeSecs) * time.Second).UTC()
}

// readPublic parses a text that contains a single key.
func readPublic(text string) (entity *openpgp.Entity, err error) {
	defer func() {
		if p := recover(); p != nil {
			entity, err = nil, errors.New("cannot be read: it is damaged")
		}
	}()
	const export = "export it by gpg --armor --export KEY, and send the armour or its base64"
	if len(text) > maxPublicKey*2 {
		return nil, fmt.Errorf("has more than %d KiB; export it without the signatures of others (gpg --export-options export-minimal)", maxPublicKey>>10)
	}
	b := []byte(strings.TrimSpace(text))
	if !bytes.HasPrefix(armourText(b), []byte("-----")) {
		if b, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), "")); err != nil {
			return nil, errors.New("is neither armoured nor base64; " + export)
		}
	}
	if bytes.HasPrefix(armourText(b), []byte("-----")) {
		block, err := armor.Decode(bytes.NewReader(append(b, '\n')))
		if err != nil {
			return nil, errors.New("has armour that cannot be read; " + export)
		}
		if strings.Contains(block.Type, "PRIVATE") || strings.Contains(block.Type, "SECRET") {
			return nil, errors.New("is a private key, which nobody else may have; take it out of use, and " + export + " of a new one")
		}
		var inner bytes.Buffer
		if _, err := inner.ReadFrom(block.Body); err != nil {
			return nil, errors.New("has armour that is damaged; " + export)
		}
		b = inner.Bytes()
	}
	list, err := openpgp.ReadKeyRing(bytes.NewReader(b))
	switch {
	case err != nil || len(list) == 0:
		return nil, errors.New("is not a PGP public key, or of a kind that is not supported; " + export)
	case len(list) > 1:
		return nil, fmt.Errorf("is %d keys; send them one by one", len(list))
	case list[0].PrivateKey != nil:
		return nil, errors.New("is a private key, which nobody else may have; take it out of use, and " + export + " of a new one")
	}
	return list[0], nil
}

// config configures the checks of messages and keys. It keeps the defaults of the library: no MD5, no SHA-1 of
// messages, no DSA, no RSA below 2047 bits.
func config(now time.Time) *packet.Config {
	return &packet.Config{Time: func() time.Time { return now.Add(skew) }}
}

// plain removes the library's prefix from an error.
func plain(err error) error { return errors.New(strings.TrimPrefix(err.Error(), "openpgp: ")) }
