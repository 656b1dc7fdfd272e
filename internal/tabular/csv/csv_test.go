package csv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/input"
	"roster/internal/tabular/tabulartest"
)

func TestRecords(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, want string }{
		"plain":                       {"a,b\n1,2\n3,4\n", "2: \"1\" \"2\"\n3: \"3\" \"4\"\n"},
		"no last line end":            {"a,b\n1,2\n3,4", "2: \"1\" \"2\"\n3: \"3\" \"4\"\n"},
		"crlf":                        {"a,b\r\n1,2\r\n3,4\r\n", "2: \"1\" \"2\"\n3: \"3\" \"4\"\n"},
		"crlf, no last line end":      {"a,b\r\n1,2\r\n3,4", "2: \"1\" \"2\"\n3: \"3\" \"4\"\n"},
		"cr crlf":                     {"a,b\r\r\n1,2\r\r\n\"3\",\"4\"\r\r\n", "2: \"1\" \"2\"\n3: \"3\" \"4\"\n"},
		"last cr":                     {"a,b\n1,2\r", "2: \"1\" \"2\"\n"},
		"cr as data":                  {"a,b\n1\r,2\rx\n", "2: \"1\\r\" \"2\\rx\"\n"},
		"mixed line ends":             {"a,b\r\n1,2\n3,4\r\n", "2: \"1\" \"2\"\n3: \"3\" \"4\"\n"},
		"old mac":                     {"a,b\r1,2\r\r\"3\r\",4\r", "2: \"1\" \"2\"\n4: \"3\\n\" \"4\"\n"},
		"old mac, no last":            {"a,b\r1,2", "2: \"1\" \"2\"\n"},
		"bom":                         {"\xef\xbb\xbfa,b\n1,2\n", "2: \"1\" \"2\"\n"},
		"bom and quotes":              {"\xef\xbb\xbf\"a\",\"b\"\n1,2\n", "2: \"1\" \"2\"\n"},
		"blank lines":                 {"\n\r\na,b\n\n1,2\n\r\n\r\r\n3,4\n\n", "5: \"1\" \"2\"\n8: \"3\" \"4\"\n"},
		"one column":                  {"a\n1\n\n\"\"\n2\n", "2: \"1\" (null)\n4: (null) (null)\n5: \"2\" (null)\n"},
		"a line of a space":           {"a\n \n", "2: \" \" (null)\n"},
		"empty values":                {"a,b\n,\n\"\",\"\"\n", "3: (null) (null)\n"},
		"quotes":                      {"a,b\n\"1,2\",\"3\"\"4\"\n", "2: \"1,2\" \"3\\\"4\"\n"},
		"only quotes":                 {"a,b\n\"\"\"\",\"\"\"\"\"\"\n", "2: \"\\\"\" \"\\\"\\\"\"\n"},
		"line ends in quotes":         {"a,b\n\"1\n2\",\"\r\n\"\n3,4\n", "2: \"1\\n2\" \"\\r\\n\"\n5: \"3\" \"4\"\n"},
		"quote as data":               {"a,b\n1\"2,3\"\"4\"\n 5\" , \"6\"\n", "2: \"1\\\"2\" \"3\\\"\\\"4\\\"\"\n3: \" 5\\\" \" \"6\"\n"},
		"blanks around quotes":        {"a, \"b\"\n \"1\" ,\t\"2, \"\"x\"\" \"\n\"3\", \"4\n5\" \n\"6\", \"7\" x\n8, 9 \"x\"\n", "2: \"1\" \"2, \\\"x\\\" \"\n3: \"3\" \"4\\n5\"\n6: \"8\" \" 9 \\\"x\\\"\"\n5+1@38: QUOTE \n"},
		"strings keep spaces":         {"a,b\n 1 ,\t2\n", "2: \" 1 \" \"\\t2\"\n"},
		"zero bytes":                  {"a,b\n1\x00,2\n", "2: \"1\\x00\" \"2\"\n"},
		"too few":                     {"a,b\n1\n2,3\n", "3: \"2\" \"3\"\n2+1@4: COLUMN_COUNT \n"},
		"too many":                    {"a,b\n1,2,3\n2,3,\n4,5", "4: \"4\" \"5\"\n2+1@4: COLUMN_COUNT \n3+1@10: COLUMN_COUNT \n"},
		"text behind quotes":          {"a,b\n\"1\"x,2\n\"3\" ,4\n5,\"6\"7\"8\"\n9,0\n", "3: \"3\" \"4\"\n5: \"9\" \"0\"\n2+1@4: QUOTE \n4+1@18: QUOTE \n"},
		"text behind quotes, quoted":  {"a,b\n\"1\"x,\"2,\n3\"\n4,5\n", "4: \"4\" \"5\"\n2+2@4: QUOTE \n"},
		"cr behind quotes":            {"a,b\n\"1\"\r,2\n\"3\"\rx\"\n4,5\n", "4: \"4\" \"5\"\n2+1@4: QUOTE \n3+1@11: QUOTE \n"},
		"quote not closed":            {"a,b\n1,2\n3,\"4\n5,6\n7,8\n", "2: \"1\" \"2\"\n3+3@8: QUOTE \n"},
		"quote not closed, no end":    {"a,b\n1,2\n3,\"4", "2: \"1\" \"2\"\n3+1@8: QUOTE \n"},
		"quote not closed, escaped":   {"a,b\n3,\"4\"\"", "2+1@4: QUOTE \n"},
		"quote alone at the end":      {"a,b\n\"", "2+1@4: QUOTE \n"},
		"stray quote, closed later":   {"a,b\n1,\"2\n3,\"4\"\n5,6\n", "4: \"5\" \"6\"\n2+2@4: QUOTE \n"},
		"invalid text":                {"a,b,c\nx\xff,1,\nok,2,\xff\n\"\xc3\"\"\xa9\",3,\n", "3: \"ok\" \"2\"\n2+1@6: ENCODING a\n4+1@19: ENCODING a\n"},
		"valid text":                  {"a,b\né,\"日本\"\n", "2: \"é\" \"日本\"\n"},
		"extra and missing columns":   {"x,B\n1,2\n", "2: (null) \"2\"\n"},
		"other order, other case":     {" B ,\"A\"\n1,2\n", "2: \"2\" \"1\"\n"},
		"header alone":                {"a,b", ""},
		"header and line end":         {"a,b\r\n", ""},
		"header with line end":        {"a,\"b\n\"\n1,2\n", "3: \"1\" \"2\"\n"},
		"long values":                 {"a,b\n" + strings.Repeat("x", 15) + "," + strings.Repeat("y", 16) + "\n" + strings.Repeat("z", 17) + ",1", "2: \"xxxxxxxxxxxxxxx\" \"yyyyyyyyyyyyyyyy\"\n3: \"zzzzzzzzzzzzzzzzz\" \"1\"\n"},
		"a reject takes values back":  {"a,b\n\"1\"\"1\",\n2,\xff\n3,4\n", "2: \"1\\\"1\" (null)\n4: \"3\" \"4\"\n3+1@12: ENCODING b\n"},
		"quotes over words of 64":     {"a,b\n" + strings.Repeat("1", 58) + ",\"" + strings.Repeat("\"\"", 40) + "\"\n", "2: \"" + strings.Repeat("1", 58) + "\" \"" + strings.Repeat("\\\"", 40) + "\"\n"},
		"data quotes at a word's end": {"a,b\n" + strings.Repeat("1", 58) + "\",\"x\"\n", "2: \"" + strings.Repeat("1", 58) + "\\\"\" \"x\"\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := read(t, c.file, tabulartest.Text("a", "b")).Shown(); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestRejectsSayWhat(t *testing.T) {
	t.Parallel()
	r := read(t, "id,n\n1,2,3\nx,1\n9999999999,1\n\"a\nb\",1\n1,\"2\"x\n2,\"3\n4,5\n\n", []tabular.Column{{Name: "id", Type: audience.Integer}, {Name: "n", Type: audience.String}})
	var got []string
	for _, x := range r.Rejects {
		got = append(got, fmt.Sprintf("%d %d %s %q %s | %q", x.Line, x.Lines, x.Code, x.Column, x.Reason, x.Raw))
	}
	want := []string{
		`2 1 COLUMN_COUNT "" the row has 3 columns, the header 2 | "1,2,3"`,
		`3 1 TYPE "id" the value is not a whole number of 32 bits | "x,1"`,
		`4 1 RANGE "id" the value is out of range for a whole number of 32 bits | "9999999999,1"`,
		`5 2 TYPE "id" the value is not a whole number of 32 bits; the row extends from line 5 to line 6 | "\"a\nb\",1"`,
		`7 1 QUOTE "" text follows the closing quote of a field | "1,\"2\"x"`,
		`8 3 QUOTE "" a quote is not closed before the end of the file; the row extends from line 8 to line 10 | "2,\"3\n4,5\n"`,
	}
	if a, b := strings.Join(got, "\n"), strings.Join(want, "\n"); a != b {
		t.Errorf("got\n%s\nwant\n%s", a, b)
	}
}

// TestHeaderRepeated finds the headers of files that were put one behind the other, in any chunks.
func TestHeaderRepeated(t *testing.T) {
	t.Parallel()
	columns := []tabular.Column{{Name: "Mail", Type: audience.String, Primary: true}, {Name: "name", Type: audience.String}, {Name: "n", Type: audience.Integer}}
	const header, mark = "\"mail\", Name,x,n\n", "\xef\xbb\xbf"
	file := mark + header + "a,A,x,1\n" + header + "b,B,x,2\n" + mark + header + "mail,name,x,3\nMAIL,Name,n,n\n, name,x,n\nmail,name,n\n"
	const want = "2: \"a\" \"A\" 1\n4: \"b\" \"B\" 2\n6: \"mail\" \"name\" 3\n3+1@28: HEADER \n5+1@53: HEADER \n7+1@87: HEADER \n8+1@101: IDENTITY Mail\n9+1@112: COLUMN_COUNT \n"
	for _, chunk := range []int{16, 40, 1 << 20} {
		got := readOnce(strings.NewReader(file), columns, tabular.Options{Workers: 2, ChunkBytes: chunk})
		if got.Shown() != want {
			t.Errorf("got\n%swant\n%s", got.Shown(), want)
		}
	}
	if r := read(t, "mail,x\nmail,1\nb,2\n", columns); len(r.Rejects) != 1 || r.Rejects[0].Code != tabular.CodeHeader || r.Rejects[0].Column != "" || !strings.Contains(r.Rejects[0].Reason, "header") {
		t.Errorf("one wanted column: %+v", r)
	}
	bare := readOnce(strings.NewReader("mail,name,n\na,A,1\n"), columns, tabular.Options{Workers: 1, Format: audience.Format{Header: headerless}})
	if len(bare.Rows) != 1 || len(bare.Rejects) != 1 || bare.Rejects[0].Code != tabular.CodeHeader {
		t.Errorf("a header in a file that is said to have none: %+v", bare)
	}
}

func TestRawIsCut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", tabular.MaxRaw+10)
	r := read(t, "a,b\n"+long+"\n", tabulartest.Text("a", "b"))
	if len(r.Rejects) != 1 || string(r.Rejects[0].Raw) != long[:tabular.MaxRaw] {
		t.Errorf("%d rejects, %d bytes", len(r.Rejects), len(r.Rejects[0].Raw))
	}
}

