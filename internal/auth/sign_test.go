package auth

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"roster/internal/audience"
)

func TestReceiptOfAnotherKey(t *testing.T) {
	t.Parallel()
	ours, theirs := setup(t), setup(t)
	signature, err := theirs.issuer.SignReceipt([]byte(`{"version":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyReceipt(signature, theirs.issuer.Keys()); err != nil {
		t.Errorf("their own key: %v", err)
	}
	if _, err := VerifyReceipt(signature, ours.issuer.Keys()); err == nil || !strings.Contains(err.Error(), "another server's") {
		t.Errorf("our key: %v", err)
	}
	fromFile, err := PublicKeys(ours.keyFile)
	if err != nil || string(fromFile) != string(ours.issuer.Keys()) {
		t.Errorf("keys of the file: %s, %v", fromFile, err)
	}
}

// TestTypes signs what a token says as a receipt, and the other way round: all is right but the type.
func TestTypes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token, err := jose.ParseSignedCompact(b.token, []jose.SignatureAlgorithm{algorithm})
	if err != nil {
		t.Fatal(err)
	}
	claims := token.UnsafePayloadWithoutVerification()
	b.accepted(b.headers(b.token))
	receipt, err := b.issuer.SignReceipt(claims)
	if err != nil {
		t.Fatal(err)
	}
	b.refused(b.headers(receipt), audience.BadToken)
	if payload, err := VerifyReceipt(receipt, b.issuer.Keys()); err != nil || string(payload) != string(claims) {
		t.Errorf("the receipt is %s, %v", payload, err)
	}
	if payload, err := VerifyReceipt(b.token, b.issuer.Keys()); err == nil {
		t.Errorf("a token passes for the receipt %s", payload)
	}
}

// TestReceiptWithItsOwnKey brings the key that it is signed with.
func TestReceiptWithItsOwnKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	own := jose.JSONWebKey{Key: private, KeyID: b.issuer.key.KeyID}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: own}, (&jose.SignerOptions{EmbedJWK: true}).WithType(ReceiptType))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(`{"version":1}`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyReceipt(text, b.issuer.Keys()); err == nil {
		t.Error("a receipt is verified by a key that it brings itself")
	}
}

func TestBadReceipts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	signature, err := b.issuer.SignReceipt([]byte(`{"version":1}`))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(signature, ".")
	for name, c := range map[string]struct {
		signature string
		keys      []byte
		unchecked bool // rather than wrong
	}{
		"another payload":       {parts[0] + ".eyJ2ZXJzaW9uIjoyfQ." + parts[2], b.issuer.Keys(), false},
		"no signature":          {parts[0] + "." + parts[1] + ".", b.issuer.Keys(), false},
		"no text":               {"", b.issuer.Keys(), false},
		"no keys":               {signature, []byte(`{"keys":[]}`), true},
		"keys that are no keys": {signature, []byte(`<html>`), true},
	} {
		if payload, err := VerifyReceipt(c.signature, c.keys); err == nil || errors.Is(err, ErrNoKeys) != c.unchecked {
			t.Errorf("%s: verified as %q, %v", name, payload, err)
		}
	}
	// A private key among the keys is not used: whoever has it could have signed.
	private, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{b.issuer.key}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyReceipt(signature, private); err == nil {
		t.Error("verified by a private key")
	}
}
