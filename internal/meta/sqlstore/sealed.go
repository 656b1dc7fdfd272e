package sqlstore

import (
	"context"
	"fmt"

	"roster/internal/meta"
)

// sealedIn is the table that has the sealed texts of a kind.
var sealedIn = map[meta.SealedBy]string{meta.SealedConnection: "connections", meta.SealedWebhook: "webhooks", meta.SealedErasure: "erasures", meta.SealedKey: "encryption_keys"}

// Sealed implements meta.Reader.
func (q queries) Sealed(ctx context.Context) ([]meta.Sealed, error) {
	return list(ctx, q, "what is sealed", `SELECT 'connection', id, sealed FROM connections WHERE sealed <> ''
		UNION ALL SELECT 'webhook', id, sealed FROM webhooks WHERE sealed <> ''
		UNION ALL SELECT 'key', id, sealed FROM encryption_keys WHERE sealed <> ''
		UNION ALL SELECT 'erasure', id, sealed FROM erasures WHERE sealed <> '' ORDER BY 1, 2`, nil,
		func(r row) (s meta.Sealed, err error) { return s, r.Scan(&s.By, &s.ID, &s.Text) })
}

// Reseal implements meta.Tx.
func (t *tx) Reseal(ctx context.Context, was meta.Sealed, text string) error {
	table, known := sealedIn[was.By]
	if !known {
		return fmt.Errorf("nothing is sealed of a %s", was.By)
	}
	return t.must(ctx, meta.ErrStale, "what is sealed", `UPDATE `+table+` SET sealed = $1 WHERE id = $2 AND sealed = $3`, text, was.ID, was.Text)
}
