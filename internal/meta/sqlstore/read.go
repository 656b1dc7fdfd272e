package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"roster/internal/audience"
	"roster/internal/meta"
)

func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }

// Organizations implements meta.Reader.
func (q queries) Organizations(ctx context.Context) ([]string, error) {
	var list []string
	err := q.each(ctx, "the organizations", `SELECT org FROM organizations ORDER BY org`, nil, func(r *sql.Rows) error {
		var org string
		err := r.Scan(&org)
		list = append(list, org)
		return err
	})
	return list, err
}

const sandboxColumns = `num, id, org, name, title, type, is_default, created_at`

func scanSandbox(s *audience.Sandbox, created *int64) []any {
	return []any{&s.Num, &s.ID, &s.Org, &s.Name, &s.Title, &s.Type, &s.Default, created}
}

// Sandbox implements meta.Reader.
func (q queries) Sandbox(ctx context.Context, scope audience.Scope) (s audience.Sandbox, err error) {
	var created int64
	err = q.one(ctx, "the sandbox", `SELECT `+sandboxColumns+` FROM sandboxes WHERE org = $1 AND name = $2`,
		[]any{scope.Org, scope.Sandbox}, scanSandbox(&s, &created)...)
	s.CreatedAt = fromMicros(created)
	return s, err
}

// Sandboxes implements meta.Reader.
func (q queries) Sandboxes(ctx context.Context, org string) ([]audience.Sandbox, error) {
	var list []audience.Sandbox
	err := q.each(ctx, "the sandboxes", `SELECT `+sandboxColumns+` FROM sandboxes WHERE org = $1 ORDER BY name`, []any{org}, func(r *sql.Rows) error {
		var s audience.Sandbox
		var created int64
		err := r.Scan(scanSandbox(&s, &created)...)
		s.CreatedAt = fromMicros(created)
		list = append(list, s)
		return err
	})
	return list, err
}

// Client implements meta.Reader.
func (q queries) Client(ctx context.Context, id string) (c audience.Client, err error) {
	var created int64
	err = q.one(ctx, "the API client", `SELECT id, org, name, secret_hash, roles, created_at FROM clients WHERE id = $1`,
		[]any{id}, &c.ID, &c.Org, &c.Name, &c.SecretHash, doc[map[string]audience.ClientRole]{&c.Roles}, &created)
	c.CreatedAt = fromMicros(created)
	return c, err
}

// Connection implements meta.Reader.
func (q queries) Connection(ctx context.Context, scope audience.Scope, id audience.ConnectionID) (c audience.Connection, err error) {
	err = q.one(ctx, "the connection", `SELECT doc FROM connections WHERE id = $1 AND org = $2 AND sandbox = $3`,
		[]any{id, scope.Org, scope.Sandbox}, doc[audience.Connection]{&c})
	return c, err
}

// Connections implements meta.Reader.
func (q queries) Connections(ctx context.Context, scope audience.Scope, name string, after audience.ConnectionID, limit int) ([]audience.Connection, error) {
	query := `SELECT doc FROM connections WHERE org = $1 AND sandbox = $2`
	args := []any{scope.Org, scope.Sandbox}
	if name != "" {
		args = append(args, strings.ToLower(name))
		query += fmt.Sprintf(` AND name_key = $%d`, len(args))
	}
	if after != "" {
		args = append(args, after)
		query += fmt.Sprintf(` AND (created_at, id) > (SELECT created_at, id FROM connections WHERE id = $%d)`, len(args))
	}
	args = append(args, limit)
	query += fmt.Sprintf(` ORDER BY created_at, id LIMIT $%d`, len(args))
	return docs[audience.Connection](ctx, q, "the connections", query, args...)
}

// docs reads a list of documents.
func docs[T any](ctx context.Context, q queries, what, query string, args ...any) ([]T, error) {
	var list []T
	err := q.each(ctx, what, query, args, func(r *sql.Rows) error {
		var v T
		err := r.Scan(doc[T]{&v})
		list = append(list, v)
		return err
	})
	return list, err
}

// ConnectionInUse implements meta.Tx.
func (q queries) ConnectionInUse(ctx context.Context, scope audience.Scope, id audience.ConnectionID) (bool, error) {
	var n int
	err := q.one(ctx, "the connection's use", `SELECT (SELECT COUNT(*) FROM audiences WHERE connection_id = $1 AND org = $2 AND sandbox = $3 AND deleted_at = 0)
		+ (SELECT COUNT(*) FROM tasks WHERE connection_id = $1 AND org = $2 AND sandbox = $3 AND status = 'PROCESSING')`,
		[]any{id, scope.Org, scope.Sandbox}, &n)
	return n > 0, err
}

