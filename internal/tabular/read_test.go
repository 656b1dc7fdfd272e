package tabular

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"

	"roster/internal/audience"
)

// result is what a read said, in the order of the file.
type result struct {
	Header  Header
	Rows    []row
	Rejects []Reject
	Bytes   int64
	Err     string // code of the FileError, or text of another error
	Message string
}

type row struct {
	Line   int64
	Values []string // as Arrow prints them, strings quoted, nulls as they are
}

const null = "(null)"

// readOnce reads a file with the given options.
func readOnce(r io.Reader, columns []Column, opts Options) result {
	var out result
	var mu sync.Mutex
	h, err := CSV(context.Background(), r, columns, opts, func(_ int, b *Batch) error {
		mu.Lock()
		defer mu.Unlock()
		out.take(b)
		return nil
	})
	var file *FileError
	switch {
	case errors.As(err, &file):
		return result{Err: file.Code, Message: file.Message}
	case err != nil:
		return result{Err: err.Error()}
	}
	out.Header = h
	slices.SortFunc(out.Rows, func(a, b row) int { return cmp.Compare(a.Line, b.Line) })
	slices.SortFunc(out.Rejects, func(a, b Reject) int { return cmp.Compare(a.Offset, b.Offset) })
	return out
}

func (r *result) take(b *Batch) {
	r.Bytes += b.Bytes
	r.Rejects = append(r.Rejects, b.Rejects...)
	if int(b.Record.NumRows()) != len(b.Lines) {
		panic("a batch with another number of lines than rows")
	}
	for _, col := range b.Record.Columns() {
		nulls := 0
		for i := range col.Len() {
			if col.IsNull(i) {
				nulls++
			}
		}
		if col.Len() != len(b.Lines) || col.NullN() != nulls {
			panic(fmt.Sprintf("a column of %d values and %d nulls, of %d rows and %d nulls", col.Len(), col.NullN(), len(b.Lines), nulls))
		}
	}
	for i, line := range b.Lines {
		x := row{Line: line}
		for _, col := range b.Record.Columns() {
			v := col.ValueStr(i)
			if s, ok := col.(*array.String); ok && !s.IsNull(i) {
				v = fmt.Sprintf("%q", s.Value(i))
			}
			x.Values = append(x.Values, v)
		}
		r.Rows = append(r.Rows, x)
	}
}

// read reads a text in several ways, which must agree.
func read(t testing.TB, text string, columns []Column) result {
	t.Helper()
	out := readAs(t, text, columns, audience.Format{})
	if out.Err == "" && out.Header.Format.Encoding == "utf-8" && out.Bytes != int64(len(text)) {
		t.Fatalf("the batches stand for %d bytes of %d", out.Bytes, len(text))
	}
	return out
}

// readAs does what read does, of a text in a format.
func readAs(t testing.TB, text string, columns []Column, f audience.Format) result {
	t.Helper()
	want := readOnce(strings.NewReader(text), columns, Options{Workers: 1, Format: f})
	for _, opts := range []Options{{Workers: 1, ChunkBytes: 16, Format: f}, {Workers: 3, ChunkBytes: 65, Format: f}, {Workers: 2, ChunkBytes: 1000, Format: f}} {
		got := readOnce(strings.NewReader(text), columns, opts)
		if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); a != b {
			t.Fatalf("with %+v:\n%s\nbut in one chunk:\n%s", opts, a, b)
		}
	}
	if got := readOnce(dribble{strings.NewReader(text)}, columns, Options{Workers: 1, ChunkBytes: 16, Format: f}); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("read byte by byte:\n%+v\nbut at once:\n%+v", got, want)
	}
	return want
}

// dribble returns one byte at a time.
type dribble struct{ r io.Reader }

func (d dribble) Read(p []byte) (int, error) { return d.r.Read(p[:min(len(p), 1)]) }

func text(names ...string) []Column {
	var columns []Column
	for _, n := range names {
		columns = append(columns, Column{Name: n, Type: audience.String})
	}
	return columns
}

// shown is a short text of rows and rejects, to compare with.
func (r result) shown() string {
	var b bytes.Buffer
	if r.Err != "" {
		return r.Err
	}
	for _, x := range r.Rows {
		fmt.Fprintf(&b, "%d: %s\n", x.Line, strings.Join(x.Values, " "))
	}
	for _, x := range r.Rejects {
		fmt.Fprintf(&b, "%d+%d@%d: %s %s\n", x.Line, x.Lines, x.Offset, x.Code, x.Column)
	}
	return b.String()
}
