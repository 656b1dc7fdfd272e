package csv

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/tabulartest"
)

// reference reads records byte by byte, as the package comment has them: slow, plain, and written apart from the
// code that it is held against.
func reference(data string, columns int, d dialect) tabulartest.Result {
	var out tabulartest.Result
	line := int64(1)
	data = strings.TrimRight(data, "\x00\x1a")
	for pos := 0; pos < len(data); {
		start, kind := pos, ""
		marks := 0
		for rest := data[pos:]; ; rest = data[pos+marks:] {
			mark := ""
			for _, m := range []string{"\ufeff", "\x1a"} {
				if strings.HasPrefix(rest, m) {
					mark = m
				}
			}
			if mark == "" {
				break
			}
			marks += len(mark)
		}
		var fields []string
		var quoted []bool
		for more := true; more; {
			var v []byte
			blanks := 0
			for pos+blanks < len(data) && data[pos+blanks] != d.delimiter && (data[pos+blanks] == ' ' || data[pos+blanks] == '\t') {
				blanks++
			}
			q := d.quote != 0 && pos+blanks < len(data) && data[pos+blanks] == d.quote
			if q {
				pos += blanks
				closed := false
				for pos++; pos < len(data) && !closed; pos++ {
					switch {
					case d.escape != 0 && data[pos] == d.escape && pos+1 < len(data):
						pos++
						v = append(v, data[pos])
					case data[pos] != d.quote:
						v = append(v, data[pos])
					case pos+1 < len(data) && data[pos+1] == d.quote:
						v = append(v, d.quote)
						pos++
					default:
						closed = true
					}
				}
				if !closed {
					kind = tabular.CodeQuote
				}
			}
			tail := pos
			for pos < len(data) && data[pos] != d.delimiter && data[pos] != '\n' {
				pos++
			}
			rest := data[tail:pos]
			if pos == len(data) || data[pos] == '\n' {
				rest = strings.TrimRight(rest, "\r")
				more = false
			}
			if q && strings.Trim(rest, " \t") == "" {
				rest = ""
			}
			if q && rest != "" {
				kind = tabular.CodeQuote
			}
			pos++
			fields, quoted = append(fields, string(v)+rest), append(quoted, q)
		}
		pos = min(pos, len(data))
		raw := data[start:pos]
		if len(fields) == 1 && strings.Trim(fields[0][min(marks, len(fields[0])):], "\x00\x1a") == "" && !quoted[0] {
			line++
			continue
		}
		if marks > 0 {
			fields[0] = fields[0][marks:]
		}
		blank := len(fields) > 1 && strings.Trim(strings.Join(fields, ""), " \t") == "" && !slices.Contains(quoted, true)
		if blank {
			line++
			continue
		}
		r := tabulartest.Row{Line: line}
		line += int64(strings.Count(raw, "\n"))
		if marks > 0 && d.quote != 0 && raw[marks] == d.quote {
			// Behind marks a quote is data as far as where the record ends is concerned.
			inner := reference(raw[marks:], columns, d)
			switch {
			case len(inner.Rows) == 1 && len(inner.Rejects) == 0:
				inner.Rows[0].Line = r.Line
				out.Rows = append(out.Rows, inner.Rows[0])
				continue
			case len(inner.Rows) == 0 && len(inner.Rejects) == 1:
				kind = inner.Rejects[0].Code
				if kind == tabular.CodeEncoding {
					fields, quoted = nil, nil
					out.Rejects = append(out.Rejects, inner.Rejects[0])
					last := &out.Rejects[len(out.Rejects)-1]
					last.Line, last.Offset, last.Raw = r.Line, int64(start), []byte(strings.TrimRight(strings.TrimSuffix(raw, "\n"), "\r"))
					continue
				}
			default:
				kind = tabular.CodeQuote
			}
		}
		if kind == "" && len(fields) != columns {
			kind = tabular.CodeColumnCount
		}
		column := ""
		for i, v := range fields {
			if kind == "" && !utf8.ValidString(v) {
				kind, column = tabular.CodeEncoding, string(rune('a'+i))
			}
			if v == "" {
				r.Values = append(r.Values, tabulartest.Null)
			} else {
				r.Values = append(r.Values, fmt.Sprintf("%q", v))
			}
		}
		if kind == "" {
			out.Rows = append(out.Rows, r)
			continue
		}
		raw = strings.TrimRight(strings.TrimSuffix(raw, "\n"), "\r")
		out.Rejects = append(out.Rejects, tabular.Reject{Line: r.Line, Lines: 1 + int64(strings.Count(raw, "\n")), Offset: int64(start), Column: column, Code: kind, Raw: []byte(raw)})
	}
	return out
}

