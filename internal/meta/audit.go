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
	Audit(ctx context.Context, org string, q AuditQuery) ([]audience.AuditEntry, error)
}

// AuditLogTx adds to the audit log in a transaction.
type AuditLogTx interface {
	AuditLog
	// AppendAudit adds an entry to the audit log, in which nothing is ever changed (ErrDuplicate).
	AppendAudit(ctx context.Context, e audience.AuditEntry) error
}

// AuditQuery selects entries of an audit log. What is empty selects nothing.
type AuditQuery struct {
	Limit                                int
	Sandbox, ClientID, RequestID, Object string
	Action                               audience.Action
	Outcome                              audience.Outcome
	Since, Until                         time.Time // from the one to before the other
	// After is the entry that the list goes on after; nil begins it.
	After *AuditPlace
}

// AuditPlace is where an entry stands in the audit log.
type AuditPlace struct {
	At time.Time
	ID string
}

// Record adds an entry of a time to the audit log, and gives it an id.
func Record(ctx context.Context, tx AuditLogTx, e audience.AuditEntry, at time.Time) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	e.ID, e.At = id.String(), at
	return tx.AppendAudit(ctx, e)
}
