package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"roster/internal/audience"
	"roster/internal/source"
	"roster/internal/survey"
	"roster/internal/tabular"
	"roster/internal/tabular/formats"
)

const (
	// surveyFiles is the maximum number of objects that a survey lists. surveyRead is the number of objects that it
	// reads samples of.
	surveyFiles = 1000
	surveyRead  = 10
	// surveyRejects and surveyPreview are the maximum numbers of rejects and rows that a survey shows.
	surveyRejects = 20
	surveyPreview = 20
	// surveyBytes is the size of the decoded text that a survey reads to infer types, and again to convert the sample,
	// in bytes. The row at the limit is read completely.
	surveyBytes = 8 << 20
	// surveyMemory is the maximum memory for decoding a Parquet file, in bytes.
	surveyMemory = 64 << 20
	// surveyScratch is the maximum size of a decrypted zip or Parquet file in the scratch directory, in bytes.
	surveyScratch = 64 << 20
	// previewBytes and previewValue are the maximum sizes of a preview and of one value in it, in bytes. The row at the
	// limit is shown.
	previewBytes = 1 << 20
	previewValue = 4 << 10
)

var _ survey.Surveyor = (*Pipeline)(nil)

// Survey implements survey.Surveyor.
func (p *Pipeline) Survey(ctx context.Context, r survey.Request) (survey.Result, error) {
	v := surveying{Request: r, pipeline: p, counts: map[survey.RejectCount]int64{}, left: r.Rows, bytes: surveyBytes}
	if err := v.list(ctx, p); err != nil {
		return survey.Result{}, err
	}
	if err := v.proposeFormat(ctx); err != nil {
		return survey.Result{}, err
	}
	if err := v.infer(ctx); err != nil {
		return survey.Result{}, err
	}
	v.checkFields()
	v.out.Columns = len(v.merge.Fields)
	v.out.Fields = v.merge.Fields[:min(v.out.Columns, audience.MaxFields)]
	if err := v.preview(ctx); err != nil {
		return survey.Result{}, err
	}
	for i := range v.out.Files {
		if f := &v.out.Files[i]; f.Format != nil && f.Error == "" && v.left > 0 && v.bytes > 0 {
			if err := v.sample(ctx, f); err != nil {
				return survey.Result{}, err
			}
		}
	}
	v.fileProblems()
	v.out.Rows = int64(r.Rows - v.left)
	for c, n := range v.counts {
		c.Rows = n
		v.out.Counts = append(v.out.Counts, c)
	}
	slices.SortFunc(v.out.Counts, func(a, b survey.RejectCount) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Column, b.Column))
	})
	return v.out, nil
}

// surveying is the state of one survey.
type surveying struct {
	survey.Request
	pipeline *Pipeline
	out      survey.Result
	columns  []columnNames                // of out.Files
	format   audience.Format              // format of the files
	merge    formats.Merge                // combines what the files propose
	looked   int                          // number of inspected files, the first ones
	counts   map[survey.RejectCount]int64 // RejectCount with Rows 0 → number of rows
	left     int                          // rows left for the sample
	bytes    int64                        // bytes of text left to read
}

// list lists the files as a first run would.
func (v *surveying) list(ctx context.Context, p *Pipeline) error {
	s := &Spec{Source: v.Source, Audience: audience.Audience{Source: v.Spec}, Run: audience.Run{Request: audience.RunRequest{WindowEnd: p.Clock()}}}
	found, err := list(ctx, s, surveyFiles+1)
	if err != nil {
		return err
	}
	if v.out.More = len(found) > surveyFiles; v.out.More {
		found = found[:surveyFiles]
	}
	for _, f := range found {
		f.Status = audience.FileRead
		if f.Reason = skipReason(s, f, nil); f.Reason == "" && f.Size == 0 && !s.oneFile() {
			f.Reason = emptyFile
		}
		if f.Reason != "" {
			f.Status = audience.FileSkipped
		} else if !v.Settle.Settled(f, p.Clock()) {
			f.Status, f.Reason = audience.FileUnsettled, fmt.Sprintf("modified less than %s ago; a run waits until it is written to its end", v.Settle.Age)
		}
		v.out.Files = append(v.out.Files, survey.File{PlannedFile: f})
	}
	v.columns = make([]columnNames, len(v.out.Files))
	return v.anyToRead(s.path())
}

// anyToRead returns an error if the survey has no file to read.
func (v *surveying) anyToRead(path string) error {
	for _, f := range v.out.Files {
		if f.Status == audience.FileRead {
			return nil
		}
	}
	for _, f := range v.out.Files {
		if f.Status == audience.FileUnsettled {
			return audience.Errorf(audience.Impossible, "%q was modified less than %s ago and may still be being written; ask again in a moment", f.Path, v.Settle.Age)
		}
	}
	return audience.Errorf(audience.Impossible, "there is no file to read under %q (%d skipped); check sourceSpec.path", path, len(v.out.Files))
}

// infer detects the format and the columns of the first files.
func (v *surveying) infer(ctx context.Context) error {
	read, left := 0, int64(surveyBytes)
	for i := range v.out.Files {
		if read == surveyRead || left <= 0 {
			break
		}
		f := &v.out.Files[i]
		v.looked = i + 1
		if f.Status != audience.FileRead {
			continue
		}
		read++
		found, err := formats.Infer(ctx, v.stored(f), v.format, tabular.ColumnsOf(v.Fields), tabular.Sample{Rows: v.Rows, Bytes: left})
		if err != nil {
			if f.Error, err = v.fileError(ctx, f.Path, err); err != nil {
				return err
			}
			continue
		}
		left -= found.Bytes
		f.Format, f.Nested, f.Unnamed = &found.Format, found.Nested, found.Unnamed
		v.merge.AddColumns(found.Columns)
		if len(v.Fields) > 0 {
			v.columns[i] = compareColumns(f, v.Fields, found)
		}
	}
	return nil
}

