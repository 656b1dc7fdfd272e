// Package meta is the contract of the metadata store: tenants, API clients, connections, namespaces,
// audiences, tasks, runs and what successful runs have read. Its engines are in meta/sqlite and
// meta/postgres; both pass the suite in meta/metatest.
package meta

import (
	"context"
	"database/sql"
	"errors"
)

// ErrNotFound is returned for an absent row, ErrDuplicate if a unique name or id is in use, and ErrRunInProgress by
// CreateRun if the audience has a PROCESSING run.
var (
	ErrNotFound      = errors.New("meta: not found")
	ErrDuplicate     = errors.New("meta: duplicate")
	ErrRunInProgress = errors.New("meta: a run is in progress")
	// ErrLeaseHeld is returned by AcquireRun and AcquireTask when another worker holds an unexpired lease.
	ErrLeaseHeld = errors.New("meta: another worker holds the lease")
	// ErrStale is returned by run and task updates when the row is no longer PROCESSING or the lease was lost.
	ErrStale = errors.New("meta: stale")
)

// Fields of a DuplicateError.
const (
	FieldName     = "name"
	FieldCustomID = "customAudienceId"
)

// DuplicateError is the ErrDuplicate of CreateTask and UpdateAudience if a name of the audience is in use.
type DuplicateError struct {
	Field string // FieldName or FieldCustomID
}

func (e *DuplicateError) Error() string { return "meta: the " + e.Field + " is taken" }

// Unwrap returns ErrDuplicate.
func (e *DuplicateError) Unwrap() error { return ErrDuplicate }

// Store is a metadata store. Its Reader methods each see one consistent state; changes go through Update.
type Store interface {
	Reader
	Updater
	Progress
	// Close releases the store. It is safe to call twice.
	Close() error
}

// Updater changes stored data.
type Updater interface {
	// Update runs fn in one read-write transaction, serialised against all others, and commits when fn returns nil. An
	// error that is one of this package's leaves the transaction usable. If the transaction loses against another one,
	// it runs fn again. It detects this from the error of fn, so fn must wrap the errors of its Tx (%w), and must have
	// no effects except through the Tx. Inside fn only the Tx may be used, never the Store.
	Update(ctx context.Context, fn func(Tx) error) error
}

// Reader contains all reads. Packages that use the store name only the parts of Reader and Tx that they need. Every
// list has the order in its comment, and an absent row is ErrNotFound.
type Reader interface {
	Tenants
	Clients
	AuditLog
	Connections
	Keys
	Audiences
	Upkeep
	Tasks
	Runs
	Leases
	Webhooks
	Erasures
	Secrets
	Requests
	Uploads
}

// Tx is a read-write transaction. Reads inside it see its own writes.
type Tx interface {
	Transaction
	TenantsTx
	ClientsTx
	AuditLogTx
	ConnectionsTx
	KeysTx
	AudiencesTx
	UpkeepTx
	TasksTx
	RunsTx
	LeasesTx
	WebhooksTx
	ErasuresTx
	SecretsTx
	RequestsTx
	UploadsTx
	// ClaimDirectory binds the store to the data directory with that id, unless it is already bound to another. It
	// returns the id of the data directory that the store is bound to.
	ClaimDirectory(ctx context.Context, id string) (owner string, err error)
}

// Transaction gives access to the transaction itself.
type Transaction interface {
	// SQL is the transaction in which the queue records work.
	SQL() *sql.Tx
	// Committed registers fn to be called after the commit. It is not called after a rollback, nor if the outcome of
	// the commit is unknown.
	Committed(fn func())
}
