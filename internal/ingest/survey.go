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
	"roster/internal/pgp"
	"roster/internal/source"
	"roster/internal/tabular"
	"roster/internal/tabular/formats"
)

const (
	// surveyFiles is how many objects a survey lists, and surveyRead of how many it reads a sample.
	surveyFiles = 1000
	surveyRead  = 10
	// surveyRejects is how many rejects a survey shows, and surveyPreview how many rows.
	surveyRejects = 20
	surveyPreview = 20
	// surveyBytes is how much decoded text a survey looks at to find out types, and how much again to type the sample. The row
	// at which they end is read whole.
	surveyBytes = 8 << 20
	// surveyMemory is what decoding a Parquet file may take.
	surveyMemory = 64 << 20
	// surveyScratch is how much of the scratch directory a zip or Parquet file may take that was encrypted.
	surveyScratch = 64 << 20
	// previewBytes is how much text a preview shows, and previewValue how much of a value. The row at which they end is shown.
	previewBytes = 1 << 20
	previewValue = 4 << 10
)

// Survey is what a look at the files of an audience finds that need not exist yet. It reads a sample of them and
// changes nothing.
type Survey struct {
	Files   []SurveyedFile
	More    bool             // there are more files than those
	Fields  []audience.Field // proposed, in the order of the columns; identities have the namespace that their name suggests
	Columns int              // that there would be fields for, if an audience could have more than MaxFields
	// Proposed are the options that the files need to be read by and that the given format leaves open; nil for none. Proposed
	// fields are what the files give with them, and given fields are tried without.
	Proposed *audience.Format
	Problems []audience.Problem // of the given fields against the columns, and of files
	Rows     int64              // of the sample
	Counts   []RejectCount      // of the sample, by code and column, the most frequent first
	Rejects  []audience.RejectSample
	Preview  [][]*string // the first rows as the texts in the files, a value for each of Fields; nil for null
}

// SurveyedFile is one of the files.
type SurveyedFile struct {
	audience.PlannedFile
	Format  *audience.Format // how it is read; nil when no sample of it was read
	Nested  []string         // columns that have no single values and cannot be read
	Unnamed []string         // names of columns that no field can have: those of several, and those with line breaks
	Missing []string         // given fields that it has no column for
	Extra   []string         // columns that no given field names; none when it has a column for no field, and so perhaps no header
	Error   string           // why it cannot be read, "" when it can

	nested, missing names
}

// RejectCount is how many rows of a sample were rejected for one reason.
type RejectCount struct {
	Code   string
	Column string // "" when the row as a whole is wrong
	Rows   int64
}

// SurveyRequest says what to look at.
type SurveyRequest struct {
	Source source.Store
	Spec   audience.SourceSpec
	Settle Settle           // which files count as whole; a survey does not wait for the others
	Fields []audience.Field // by which the sample is typed; the proposed ones when empty
	Rows   int              // size of the sample, from 1
	// Keys returns the keys that open files which are encrypted, as all must be when Encrypted is set; nil when none may be.
	Keys      func(ctx context.Context) (*pgp.Keys, error)
	Encrypted bool
	// Preview says that the values of the first rows are wanted.
	Preview bool
}

// Survey looks at the files that an audience would read. Its errors are *audience.Error, or that of a context that
// ends; what is wrong with a single file stands with the file.
func (p *Pipeline) Survey(ctx context.Context, r SurveyRequest) (Survey, error) {
	v := survey{SurveyRequest: r, pipeline: p, counts: map[RejectCount]int64{}, left: r.Rows, bytes: surveyBytes}
	if err := v.list(ctx, p); err != nil {
		return Survey{}, err
	}
	if err := v.proposeFormat(ctx); err != nil {
		return Survey{}, err
	}
	if err := v.infer(ctx); err != nil {
		return Survey{}, err
	}
	v.checkFields()
	v.out.Columns = len(v.merge.Fields)
	v.out.Fields = v.merge.Fields[:min(v.out.Columns, audience.MaxFields)]
	if err := v.preview(ctx); err != nil {
		return Survey{}, err
	}
	for i := range v.out.Files {
		if f := &v.out.Files[i]; f.Format != nil && f.Error == "" && v.left > 0 && v.bytes > 0 {
			if err := v.sample(ctx, f); err != nil {
				return Survey{}, err
			}
		}
	}
	v.fileProblems()
	v.out.Rows = int64(r.Rows - v.left)
	for c, n := range v.counts {
		c.Rows = n
		v.out.Counts = append(v.out.Counts, c)
	}
	slices.SortFunc(v.out.Counts, func(a, b RejectCount) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Column, b.Column))
	})
	return v.out, nil
}

