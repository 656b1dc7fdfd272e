package ingest_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"roster/internal/audience"
	"roster/internal/source"
)

// packed compresses a text.
func packed(t *testing.T, method, text string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch method {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zstd":
		w, err = zstd.NewWriter(&b)
	case "zip":
		archive := zip.NewWriter(&b)
		defer archive.Close()
		f, createErr := archive.Create("people.csv")
		if createErr != nil {
			t.Fatal(createErr)
		}
		fmt.Fprint(f, text)
		if err := archive.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// parquetFile returns a Parquet file of people with their points.
func parquetFile(t *testing.T, from, to int) string {
	t.Helper()
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: "MAIL", Type: arrow.BinaryTypes.String}, {Name: "points", Type: arrow.PrimitiveTypes.Int32}}, nil))
	for i := from; i < to; i++ {
		b.Field(0).(*array.StringBuilder).Append(fmt.Sprintf("p%d@example.com", i))
		b.Field(1).(*array.Int32Builder).Append(int32(i))
	}
	rec := b.NewRecordBatch()
	var out bytes.Buffer
	err := pqarrow.WriteTable(array.NewTableFromRecords(rec.Schema(), []arrow.RecordBatch{rec}), &out, 1000, parquet.NewWriterProperties(), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func csvFile(from, to int) string {
	var b strings.Builder
	b.WriteString("mail,points\n")
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "p%d@example.com,%d\n", i, i)
	}
	return b.String()
}

// TestFolderMixesFormats reads a folder with files of every type and compression, regardless of their names.
func TestFolderMixesFormats(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.put("a.csv", csvFile(0, 100))
	w.put("b.csv.gz", packed(t, "gzip", csvFile(100, 200)))
	w.put("c", packed(t, "zstd", csvFile(200, 300)))
	w.put("d.zip", packed(t, "zip", csvFile(300, 400)))
	w.put("e.csv", parquetFile(t, 400, 2500))
	w.put("f.json", `{"mail":"p2500@example.com","points":2500}`)
	w.put("g.gz", csvFile(2501, 2600))
	r := w.mustRun(true)
	if r.Result.Members.After != 2600 || w.rows() != 2600 {
		t.Errorf("%+v, %d rows", r.Result.Members, w.rows())
	}
	want := []string{"csv none", "csv gzip", "csv zstd", "csv zip", "parquet none", "json none", "csv none"}
	for i, f := range r.Result.Files {
		if f.Format == nil || fmt.Sprint(f.Format.Type, " ", f.Format.Compression) != want[i] {
			t.Errorf("%s was read as %+v, want %s", f.Path, f.Format, want[i])
		}
	}
	w.put("e.csv", parquetFile(t, 400, 2500)+"")
	r = w.mustRun(true)
	if r.Result.Rows.Unchanged != 2600 {
		t.Errorf("the same files again: %+v", r.Result.Rows)
	}
}

// TestCutOffFileFailsTheRun reads a truncated file: the error names the file, and nothing changes.
func TestCutOffFileFailsTheRun(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"gzip", "zstd", "zip"} {
		w := newWorld(t, defaultFields)
		w.put("a.csv", "mail\nold@example.com\n")
		w.mustRun(true)
		whole := packed(t, method, csvFile(0, 1000))
		w.put("b.csv.gz", whole[:len(whole)-7])
		r := w.run(true)
		if r.Status != audience.Failed || !strings.Contains(r.Error.Message, "b.csv.gz") || !strings.Contains(r.Error.Message, "cut off") {
			t.Errorf("%s: %s %v", method, r.Status, r.Error)
		}
		if w.rows() != 1 {
			t.Errorf("%s: the audience changed", method)
		}
	}
}

// TestFormatOfTheAudience reads files in the format of the audience.
func TestFormatOfTheAudience(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.aud.Source.Format = &audience.Format{Compression: "gzip", Delimiter: ";", NullValues: []string{"?"}}
	w.put("a.csv", packed(t, "gzip", "mail;points\na@example.com;?\n?;1\n"))
	r := w.mustRun(true)
	if r.Result.Rows.Added != 1 || r.Result.Rows.Rejected != 1 || r.Result.Rejects[0].Code != "IDENTITY" {
		t.Errorf("%+v %+v", r.Result.Rows, r.Result.Rejects)
	}
	w.put("b.csv", csvFile(0, 10))
	if r := w.run(true); r.Status != audience.Failed || !strings.Contains(r.Error.Message, "sourceSpec.format.compression") {
		t.Errorf("%s %v", r.Status, r.Error)
	}
}

// TestChangedWhileRead changes files of every kind while they are read.
func TestChangedWhileRead(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{"csv": csvFile(0, 1000), "gzip": packed(t, "gzip", csvFile(0, 1000)), "zip": packed(t, "zip", csvFile(0, 1000)), "parquet": parquetFile(t, 0, 3000)} {
		w := newWorld(t, defaultFields)
		w.put("a.csv", file)
		path := filepath.Join(w.root, "a.csv")
		w.src = &changing{Store: w.src, change: func() { os.WriteFile(path, []byte("mail\nx@example.com\n"), 0o600) }}
		r := w.run(true)
		if r.Status != audience.Failed || !strings.Contains(r.Error.Message, "changed while the run read it") {
			t.Errorf("%s: %s %v", name, r.Status, r.Error)
		}
	}
}

// changing changes an object after a part of it was read.
type changing struct {
	source.Store
	change func()
}

func (c *changing) Open(ctx context.Context, o source.Object, offset, length int64) (io.ReadCloser, error) {
	r, err := c.Store.Open(ctx, o, offset, length)
	return changingReader{r, c}, err
}

type changingReader struct {
	io.ReadCloser
	c *changing
}

func (r changingReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p[:min(len(p), 1000)])
	r.c.change()
	return n, err
}
