package meta

import (
	"context"
	"time"

	"github.com/google/uuid"

	"roster/internal/audience"
)

// AuditLog reads the audit log.
type AuditLog interface {
	// Audit lists the entries of an organization's audit log that the query selects, newest first.
	Audit(ctx context.Context, org string, q audience.AuditQuery) ([]audience.AuditEntry, error)
}

// AuditLogTx adds to the audit log in a transaction.
type AuditLogTx interface {
	AuditLog
	// AppendAudit adds an entry to the audit log, which is append-only (ErrDuplicate).
	AppendAudit(ctx context.Context, e audience.AuditEntry) error
}

// Record adds an entry with a time and a new id to the audit log.
func Record(ctx context.Context, tx AuditLogTx, e audience.AuditEntry, at time.Time) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	e.ID, e.At = id.String(), at
	return tx.AppendAudit(ctx, e)
}
