package sqlstore

import (
	"context"
	"fmt"

	"roster/internal/audience"
)

const auditColumns = `id, org, sandbox, at, client_id, request_id, action, object, outcome, code, missing, labels, before, after`

func scanAudit(r row) (e audience.AuditEntry, err error) {
	return e, r.Scan(&e.ID, &e.Org, &e.Sandbox, asTime(&e.At), &e.ClientID, &e.RequestID, &e.Action, &e.Object, &e.Outcome, &e.Code,
		asJSON(&e.Missing), asJSON(&e.Labels), asJSON(&e.Before), asJSON(&e.After))
}

func (t *tx) AppendAudit(ctx context.Context, e audience.AuditEntry) error {
	return t.insert(ctx, "the audit entry", "audit", auditColumns, e.ID, e.Org, e.Sandbox, asTime(&e.At), e.ClientID, e.RequestID, e.Action, e.Object,
		e.Outcome, e.Code, asJSON(&e.Missing), asJSON(&e.Labels), asJSON(&e.Before), asJSON(&e.After))
}

// Audit implements meta.Reader.
func (q queries) Audit(ctx context.Context, org string, query audience.AuditQuery) ([]audience.AuditEntry, error) {
	s := auditPage(org, query)
	return list(ctx, q, "the audit log", s.sql, s.args, scanAudit)
}

// auditPage reads a part of the log.
func auditPage(org string, query audience.AuditQuery) statement {
	where, args := `org = $1`, []any{org}
	add := func(condition string, values ...any) {
		marks := make([]any, len(values))
		for i, v := range values {
			args = append(args, v)
			marks[i] = fmt.Sprintf("$%d", len(args))
		}
		where += ` AND ` + fmt.Sprintf(condition, marks...)
	}
	for _, f := range []struct{ column, value string }{
		{"sandbox", query.Sandbox}, {"client_id", query.ClientID}, {"request_id", query.RequestID},
		{"action", string(query.Action)}, {"object", query.Object}, {"outcome", string(query.Outcome)},
	} {
		if f.value != "" {
			add(f.column+` = %s`, f.value)
		}
	}
	if !query.Since.IsZero() {
		add(`at >= %s`, asTime(&query.Since))
	}
	if !query.Until.IsZero() {
		add(`at < %s`, asTime(&query.Until))
	}
	if p := query.After; p != nil {
		add(`(at, id) < (%s, %s)`, asTime(&p.At), p.ID)
	}
	args = append(args, max(query.Limit, 0))
	return statement{sql: `SELECT ` + auditColumns + ` FROM audit WHERE ` + where + fmt.Sprintf(` ORDER BY at DESC, id DESC LIMIT $%d`, len(args)), args: args}
}
