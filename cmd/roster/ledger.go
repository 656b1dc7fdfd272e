package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"roster/client"
	"roster/internal/importing"
)

// theAudience returns the audience with exactly this name, or an error that suggests similar names.
func theAudience(ctx context.Context, c *client.Client, name string) (client.Audience, error) {
	a, alike, found, err := c.AudienceNamed(ctx, name)
	switch {
	case err != nil || found:
		return a, err
	case len(alike) > 0:
		return a, usagef("there is no audience %q; did you mean %q?", name, alike[0])
	}
	return a, usagef("there is no audience %q; roster audience list shows the existing ones", name)
}

// printLedger writes the ledgers of runs side by side. A run that failed before it counted members has only counts of
// rows.
func printLedger(w io.Writer, indent string, runs ...client.Run) {
	head := []string{"run"}
	for i, r := range runs {
		mode := "full"
		if r.DifferentialIngestion {
			mode = "differential"
		}
		head = append(head, fmt.Sprintf("%d (%s)", i+1, mode))
	}
	if len(runs) == 1 {
		head[1] = strings.Trim(strings.TrimPrefix(head[1], "1 "), "()")
	}
	lines := [][]string{head}
	line := func(name string, value func(client.Rows, client.Members) int64) {
		cells := []string{name}
		for _, r := range runs {
			cells = append(cells, count(value(importing.RowsOf(r), importing.MembersOf(r))))
		}
		lines = append(lines, cells)
	}
	line("rows read", func(r client.Rows, _ client.Members) int64 { return r.Read })
	line("  rejected", func(r client.Rows, _ client.Members) int64 { return r.Rejected })
	if slices.ContainsFunc(runs, func(r client.Run) bool { return r.Members != nil }) {
		line("  duplicates", func(r client.Rows, _ client.Members) int64 { return r.Duplicates })
		line("  added", func(r client.Rows, _ client.Members) int64 { return r.Added })
		line("  updated", func(r client.Rows, _ client.Members) int64 { return r.Updated })
		line("  unchanged", func(r client.Rows, _ client.Members) int64 { return r.Unchanged })
		line("  deleted", func(r client.Rows, _ client.Members) int64 { return r.Deleted })
		line("  deleted, was no member", func(r client.Rows, _ client.Members) int64 { return r.DeletedNotMember })
		line("members before", func(_ client.Rows, m client.Members) int64 { return m.Before })
		line("  left, not in the list", func(_ client.Rows, m client.Members) int64 { return m.Removed })
		line("  expired", func(_ client.Rows, m client.Members) int64 { return m.Expired })
		line("members after", func(_ client.Rows, m client.Members) int64 { return m.After })
	}
	right := make([]int, len(runs))
	for i := range runs {
		right[i] = i + 1
	}
	table(w, indent, lines, right...)
}

// printRejects writes the first rejects of runs.
func printRejects(w io.Writer, indent string, runs ...client.Run) {
	var lines [][]string
	var more int64
	for _, r := range runs {
		for _, x := range r.Rejects {
			lines = append(lines, []string{fmt.Sprintf("%s:%d", x.File, x.Line), x.Column, x.Code, x.Reason})
		}
		more += importing.RowsOf(r).Rejected - int64(len(r.Rejects))
	}
	table(w, indent, lines)
	if more > 0 {
		fmt.Fprintf(w, "%sand %s more\n", indent, count(more))
	}
}