// names is the header a,b,c,…
func letters(n int) []string {
	var names []string
	for i := range n {
		names = append(names, string(rune('a'+i)))
	}
	return names
}

// checkRecords reads body under a header with several chunkings and holds the results against the reference.
func checkRecords(t *testing.T, body string, columns int, d dialect, chunks []int) {
	t.Helper()
	names := letters(columns)
	header := strings.Join(names, string(rune(d.delimiter))) + "\n"
	format := d.describe(audience.Format{}, "utf-8")
	want := reference(body, columns, d)
	for i := range want.Rows {
		want.Rows[i].Line++
	}
	for i := range want.Rejects {
		want.Rejects[i].Line++
		want.Rejects[i].Offset += int64(len(header))
	}
	for _, chunk := range chunks {
		got := readOnce(strings.NewReader(header+body), tabulartest.Text(names...), tabular.Options{Workers: 1 + chunk%3, ChunkBytes: chunk, Format: format})
		if got.Err != "" || got.Bytes != int64(len(header)+len(body)) {
			t.Fatalf("chunks of %d: %+v", chunk, got)
		}
		if a, b := got.Shown(), want.Shown(); a != b {
			t.Fatalf("chunks of %d, %+v: %q:\n%s\nbut the reference says\n%s", chunk, format, body, a, b)
		}
		for i, r := range got.Rejects {
			if !bytes.Equal(r.Raw, want.Rejects[i].Raw[:min(len(want.Rejects[i].Raw), tabular.MaxRaw)]) {
				t.Fatalf("raw %q, want %q", r.Raw, want.Rejects[i].Raw)
			}
		}
	}
}

var bodies = []string{"", "1,2\n", "\"1\",\"2\"\r\n3,4", "\"a\"\"b\",\"c\nd\"\n", "\"a\"x,2\n", "1,\"2\n3,4\n", "a\"b,\"\"\n", "\n\r\n1,2\r\r\n", "\"\",\"\"\"\"\n", "é,\xff\n", "\"\r,\"\r\"\n", "1,2\n\ufeff3,4\n\ufeff\"5\",6\n\ufeff\n\x1a\x00", "\x1a\ufeff\"1,2\",\"\"\n\x00\x00\x00", "\ufeff\x00\n", "\ufeff\"a\nb\",2\n, \n,,,\n\x00,\x00\n",
	strings.Repeat("x", 60) + ",\"y\"\"" + strings.Repeat("z", 70) + "\"\n"}

// FuzzRecords holds chunked parsing, the splitter and the marks against the reference.
func FuzzRecords(f *testing.F) {
	for _, b := range bodies {
		f.Add(b, uint8(2), uint16(16))
	}
	f.Fuzz(func(t *testing.T, body string, columns uint8, chunk uint16) {
		checkRecords(t, body, 1+int(columns)%5, standard, []int{int(chunk), 1 << 20})
	})
}

// The marks of the dialects that are tried.
var delimiters, quotes, escapeMarks = []byte(",;\t|^: \x01x"), []byte("\"'\x00q"), []byte("\\\x00/e")

