package ingest

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"roster/internal/audience"
	"roster/internal/lake"
	"roster/internal/reject"
)

// CheckDataset reads all files of a dataset and of its rejects, and counts the rows again. It changes nothing.
func CheckDataset(ctx context.Context, d *lake.Dataset) (lake.Checked, error) {
	c, err := d.Check(ctx, reject.FileName)
	if err != nil || len(c.Damaged) > 0 {
		return c, err
	}
	snap, ok := d.Current()
	if !ok {
		return c, nil
	}
	rows, sum := int64(0), uint64(0)
	err = d.Scan(ctx, lake.ScanOptions{Columns: []string{lake.ColContent}}, func(rec arrow.RecordBatch, _ lake.Position) error {
		for _, v := range rec.Column(0).(*array.Int64).Int64Values() {
			sum += uint64(v)
		}
		rows += rec.NumRows()
		return nil
	})
	switch text := snap.Props[propContent]; {
	case errors.Is(err, lake.ErrDamaged):
		c.Damaged = append(c.Damaged, err)
		return c, nil
	case err != nil:
		return c, err
	case snap.Version == "": // totals written by other programs may be wrong
	case rows != d.Rows() || text != "" && text != strconv.FormatUint(sum, 10):
		c.Damaged = append(c.Damaged, fmt.Errorf("%w: the dataset has %d rows with the sum %d, its snapshot says %d and %s", lake.ErrDamaged, rows, sum, d.Rows(), text))
	}
	return c, nil
}

// CompareOutside returns the counts of the run that would adopt the changes of other programs to an audience's dataset.
// It changes nothing. It reads the files with new rows and the keys of all members, within a share of the memory.
func (p *Pipeline) CompareOutside(ctx context.Context, d *lake.Dataset, aud *audience.Audience) (r audience.RunResult, err error) {
	s := &Spec{Audience: *aud, Host: idleHost{}, renewed: true}
	s.Run = adoptionRun(s, "", p.Clock())
	s.Run.Request.DryRun = true
	a := p.newAttempt(d, s)
	if a.files, err = a.planOutside(ctx); err != nil {
		return r, err
	}
	if a.share, err = p.share(ctx); err != nil {
		return r, err
	}
	defer a.share.End()
	if a.spill, err = a.newSpill(ctx); err != nil {
		return r, err
	}
	defer a.spill.close()
	_, result, err := a.adopt(ctx)
	if err != nil {
		return r, err
	}
	return *result, nil
}

// idleHost is the host of a comparison, which is no run.
type idleHost struct{ Host }

// Reading implements Host.
func (idleHost) Reading(string) (done func()) { return func() {} }
