// Package meta is the contract of the metadata store: tenants, API clients, connections, namespaces,
// audiences, tasks, runs and what successful runs have read. Its engines are in meta/sqlite and
// meta/postgres; both pass the suite in meta/metatest.
package meta

import (
	"context"
	"database/sql"
	"errors"
)

// ErrNotFound is returned for an absent row; ErrDuplicate when a unique name or id is taken;
// ErrRunInProgress by CreateRun when the audience has a run that is PROCESSING.
var (
	ErrNotFound      = errors.New("meta: not found")
	ErrDuplicate     = errors.New("meta: duplicate")
	ErrRunInProgress = errors.New("meta: a run is in progress")
	// ErrLeaseHeld is returned by AcquireRun and AcquireTask when another worker holds an unexpired lease.
	ErrLeaseHeld = errors.New("meta: another worker holds the lease")
	// ErrStale is returned by run and task updates when the row is no longer PROCESSING or the lease was lost.
	ErrStale = errors.New("meta: stale")
)

// What a DuplicateError may name.
const (
	FieldName     = "name"
	FieldCustomID = "customAudienceId"
)

// DuplicateError is the ErrDuplicate of CreateTask and UpdateAudience when a name of the audience is taken.
type DuplicateError struct {
	Field string // FieldName or FieldCustomID
}

func (e *DuplicateError) Error() string { return "meta: the " + e.Field + " is taken" }

// Unwrap makes it an ErrDuplicate.
func (e *DuplicateError) Unwrap() error { return ErrDuplicate }

// Store is a metadata store. Its Reader methods each see one consistent state; changes go through Update.
type Store interface {
	Reader
	Updater
	Progress
	// Close releases the store. It is safe to call twice.
	Close() error
}

// Updater changes what is stored.
type Updater interface {
	// Update runs fn in one read-write transaction, serialised against all others, and commits when fn returns
	// nil. An error that is one of this package's leaves the transaction usable. It runs fn again when the
	// transaction lost against another one, which it sees by the error that fn returns: fn must wrap the errors
	// of its Tx (%w) and have no effect but through it. Inside fn only the Tx may be used, never the Store.
	Update(ctx context.Context, fn func(Tx) error) error
}

// Reader is all that can be read. Its parts, and those of Tx, are what the packages that use the store name. Every list is ordered as its comment says, and an absent row is ErrNotFound.
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
	// ClaimDirectory makes the store the data directory's with that id, unless it is another's already; it returns the
	// id of the one that it belongs to.
	ClaimDirectory(ctx context.Context, id string) (owner string, err error)
}

// Transaction is a transaction itself.
type Transaction interface {
	// SQL is the transaction in which the queue records work.
	SQL() *sql.Tx
	// Committed has fn called once the transaction has committed; never when it is rolled back, and not when nobody knows.
	Committed(fn func())
}
