package sqlstore

import (
	"context"
	"errors"

	"roster/internal/meta"
)

// ClaimDirectory implements meta.Tx.
func (t *tx) ClaimDirectory(ctx context.Context, id string) (owner string, err error) {
	err = t.insert(ctx, "the data directory", "data_directory", "one, id", 1, id)
	if err != nil && !errors.Is(err, meta.ErrDuplicate) {
		return "", err
	}
	return one(ctx, t.queries, "the data directory", `SELECT id FROM data_directory`, nil, value[string])
}
