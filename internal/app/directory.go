package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/google/uuid"

	"roster/internal/meta"
)

// ownDatabase refuses the PostgreSQL database of another data directory. Processes that share a database work on each
// other's jobs, but the files of those jobs lie in one data directory: a run would read one landing zone and write to
// another profile store.
func (a *App) ownDatabase(ctx context.Context) error {
	if a.cfg.DatabaseURL == "" {
		return nil // SQLite lies in the data directory
	}
	if err := a.checkDatabase(ctx); err != nil {
		return err
	}
	known := present(a.path("id"))
	id, err := directoryID(a.path("id"))
	if err != nil {
		return fmt.Errorf("--data-dir, ROSTER_DATA_DIR: %w", err)
	}
	var owner string
	err = a.meta.Update(ctx, func(tx meta.Tx) error {
		owner, err = tx.ClaimDirectory(ctx, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("--database-url, ROSTER_DATABASE_URL: %w", err)
	}
	if owner != id && !known {
		_ = os.Remove(a.path("id")) // created just now
		return fmt.Errorf("--database-url, ROSTER_DATABASE_URL: the database belongs to another data directory, whose file id holds %.100q, and there was no %s; "+
			"start with that data directory, restore its file id if that is lost, or give this one a database of its own", owner, a.path("id"))
	}
	if owner != id {
		return fmt.Errorf("--database-url, ROSTER_DATABASE_URL: the database belongs to another data directory, whose file id holds %.100q, "+
			"and this one's, %s, holds %.100q; start with that data directory, or give this one a database of its own", owner, a.path("id"), id)
	}
	return nil
}

// directoryID returns the id of a data directory, and creates it if it is absent.
func directoryID(path string) (string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		id := uuid.NewString()
		return id, writeJSON(path, id)
	}
	if err != nil {
		return "", err
	}
	var id string
	if err := json.Unmarshal(text, &id); err != nil || id == "" {
		return "", fmt.Errorf("%s does not contain the id of the data directory, which is a JSON string", path)
	}
	return id, nil
}