func TestFileErrors(t *testing.T) {
	t.Parallel()
	wanted := []tabular.Column{{Name: "mail", Type: audience.String, Required: true}, {Name: "city", Type: audience.String}}
	names := strings.TrimPrefix(strings.Repeat(",x", tabular.MaxColumns+1), ",")
	for name, c := range map[string]struct{ file, code, says string }{
		"empty":                  {"", "EMPTY_FILE", "empty"},
		"only a bom":             {"\xef\xbb\xbf", "EMPTY_FILE", "the file is empty"},
		"only a bom of utf-16":   {"\xff\xfe", "EMPTY_FILE", "the file is empty"},
		"blank":                  {"\n\r\n\n", "NO_HEADER", "empty lines"},
		"blank header":           {" ,\"\"\na,b\n", "NO_HEADER", "names no column"},
		"no header":              {"ann@example.com,Rome\nbob@example.com,Oslo\n", "NO_HEADER", "if the file has no header, set"},
		"one column":             {"mail.city\na.b\n", "NO_HEADER", "split into 1 column at each ','"},
		"names of somebody else": {"id;town\n1;b\n", "NO_HEADER", "split into 2 columns at each ';'"},
		"missing":                {"id,city\n1,2\n", "MISSING_COLUMN", `no column "mail"; its header names "id", "city"`},
		"missing among many":     {"city" + strings.Repeat(",x", 30) + "\n", "MISSING_COLUMN", "and 11 more"},
		"missing, long names":    {"city," + strings.Repeat("é", 100) + "\n", "MISSING_COLUMN", strings.Repeat("é", 64) + "…\""},
		"duplicate":              {"mail,x,MAIL \n", "DUPLICATE_COLUMN", `"mail" twice, as columns 1 and 3`},
		"too many columns":       {"mail" + strings.Repeat(",x", tabular.MaxColumns) + "\n", "TOO_MANY_COLUMNS", "line 1 has 10001 columns"},
		"too many in a row":      {"mail\n" + names + "\n", "TOO_MANY_COLUMNS", "line 2 has 10001 columns"},
		"quote in the header":    {"mail,\"city\n1,2\n", "NO_HEADER", "quotes"},
		"text behind a name":     {"mail,\"city\"x\n1,2\n", "NO_HEADER", "quotes"},
		"utf-16 without a mark":  {"m\x00a\x00i\x00l\x00\n\x00", "ENCODING", "line 1 has zero bytes"},
		"utf-32":                 {"\xff\xfe\x00\x00m\x00\x00\x00", "ENCODING", "zero bytes"},
		"invalid name of wanted": {"mail,c\xeft\xe9\n1,2\n", "ENCODING", "not valid UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := read(t, c.file, wanted)
			if r.Err != c.code || !strings.Contains(r.Message, c.says) {
				t.Errorf("%s: %s", r.Err, r.Message)
			}
		})
	}
	if r := read(t, "mail,city,\xff\nann,Rome,x\n", wanted); r.Shown() != "2: \"ann\" \"Rome\"\n" || r.Header.Extra[0] != "\uFFFD" {
		t.Errorf("an invalid name that nobody wants: %+v", r)
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	r := read(t, "\xef\xbb\xbf x ,\"B\"\"B\",straße,x,\n1,2,3,4,5\n", tabulartest.Text("b\"b", "STRASSE", "STRAßE", "gone"))
	want := `{Names:[x B"B straße x ] Extra:[x x ] Missing:[STRASSE gone] Skipped:[] Comments:0 Format:{Type:csv Delimiter:, Quote:" Escape:none Header:<nil> Encoding:utf-8 NullValues:[] DateFormats:[] Compression: SkipLines:0 Comment: FillShortRows:false DecimalComma:false}}`
	if got := fmt.Sprintf("%+v", r.Header); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// pad is an endless field.
type pad struct{ left int }

func (p *pad) Read(b []byte) (int, error) {
	n := min(len(b), p.left)
	if n == 0 {
		return 0, io.EOF
	}
	for i := range b[:n] {
		b[i] = 'x'
	}
	p.left -= n
	return n, nil
}

func TestLongestRecord(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, after string
		size          int
		err           string
	}{
		"longest with line end":    {"a\n1\n", "\n2\n", tabular.MaxRecord - 1, ""},
		"longest without line end": {"a\n1\n", "", tabular.MaxRecord, ""},
		"too long":                 {"a\n1\n", "\n2\n", tabular.MaxRecord, "LINE_TOO_LONG"},
		"too long at the end":      {"a\n1\n", "", tabular.MaxRecord + 1, "LINE_TOO_LONG"},
		"far too long":             {"a\n1\n", "\n2\n", 3 * tabular.MaxRecord, "LINE_TOO_LONG"},
		"quoted":                   {"a\n1\n\"", "\"\n2\n", tabular.MaxRecord, "LINE_TOO_LONG"},
		"not closed":               {"a\n1\n\"", "\n2\n", tabular.MaxRecord, "LINE_TOO_LONG"},
	} {
		for _, size := range []int{1 << 10, 1 << 20, 40 << 20} {
			t.Run(fmt.Sprintf("%s/chunk=%d", name, size), func(t *testing.T) {
				t.Parallel()
				r := io.MultiReader(strings.NewReader(c.before), &pad{c.size}, strings.NewReader(c.after))
				var longest, rows atomic.Int64
				_, err := Read(context.Background(), r, tabulartest.Text("a"), tabular.Options{Workers: 2, ChunkBytes: size}, func(_ int, b *tabular.Batch) error {
					rows.Add(b.Record.NumRows())
					for i := range b.Lines {
						longest.Store(max(longest.Load(), int64(len(b.Record.Column(0).ValueStr(i)))))
					}
					return nil
				})
				var file *tabular.FileError
				if c.err != "" {
					if !errors.As(err, &file) || file.Code != c.err || !strings.Contains(file.Message, "line 3 ") {
						t.Fatal(err)
					}
					return
				}
				if err != nil || longest.Load() != int64(c.size) || rows.Load() != 2+int64(strings.Count(c.after, "2")) {
					t.Fatal(err, longest.Load(), rows.Load())
				}
			})
		}
	}
}

