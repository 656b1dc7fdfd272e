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

// rejectSamples is how many of a run's rejects are shown with the run.
const rejectSamples = 20

var rejectSchema = arrow.NewSchema([]arrow.Field{
	{Name: "file", Type: arrow.BinaryTypes.String},
	{Name: "version", Type: arrow.BinaryTypes.String},
	{Name: "line", Type: arrow.PrimitiveTypes.Int64},
	{Name: "byte_offset", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "column", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "code", Type: arrow.BinaryTypes.String},
	{Name: "reason", Type: arrow.BinaryTypes.String},
}, nil)

// rejects writes a run's rejects to one Parquet file beside the dataset, created with the first of them. Its
// methods may be called from several goroutines.
type rejects struct {
	run     *attempt
	mu      sync.Mutex
	w       *pqarrow.FileWriter
	builder *array.RecordBuilder
	path    string
	samples []rejectSample
}

type rejectSample struct {
	file int
	audience.RejectSample
}

// add records the rejects of a file, the index-th of the manifest.
func (r *rejects) add(index int, list []tabular.Reject) error {
	if len(list) == 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.w == nil {
		if err := r.open(); err != nil {
			return err
		}
	}
	f := r.run.files[index]
	for _, x := range list {
		b := r.builder.Fields()
		b[0].(*array.StringBuilder).Append(f.Path)
		b[1].(*array.StringBuilder).Append(f.Version)
		b[2].(*array.Int64Builder).Append(x.Line)
		if x.Offset >= 0 {
			b[3].(*array.Int64Builder).Append(x.Offset)
		} else {
			b[3].AppendNull()
		}
		if x.Column != "" {
			b[4].(*array.StringBuilder).Append(x.Column)
		} else {
			b[4].AppendNull()
		}
		b[5].(*array.StringBuilder).Append(x.Code)
		b[6].(*array.StringBuilder).Append(x.Reason)
		r.sample(index, x)
	}
	if r.builder.Fields()[0].Len() < batchRows {
		return nil
	}
	return r.flush()
}

// sample keeps the first rejects in the order of files and lines.
func (r *rejects) sample(index int, x tabular.Reject) {
	s := rejectSample{index, audience.RejectSample{File: r.run.files[index].Path, Line: x.Line, Column: x.Column, Code: x.Code, Reason: x.Reason}}
	at, _ := slices.BinarySearchFunc(r.samples, s, func(a, b rejectSample) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.Line, b.Line))
	})
	if at == rejectSamples {
		return
	}
	r.samples = slices.Insert(r.samples, at, s)
	r.samples = r.samples[:min(len(r.samples), rejectSamples)]
}

func (r *rejects) open() error {
	w, location, err := r.run.dataset.CreateFile(r.run.dir, rejectsName)
	if err != nil {
		return fmt.Errorf("create the rejects file: %w", err)
	}
	props := parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd))
	pw, err := pqarrow.NewFileWriter(rejectSchema, w, props, pqarrow.DefaultWriterProps())
	if err != nil {
		w.Close()
		return fmt.Errorf("create the rejects file: %w", err)
	}
	r.w, r.path = pw, location
	r.builder = array.NewRecordBuilder(memory.DefaultAllocator, rejectSchema)
	return nil
}

func (r *rejects) flush() error {
	rec := r.builder.NewRecordBatch()
	defer rec.Release()
	if err := r.w.WriteBuffered(rec); err != nil {
		return fmt.Errorf("write the rejects file: %w", err)
	}
	return nil
}

// close ends the file, makes it durable, and puts its place and the samples into the result.
func (r *rejects) close(result *audience.RunResult) error {
	if r.w == nil {
		return nil
	}
	if err := r.flush(); err != nil {
		return err
	}
	w := r.w
	r.w = nil
	if err := w.Close(); err != nil { // closes the file below, too
		return fmt.Errorf("write the rejects file: %w", err)
	}
	result.RejectsPath = r.path
	for _, s := range r.samples {
		result.Rejects = append(result.Rejects, s.RejectSample)
	}
	return nil
}

// abort releases the file of an attempt that failed.
func (r *rejects) abort() {
	if r.w != nil {
		r.w.Close()
		r.w = nil
	}
}
