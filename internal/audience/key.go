package audience

import "time"

// KeyID names a PGP key. It is a UUID like other ids.
type KeyID string

// KeyKind tells who owns a PGP key.
type KeyKind string

// The kinds of keys.
const (
	OwnKey      KeyKind = "own"      // a key pair of the server, whose private part is sealed
	CustomerKey KeyKind = "customer" // a public key of somebody who signs files
)

// Key is a PGP key of a sandbox. It is never changed.
type Key struct {
	ID        KeyID
	Scope     Scope
	Kind      KeyKind
	Name      string    // "" if none was given
	Algorithm string    // one of KeyAlgorithms, as given
	Public    string    // armoured
	Sealed    string    // the private part, sealed; "" for a customer's key
	ExpiresAt time.Time // zero for never
	CreatedBy string
	CreatedAt time.Time
}

// KeyAlgorithms are the API's names for OpenPGP.
var KeyAlgorithms = []string{"PGP", "GPG"}

// KeyLife is how long a key pair of the server is used for encryption.
const KeyLife = 180 * 24 * time.Hour

// Expired reports whether a key must not be used for new files. Earlier files can still be decrypted.
func (k *Key) Expired(now time.Time) bool { return !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt) }

// Encryption names the keys that decrypt and verify the files of an audience.
type Encryption struct {
	PublicKeyID           KeyID `json:"publicKeyId"`
	SignVerificationKeyID KeyID `json:"signVerificationKeyId,omitempty"` // the key that must have signed each file; "" for none
}
