package meta

import (
	"context"
	"time"

	"github.com/google/uuid"

	"roster/internal/audience"
)

// Record adds an entry of a time to the audit log, and gives it an id.
func Record(ctx context.Context, tx Tx, e audience.AuditEntry, at time.Time) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	e.ID, e.At = id.String(), at
	return tx.AppendAudit(ctx, e)
}
