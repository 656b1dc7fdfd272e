package importing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/formats"
)

// Widened is a column whose inferred type does not fit rows after the sample.
type Widened struct {
	Column string `json:"column"`
	From   string `json:"from"`
	To     string `json:"to"`
	Line   int64  `json:"line"` // of the first row that does not fit
	Reason string `json:"reason"`
}

// wider maps each type to the next wider one.
var wider = map[audience.Type]audience.Type{
	audience.Integer: audience.Number, audience.Long: audience.Number, audience.Number: audience.String,
	audience.Date: audience.DateTime, audience.DateTime: audience.String, audience.Boolean: audience.String,
}

// widen reads the whole file with the types that were inferred from its first rows, and gives columns with other values
// a wider type, because the types of an audience cannot change later. It asks first.
func (im *Import) widen(ctx context.Context) error {
	if !im.found.More {
		return nil // the sample was the whole file
	}
	fields := slices.Clone(im.Result.Fields)
	for {
		misfits, err := im.misfits(ctx, fields)
		if err != nil {
			return err
		}
		if len(misfits) == 0 {
			break
		}
		for i := range fields {
			rj, ok := misfits[fields[i].Name]
			if !ok {
				continue
			}
			to := wider[audience.Type(fields[i].Type)]
			im.noteWidened(Widened{Column: fields[i].Name, From: fields[i].Type, To: string(to), Line: rj.Line, Reason: rj.Reason})
			fields[i].Type, fields[i].Proposed = string(to), to != audience.String
		}
	}
	if len(im.Result.Widened) == 0 {
		return nil
	}
	if take, err := im.person.AskWider(ctx, im.found.Rows, im.Result.Widened); err != nil {
		return err
	} else if !take {
		im.Result.Widened = nil
		return nil
	}
	im.Result.Fields = fields
	return nil
}

// noteWidened records a widened column; a column may be widened again.
func (im *Import) noteWidened(w Widened) {
	for i := range im.Result.Widened {
		if old := &im.Result.Widened[i]; old.Column == w.Column {
			old.To = w.To
			return
		}
	}
	im.Result.Widened = append(im.Result.Widened, w)
}

// errAllMisfit ends a reading that cannot find more.
var errAllMisfit = errors.New("no proposed type fits")

// misfits reads the whole file and returns the first reject of each column with a proposed type. A row has only one
// reject, so some columns may be missing.
func (im *Import) misfits(ctx context.Context, fields []client.Field) (map[string]tabular.Reject, error) {
	proposed := map[string]bool{}
	var columns []tabular.Column
	for _, f := range fields {
		if f.Proposed {
			proposed[f.Name] = true
		}
		if f.Proposed || im.headerless() { // a file without a header identifies columns by position
			columns = append(columns, tabular.Column{Name: f.Name, Type: audience.Type(f.Type), Proposed: f.Proposed})
		}
	}
	if len(proposed) == 0 {
		return nil, nil
	}
	first := map[string]tabular.Reject{}
	var mu sync.Mutex
	err := im.readAll(ctx, columns, im.found.Format, func(_ int, b *tabular.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		for _, rj := range b.Rejects {
			if old, ok := first[rj.Column]; proposed[rj.Column] && (!ok || rj.Line < old.Line) {
				rj.Raw = nil
				first[rj.Column] = rj
			}
		}
		if len(first) == len(proposed) {
			return errAllMisfit
		}
		return nil
	})
	if err != nil && !errors.Is(err, errAllMisfit) {
		return nil, err
	}
	return first, nil
}

// readAll reads the whole file.
func (im *Import) readAll(ctx context.Context, columns []tabular.Column, format audience.Format, emit tabular.Emit) error {
	_, err := formats.Read(ctx, im.file.stored(), columns, tabular.Options{Format: format}, emit)
	if file := (*tabular.FileError)(nil); errors.As(err, &file) {
		return fmt.Errorf("%s: %w", im.file.Name, err)
	}
	return err
}
