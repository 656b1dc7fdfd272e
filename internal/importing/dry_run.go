package importing

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/wire"
)

// DryRun is the result of reading the file with the proposed types, if there is no audience yet for a run.
type DryRun struct {
	RowsRead     int64           `json:"rowsRead"`
	RowsRejected int64           `json:"rowsRejected"`
	Rejects      []client.Reject `json:"rejects,omitempty"` // the first ones
}

// maxDryRunRejects is the largest number of rejects of a dry run.
const maxDryRunRejects = 20

// dryRun reads the whole file with the fields that the audience would have.
func (im *Import) dryRun(ctx context.Context) error {
	if err := im.checkPairs(); err != nil {
		return err
	}
	fields := make([]audience.Field, len(im.Result.Fields))
	for i, f := range im.Result.Fields {
		fields[i] = wire.FieldOf(f)
	}
	columns := tabular.ColumnsOf(fields)
	if im.ExpressActivation {
		columns = tabular.Paired(columns)
	}
	if im.AnyIdentity {
		columns = tabular.AnyIdentity(columns)
	}
	var mu sync.Mutex
	r := &DryRun{}
	err := im.readAll(ctx, columns, im.format(), func(_ int, b *tabular.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		r.RowsRead += int64(len(b.Lines) + len(b.Rejects))
		r.RowsRejected += int64(len(b.Rejects))
		for _, rj := range b.Rejects {
			r.Rejects = append(r.Rejects, client.Reject{File: im.file.Name, Line: rj.Line, Column: rj.Column, Code: rj.Code, Reason: rj.Reason})
		}
		slices.SortFunc(r.Rejects, func(a, b client.Reject) int { return cmp.Compare(a.Line, b.Line) })
		r.Rejects = r.Rejects[:min(len(r.Rejects), maxDryRunRejects)]
		return nil
	})
	if err != nil {
		return err
	}
	im.Result.DryRun = r
	return im.dryRunError(r)
}

// dryRunError returns the error that the run would end with.
func (im *Import) dryRunError(r *DryRun) error {
	if r.RowsRejected == 0 || im.Force && r.RowsRejected < r.RowsRead {
		return nil
	}
	limit, percent := float64(audience.DefaultMaxRejectedPercent), 100*float64(r.RowsRejected)/float64(r.RowsRead)
	if im.MaxRejectedPercent != nil {
		limit = *im.MaxRejectedPercent
	}
	switch {
	case r.RowsRejected == r.RowsRead:
		return runErrorf("no row of %s fits", im.file.Name)
	case percent > limit:
		return runErrorf("the run would be stopped: %s", im.rejectedText(fmt.Sprintf("%d of %d rows would be rejected", r.RowsRejected, r.RowsRead), percent, limit))
	}
	return nil
}
