package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/tabular"
)

// rehearsal is what typing the file's rows gives, when there is no audience yet that could run it.
type rehearsal struct {
	RowsRead     int64           `json:"rowsRead"`
	RowsRejected int64           `json:"rowsRejected"`
	Rejects      []client.Reject `json:"rejects,omitempty"` // the first ones
}

// maxRehearsed is how many rejects a rehearsal shows.
const maxRehearsed = 20

// rehearse reads the whole file by the fields that the audience would have.
func (im *importer) rehearse(ctx context.Context) error {
	if err := im.checkPairs(); err != nil {
		return err
	}
	fields := make([]audience.Field, len(im.result.Fields))
	for i, f := range im.result.Fields {
		fields[i] = audience.Field{Name: f.Name, Type: audience.Type(f.Type), IdentityNs: f.IdentityNs, Proposed: f.Proposed}
	}
	columns := tabular.ColumnsOf(fields)
	if im.expressActivation {
		columns = tabular.Paired(columns)
	}
	if im.anyIdentity {
		columns = tabular.AnyIdentity(columns)
	}
	var mu sync.Mutex
	r := &rehearsal{}
	err := im.readAll(ctx, columns, im.format.domain(), func(_ int, b *tabular.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		r.RowsRead += int64(len(b.Lines) + len(b.Rejects))
		r.RowsRejected += int64(len(b.Rejects))
		for _, rj := range b.Rejects {
			r.Rejects = append(r.Rejects, client.Reject{File: im.file, Line: rj.Line, Column: rj.Column, Code: rj.Code, Reason: rj.Reason})
		}
		slices.SortFunc(r.Rejects, func(a, b client.Reject) int { return cmp.Compare(a.Line, b.Line) })
		r.Rejects = r.Rejects[:min(len(r.Rejects), maxRehearsed)]
		return nil
	})
	if err != nil {
		return err
	}
	im.result.DryRun = r
	fmt.Fprintf(im.out, "\n%s rows, of which %s would be rejected.\n", count(r.RowsRead), count(r.RowsRejected))
	if r.RowsRejected > 0 {
		printRejects(im.out, "  ", client.Run{Rejects: r.Rejects, Rows: &client.Rows{Rejected: r.RowsRejected}})
	}
	fmt.Fprintf(im.out, "\nThis was a dry run: there is no audience %q yet, and none was created.\n", im.name)
	return im.rehearsed(r)
}

// rehearsed is the error that the run would end with.
func (im *importer) rehearsed(r *rehearsal) error {
	if r.RowsRejected == 0 || im.force && r.RowsRejected < r.RowsRead {
		return nil
	}
	limit, percent := float64(audience.DefaultMaxRejectedPercent), 100*float64(r.RowsRejected)/float64(r.RowsRead)
	if im.maxRejected != nil {
		limit = *im.maxRejected
	}
	switch {
	case r.RowsRejected == r.RowsRead:
		return &exitError{exitRunFailed, fmt.Errorf("no row of %s fits", im.file)}
	case percent > limit:
		return &exitError{exitRunFailed, fmt.Errorf("the run would be stopped: %s", rejectedText(fmt.Sprintf("%d of %d rows would be rejected", r.RowsRejected, r.RowsRead), percent, limit))}
	}
	return nil
}
