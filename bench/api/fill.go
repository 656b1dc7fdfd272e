package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	_ "modernc.org/sqlite"
)

// filled are the ids that calls use: copies of an audience, of its task and of its run, with numbers in their ids.
type filled struct {
	audience, task, run, flow string // the first 24 characters of ids, without the number
	audiences, runs           int
}

// id returns the id with a number.
func id(prefix string, n int) string { return fmt.Sprintf("%s%012d", prefix, n) }

const ais, ups = "/data/core/ais/external-audience", "/data/core/ups/audiences"

// searches search for a part of a name, for which the server compares all names.
func (f filled) searches() []kind {
	return []kind{{"/core/ups/audiences whose name holds a text", func(n int) string { return fmt.Sprintf("%s?name=%d", ups, 1+n%f.audiences) }}}
}

// calls are the kinds of frequent calls: lists, and the states of work in progress.
func (f filled) calls() []kind {
	one := func(n int) string { return ais + "/" + id(f.audience, 1+n%f.audiences) }
	return []kind{
		{"an audience", one},
		{"audiences, first page", func(int) string { return ais + "?limit=20" }},
		{"audiences, any of the first 100 pages", func(n int) string { return fmt.Sprintf("%s?limit=20&start=%d", ais, n%min(100, 1+f.audiences/20)) }},
		{"/core/ups/audiences, first page", func(int) string { return ups + "?limit=20" }},
		{"/core/ups/audiences by name", func(n int) string { return fmt.Sprintf("%s?property=name==audience%%20%d", ups, 1+n%f.audiences) }},
		{"the runs of an audience", func(n int) string { return one(n) + "/runs" }},
		{"the state of a run", func(n int) string {
			a := n % f.audiences
			return one(n) + "/run/" + id(f.run, a*f.runs+n/f.audiences%f.runs+1)
		}},
		{"the state of a task", func(n int) string { return ais + "/task/" + id(f.task, 1+n%f.audiences) }},
		{"the runs of a flow", func(n int) string {
			return "/data/foundation/flowservice/runs?property=flowId==" + id(f.flow, 1+n%f.audiences)
		}},
	}
}

// fill copies the only audience of a stopped server, with its task and its run, as often as the settings say.
func fill(ctx context.Context, file string, s settings) (filled, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=synchronous(off)&_pragma=foreign_keys(off)&_pragma=cache_size(-1000000)")
	if err != nil {
		return filled{}, err
	}
	defer db.Close()
	f := filled{audiences: s.audiences, runs: s.runs}
	err = db.QueryRowContext(ctx, `SELECT substr(a.id, 1, 24), substr(a.task_id, 1, 24), substr(a.flow_id, 1, 24), substr(a.last_run, 1, 24) FROM audiences a`).
		Scan(&f.audience, &f.task, &f.flow, &f.run)
	if err != nil {
		return f, err
	}
	number := func(prefix, n string) string {
		return fmt.Sprintf(`'%s' || substr(CAST(1000000000000 + %s AS TEXT), 2)`, prefix, n)
	}
	const second = " * 1000000"
	run := fmt.Sprintf("((a.i - 1) * %d + s.i)", s.runs)
	copies := []struct {
		table   string
		changed map[string]string
		times   string
	}{
		{"audiences", map[string]string{"id": number(f.audience, "a.i"), "task_id": number(f.task, "a.i"), "flow_id": number(f.flow, "a.i"), "num": "num + a.i",
			"name": "'audience ' || a.i", "name_key": "'audience ' || a.i", "created_at": "created_at - a.i" + second, "updated_at": "updated_at - a.i" + second,
			"last_seq": fmt.Sprint(s.runs), "last_run": number(f.run, fmt.Sprintf("a.i * %d", s.runs))}, `n a`},
		{"names", map[string]string{"name": "'audience ' || a.i", "audience_id": number(f.audience, "a.i")}, `n a`},
		{"tasks", map[string]string{"id": number(f.task, "a.i"), "audience_id": number(f.audience, "a.i")}, `n a`},
		{"runs", map[string]string{"id": number(f.run, run), "audience_id": number(f.audience, "a.i"), "flow_id": number(f.flow, "a.i"), "seq": "s.i",
			"created_at": "created_at - " + run + second, "updated_at": "updated_at - " + run + second, "ended_at": "ended_at - " + run + second},
			`n a CROSS JOIN m s`},
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return f, err
	}
	defer tx.Rollback() // does nothing after Commit
	for _, c := range copies {
		columns, values, err := copied(ctx, tx, c.table, c.changed)
		if err != nil {
			return f, err
		}
		_, err = tx.ExecContext(ctx, fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d),
			m (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM m WHERE i < %d)
			INSERT INTO %s (%s) SELECT %s FROM (SELECT * FROM %[3]s LIMIT 1) CROSS JOIN %[6]s`, s.audiences, s.runs, c.table, columns, values, c.times))
		if err != nil {
			return f, fmt.Errorf("%s: %w", c.table, err)
		}
	}
	for _, statement := range []string{
		fmt.Sprintf(`UPDATE counters SET value = value + %d WHERE name = 'audience'`, s.audiences),
		fmt.Sprintf(`UPDATE audience_counts SET audiences = audiences + %d`, s.audiences),
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return f, err
		}
	}
	return f, tx.Commit()
}

// copied returns the columns of a table, and the SQL expressions of their values in a copy of a row.
func copied(ctx context.Context, tx *sql.Tx, table string, changed map[string]string) (columns, values string, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT * FROM `+table+` LIMIT 0`)
	if err != nil {
		return "", "", err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return "", "", err
	}
	of := make([]string, len(names))
	for i, name := range names {
		of[i] = name
		if value, ok := changed[name]; ok {
			of[i] = value
		}
	}
	return strings.Join(names, ", "), strings.Join(of, ", "), rows.Err()
}
