package ingesttest

import (
	"bytes"
	"cmp"
	"io"
	"reflect"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"roster/internal/audience"
	"roster/internal/reject"
)

// Rejects reads the file of a run's rejects and sorts them by file and line.
func (a *Audience) Rejects(run audience.Run) []audience.RejectedRow {
	a.t.Helper()
	if run.Result.RejectsPath == "" {
		return nil
	}
	rejects := a.readRejects(run.Result.RejectsPath)
	slices.SortFunc(rejects, func(x, y audience.RejectedRow) int {
		return cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line))
	})
	return rejects
}

// readRejects reads the file as any Parquet reader does, and requires that the pipeline's own reader agrees.
func (a *Audience) readRejects(location string) []audience.RejectedRow {
	a.t.Helper()
	table, err := pqarrow.ReadTable(a.t.Context(), bytes.NewReader(a.file(location)),
		parquet.NewReaderProperties(memory.DefaultAllocator), pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		a.t.Fatal(err)
	}
	defer table.Release()
	batches := array.NewTableReader(table, 0)
	defer batches.Release()
	var rejects []audience.RejectedRow
	for batches.Next() {
		rejects = append(rejects, rejectsOf(batches.RecordBatch())...)
	}
	var served []audience.RejectedRow
	if _, err := reject.Read(a.t.Context(), a.dataset(), location, 0, func(r audience.RejectedRow) error {
		served = append(served, r)
		return nil
	}); err != nil || !reflect.DeepEqual(served, rejects) {
		a.t.Errorf("the rejects file has %+v, %+v are served: %v", rejects, served, err)
	}
	return rejects
}

// file returns the content of a file that a run keeps beside its data.
func (a *Audience) file(location string) []byte {
	a.t.Helper()
	f, err := a.dataset().OpenFile(location)
	if err != nil {
		a.t.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		a.t.Fatal(err)
	}
	return text
}

// rejectsOf returns the rejects of a batch.
func rejectsOf(rec arrow.RecordBatch) []audience.RejectedRow {
	rejects := make([]audience.RejectedRow, rec.NumRows())
	for i := range rejects {
		rejects[i].Offset = -1
	}
	for c, f := range rec.Schema().Fields() {
		col := rec.Column(c)
		for i := range rejects {
			if col.IsNull(i) {
				continue
			}
			switch r := &rejects[i]; f.Name {
			case "file":
				r.File = col.(*array.String).Value(i)
			case "version":
				r.Version = col.(*array.String).Value(i)
			case "line":
				r.Line = col.(*array.Int64).Value(i)
			case "lines":
				r.Lines = col.(*array.Int64).Value(i)
			case "byte_offset":
				r.Offset = col.(*array.Int64).Value(i)
			case "column":
				r.Column = col.(*array.String).Value(i)
			case "code":
				r.Code = col.(*array.String).Value(i)
			case "reason":
				r.Reason = col.(*array.String).Value(i)
			case "raw":
				r.Raw = bytes.Clone(col.(*array.Binary).Value(i))
			}
		}
	}
	return rejects
}
