package sqlstore

import (
	"context"
	"fmt"

	"roster/internal/audience"
	"roster/internal/meta"
)

const clientColumns = `id, org, name, secret_hash, old_secrets, roles, grants, created_by, created_at, updated_at`

func scanClient(r row) (c audience.Client, err error) {
	return c, r.Scan(&c.ID, &c.Org, &c.Name, asJSON(&c.SecretHash), asJSON(&c.OldSecrets), asJSON(&c.Roles), asJSON(&c.Grants),
		&c.CreatedBy, asTime(&c.CreatedAt), asTime(&c.UpdatedAt))
}

// Client implements meta.Reader.
func (q queries) Client(ctx context.Context, id string) (audience.Client, error) {
	return one(ctx, q, "the API client", `SELECT `+clientColumns+` FROM clients WHERE id = $1`, []any{id}, scanClient)
}

// Clients implements meta.Reader.
func (q queries) Clients(ctx context.Context, org, after string, limit int) ([]audience.Client, error) {
	return list(ctx, q, "the API clients", `SELECT `+clientColumns+` FROM clients WHERE org = $1 AND id > $2 ORDER BY id LIMIT $3`,
		[]any{org, after, max(limit, 0)}, scanClient)
}

func (t *tx) CreateClient(ctx context.Context, c audience.Client) error {
	return t.insert(ctx, "the API client", "clients", clientColumns, c.ID, c.Org, c.Name, asJSON(&c.SecretHash), asJSON(&c.OldSecrets),
		asJSON(&c.Roles), asJSON(&c.Grants), c.CreatedBy, asTime(&c.CreatedAt), asTime(&c.UpdatedAt))
}

func (t *tx) UpdateClient(ctx context.Context, c audience.Client) error {
	return t.must(ctx, meta.ErrNotFound, "the API client", `UPDATE clients SET name = $1, secret_hash = $2, old_secrets = $3, roles = $4, grants = $5,
		updated_at = $6 WHERE id = $7 AND org = $8`,
		c.Name, asJSON(&c.SecretHash), asJSON(&c.OldSecrets), asJSON(&c.Roles), asJSON(&c.Grants), asTime(&c.UpdatedAt), c.ID, c.Org)
}

func (t *tx) DeleteClient(ctx context.Context, org, id string) error {
	return t.must(ctx, meta.ErrNotFound, "the API client", `DELETE FROM clients WHERE id = $1 AND org = $2`, id, org)
}

// deleteRoles removes the roles in a sandbox from all clients of its organization, so that no client has one in a later
// sandbox with that name.
func (t *tx) deleteRoles(ctx context.Context, scope audience.Scope) error {
	all, err := list(ctx, t.queries, "the API clients", `SELECT `+clientColumns+` FROM clients WHERE org = $1`, []any{scope.Org}, scanClient)
	if err != nil {
		return err
	}
	for _, c := range all {
		if _, ok := c.Roles[scope.Sandbox]; !ok {
			continue
		}
		delete(c.Roles, scope.Sandbox)
		if err := t.UpdateClient(ctx, c); err != nil {
			return fmt.Errorf("take the roles in sandbox %s away: %w", scope.Sandbox, err)
		}
	}
	return nil
}
