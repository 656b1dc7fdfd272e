// Package tabulartest has the shared parts of the readers' tests: files, models of values, and results that are easy to
// compare.
package tabulartest

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
	"testing/iotest"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"roster/internal/audience"
	"roster/internal/tabular"
)

// Result is the result of a read, in the order of the file.
type Result struct {
	Header  tabular.Header
	Rows    []Row
	Rejects []tabular.Reject
	Bytes   int64
	Err     string // code of the FileError, or text of another error
	Message string
}

type Row struct {
	Line   int64
	Values []string // as Arrow prints them; strings are quoted, nulls are not
}

const Null = "(null)"

func (r *Result) take(b *tabular.Batch) {
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
		x := Row{Line: line}
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

func Text(names ...string) []tabular.Column {
	var columns []tabular.Column
	for _, n := range names {
		columns = append(columns, tabular.Column{Name: n, Type: audience.String})
	}
	return columns
}

// Shown is a short text of rows and rejects for comparisons.
func (r Result) Shown() string {
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

// BenchColumns are the columns of the files that the benchmarks read: every type, and a second string.
var BenchColumns = []tabular.Column{
	{Name: "email", Type: audience.String, Required: true},
	{Name: "id", Type: audience.Long},
	{Name: "name", Type: audience.String},
	{Name: "age", Type: audience.Integer},
	{Name: "amount", Type: audience.Number},
	{Name: "birthday", Type: audience.Date},
	{Name: "seen", Type: audience.DateTime},
	{Name: "consent", Type: audience.Boolean},
}

// People returns a file of n rows with the columns of BenchColumns. With quotes, every value is quoted.
func People(n int, quotes bool) []byte {
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

// WholeSample is larger than most test files.
var WholeSample = tabular.Sample{Rows: 10_000, Bytes: 64 << 20}

var Update = flag.Bool("update", false, "write the golden files")

// Collect reads a file and keeps the result.
func Collect(read func(emit tabular.Emit) (tabular.Header, error)) Result {
	var out Result
	var mu sync.Mutex
	h, err := read(func(_ int, b *tabular.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		out.take(b)
		return nil
	})
	var file *tabular.FileError
	switch {
	case errors.As(err, &file):
		return Result{Err: file.Code, Message: file.Message}
	case err != nil:
		return Result{Err: err.Error()}
	}
	out.Header = h
	slices.SortFunc(out.Rows, func(a, b Row) int { return cmp.Compare(a.Line, b.Line) })
	slices.SortFunc(out.Rejects, func(a, b tabular.Reject) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Line, b.Line))
	})
	return out
}

// CollectText reads a text with a reader and the given options.
func CollectText(reader tabular.Reader, r io.Reader, columns []tabular.Column, opts tabular.Options) Result {
	return Collect(func(emit tabular.Emit) (tabular.Header, error) {
		return reader(context.Background(), r, columns, opts, emit)
	})
}

// CollectAs reads a text in several ways, which must agree.
func CollectAs(t testing.TB, reader tabular.Reader, text string, columns []tabular.Column, f audience.Format) Result {
	t.Helper()
	want := CollectText(reader, strings.NewReader(text), columns, tabular.Options{Workers: 1, Format: f})
	for _, opts := range []tabular.Options{{Workers: 1, ChunkBytes: 16, Format: f}, {Workers: 3, ChunkBytes: 65, Format: f}, {Workers: 2, ChunkBytes: 1000, Format: f}} {
		got := CollectText(reader, strings.NewReader(text), columns, opts)
		if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); a != b {
			t.Fatalf("with %+v:\n%s\nbut in one chunk:\n%s", opts, a, b)
		}
	}
	if got := CollectText(reader, iotest.OneByteReader(strings.NewReader(text)), columns, tabular.Options{Workers: 1, ChunkBytes: 16, Format: f}); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("read byte by byte:\n%+v\nbut at once:\n%+v", got, want)
	}
	return want
}

// CheckInferred reads a text with the columns that were inferred for it. All values must fit their types.
func CheckInferred(t *testing.T, reader tabular.Reader, file string, columns []tabular.Column, err error) {
	t.Helper()
	if err != nil || len(columns) == 0 || strings.Count(file, "\n") > WholeSample.Rows {
		return
	}
	again := CollectText(reader, strings.NewReader(file), columns, tabular.Options{Workers: 1})
	for _, r := range again.Rejects {
		if r.Code == tabular.CodeType || r.Code == tabular.CodeRange {
			t.Fatalf("inferred %+v, but line %d has %s in %s", columns, r.Line, r.Code, r.Column)
		}
	}
	for _, c := range columns {
		if c.Type == "" || c.Type == audience.Type("null") {
			t.Fatalf("inferred %+v", columns)
		}
	}
}

// JSONPeople returns people as JSON objects: on separate lines, or in an array on one line.
func JSONPeople(tb testing.TB, n int, array bool) []byte {
	records, err := csv.NewReader(bytes.NewReader(People(n, false))).ReadAll()
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

func WantWhole(bits int) func(string) string {
	return func(v string) string {
		if !regexp.MustCompile(`^[+-]?[0-9]+$`).MatchString(v) {
			return tabular.CodeType
		}
		n, err := strconv.ParseInt(v, 10, bits)
		if err != nil {
			return tabular.CodeRange
		}
		return strconv.FormatInt(n, 10)
	}
}

var decimal = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)

func WantNumber(v string) string {
	if !decimal.MatchString(v) {
		return tabular.CodeType
	}
	x, err := strconv.ParseFloat(v, 64)
	if err != nil {
		return tabular.CodeRange
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}
