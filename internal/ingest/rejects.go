package ingest

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"roster/internal/audience"
	"roster/internal/tabular"
)

// rejectsName is the name of the file of a run's rejects in the attempt's directory.
const rejectsName = "rejects.parquet"

const (
	// rejectSamples is the number of a run's rejects that are shown with the run.
	rejectSamples = 20
	// heldRejects is the size of the rejects that are collected and sorted before a write, in bytes, if the run's
	// memory allows that much. rejectBytes is the size of a row group. A reader has one row group in memory.
	heldRejects = 16 << 20
	rejectBytes = 4 << 20
)

// rejectRaw is the column with the text of the rows.
const rejectRaw = "raw"

var rejectSchema = arrow.NewSchema([]arrow.Field{
	{Name: "file", Type: arrow.BinaryTypes.String},
	{Name: "version", Type: arrow.BinaryTypes.String},
	{Name: "line", Type: arrow.PrimitiveTypes.Int64},
	{Name: "lines", Type: arrow.PrimitiveTypes.Int64},
	{Name: "byte_offset", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "column", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "code", Type: arrow.BinaryTypes.String},
	{Name: "reason", Type: arrow.BinaryTypes.String},
	{Name: rejectRaw, Type: arrow.BinaryTypes.Binary, Nullable: true},
}, nil)

// rejects writes a run's rejects to one Parquet file beside the dataset. The first reject creates the file. The rejects
// are sorted by file and line. If there are more than heldRejects bytes, each section of that size is sorted
// separately. The methods are safe for concurrent use.
type rejects struct {
	run     *attempt
	mu      sync.Mutex
	held    []reject
	size    int // bytes of the held rejects
	w       *pqarrow.FileWriter
	builder *array.RecordBuilder
	path    string
	samples []audience.RejectSample
}

type reject struct {
	file int // index in the manifest
	tabular.Reject
}

func byPlace(a, b reject) int {
	return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Offset, b.Offset))
}

// add records rejects of the index-th file of the manifest.
func (r *rejects) add(index int, list []tabular.Reject) error {
	if len(list) == 0 {
		return nil
	}
	keepRaw := r.run.spec.Audience.KeepRejectedRows
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range list {
		if !keepRaw {
			x.Raw = nil
		}
		held := reject{index, x}
		r.held = append(r.held, held)
		r.size += held.bytes()
		if r.size < heldRejects && int64(r.size) < r.run.share.Base/4 {
			continue
		}
		if err := r.write(); err != nil {
			return err
		}
	}
	return nil
}

// bytes returns the approximate memory of a reject.
func (x reject) bytes() int { return 200 + len(x.Raw) }

// write sorts and writes the held rejects.
func (r *rejects) write() error {
	if len(r.held) == 0 {
		return nil
	}
	if r.w == nil {
		if err := r.open(); err != nil {
			return err
		}
	}
	slices.SortStableFunc(r.held, byPlace)
	r.sample()
	for list := r.held; len(list) > 0; {
		n, size := 0, 0
		for ; n < min(len(list), batchRows) && size < rejectBytes; n++ {
			size += list[n].bytes()
		}
		if err := r.writeGroup(list[:n]); err != nil {
			return fmt.Errorf("write the rejects file: %w", err)
		}
		list = list[n:]
	}
	clear(r.held)
	r.held, r.size = r.held[:0], 0
	return nil
}

// writeGroup writes rejects as a row group.
func (r *rejects) writeGroup(list []reject) error {
	b := r.builder.Fields()
	for _, x := range list {
		f := r.run.files[x.file]
		b[0].(*array.StringBuilder).Append(f.Path)
		b[1].(*array.StringBuilder).Append(f.Version)
		b[2].(*array.Int64Builder).Append(x.Line)
		b[3].(*array.Int64Builder).Append(max(x.Lines, 1))
		if x.Offset >= 0 {
			b[4].(*array.Int64Builder).Append(x.Offset)
		} else {
			b[4].AppendNull()
		}
		if x.Column != "" {
			b[5].(*array.StringBuilder).Append(x.Column)
		} else {
			b[5].AppendNull()
		}
		b[6].(*array.StringBuilder).Append(x.Code)
		b[7].(*array.StringBuilder).Append(x.Reason)
		if x.Raw != nil {
			b[8].(*array.BinaryBuilder).Append(x.Raw)
		} else {
			b[8].AppendNull()
		}
	}
	rec := r.builder.NewRecordBatch()
	defer rec.Release()
	if err := r.w.NewBufferedRowGroupChecked(); err != nil {
		return err
	}
	return r.w.WriteBuffered(rec)
}

// sample keeps the first of the held rejects, which are sorted, and of the earlier samples.
func (r *rejects) sample() {
	for _, x := range r.held[:min(len(r.held), rejectSamples)] {
		r.samples = append(r.samples, audience.RejectSample{File: r.run.files[x.file].Path, Line: x.Line, Column: x.Column, Code: x.Code, Reason: x.Reason})
	}
	slices.SortStableFunc(r.samples, func(a, b audience.RejectSample) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	r.samples = r.samples[:min(len(r.samples), rejectSamples)]
}

func (r *rejects) open() error {
	w, location, err := r.run.dataset.CreateFile(r.run.dir, rejectsName)
	if err != nil {
		return fmt.Errorf("create the rejects file: %w", err)
	}
	props := parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd), parquet.WithMaxRowGroupLength(batchRows),
		parquet.WithDataPageSize(256<<10), parquet.WithBatchSize(64), parquet.WithDictionaryFor(rejectRaw, false))
	pw, err := pqarrow.NewFileWriter(rejectSchema, w, props, pqarrow.DefaultWriterProps())
	if err != nil {
		w.Close()
		return fmt.Errorf("create the rejects file: %w", err)
	}
	r.w, r.path = pw, location
	r.builder = array.NewRecordBuilder(memory.DefaultAllocator, rejectSchema)
	return nil
}

// close ends the file, makes it durable, and adds its location and the samples to the result. A second call writes
// nothing.
func (r *rejects) close(result *audience.RunResult) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.write(); err != nil {
		return err
	}
	if w := r.w; w != nil {
		r.w = nil
		if err := w.Close(); err != nil { // also closes the underlying file
			return fmt.Errorf("write the rejects file: %w", err)
		}
	}
	result.RejectsPath, result.Rejects = r.path, r.samples
	return nil
}

// abort closes the file of a failed attempt.
func (r *rejects) abort() {
	if r.w != nil {
		r.w.Close()
		r.w = nil
	}
}
