package client

// KeyParams are the parameters of a new key pair.
type KeyParams struct {
	// PassPhrase is accepted but not stored: the server seals the private key, which never leaves the server.
	PassPhrase string `json:"passPhrase,omitempty"`
}

// NewKey requests a key pair.
type NewKey struct {
	Name                string     `json:"name,omitempty"`
	EncryptionAlgorithm string     `json:"encryptionAlgorithm"` // PGP or GPG, which mean the same
	Params              *KeyParams `json:"params,omitempty"`
}

// CustomerKey is a public key for verifying signatures.
type CustomerKey struct {
	Name                string `json:"name,omitempty"`
	EncryptionAlgorithm string `json:"encryptionAlgorithm"`
	PublicKey           string `json:"publicKey"` // armoured, or base64
}

// EncryptionKey is a PGP key.
type EncryptionKey struct {
	EncryptionAlgorithm string `json:"encryptionAlgorithm,omitempty"`
	Name                string `json:"name,omitempty"`
	PublicKeyID         string `json:"publicKeyId"`
	PublicKey           string `json:"publicKey,omitempty"` // the armoured key in base64
	KeyType             string `json:"keyType,omitempty"`
	ExpiryTime          string `json:"expiryTime,omitempty"` // seconds; "" for never
}

// KeyStatus says whether a key has expired.
type KeyStatus struct {
	PublicKeyID string `json:"publicKeyId"`
	Status      string `json:"status"` // Active or Expired
}
