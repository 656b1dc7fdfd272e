package tabular

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

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

// benchColumns are the columns of the files that the benchmarks read: every type, and a second string.
var benchColumns = []Column{
	{Name: "email", Type: audience.String, Required: true},
	{Name: "id", Type: audience.Long},
	{Name: "name", Type: audience.String},
	{Name: "age", Type: audience.Integer},
	{Name: "amount", Type: audience.Number},
	{Name: "birthday", Type: audience.Date},
	{Name: "seen", Type: audience.DateTime},
	{Name: "consent", Type: audience.Boolean},
}

// people returns a file of n rows with the columns of benchColumns. With quotes, every value is quoted.
func people(n int, quotes bool) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	names := []string{"Ada", "Grace Hopper", "Alan", "Edsger W.", "Barbara", "Donald", "Tony", "Margaret Hamilton"}
	var b bytes.Buffer
	b.WriteString("email,id,name,age,amount,birthday,seen,consent\n")
	day := time.Date(1940, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		seen := time.Unix(1_700_000_000+r.Int64N(50_000_000), 0).UTC()
		fields := []string{
			fmt.Sprintf("user%d@example.com", r.IntN(100_000_000)),
			fmt.Sprint(r.Int64N(1 << (r.IntN(30) + 10))),
			names[r.IntN(len(names))],
			fmt.Sprint(r.IntN(90)),
			fmt.Sprintf("%.2f", r.Float64()*5000),
			day.AddDate(0, 0, r.IntN(25_000)).Format(time.DateOnly),
			seen.Format(time.RFC3339),
			[]string{"true", "false", "", "yes"}[i&3],
		}
		if quotes {
			b.WriteString(`"` + strings.Join(fields, `","`) + "\"\n")
		} else {
			b.WriteString(strings.Join(fields, ",") + "\n")
		}
	}
	return b.Bytes()
}

// wholeSample is larger than most files of tests.
var wholeSample = Sample{Rows: 10_000, Bytes: 64 << 20}

var update = flag.Bool("update", false, "write the golden files anew")

// collect reads a file and keeps what the read said.
func collect(read func(emit Emit) (Header, error)) result {
	var out result
	var mu sync.Mutex
	h, err := read(func(_ int, b *Batch) error {
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
	slices.SortFunc(out.Rejects, func(a, b Reject) int { return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Line, b.Line)) })
	return out
}

// collectText reads a text by a reader with the given options.
func collectText(reader Reader, r io.Reader, columns []Column, opts Options) result {
	return collect(func(emit Emit) (Header, error) { return reader(context.Background(), r, columns, opts, emit) })
}

// collectAs reads a text in a format in several ways, which must agree.
func collectAs(t testing.TB, reader Reader, text string, columns []Column, f audience.Format) result {
	t.Helper()
	want := collectText(reader, strings.NewReader(text), columns, Options{Workers: 1, Format: f})
	for _, opts := range []Options{{Workers: 1, ChunkBytes: 16, Format: f}, {Workers: 3, ChunkBytes: 65, Format: f}, {Workers: 2, ChunkBytes: 1000, Format: f}} {
		got := collectText(reader, strings.NewReader(text), columns, opts)
		if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); a != b {
			t.Fatalf("with %+v:\n%s\nbut in one chunk:\n%s", opts, a, b)
		}
	}
	if got := collectText(reader, dribble{strings.NewReader(text)}, columns, Options{Workers: 1, ChunkBytes: 16, Format: f}); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("read byte by byte:\n%+v\nbut at once:\n%+v", got, want)
	}
	return want
}

// checkInferred reads a text by the columns that were inferred for it: their types must fit all of its values.
func checkInferred(t *testing.T, reader Reader, file string, columns []Column, err error) {
	t.Helper()
	if err != nil || len(columns) == 0 || strings.Count(file, "\n") > wholeSample.Rows {
		return
	}
	again := collectText(reader, strings.NewReader(file), columns, Options{Workers: 1})
	for _, r := range again.Rejects {
		if r.Code == CodeType || r.Code == CodeRange {
			t.Fatalf("inferred %+v, but line %d has %s in %s", columns, r.Line, r.Code, r.Column)
		}
	}
	for _, c := range columns {
		if c.Type == "" || c.Type == audience.Type("null") {
			t.Fatalf("inferred %+v", columns)
		}
	}
}

// jsonPeople are people as JSON objects: on lines, or in an array on one line.
func jsonPeople(tb testing.TB, n int, array bool) []byte {
	records, err := csv.NewReader(bytes.NewReader(people(n, false))).ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	var b bytes.Buffer
	for i, record := range records[1:] {
		separator := byte('\n')
		switch {
		case array && i == 0:
			separator = '['
		case array:
			separator = ','
		}
		b.WriteByte(separator)
		for j, name := range records[0] {
			v := record[j]
			if !slices.Contains([]string{"id", "age", "amount"}, name) {
				quoted, err := json.Marshal(v)
				if err != nil {
					tb.Fatal(err)
				}
				v = string(quoted)
			}
			fmt.Fprintf(&b, "%c%q:%s", "{,"[min(j, 1)], name, v)
		}
		b.WriteByte('}')
	}
	if array {
		b.WriteByte(']')
	}
	return b.Bytes()
}

func wantWhole(bits int) func(string) string {
	return func(v string) string {
		if !regexp.MustCompile(`^[+-]?[0-9]+$`).MatchString(v) {
			return CodeType
		}
		n, err := strconv.ParseInt(v, 10, bits)
		if err != nil {
			return CodeRange
		}
		return strconv.FormatInt(n, 10)
	}
}

var decimal = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)

func wantNumber(v string) string {
	if !decimal.MatchString(v) {
		return CodeType
	}
	x, err := strconv.ParseFloat(v, 64)
	if err != nil {
		return CodeRange
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}