func TestLongHeader(t *testing.T) {
	t.Parallel()
	r := io.MultiReader(strings.NewReader("\n\"a"), &pad{tabular.MaxRecord}, strings.NewReader("\"\n1\n"))
	if got := readOnce(r, tabulartest.Text("a"), tabular.Options{Workers: 1}); got.Err != "LINE_TOO_LONG" || !strings.Contains(got.Message, "line 2 ") {
		t.Errorf("%+v", got)
	}
}

func TestReaderError(t *testing.T) {
	t.Parallel()
	cause := errors.New("the disk is gone")
	for _, before := range []string{"", "a,b\n", "a,b\n1,2\n" + strings.Repeat("3,4\n", 100)} {
		r := io.MultiReader(strings.NewReader(before), iotest.ErrReader(cause))
		_, err := Read(context.Background(), r, tabulartest.Text("a", "b"), tabular.Options{Workers: 2, ChunkBytes: 16}, func(int, *tabular.Batch) error { return nil })
		var file *tabular.FileError
		if !errors.Is(err, cause) || !errors.As(err, &file) || file.Code != "READ" {
			t.Errorf("after %d bytes: %v", len(before), err)
		}
	}
}

func TestEmitError(t *testing.T) {
	t.Parallel()
	full := errors.New("full")
	file := "a,b\n" + strings.Repeat("1,2\n", 10_000)
	_, err := Read(context.Background(), strings.NewReader(file), tabulartest.Text("a", "b"), tabular.Options{Workers: 3, ChunkBytes: 64}, func(int, *tabular.Batch) error { return full })
	if err != full {
		t.Error(err)
	}
}