// FuzzDialect does what FuzzRecords does in any dialect.
func FuzzDialect(f *testing.F) {
	for i, b := range []string{"1;2\n", "'1';'2'\r\n3;4", "\"a\\\"b\",\"c\\\nd\"\n", "'a\\\\',2\n", "\"a\\\\\"\",\"\\", "\\\"a,\"b\"\\\"\n", "1\t\"2\n3\t\"4\"\n"} {
		f.Add(b, uint8(2), uint16(16), uint8(i), uint8(i), uint8(i))
	}
	f.Fuzz(func(t *testing.T, body string, columns uint8, chunk uint16, delimiter, quote, escape uint8) {
		d := dialect{delimiters[int(delimiter)%len(delimiters)], quotes[int(quote)%len(quotes)], escapeMarks[int(escape)%len(escapeMarks)]}
		if d.quote == 0 {
			d.escape = 0
		}
		checkRecords(t, body, 1+int(columns)%5, d, []int{int(chunk), 1 << 20})
	})
}

// TestRandomDialects does the same with texts of the bytes that matter.
func TestRandomDialects(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(13, 14))
	n := 1_000
	if testing.Short() {
		n = 300
	}
	for range n {
		d := dialect{delimiters[r.IntN(len(delimiters))], quotes[r.IntN(len(quotes))], escapeMarks[r.IntN(len(escapeMarks))]}
		if d.quote == 0 {
			d.escape = 0
		}
		alphabet := []byte{d.delimiter, d.quote, d.escape, '\n', 'a'}
		switch r.IntN(4) {
		case 0:
			alphabet = append(alphabet, d.escape, d.escape, d.quote, '\r', 0xff)
		case 1:
			alphabet = append(alphabet, "aaaaaaaaaaaaaaaaaaaaaaa"...)
		case 2:
			alphabet = append(alphabet, d.delimiter, '\n', '\n', ',', '"', '\\')
		}
		b := make([]byte, r.IntN(1_500))
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		checkRecords(t, string(b), 1+r.IntN(4), d, []int{16 + r.IntN(200), 16 + r.IntN(5_000), 1 << 20})
	}
}

// TestRandomRecords does the same with texts of the bytes that matter, longer than a fuzzer likes them.
func TestRandomRecords(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 8))
	n := 1_000
	if testing.Short() {
		n = 300
	}
	for range n {
		alphabet := []string{`ab,"` + "\n", `aaaaaaaa,,"` + "\r\n\n", `aaaaaaaaaaaaaaaaaaaaaa,` + "\n", `abc"",` + "\n", `"",` + "\n\r", "a\xffé,\"\n"}[r.IntN(6)]
		b := make([]byte, r.IntN(2_000))
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		checkRecords(t, string(b), 1+r.IntN(4), standard, []int{16 + r.IntN(200), 16 + r.IntN(5_000), 1 << 20})
	}
}

// TestWellFormed writes tables with encoding/csv, all kinds of values in them, and reads them back.
func TestWellFormed(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(9, 10))
	parts := []string{"a", "b c", ",", "\"", "\n", "é", "日本", "'", ";", " ", "long " + strings.Repeat("x", 70), "\t"}
	for range 300 {
		columns := 1 + r.IntN(6)
		var file bytes.Buffer
		w := csv.NewWriter(&file)
		w.UseCRLF = r.IntN(2) == 0
		names := letters(columns)
		if err := w.Write(names); err != nil {
			t.Fatal(err)
		}
		var want [][]string
		for range r.IntN(200) {
			record := make([]string, columns)
			for i := range record {
				for range r.IntN(4) {
					record[i] += parts[r.IntN(len(parts))]
				}
			}
			if strings.Join(record, "") == "" {
				continue // a blank line, or a row of delimiters
			}
			if err := w.Write(record); err != nil {
				t.Fatal(err)
			}
			want = append(want, record)
		}
		w.Flush()
		got := read(t, file.String(), tabulartest.Text(names...))
		if len(got.Rejects) > 0 || len(got.Rows) != len(want) {
			t.Fatalf("%d rows and %d rejects of %d rows", len(got.Rows), len(got.Rejects), len(want))
		}
		for i, record := range want {
			for j, v := range record {
				if w.UseCRLF {
					v = strings.ReplaceAll(v, "\n", "\r\n")
				}
				expect := fmt.Sprintf("%q", v)
				if v == "" {
					expect = tabulartest.Null
				}
				if got.Rows[i].Values[j] != expect {
					t.Fatalf("row %d: got %s, want %s", i, got.Rows[i].Values[j], expect)
				}
			}
		}
	}
}

