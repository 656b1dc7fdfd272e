package sqlstore

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"roster/internal/audience"
	"roster/internal/meta"
)

// Runs implements meta.Reader. All runs of a list have one name, their audience's: a condition on the name holds
// for all of them or for none, and sorting by name leaves the order of their numbers.
func (q queries) Runs(ctx context.Context, scope audience.Scope, aud audience.ID, query audience.RunQuery) (all []audience.Run, total int, err error) {
	err = q.view(ctx, func(q queries) error {
		var of struct {
			name string
			runs int // the last number given, since a run is never removed
		}
		_, err := one(ctx, q, "the audience", `SELECT name, last_seq FROM audiences WHERE id = $1 AND org = $2 AND sandbox = $3 AND NOT deleted`,
			[]any{aud, scope.Org, scope.Sandbox}, func(r row) (struct{}, error) { return struct{}{}, r.Scan(&of.name, &of.runs) })
		if err != nil {
			return err
		}
		where := &runConditions{sql: `r.audience_id = $1`, args: []any{aud}}
		for _, f := range query.Filters {
			if err := where.add(f, of.name); err != nil {
				return err
			}
		}
		switch {
		case where.never:
			return nil
		case len(query.Filters) == 0:
			total = of.runs
		default:
			total, err = one(ctx, q, "the number of runs", `SELECT COUNT(*) FROM runs r WHERE `+where.sql, where.args, value[int])
			if err != nil {
				return err
			}
		}
		if query.After != nil {
			where.after(query)
		}
		all, err = list(ctx, q, "the runs", selectRuns+` WHERE `+where.sql+` ORDER BY `+runOrder(query)+
			fmt.Sprintf(` LIMIT $%d OFFSET $%d`, len(where.args)+1, len(where.args)+2),
			append(where.args, max(query.Limit, 0), max(query.Offset, 0)), scanRun)
		return err
	})
	return all, total, err
}

func runOrder(query audience.RunQuery) string {
	columns := []string{"r.created_at", "r.seq"}
	if query.SortBy == "name" {
		columns = columns[1:]
	}
	direction := ""
	if query.Descending {
		direction = " DESC"
	}
	return strings.Join(columns, direction+", ") + direction
}

// runConditions is the condition of a list of runs.
type runConditions struct {
	sql   string
	args  []any
	never bool // no run can fulfil it
}

// after leaves out the runs up to a place in the order of the list.
func (c *runConditions) after(query audience.RunQuery) {
	beyond := ">"
	if query.Descending {
		beyond = "<"
	}
	n := len(c.args)
	if query.SortBy == "name" {
		c.sql += fmt.Sprintf(` AND r.seq %s $%d`, beyond, n+1)
		c.args = append(c.args, query.After.Seq)
		return
	}
	c.sql += fmt.Sprintf(` AND (r.created_at, r.seq) %s ($%d, $%d)`, beyond, n+1, n+2)
	c.args = append(c.args, asTime(&query.After.At), query.After.Seq)
}

// add narrows the list by a filter. name is the name of all its runs.
func (c *runConditions) add(f audience.RunFilter, name string) error {
	switch f.Property {
	case "name":
		ok, err := matches(f, name)
		c.never = c.never || !ok
		return err
	case "status":
		return c.addStatus(f)
	case "createdAt":
		return c.addCreatedAt(f)
	}
	return fmt.Errorf("runs cannot be filtered by %q", f.Property)
}

// matches says whether a text fulfils a filter on it.
func matches(f audience.RunFilter, text string) (bool, error) {
	switch f.Op {
	case "=":
		return text == f.Value, nil
	case "!=":
		return text != f.Value, nil
	case "=contains":
		return strings.Contains(text, f.Value), nil
	case "!=contains":
		return !strings.Contains(text, f.Value), nil
	}
	return false, fmt.Errorf("runs cannot be filtered by %s%s", f.Property, f.Op)
}

// addStatus tries the filter on every status there is and asks for those that fulfil it.
func (c *runConditions) addStatus(f audience.RunFilter) error {
	first, n := len(c.args)+1, 0
	for _, s := range []audience.Status{audience.Processing, audience.Success, audience.Failed} {
		ok, err := matches(f, string(s))
		if err != nil {
			return err
		}
		if ok {
			c.args = append(c.args, s)
			n++
		}
	}
	if n == 0 {
		c.never = true
		return nil
	}
	c.sql += ` AND r.status IN (` + placeholders(first, n) + `)`
	return nil
}

// addCreatedAt compares whole seconds, which is what people see of a run's time.
func (c *runConditions) addCreatedAt(f audience.RunFilter) error {
	seconds, err := strconv.ParseInt(f.Value, 10, 64)
	if err != nil {
		return fmt.Errorf("runs cannot be filtered by %s%s%s: it is no number of seconds", f.Property, f.Op, f.Value)
	}
	const most = math.MaxInt64/1_000_000 - 1
	from := min(max(seconds, -most), most) * 1_000_000 // the first microsecond of the second
	var condition string
	switch f.Op {
	case ">=":
		condition = ">="
	case "<":
		condition = "<"
	case ">":
		condition, from = ">=", from+1_000_000
	case "<=":
		condition, from = "<", from+1_000_000
	default:
		return fmt.Errorf("runs cannot be filtered by %s%s", f.Property, f.Op)
	}
	c.args = append(c.args, from)
	c.sql += fmt.Sprintf(` AND r.created_at %s $%d`, condition, len(c.args))
	return nil
}

// LastIngested implements meta.Reader. It looks through the newest runs, some at a time.
func (q queries) LastIngested(ctx context.Context) (at time.Time, err error) {
	const some = 100
	err = q.view(ctx, func(q queries) error {
		for offset := 0; ; offset += some {
			type ended struct {
				request audience.RunRequest
				at      time.Time
			}
			runs, err := list(ctx, q, "the last runs", `SELECT request, ended_at FROM runs WHERE status = 'SUCCESS' ORDER BY created_at DESC, id LIMIT $1 OFFSET $2`,
				[]any{some, offset}, func(r row) (e ended, err error) { return e, r.Scan(asJSON(&e.request), asTime(&e.at)) })
			if err != nil {
				return err
			}
			for _, e := range runs {
				if e.request.Ingests() {
					at = e.at
					return nil
				}
			}
			if len(runs) < some {
				return fmt.Errorf("the last run: %w", meta.ErrNotFound)
			}
		}
	})
	return at, err
}

// RunsSince implements meta.Reader.
func (q queries) RunsSince(ctx context.Context, scope audience.Scope, after time.Time) ([]meta.RunStart, error) {
	return list(ctx, q, "the runs of a sandbox", `SELECT r.audience_id, r.request, r.created_at FROM runs r JOIN audiences a ON a.id = r.audience_id
		WHERE r.created_at > $1 AND a.org = $2 AND a.sandbox = $3 ORDER BY r.created_at`, []any{asTime(&after), scope.Org, scope.Sandbox},
		func(r row) (s meta.RunStart, err error) {
			return s, r.Scan(&s.AudienceID, asJSON(&s.Request), asTime(&s.CreatedAt))
		})
}
