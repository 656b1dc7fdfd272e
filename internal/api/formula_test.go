package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"roster/internal/audience"
	"roster/internal/members"
	"roster/internal/tabular"
	"roster/internal/tabular/formats"
)

var formulaFields = []audience.Field{{Name: "mail", Type: audience.String}, {Name: "=name", Type: audience.String}, {Name: "points", Type: audience.Integer}}

// TestSpreadsheetComesBack writes a spreadsheet list and reads it as an import does. Every value comes back, also after
// a spreadsheet saved the list with other quotes and another delimiter. No cell begins like a formula.
func TestSpreadsheetComesBack(t *testing.T) {
	t.Parallel()
	want, columns := formulas(500)
	e := newMemberEncoder(formulaFields, listForm{csv: true, spreadsheet: true})
	e.begin(members.ColumnsOf(columns))
	for row := range want {
		if err := e.row(t.Context(), rows{runID, "+folder/example.csv"}, row); err != nil {
			t.Fatal(err)
		}
	}
	cells, err := csv.NewReader(bytes.NewReader(e.buf)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range cells {
		for _, cell := range row {
			if first := strings.TrimLeft(cell, " \u00a0\u200b"); first != "" && strings.ContainsAny(first[:1], "=+-@\t\r\n") || strings.HasPrefix(first, "＝") {
				t.Errorf("the cell %q begins as a formula", cell)
			}
		}
	}
	if last := cells[0][len(cells[0])-1]; last != audience.EscapedColumn {
		t.Errorf("the last column is %q", last)
	}
	var saved bytes.Buffer
	w := csv.NewWriter(&saved)
	w.Comma, w.UseCRLF = ';', true
	if err := w.WriteAll(cells); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{"as it was written": e.buf, "saved by a spreadsheet": saved.Bytes()} {
		for said, format := range map[string]audience.Format{
			"nothing":                {},
			"escape":                 {Escape: audience.Spreadsheet},
			"the format of the list": {Delimiter: "|", Quote: "'", Escape: `\`, Header: new(false)},
		} {
			got, h := readList(t, file, format)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s, the audience says %s: the values are others", name, said)
			}
			if h.Format.Escape != audience.Spreadsheet {
				t.Errorf("%s, the audience says %s: read with the escape %q", name, said, h.Format.Escape)
			}
		}
	}
}

// formulas returns rows of formulaFields whose texts combine the relevant characters, and the same rows as columns.
func formulas(n int) (want [][]string, columns []arrow.Array) {
	rnd := rand.New(rand.NewPCG(1, 2))
	alphabet := []rune("'=+-@＝ \t\u200b\u00a0x9,;\"é\\|")
	texts := [2]*array.StringBuilder{array.NewStringBuilder(memory.DefaultAllocator), array.NewStringBuilder(memory.DefaultAllocator)}
	points := array.NewInt32Builder(memory.DefaultAllocator)
	for range n {
		var row []string
		for _, b := range texts {
			text := make([]rune, 1+rnd.IntN(5))
			for i := range text {
				text[i] = alphabet[rnd.IntN(len(alphabet))]
			}
			row = append(row, string(text))
			b.Append(string(text))
		}
		n := int32(rnd.IntN(21) - 10)
		points.Append(n)
		want = append(want, append(row, fmt.Sprint(n)))
	}
	return want, []arrow.Array{texts[0].NewArray(), texts[1].NewArray(), points.NewArray()}
}

func readList(t *testing.T, file []byte, format audience.Format) (values [][]string, h tabular.Header) {
	t.Helper()
	stored := tabular.File{Size: int64(len(file)), Open: func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(file[offset:])), nil
	}}
	h, err := formats.Read(t.Context(), stored, tabular.ColumnsOf(formulaFields), tabular.Options{Workers: 1, Format: format}, func(_ int, b *tabular.Batch) error {
		if len(b.Rejects) > 0 {
			t.Errorf("rejects: %+v", b.Rejects)
		}
		for i := range b.Lines {
			var row []string
			for _, c := range b.Record.Columns() {
				row = append(row, strings.Clone(c.ValueStr(i)))
			}
			values = append(values, row)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return values, h
}
