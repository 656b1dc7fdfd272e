package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
)

// migrations holds the schema's versions: files that are applied in the order of their names, each once. A file
// that was released is never changed.
//
//go:embed migrations/*.sql
var migrations embed.FS

// fills are the parts of migrations that the program performs: values of new columns that the databases would compute
// differently.
var fills = map[string]func(context.Context, *tx) error{
	"migrations/0003_platform.sql":   fillFlows,
	"migrations/0004_audiences.sql":  foldAudiences,
	"migrations/0005_governance.sql": fillLabelSets,
}

// migrate brings the schema up to date in one transaction. Processes that start at once wait for one another.
func (s *Store) migrate(ctx context.Context) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	return s.inTx(ctx, s.write, nil, func(t *sql.Tx) error {
		version, err := s.schemaVersion(ctx, t)
		if err != nil {
			return err
		}
		if version > len(files) {
			return fmt.Errorf("the database has version %d and this program knows %d: use a newer Roster", version, len(files))
		}
		for i := version; i < len(files); i++ {
			script, err := migrations.ReadFile(files[i])
			if err != nil {
				return err
			}
			if _, err := t.ExecContext(ctx, s.rewrite(string(script))); err != nil {
				return fmt.Errorf("%s: %w", files[i], err)
			}
			if fill := fills[files[i]]; fill != nil {
				if err := fill(ctx, s.newTx(t)); err != nil {
					return fmt.Errorf("%s: %w", files[i], err)
				}
			}
			if _, err := t.ExecContext(ctx, s.rewrite(`INSERT INTO schema_versions (version) VALUES ($1)`), i+1); err != nil {
				return err
			}
		}
		return nil
	})
}

// schemaVersion returns the version that the database has, and keeps other processes from changing it.
func (s *Store) schemaVersion(ctx context.Context, t *sql.Tx) (version int, err error) {
	if s.d.MigrationLock != "" {
		if _, err := t.ExecContext(ctx, s.d.MigrationLock); err != nil {
			return 0, err
		}
	}
	if _, err := t.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_versions (version BIGINT PRIMARY KEY)`); err != nil {
		return 0, err
	}
	err = t.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM schema_versions`).Scan(&version)
	return version, err
}
