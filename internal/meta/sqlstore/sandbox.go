package sqlstore

import (
	"cmp"
	"context"
	"slices"

	"roster/internal/audience"
	"roster/internal/meta"
)

const sandboxColumns = `num, id, org, name, title, type, is_default, created_at, state`

func scanSandbox(r row) (s audience.Sandbox, err error) {
	return s, r.Scan(&s.Num, &s.ID, &s.Org, &s.Name, &s.Title, &s.Type, &s.Default, asTime(&s.CreatedAt), &s.State)
}

// Sandbox implements meta.Reader.
func (q queries) Sandbox(ctx context.Context, scope audience.Scope) (audience.Sandbox, error) {
	return one(ctx, q, "the sandbox", `SELECT `+sandboxColumns+` FROM sandboxes WHERE org = $1 AND name = $2`,
		[]any{scope.Org, scope.Sandbox}, scanSandbox)
}

// Sandboxes implements meta.Reader.
func (q queries) Sandboxes(ctx context.Context, org string) ([]audience.Sandbox, error) {
	all, err := list(ctx, q, "the sandboxes", `SELECT `+sandboxColumns+` FROM sandboxes WHERE org = $1`, []any{org}, scanSandbox)
	slices.SortFunc(all, func(a, b audience.Sandbox) int { return cmp.Compare(a.Name, b.Name) })
	return all, err
}

func (t *tx) CreateSandbox(ctx context.Context, s *audience.Sandbox) error {
	num, err := t.next(ctx, "sandbox")
	if err != nil {
		return err
	}
	err = t.insert(ctx, "the sandbox", "sandboxes", sandboxColumns,
		num, s.ID, s.Org, s.Name, s.Title, s.Type, s.Default, asTime(&s.CreatedAt), audience.SandboxActive)
	if err == nil {
		s.Num, s.State = uint32(num), audience.SandboxActive
	}
	return err
}

// LeavingSandboxes implements meta.Reader.
func (q queries) LeavingSandboxes(ctx context.Context) ([]audience.Sandbox, error) {
	return list(ctx, q, "the sandboxes to empty", `SELECT `+sandboxColumns+` FROM sandboxes WHERE state <> $1 ORDER BY num`,
		[]any{audience.SandboxActive}, scanSandbox)
}

func (t *tx) SetSandboxState(ctx context.Context, scope audience.Scope, s audience.SandboxState) error {
	return t.must(ctx, meta.ErrNotFound, "the sandbox", `UPDATE sandboxes SET state = $1 WHERE org = $2 AND name = $3`, s, scope.Org, scope.Sandbox)
}

func (t *tx) ClearSandbox(ctx context.Context, scope audience.Scope) (bool, error) {
	args := []any{scope.Org, scope.Sandbox}
	busy, err := one(ctx, t.queries, "the sandbox's content", `SELECT
		EXISTS (SELECT 1 FROM audiences WHERE org = $1 AND sandbox = $2 AND NOT deleted) OR
		EXISTS (SELECT 1 FROM audiences WHERE org = $1 AND sandbox = $2 AND deleted AND NOT swept) OR
		EXISTS (SELECT 1 FROM tasks WHERE org = $1 AND sandbox = $2 AND status = 'PROCESSING')`, args, value[bool])
	if err != nil || busy {
		return false, err
	}
	for _, table := range []string{"connections", "encryption_keys", "tasks", "answers", "uploads", "quota_holds"} {
		if _, err := t.exec(ctx, "the sandbox's content", `DELETE FROM `+table+` WHERE org = $1 AND sandbox = $2`, args...); err != nil {
			return false, err
		}
	}
	return true, t.deleteWebhooks(ctx, scope)
}

func (t *tx) DeleteSandbox(ctx context.Context, scope audience.Scope) error {
	err := t.must(ctx, meta.ErrNotFound, "the sandbox", `DELETE FROM sandboxes WHERE org = $1 AND name = $2`, scope.Org, scope.Sandbox)
	if err != nil {
		return err
	}
	return t.deleteRoles(ctx, scope)
}
