package audience

import "time"

// KeyID names a PGP key. It is a UUID, as other ids are.
type KeyID string

// KeyKind is whose a PGP key is.
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
	Name      string    // "" when it was given none
	Algorithm string    // one of KeyAlgorithms, as it was given
	Public    string    // armoured
	Sealed    string    // the private part, sealed; "" of a customer's key
	ExpiresAt time.Time // zero for never
	CreatedBy string
	CreatedAt time.Time
}

// KeyAlgorithms are the names that the API has for OpenPGP.
var KeyAlgorithms = []string{"PGP", "GPG"}

// KeyLife is how long a key pair of the server is used to encrypt.
const KeyLife = 180 * 24 * time.Hour

// Expired reports whether a key is not to be used any more for new files. What was encrypted for it can still be opened.
func (k *Key) Expired(now time.Time) bool { return !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt) }

// Encryption says by which keys the files of an audience are opened and verified.
type Encryption struct {
	PublicKeyID           KeyID `json:"publicKeyId"`
	SignVerificationKeyID KeyID `json:"signVerificationKeyId,omitempty"` // whose signature each file must have; "" for none
}
