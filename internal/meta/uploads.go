package meta

import (
	"context"
	"time"

	"roster/internal/audience"
)

// Upload is an incomplete upload by ranges.
type Upload struct {
	ID        string
	Scope     audience.Scope
	Name      string // path of the file in the landing zone
	Size      int64  // bytes of the whole file
	SHA256    []byte // nil if the client sent none
	Received  int64  // bytes in the parts
	UpdatedAt time.Time
	Parts     []UploadPart // by First, without gaps
}

// UploadPart is a part of an upload. Its bytes are the first ones of an object.
type UploadPart struct {
	First, Bytes int64
	Object       string
}

// QuotaHold reserves bytes of a landing zone's quota for a file.
type QuotaHold struct {
	ID    string
	Scope audience.Scope
	Name  string // path of the file
	Bytes int64
	// Begun and Ended order the beginnings and ends of the holds of a sandbox. Ended is 0 while the upload is in progress.
	Begun, Ended int64
	// Measuring means that the upload may reserve more bytes, based on a measurement since Begun.
	Measuring bool
	// LeaseUntil is when the hold ends by itself, because its process has died.
	LeaseUntil time.Time
}

// Uploads reads the incomplete uploads of landing zones.
type Uploads interface {
	// Upload finds the incomplete upload of a file.
	Upload(ctx context.Context, scope audience.Scope, name string) (Upload, error)
	// Uploads lists the incomplete uploads of a sandbox by Name, without their Parts.
	Uploads(ctx context.Context, scope audience.Scope) ([]Upload, error)
	// UploadsBefore lists the incomplete uploads of all organizations that were last continued before a time, the oldest first.
	UploadsBefore(ctx context.Context, before time.Time) ([]Upload, error)
	// UploadObjects returns those of some objects that are parts of incomplete uploads, in no order.
	UploadObjects(ctx context.Context, objects []string) ([]string, error)
}

// UploadsTx changes incomplete uploads and holds in a transaction.
type UploadsTx interface {
	Uploads
	// CreateUpload stores an upload with its Parts. It replaces the upload of the same file.
	CreateUpload(ctx context.Context, u Upload) error
	// AddUploadPart adds a part at the end of an upload, or replaces its last part by a longer one of the same object. u is
	// the upload as it was read; ErrStale if it was continued, replaced or deleted since.
	AddUploadPart(ctx context.Context, u Upload, p UploadPart, at time.Time) error
	// DeleteUpload removes an upload; ErrStale if it was continued, replaced or deleted since it was read.
	DeleteUpload(ctx context.Context, u Upload) error
	// QuotaHolds lists the holds of a sandbox by ID.
	QuotaHolds(ctx context.Context, scope audience.Scope) ([]QuotaHold, error)
	// SaveQuotaHold stores a hold and replaces an earlier state of it.
	SaveQuotaHold(ctx context.Context, h QuotaHold) error
	// DeleteQuotaHold removes a hold, if there is one.
	DeleteQuotaHold(ctx context.Context, id string) error
}