// namespaceBase is added to the number of a custom namespace, so that its id is not a standard one's.
const namespaceBase = 10_000

// Namespaces implements meta.Reader.
func (q queries) Namespaces(ctx context.Context, org string) ([]audience.Namespace, error) {
	var list []audience.Namespace
	err := q.each(ctx, "the namespaces", `SELECT num, doc FROM namespaces WHERE org = $1 ORDER BY code`, []any{org}, func(r *sql.Rows) error {
		var n audience.Namespace
		var num int
		err := r.Scan(&num, doc[audience.Namespace]{&n})
		n.ID = namespaceBase + num
		list = append(list, n)
		return err
	})
	return list, err
}

// Task implements meta.Reader.
func (q queries) Task(ctx context.Context, scope audience.Scope, id audience.TaskID) (t audience.Task, err error) {
	err = q.one(ctx, "the task", `SELECT doc FROM tasks WHERE id = $1 AND org = $2 AND sandbox = $3`,
		[]any{id, scope.Org, scope.Sandbox}, doc[audience.Task]{&t})
	return t, err
}

func (q queries) audience(ctx context.Context, where string, args ...any) (a audience.Audience, err error) {
	var num uint32
	err = q.one(ctx, "the audience", `SELECT num, doc FROM audiences WHERE deleted_at = 0 AND `+where, args, &num, doc[audience.Audience]{&a})
	a.Num = num
	return a, err
}

// Audience implements meta.Reader.
func (q queries) Audience(ctx context.Context, scope audience.Scope, id audience.ID) (audience.Audience, error) {
	return q.audience(ctx, `id = $1 AND org = $2 AND sandbox = $3`, id, scope.Org, scope.Sandbox)
}

// AudienceByNum implements meta.Reader.
func (q queries) AudienceByNum(ctx context.Context, num uint32) (audience.Audience, error) {
	return q.audience(ctx, `num = $1`, int64(num))
}

// Audiences implements meta.Reader.
func (q queries) Audiences(ctx context.Context, scope audience.Scope, offset, limit int) (list []audience.Audience, total int, err error) {
	where := ` FROM audiences WHERE org = $1 AND sandbox = $2 AND deleted_at = 0`
	if err := q.one(ctx, "the number of audiences", `SELECT COUNT(*)`+where, []any{scope.Org, scope.Sandbox}, &total); err != nil {
		return nil, 0, err
	}
	err = q.each(ctx, "the audiences", `SELECT num, doc`+where+` ORDER BY created_at DESC, id DESC LIMIT $3 OFFSET $4`,
		[]any{scope.Org, scope.Sandbox, limit, offset}, func(r *sql.Rows) error {
			var a audience.Audience
			var num uint32
			err := r.Scan(&num, doc[audience.Audience]{&a})
			a.Num = num
			list = append(list, a)
			return err
		})
	return list, total, err
}

const runFrom = ` FROM runs r JOIN audiences a ON a.id = r.audience_id WHERE a.deleted_at = 0`

// scanRun reads a run; its status and audience's name are the columns', which are newer than the document.
func scanRun(scan func(...any) error) (r audience.Run, err error) {
	var status, name string
	err = scan(&status, &name, doc[audience.Run]{&r})
	r.Status, r.AudienceName = audience.Status(status), name
	return r, err
}

func (q queries) run(ctx context.Context, where string, args ...any) (audience.Run, error) {
	return scanRun(func(to ...any) error {
		return q.one(ctx, "the run", `SELECT r.status, a.name, r.doc`+runFrom+` AND `+where, args, to...)
	})
}

// Run implements meta.Reader.
func (q queries) Run(ctx context.Context, scope audience.Scope, aud audience.ID, id audience.RunID) (audience.Run, error) {
	return q.run(ctx, `r.id = $1 AND r.audience_id = $2 AND a.org = $3 AND a.sandbox = $4`, id, aud, scope.Org, scope.Sandbox)
}

// RunByFlow implements meta.Reader.
func (q queries) RunByFlow(ctx context.Context, scope audience.Scope, flow string) (audience.Run, error) {
	return q.run(ctx, `a.org = $2 AND a.sandbox = $3 AND (r.flow_id = $1 OR r.id = (SELECT run_id FROM run_flows WHERE flow_run_id = $1)) ORDER BY r.seq DESC LIMIT 1`,
		flow, scope.Org, scope.Sandbox)
}