// sample converts rows of one file to the fields, until the sample is complete.
func (v *surveying) sample(ctx context.Context, f *survey.File) error {
	columns := tabular.ColumnsOf(v.Fields)
	if len(v.Fields) == 0 {
		columns = tabular.ColumnsOf(v.out.Fields)
		for i := range columns {
			columns[i].Required = false // the column may be proposed because of another file
		}
	}
	return v.read(ctx, f, columns, func(b *tabular.Batch) error { return v.take(f, b) })
}

// read reads a file until take has enough rows.
func (v *surveying) read(ctx context.Context, f *survey.File, columns []tabular.Column, take func(*tabular.Batch) error) error {
	opts := tabular.Options{Workers: 1, ChunkBytes: 64 << 10, Format: v.format, MaxMemory: surveyMemory}
	_, err := formats.Read(ctx, v.stored(f), columns, opts, func(_ int, b *tabular.Batch) error { return take(b) })
	if err == nil {
		return nil
	}
	f.Error, err = v.fileError(ctx, f.Path, err)
	return err
}

// preview reads the first rows of the readable files, if requested.
func (v *surveying) preview(ctx context.Context) error {
	if !v.Preview {
		return nil
	}
	columns := make([]tabular.Column, len(v.out.Fields))
	for i, f := range v.out.Fields {
		columns[i] = tabular.Column{Name: f.Name, Type: audience.String}
	}
	most, left, shown, read := min(surveyPreview, v.Rows), v.Rows, 0, int64(0)
	full := func() bool {
		return len(v.out.Preview) == most || left <= 0 || shown >= previewBytes || read >= surveyBytes
	}
	take := func(b *tabular.Batch) error {
		for row := range len(b.Lines) {
			if full() {
				return fs.SkipAll
			}
			values, n := texts(b.Record, row)
			v.out.Preview = append(v.out.Preview, values)
			shown += n
		}
		left -= len(b.Lines) + len(b.Rejects) // rejected rows count, too
		if read += b.Bytes; full() {
			return fs.SkipAll
		}
		return nil
	}
	for i := range v.out.Files {
		f := &v.out.Files[i]
		if f.Format == nil || f.Error != "" || len(columns) == 0 || full() {
			continue
		}
		if err := v.read(ctx, f, columns, take); err != nil {
			return err
		}
	}
	return nil
}

// take takes the accepted and rejected rows of a batch, in line order.
func (v *surveying) take(f *survey.File, b *tabular.Batch) error {
	row, reject := 0, 0
	for ; v.left > 0 && (row < len(b.Lines) || reject < len(b.Rejects)); v.left-- {
		if reject == len(b.Rejects) || row < len(b.Lines) && b.Lines[row] < b.Rejects[reject].Line {
			row++
			continue
		}
		rj := b.Rejects[reject]
		reject++
		v.counts[survey.RejectCount{Code: rj.Code, Column: rj.Column}]++
		if len(v.out.Rejects) < surveyRejects {
			v.out.Rejects = append(v.out.Rejects, audience.RejectSample{File: f.Path, Line: rj.Line, Column: rj.Column, Code: rj.Code, Reason: rj.Reason})
		}
	}
	if v.bytes -= b.Bytes; v.left == 0 || v.bytes <= 0 {
		return fs.SkipAll
	}
	return nil
}

// texts returns copies of the values of a row, because the memory of a batch is reused, and their size in bytes. A long
// value is cut and ends with an ellipsis.
func texts(rec arrow.RecordBatch, row int) (values []*string, size int) {
	values = make([]*string, rec.NumCols())
	for i, c := range rec.Columns() {
		if c.IsValid(row) {
			text := c.ValueStr(row)
			if len(text) > previewValue {
				text = strings.ToValidUTF8(text[:previewValue], "") + "…"
			}
			text = strings.Clone(text)
			values[i], size = &text, size+len(text)
		}
	}
	return values, size
}

func (v *surveying) stored(f *survey.File) tabular.File {
	object := source.Object{Path: f.Path, Size: f.Size, Modified: f.ModifiedAt, Version: f.Version}
	file := tabular.File{Size: f.Size, Open: func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		return v.Source.Open(ctx, object, offset, length)
	}}
	if v.Keys != nil {
		file.Envelope = v.pipeline.envelope(v.Keys, v.Encrypted, surveyScratch)
	}
	return file
}

// fileError returns the message for a file that cannot be read; "" for an empty file of a folder. It returns an error
// if the survey must end: the error of the context, or of a source that is down.
func (v *surveying) fileError(ctx context.Context, path string, err error) (string, error) {
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	var empty *tabular.FileError
	if errors.As(err, &empty) && empty.Code == "EMPTY_FILE" && v.Spec.Type != audience.PathFile {
		return "", nil
	}
	var coded *audience.Error
	if !errors.As(fileFailure(path, err), &coded) {
		return "", fmt.Errorf("look at %s: %w", path, err)
	}
	if coded.Code == audience.BadGateway {
		return "", coded
	}
	return coded.Message, nil
}
