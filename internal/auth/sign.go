package auth

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// Types of signed documents. A document of one type is refused where the other is expected.
const (
	tokenType = "JWT"
	// ReceiptType is the type of a receipt of a run.
	ReceiptType = "roster-receipt+jws"
	// CertificateType is the type of a certificate of an erasure.
	CertificateType = "roster-erasure+jws"
)

// newSigner returns a signer for documents of a type.
func newSigner(key jose.JSONWebKey, typ jose.ContentType) (jose.Signer, error) {
	return jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, (&jose.SignerOptions{}).WithType(typ))
}

// SignReceipt signs a receipt. The signature, a JSON Web Signature in compact form, contains the receipt. The same
// receipt and key always give the same signature.
func (i *Issuer) SignReceipt(receipt []byte) (string, error) {
	signed, err := i.receipts.Sign(receipt)
	if err != nil {
		return "", fmt.Errorf("sign a receipt: %w", err)
	}
	return signed.CompactSerialize()
}

// SignCertificate signs the certificate of an erasure in the same way as SignReceipt.
func (i *Issuer) SignCertificate(certificate []byte) (string, error) {
	signed, err := i.certificates.Sign(certificate)
	if err != nil {
		return "", fmt.Errorf("sign a certificate: %w", err)
	}
	return signed.CompactSerialize()
}

// Keys returns the public keys for verifying the signatures of this server, as a JSON Web Key Set.
func (i *Issuer) Keys() []byte { return publicKeys(i.key) }

// PublicKeys returns the public keys of the signing key in a file, like Issuer.Keys. The error is fs.ErrNotExist if the
// file is absent.
func PublicKeys(keyFile string) ([]byte, error) {
	key, err := readKey(keyFile)
	if err != nil {
		return nil, err
	}
	return publicKeys(key), nil
}

func publicKeys(key jose.JSONWebKey) []byte {
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
	if err != nil {
		panic(err) // cannot happen: an Ed25519 key always has a JSON form
	}
	return set
}

// ErrNoKeys says that a signature cannot be verified for lack of keys; the signature may be valid.
var ErrNoKeys = errors.New("there is no JSON Web Key Set with a key to verify with")

// VerifyReceipt returns the receipt in a signature, if one of the keys, a JSON Web Key Set, has signed it as a receipt.
// A key inside the signature is never used. Without keys the error is ErrNoKeys; any other error says why the signature
// is not valid for a receipt.
func VerifyReceipt(signature string, keys []byte) ([]byte, error) {
	return verify(signature, keys, ReceiptType, "receipt")
}

// VerifyCertificate verifies the certificate of an erasure in the same way as VerifyReceipt.
func VerifyCertificate(signature string, keys []byte) ([]byte, error) {
	return verify(signature, keys, CertificateType, "certificate")
}

// verify verifies a document of a type; what is its name in error messages.
func verify(signature string, keys []byte, typ, what string) ([]byte, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(keys, &set); err != nil || len(set.Keys) == 0 {
		return nil, ErrNoKeys
	}
	signed, err := jose.ParseSignedCompact(signature, []jose.SignatureAlgorithm{algorithm})
	if err != nil {
		return nil, fmt.Errorf("the signature is not a JSON Web Signature in compact form by %s", algorithm)
	}
	if shown, _ := signed.Signatures[0].Protected.ExtraHeaders[jose.HeaderType].(string); shown != typ {
		return nil, fmt.Errorf("the signed document is not a %s: its type is %.50q", what, shown)
	}
	for _, key := range set.Key(signed.Signatures[0].Protected.KeyID) {
		if !key.IsPublic() {
			continue
		}
		if text, err := signed.Verify(key.Key); err == nil {
			return text, nil
		}
	}
	return nil, fmt.Errorf("none of the server's keys made the signature: the %s was changed, or is another server's", what)
}