// Runs implements meta.Reader.
func (q queries) Runs(ctx context.Context, scope audience.Scope, aud audience.ID, rq meta.RunQuery) (list []audience.Run, total int, err error) {
	where := ` AND r.audience_id = $1 AND a.org = $2 AND a.sandbox = $3`
	args := []any{aud, scope.Org, scope.Sandbox}
	for _, f := range rq.Filters {
		cond, value, err := filter(f, len(args)+1)
		if err != nil {
			return nil, 0, err
		}
		where += ` AND ` + cond
		args = append(args, value)
	}
	if err := q.one(ctx, "the number of runs", `SELECT COUNT(*)`+runFrom+where, args, &total); err != nil {
		return nil, 0, err
	}
	way := ""
	if rq.Descending {
		way = " DESC"
	}
	order := ` ORDER BY r.created_at` + way + `, r.seq` + way
	if rq.SortBy == "name" {
		order = ` ORDER BY a.name` + way + `, r.seq` + way
	}
	n := len(args)
	args = append(args, rq.Limit, rq.Offset)
	err = q.each(ctx, "the runs", `SELECT r.status, a.name, r.doc`+runFrom+where+order+fmt.Sprintf(` LIMIT $%d OFFSET $%d`, n+1, n+2), args, func(r *sql.Rows) error {
		run, err := scanRun(r.Scan)
		list = append(list, run)
		return err
	})
	return list, total, err
}

// filter returns the condition of a filter, with its value as parameter n.
func filter(f meta.RunFilter, n int) (cond string, value any, err error) {
	column := map[string]string{"name": "a.name", "status": "r.status", "createdAt": "r.created_at / 1000000"}[f.Property]
	if f.Property == "createdAt" {
		switch f.Op {
		case ">=", "<=", ">", "<":
			seconds, err := strconv.ParseInt(f.Value, 10, 64)
			return fmt.Sprintf(`%s %s $%d`, column, f.Op, n), seconds, err
		}
	} else if column != "" {
		switch f.Op {
		case "=", "!=":
			return fmt.Sprintf(`%s %s $%d`, column, f.Op, n), f.Value, nil
		case "=contains":
			return fmt.Sprintf(`%s LIKE $%d ESCAPE '\'`, column, n), likePattern(f.Value), nil
		case "!=contains":
			return fmt.Sprintf(`%s NOT LIKE $%d ESCAPE '\'`, column, n), likePattern(f.Value), nil
		}
	}
	return "", nil, fmt.Errorf("meta: no filter %s%s", f.Property, f.Op)
}

func likePattern(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}

// ReadObjects implements meta.Reader.
func (q queries) ReadObjects(ctx context.Context, aud audience.ID, files []audience.PlannedFile) (map[string]bool, error) {
	wanted := make(map[string]bool, len(files))
	for _, f := range files {
		wanted[f.Path+"\x00"+f.Version] = true
	}
	found := map[string]bool{}
	err := q.each(ctx, "the objects read", `SELECT path, version FROM read_objects WHERE audience_id = $1`, []any{aud}, func(r *sql.Rows) error {
		var path, version string
		err := r.Scan(&path, &version)
		if key := path + "\x00" + version; wanted[key] {
			found[key] = true
		}
		return err
	})
	return found, err
}

// Unfinished implements meta.Reader.
func (q queries) Unfinished(ctx context.Context, now time.Time) (tasks []audience.Task, runs []audience.Run, err error) {
	tasks, err = docs[audience.Task](ctx, q, "the open tasks", `SELECT doc FROM tasks WHERE status = 'PROCESSING' AND lease_until < $1`, micros(now))
	if err != nil {
		return nil, nil, err
	}
	err = q.each(ctx, "the open runs", `SELECT r.status, a.name, r.doc`+runFrom+` AND r.status = 'PROCESSING' AND r.lease_until < $1`, []any{micros(now)}, func(r *sql.Rows) error {
		run, err := scanRun(r.Scan)
		runs = append(runs, run)
		return err
	})
	return tasks, runs, err
}

// Unswept implements meta.Reader.
func (q queries) Unswept(ctx context.Context) ([]meta.DeletedAudience, error) {
	var list []meta.DeletedAudience
	err := q.each(ctx, "the deleted audiences", `SELECT a.id, a.num, a.org, a.sandbox, s.num FROM audiences a JOIN sandboxes s ON s.org = a.org AND s.name = a.sandbox
		WHERE a.deleted_at > 0 AND a.swept_at = 0`, nil, func(r *sql.Rows) error {
		var d meta.DeletedAudience
		err := r.Scan(&d.ID, &d.Num, &d.Scope.Org, &d.Scope.Sandbox, &d.SandboxNum)
		list = append(list, d)
		return err
	})
	return list, err
}
