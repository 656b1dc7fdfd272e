package sqlstore

import (
	"context"
	"fmt"

	"roster/internal/audience"
	"roster/internal/meta"
)

const connectionColumns = `id, org, sandbox, name, description, spec_id, spec_version, auth_spec, params, etag, version, state,
	created_by, created_at, updated_by, updated_at, sealed`

func scanConnection(r row) (c audience.Connection, err error) {
	return c, r.Scan(&c.ID, &c.Scope.Org, &c.Scope.Sandbox, &c.Name, &c.Description, &c.SpecID, &c.SpecVersion, &c.AuthSpec,
		asJSON(&c.Params), &c.Etag, &c.Version, &c.State, &c.CreatedBy, asTime(&c.CreatedAt), &c.UpdatedBy, asTime(&c.UpdatedAt), &c.Sealed)
}

// Connection implements meta.Reader.
func (q queries) Connection(ctx context.Context, scope audience.Scope, id audience.ConnectionID) (audience.Connection, error) {
	return one(ctx, q, "the connection", `SELECT `+connectionColumns+` FROM connections WHERE id = $1 AND org = $2 AND sandbox = $3`,
		[]any{id, scope.Org, scope.Sandbox}, scanConnection)
}

// Connections implements meta.Reader.
func (q queries) Connections(ctx context.Context, scope audience.Scope, name string, after audience.ConnectionID, limit int) (all []audience.Connection, err error) {
	err = q.view(ctx, func(q queries) error {
		where, args := `org = $1 AND sandbox = $2`, []any{scope.Org, scope.Sandbox}
		if name != "" {
			args = append(args, fold(name))
			where += fmt.Sprintf(` AND name_key = $%d`, len(args))
		}
		if after != "" {
			last, err := q.Connection(ctx, scope, after)
			if err != nil {
				return err
			}
			args = append(args, asTime(&last.CreatedAt), last.ID)
			where += fmt.Sprintf(` AND (created_at, id) > ($%d, $%d)`, len(args)-1, len(args))
		}
		args = append(args, max(limit, 0))
		all, err = list(ctx, q, "the connections", `SELECT `+connectionColumns+` FROM connections WHERE `+where+
			fmt.Sprintf(` ORDER BY created_at, id LIMIT $%d`, len(args)), args, scanConnection)
		return err
	})
	return all, err
}

func (t *tx) CreateConnection(ctx context.Context, c audience.Connection) error {
	return t.insert(ctx, "the connection", "connections", connectionColumns+", name_key",
		c.ID, c.Scope.Org, c.Scope.Sandbox, c.Name, c.Description, c.SpecID, c.SpecVersion, c.AuthSpec, asJSON(&c.Params), c.Etag,
		c.Version, c.State, c.CreatedBy, asTime(&c.CreatedAt), c.UpdatedBy, asTime(&c.UpdatedAt), c.Sealed, fold(c.Name))
}

func (t *tx) UpdateConnection(ctx context.Context, c audience.Connection) error {
	taken, err := one(ctx, t.queries, "the connection's name", `SELECT EXISTS (SELECT 1 FROM connections
		WHERE org = $1 AND sandbox = $2 AND name_key = $3 AND id <> $4)`, []any{c.Scope.Org, c.Scope.Sandbox, fold(c.Name), c.ID}, value[bool])
	if err != nil {
		return err
	}
	if taken {
		return fmt.Errorf("the connection's name: %w", meta.ErrDuplicate)
	}
	return t.must(ctx, meta.ErrNotFound, "the connection", `UPDATE connections SET name = $1, name_key = $2, description = $3, auth_spec = $4,
		params = $5, sealed = $6, etag = $7, version = $8, updated_by = $9, updated_at = $10 WHERE id = $11 AND org = $12 AND sandbox = $13`,
		c.Name, fold(c.Name), c.Description, c.AuthSpec, asJSON(&c.Params), c.Sealed, c.Etag, c.Version, c.UpdatedBy, asTime(&c.UpdatedAt),
		c.ID, c.Scope.Org, c.Scope.Sandbox)
}

func (t *tx) DeleteConnection(ctx context.Context, scope audience.Scope, id audience.ConnectionID) error {
	return t.must(ctx, meta.ErrNotFound, "the connection", `DELETE FROM connections WHERE id = $1 AND org = $2 AND sandbox = $3`,
		id, scope.Org, scope.Sandbox)
}

func (t *tx) ConnectionInUse(ctx context.Context, scope audience.Scope, id audience.ConnectionID) (bool, error) {
	return one(ctx, t.queries, "the connection's use", `SELECT
		EXISTS (SELECT 1 FROM audiences WHERE connection_id = $1 AND org = $2 AND sandbox = $3 AND NOT deleted) OR
		EXISTS (SELECT 1 FROM tasks WHERE connection_id = $1 AND org = $2 AND sandbox = $3 AND status = 'PROCESSING')`,
		[]any{id, scope.Org, scope.Sandbox}, value[bool])
}