func TestEmitPanic(t *testing.T) {
	t.Parallel()
	_, err := Read(context.Background(), strings.NewReader("a\n1\n"), tabulartest.Text("a"), tabular.Options{}, func(int, *tabular.Batch) error { panic("oh") })
	if err == nil || !strings.Contains(err.Error(), "oh") {
		t.Error(err)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	endless := io.MultiReader(strings.NewReader("a\n"), lines{})
	_, err := Read(ctx, endless, tabulartest.Text("a"), tabular.Options{Workers: 2, ChunkBytes: 1 << 10}, func(int, *tabular.Batch) error {
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// lines is a file without end.
type lines struct{}

func (lines) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = "1\n"[i%2]
	}
	return len(p), nil
}

func TestWorkersDoNotOverlap(t *testing.T) {
	t.Parallel()
	file := tabulartest.People(2_000, true)
	const workers = 4
	var busy [workers]atomic.Bool
	var rows atomic.Int64
	_, err := Read(context.Background(), bytes.NewReader(file), tabulartest.BenchColumns, tabular.Options{Workers: workers, ChunkBytes: 4 << 10}, func(worker int, b *tabular.Batch) error {
		if busy[worker].Swap(true) {
			return errors.New("two calls of one worker at a time")
		}
		rows.Add(b.Record.NumRows())
		busy[worker].Store(false)
		return nil
	})
	if err != nil || rows.Load() != 2_000 {
		t.Error(err, rows.Load())
	}
}

// TestManyBlocks reads a file of many blocks with nulls and rejects in every column and compares it with the same
// file in chunks of a few rows, and with what was written.
func TestManyBlocks(t *testing.T) {
	t.Parallel()
	good := []string{"ann@example.com", "-123456789012", "Ann", "42", "-1.25", "2025-05-13", "2025-05-13T10:00:00Z", "true"}
	printed := []string{`"ann@example.com"`, "-123456789012", `"Ann"`, "42", "-1.25", "2025-05-13", "2025-05-13T10:00:00Z", "true"}
	r := rand.New(rand.NewPCG(11, 12))
	var file strings.Builder
	file.WriteString("email,id,name,age,amount,birthday,seen,consent\n")
	var want tabulartest.Result
	for i := range 9_000 {
		line := int64(i + 2)
		x := tabulartest.Row{Line: line}
		bad := -1
		for j := range good {
			v, p := good[j], printed[j]
			switch r.IntN(20) {
			case 0, 1, 2:
				v, p = "", tabulartest.Null
			case 3:
				v = "\xff"
				if bad < 0 && r.IntN(3) == 0 {
					bad = j
				} else {
					v = good[j]
				}
			}
			if j > 0 {
				file.WriteByte(',')
			}
			file.WriteString(v)
			x.Values = append(x.Values, p)
		}
		file.WriteByte('\n')
		if bad >= 0 {
			want.Rejects = append(want.Rejects, tabular.Reject{Line: line, Column: tabulartest.BenchColumns[bad].Name})
		} else {
			want.Rows = append(want.Rows, x)
		}
	}
	for _, chunk := range []int{300, 5_000, 1 << 20} {
		got := readOnce(strings.NewReader(file.String()), tabulartest.BenchColumns, tabular.Options{Workers: 2, ChunkBytes: chunk})
		if !slices.EqualFunc(got.Rows, want.Rows, func(a, b tabulartest.Row) bool { return a.Line == b.Line && slices.Equal(a.Values, b.Values) }) {
			t.Errorf("chunks of %d: other rows than were written", chunk)
		}
		if !slices.EqualFunc(got.Rejects, want.Rejects, func(a, b tabular.Reject) bool { return a.Line == b.Line && a.Column == b.Column }) {
			t.Errorf("chunks of %d: other rejects than were written", chunk)
		}
	}
}

// TestBatchesAreBounded reads a file whose rows are as short as can be into many columns, all but one missing, and
// one whose rows are all rejects.
func TestBatchesAreBounded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file    string
		columns int
	}{
		"many columns": {"a\n" + strings.Repeat("1\n", 50_000), 200},
		"many rejects": {"a\n" + strings.Repeat("x,\n", 50_000), 1},
	} {
		columns := tabulartest.Text("a")
		for i := range c.columns - 1 {
			columns = append(columns, tabular.Column{Name: fmt.Sprint("missing", i), Type: audience.Long})
		}
		var rows, rejects, size int
		_, err := Read(context.Background(), strings.NewReader(c.file), columns, tabular.Options{Workers: 1}, func(_ int, b *tabular.Batch) error {
			rows, rejects, size = rows+len(b.Lines), rejects+len(b.Rejects), size+int(b.Bytes)
			if len(b.Lines)*len(columns) > 2*tabular.BatchValues || len(b.Rejects) > 2*tabular.BatchRejects {
				return fmt.Errorf("a batch of %d rows and %d rejects", len(b.Lines), len(b.Rejects))
			}
			return nil
		})
		if err != nil || rows+rejects != 50_000 || size != len(c.file) {
			t.Errorf("%s: %d rows, %d rejects, %d bytes, %v", name, rows, rejects, size, err)
		}
	}
}

// TestNoAllocationPerRow holds the parser to its promise.
func TestNoAllocationPerRow(t *testing.T) {
	for _, quotes := range []bool{false, true} {
		_, rows, _ := bytes.Cut(tabulartest.People(5_000, quotes), input.LineFeed)
		ch := chunk{Chunk: input.Chunk{Buf: append(make([]byte, 0, len(rows)+input.Spare), rows...), Size: len(rows)}, dialect: standard, quotes: quotes}
		p := newParser(tabulartest.BenchColumns, []int{0, 1, 2, 3, 4, 5, 6, 7}, audience.Format{}, nil)
		if n := testing.AllocsPerRun(10, func() {
			if err := p.parse(ch, func(*tabular.Batch) error { return nil }); err != nil {
				t.Error(err)
			}
		}); n > 100 {
			t.Errorf("%.0f allocations for 5,000 rows", n)
		}
	}
}