// FuzzStandard holds the splitter against encoding/csv where both mean the same: without carriage returns, and up
// to the first record that encoding/csv refuses.
func FuzzStandard(f *testing.F) {
	for i, b := range bodies {
		f.Add(b, uint8(i))
	}
	f.Fuzz(func(t *testing.T, body string, delimiter uint8) {
		if strings.ContainsAny(body, "\r\x00\x1a\ufeff") || !utf8.ValidString(body) {
			return // marks of files are no rows here, and encoding/csv drops carriage returns
		}
		const columns = 3
		names := letters(columns)
		d := dialect{delimiter: delimiters[int(delimiter)%len(delimiters)], quote: '"'}
		header := strings.Join(names, string(rune(d.delimiter))) + "\n"
		got := readOnce(strings.NewReader(header+body), tabulartest.Text(names...), tabular.Options{Workers: 1, Format: d.describe(audience.Format{}, "utf-8")})
		if got.Err != "" {
			t.Fatal(got.Err)
		}
		r := csv.NewReader(strings.NewReader(header + body))
		r.FieldsPerRecord, r.Comma = -1, rune(d.delimiter)
		if _, err := r.Read(); err != nil {
			t.Fatal(err)
		}
		rows, rejects := got.Rows, got.Rejects
		for {
			begin := r.InputOffset()
			record, err := r.Read()
			if err == io.EOF {
				if len(rows)+len(rejects) > 0 {
					t.Fatalf("%d rows and %d rejects more", len(rows), len(rejects))
				}
				return
			}
			if err != nil {
				return
			}
			line, _ := r.FieldPos(0)
			comma := string(rune(d.delimiter))
			if raw := (header + body)[begin:r.InputOffset()]; strings.Contains(raw, comma) && strings.Trim(raw, " \t\n"+comma) == "" {
				continue // a row of nothing but delimiters is none
			}
			if len(record) != columns {
				if len(rejects) == 0 || rejects[0].Code != tabular.CodeColumnCount || rejects[0].Line != int64(line) {
					t.Fatalf("line %d has %d fields; rejects %+v", line, len(record), rejects)
				}
				rejects = rejects[1:]
				continue
			}
			if len(rows) == 0 || rows[0].Line != int64(line) {
				t.Fatalf("line %d: rows %+v", line, rows)
			}
			for i, v := range record {
				want := fmt.Sprintf("%q", v)
				if v == "" {
					want = tabulartest.Null
				}
				if rows[0].Values[i] != want {
					t.Fatalf("line %d: got %s, want %s", line, rows[0].Values[i], want)
				}
			}
			rows = rows[1:]
		}
	})
}

// FuzzFile reads anything as a file of all types: it must end, account for each byte, and be the same in chunks.
func FuzzFile(f *testing.F) {
	f.Add(string(tabulartest.People(5, false)))
	f.Add(string(tabulartest.People(5, true)))
	f.Add("\xef\xbb\xbfemail\rann\r")
	for _, b := range bodies {
		f.Add("email,id\n" + b)
	}
	f.Fuzz(func(t *testing.T, file string) {
		got := read(t, file, tabulartest.BenchColumns)
		if got.Err == "" && len(got.Header.Missing)+len(got.Header.Names)-len(got.Header.Extra) != len(tabulartest.BenchColumns) {
			t.Fatalf("header %+v", got.Header)
		}
		inferred, err := Infer(t.Context(), strings.NewReader(file), tabular.Options{ChunkBytes: tabular.SampleChunk}, nil, tabulartest.WholeSample)
		if err == nil && got.Err == "" && inferred.Rows < len(got.Rows) && inferred.Rows < tabulartest.WholeSample.Rows {
			t.Fatalf("%d rows inferred from, %d read", inferred.Rows, len(got.Rows))
		}
		tabulartest.CheckInferred(t, Read, file, inferred.Columns, err)
	})
}
