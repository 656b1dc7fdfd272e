package client

import "encoding/json"

// ErasureStarted is the answer to the request to erase an identity.
type ErasureStarted struct {
	JobID  string `json:"jobId"` // of the erasure
	Status string `json:"status"`
}

// Erasure is the removal of an identity from all audiences of a sandbox.
type Erasure struct {
	ID        string           `json:"id"`
	Namespace string           `json:"namespace"`
	XID       string           `json:"xid"` // the identity's opaque id, as in look-ups
	Status    string           `json:"status"`
	Audiences []ErasedAudience `json:"audiences"` // those with data of the identity
	Error     *Failure         `json:"error,omitempty"`
	CreatedBy string           `json:"createdBy"`
	CreatedAt int64            `json:"createdAt"`
	EndedAt   int64            `json:"endedAt,omitempty"`
}

// ErasedAudience describes the effect of an erasure on an audience.
type ErasedAudience struct {
	AudienceID string `json:"audienceId"`
	RunID      string `json:"runId,omitempty"` // of the erase run; absent if no member was removed
	Members    int64  `json:"members"`         // removed members
	Versions   int    `json:"versions"`        // removed versions, which can no longer be restored
	Files      int    `json:"files"`           // removed files of the dataset
	Rejects    int    `json:"rejects"`         // removed files of rejects
	// RemovedVersions are the removed versions. Lists of erasures and certificates of earlier versions of Roster do not
	// have them.
	RemovedVersions []RemovedVersion `json:"removedVersions,omitempty"`
}

// RemovedVersion is a version of an audience that erasures have removed.
type RemovedVersion struct {
	RunID       string `json:"runId"` // the run whose version it was
	SnapshotID  string `json:"snapshotId"`
	CommittedAt int64  `json:"committedAt"`
	ErasureID   string `json:"erasureId,omitempty"` // only in a list of versions
}

// ErasureList is a page of erasures.
type ErasureList struct {
	Erasures []Erasure  `json:"erasures"`
	Page     CursorPage `json:"_page"`
}

// ErasureCertificate proves that an identity was erased. It names the identity by its opaque id, which can be computed
// from the identity.
type ErasureCertificate struct {
	Version      int              `json:"version"` // CertificateVersion
	Issuer       string           `json:"issuer"`
	Organization string           `json:"organization"`
	Sandbox      string           `json:"sandbox"`
	ErasureID    string           `json:"erasureId"`
	Namespace    string           `json:"namespace"`
	XID          string           `json:"xid"`
	Covers       []string         `json:"covers"` // the stores that the identity was erased from
	Audiences    []ErasedAudience `json:"audiences"`
	CreatedAt    int64            `json:"createdAt"`
	CreatedBy    string           `json:"createdBy"`
	EndedAt      int64            `json:"endedAt"`
}

// CertificateVersion is the version of certificates that this package supports.
const CertificateVersion = 1

// SignedCertificate is a certificate with the server's signature, a JSON Web Signature in compact form whose payload is
// the certificate, byte for byte.
type SignedCertificate struct {
	Certificate json.RawMessage `json:"certificate"`
	Signature   string          `json:"signature"`
}