// survey is one survey.
type survey struct {
	SurveyRequest
	pipeline *Pipeline
	out      Survey
	format   audience.Format       // by which the files are read
	merge    formats.Merge         // what the files propose together
	looked   int                   // at so many of the first files
	counts   map[RejectCount]int64 // with Rows 0
	left     int                   // rows that the sample may still take
	bytes    int64                 // of the text that it may still read
}

// list lists the files as a first run would.
func (v *survey) list(ctx context.Context, p *Pipeline) error {
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
		} else if !v.Settle.whole(f, p.Clock()) {
			f.Status, f.Reason = audience.FileUnsettled, fmt.Sprintf("modified less than %s ago; a run waits until it is written to its end", v.Settle.Age)
		}
		v.out.Files = append(v.out.Files, SurveyedFile{PlannedFile: f})
	}
	return v.anyToRead(s.path())
}

// anyToRead refuses a survey that has nothing to look at.
func (v *survey) anyToRead(path string) error {
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

// infer finds out how the first files are written and which columns they have.
func (v *survey) infer(ctx context.Context) error {
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
			f.compare(v.Fields, found)
		}
	}
	return nil
}

// sample types the rows of one file, as long as the sample takes more.
func (v *survey) sample(ctx context.Context, f *SurveyedFile) error {
	columns := tabular.ColumnsOf(v.Fields)
	if len(v.Fields) == 0 {
		columns = tabular.ColumnsOf(v.out.Fields)
		for i := range columns {
			columns[i].Required = false // it is proposed by another file, perhaps
		}
	}
	return v.read(ctx, f, columns, func(b *tabular.Batch) error { return v.take(f, b) })
}

// read reads a file until take has enough of it.
func (v *survey) read(ctx context.Context, f *SurveyedFile, columns []tabular.Column, take func(*tabular.Batch) error) error {
	opts := tabular.Options{Workers: 1, ChunkBytes: 64 << 10, Format: v.format, MaxMemory: surveyMemory}
	_, err := formats.Read(ctx, v.stored(f), columns, opts, func(_ int, b *tabular.Batch) error { return take(b) })
	if err == nil {
		return nil
	}
	f.Error, err = v.fileError(ctx, f.Path, err)
	return err
}

// preview reads the first rows of the first files that can be read, if that is wanted.
func (v *survey) preview(ctx context.Context) error {
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
		left -= len(b.Lines) + len(b.Rejects) // rows that are none are looked at, too
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

// take takes the rows of a batch, accepted and rejected, in the order of their lines.
func (v *survey) take(f *SurveyedFile, b *tabular.Batch) error {
	row, reject := 0, 0
	for ; v.left > 0 && (row < len(b.Lines) || reject < len(b.Rejects)); v.left-- {
		if reject == len(b.Rejects) || row < len(b.Lines) && b.Lines[row] < b.Rejects[reject].Line {
			row++
			continue
		}
		rj := b.Rejects[reject]
		reject++
		v.counts[RejectCount{Code: rj.Code, Column: rj.Column}]++
		if len(v.out.Rejects) < surveyRejects {
			v.out.Rejects = append(v.out.Rejects, audience.RejectSample{File: f.Path, Line: rj.Line, Column: rj.Column, Code: rj.Code, Reason: rj.Reason})
		}
	}
	if v.bytes -= b.Bytes; v.left == 0 || v.bytes <= 0 {
		return fs.SkipAll
	}
	return nil
}

// texts returns the values of a row, as copies, since the memory of a batch is used again, and how many bytes they have. The
// end of a long value is left out and shown as an ellipsis.
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

func (v *survey) stored(f *SurveyedFile) tabular.File {
	object := source.Object{Path: f.Path, Size: f.Size, Modified: f.ModifiedAt, Version: f.Version}
	file := tabular.File{Size: f.Size, Open: func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		return v.Source.Open(ctx, object, offset, length)
	}}
	if v.Keys != nil {
		file.Envelope = v.pipeline.envelope(v.Keys, v.Encrypted, surveyScratch)
	}
	return file
}

// fileError returns what to say of a file that cannot be read, "" when it has nothing to read, or the error that ends
// the survey: the context's, or one of a source that is down.
func (v *survey) fileError(ctx context.Context, path string, err error) (string, error) {
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
