package client

import "encoding/json"

// ErasureStarted answers the request to erase an identity.
type ErasureStarted struct {
	JobID  string `json:"jobId"` // of the erasure
	Status string `json:"status"`
}

// Erasure takes an identity out of all audiences of a sandbox.
type Erasure struct {
	ID        string           `json:"id"`
	Namespace string           `json:"namespace"`
	XID       string           `json:"xid"` // the identity's opaque id, as look-ups answer it
	Status    string           `json:"status"`
	Audiences []ErasedAudience `json:"audiences"` // that had something of the identity
	Error     *Failure         `json:"error,omitempty"`
	CreatedBy string           `json:"createdBy"`
	CreatedAt int64            `json:"createdAt"`
	EndedAt   int64            `json:"endedAt,omitempty"`
}

// ErasedAudience is what an erasure did to an audience.
type ErasedAudience struct {
	AudienceID string `json:"audienceId"`
	RunID      string `json:"runId,omitempty"` // that took the member out; absent when there was none
	Members    int64  `json:"members"`         // that were taken out
	Versions   int    `json:"versions"`        // that cannot be brought back any more
	Files      int    `json:"files"`           // of the dataset that were removed
	Rejects    int    `json:"rejects"`         // files of rejects that were removed
}

// ErasureList is a page of erasures.
type ErasureList struct {
	Erasures []Erasure  `json:"erasures"`
	Page     CursorPage `json:"_page"`
}

// ErasureCertificate says that an identity was erased, for whoever has to prove it. It names the identity by its opaque
// id, which who knows the identity can look up again.
type ErasureCertificate struct {
	Version      int              `json:"version"` // CertificateVersion
	Issuer       string           `json:"issuer"`
	Organization string           `json:"organization"`
	Sandbox      string           `json:"sandbox"`
	ErasureID    string           `json:"erasureId"`
	Namespace    string           `json:"namespace"`
	XID          string           `json:"xid"`
	Covers       []string         `json:"covers"` // what the identity was erased from
	Audiences    []ErasedAudience `json:"audiences"`
	CreatedAt    int64            `json:"createdAt"`
	CreatedBy    string           `json:"createdBy"`
	EndedAt      int64            `json:"endedAt"`
}

// CertificateVersion is the version of the certificates that this package knows.
const CertificateVersion = 1

// SignedCertificate is a certificate with the server's signature, a JSON Web Signature in compact form whose payload is
// the certificate, byte for byte.
type SignedCertificate struct {
	Certificate json.RawMessage `json:"certificate"`
	Signature   string          `json:"signature"`
}
