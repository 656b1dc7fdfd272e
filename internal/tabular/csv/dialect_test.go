package csv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/input"
	"roster/internal/tabular/tabulartest"
	"roster/internal/tabular/value"
)

var headerless = new(bool)

// TestDialects reads files of two columns in a format that says all that matters.
func TestDialects(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		format     audience.Format
		file, want string
	}{
		"delimiter":                   {audience.Format{Delimiter: ";"}, "a;b\n1,5;\"2;\"\n", "2: \"1,5\" \"2;\"\n"},
		"delimiter that is not there": {audience.Format{Delimiter: "|"}, "a,b\n1,2\n", "NO_HEADER"},
		"control character":           {audience.Format{Delimiter: "\x1f"}, "a\x1fb\n1,\x1f2\n", "2: \"1,\" \"2\"\n"},
		"apostrophes":                 {audience.Format{Quote: "'"}, "a,b\n'1,''',\"2\n", "2: \"1,'\" \"\\\"2\"\n"},
		"no quotes":                   {audience.Format{Quote: "none"}, "a,b\n\"1,2\"\n3,\"\n\"4,5\n", "2: \"\\\"1\" \"2\\\"\"\n3: \"3\" \"\\\"\"\n4: \"\\\"4\" \"5\"\n"},
		"no quotes, zero bytes":       {audience.Format{Quote: "none"}, "a,b\n\x00,\x00\n", "2: \"\\x00\" \"\\x00\"\n"},
		"no quotes, old mac":          {audience.Format{Quote: "none"}, "a,b\r\"1,2\r", "2: \"\\\"1\" \"2\"\n"},
		"escape": {audience.Format{Escape: `\`}, `a,b` + "\n" + `"1\",\\","2\n\` + "\n" + `x"` + "\n" + `\",3` + "\n", "2: \"1\\\",\\\\\" \"2n\\nx\"\n" +
			"4: \"\\\\\\\"\" \"3\"\n"},
		"escape and two quotes":        {audience.Format{Escape: `\`}, "a,b\n\"1\"\"\\\"\",\"\"\n", "2: \"1\\\"\\\"\" (null)\n"},
		"escape, text behind quotes":   {audience.Format{Escape: `\`}, "a,b\n\"1\"\\\",2\n3,4\n", "3: \"3\" \"4\"\n2+1@4: QUOTE \n"},
		"escape, not closed":           {audience.Format{Escape: `\`}, "a,b\n1,2\n3,\"4\\\"\n5,6\n", "2: \"1\" \"2\"\n3+2@8: QUOTE \n"},
		"escape at the end":            {audience.Format{Escape: `\`}, "a,b\n3,\"4\\", "2+1@4: QUOTE \n"},
		"escape in the header":         {audience.Format{Escape: `\`}, "\"\\a\",b\n1,2\n", "2: \"1\" \"2\"\n"},
		"escape is the quote":          {audience.Format{Escape: `"`}, "a,b\n\"1\"\"\",2\n", "2: \"1\\\"\" \"2\"\n"},
		"no escape":                    {audience.Format{Escape: "none"}, "a,b\n\"1\\\",2\n", "2: \"1\\\\\" \"2\"\n"},
		"no header":                    {audience.Format{Header: headerless}, "1,2\n3,4\n", "1: \"1\" \"2\"\n2: \"3\" \"4\"\n"},
		"no header, blank lines":       {audience.Format{Header: headerless}, "\xef\xbb\xbf\n1,2\n", "2: \"1\" \"2\"\n"},
		"no header, other numbers":     {audience.Format{Header: headerless}, "1,2\n3\n4,5,6\n", "1: \"1\" \"2\"\n2+1@4: COLUMN_COUNT \n3+1@6: COLUMN_COUNT \n"},
		"no header, old mac":           {audience.Format{Header: headerless}, "\"1\r\",2\r3,4\r", "1: \"1\\n\" \"2\"\n3: \"3\" \"4\"\n"},
		"no header, only blank lines":  {audience.Format{Header: headerless}, "\n\n", ""},
		"no header, empty":             {audience.Format{Header: headerless}, "", "EMPTY_FILE"},
		"no header, utf-16":            {audience.Format{Header: headerless}, "1\x00,\x002\x00\n\x00", "ENCODING"},
		"no header, no delimiter yet":  {audience.Format{Header: headerless}, "1;2\n3;4,\n", "1: \"1\" \"2\"\n2: \"3\" \"4,\"\n"},
		"nulls":                        {audience.Format{NullValues: []string{"NULL", `\N`, `"`}}, "a,b\nNULL,\"NULL\"\n\\N,null\n\"\"\"\", NULL\n", "2: (null) (null)\n3: (null) \"null\"\n4: (null) \" NULL\"\n"},
		"nulls in a missing column":    {audience.Format{NullValues: []string{"-"}}, "b\n-\n", "2: (null) (null)\n"},
		"spreadsheet":                  {audience.Format{}, "sep=;\r\na;b\r\n1,0;2\r\n", "3: \"1,0\" \"2\"\n"},
		"spreadsheet, quoted":          {audience.Format{}, "\xef\xbb\xbf\"SEP=|\"\na|b\n1,0|2\n", "3: \"1,0\" \"2\"\n"},
		"spreadsheet, other delimiter": {audience.Format{Delimiter: ","}, "sep=;\na,b\n1;0,2\n", "3: \"1;0\" \"2\"\n"},
		"spreadsheet, no header":       {audience.Format{Header: headerless}, "sep=\t\n1\t2\n", "2: \"1\" \"2\"\n"},
		"spreadsheet, old mac":         {audience.Format{}, "sep=;\ra;b\r1;2\r", "3: \"1\" \"2\"\n"},
		"no spreadsheet":               {audience.Format{}, "sep=a,b\nx,2\n", "2: (null) \"2\"\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := readAs(t, c.file, tabulartest.Text("a", "b"), c.format).Shown(); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

// TestEscapesAtChunkEdges moves an escaped quote over the edges of chunks and of words of 64 bytes.
func TestEscapesAtChunkEdges(t *testing.T) {
	t.Parallel()
	for n := range 140 {
		pad := strings.Repeat("x", n)
		for _, v := range []string{`\"`, `\\`, `\\\"`, `\"\"\"\\`, "\\\n"} {
			want := strings.NewReplacer(`\\`, `\`, `\"`, `"`, "\\\n", "\n").Replace(v)
			got := readAs(t, "a,b\n"+pad+",1\n2,\""+pad+v+"\"\n3,4\n", tabulartest.Text("a", "b"), audience.Format{Escape: `\`})
			if len(got.Rows) != 3 || got.Rows[1].Values[1] != fmt.Sprintf("%q", pad+want) {
				t.Fatalf("%q behind %d bytes: %+v", v, n, got)
			}
		}
	}
}

func TestHeaderlessSaysWhat(t *testing.T) {
	t.Parallel()
	got := readAs(t, "1\n", tabulartest.Text("a", "b"), audience.Format{Header: headerless})
	if len(got.Rejects) != 1 || got.Rejects[0].Reason != "the row has 1 column, the audience 2 fields" || got.Header.Names != nil {
		t.Errorf("%+v", got)
	}
}

// TestNullValues reads nulls in columns of every type, quoted and not.
func TestNullValues(t *testing.T) {
	t.Parallel()
	f := audience.Format{NullValues: []string{"n/a", "0", "-"}}
	for _, v := range []string{"n/a", "0", "-"} {
		row := strings.Repeat(","+v, len(tabulartest.BenchColumns)-1)
		file := "email,id,name,age,amount,birthday,seen,consent\n" + v + row + "\n\"" + v + `"` + strings.ReplaceAll(row, v, `"`+v+`"`) + "\n"
		got := readAs(t, file, tabulartest.BenchColumns, f)
		for _, r := range got.Rows {
			if r.Values[0] != tabulartest.Null || r.Values[1] != tabulartest.Null || r.Values[7] != tabulartest.Null {
				t.Errorf("%s: %+v", v, r)
			}
		}
		if len(got.Rows) != 2 {
			t.Errorf("%s: %+v", v, got)
		}
	}
}

func TestPrimary(t *testing.T) {
	t.Parallel()
	columns := []tabular.Column{{Name: "n", Type: audience.Integer}, {Name: "id", Type: audience.String, Primary: true}, {Name: "m", Type: audience.Integer}}
	file := "n,id,m\n1,x,1\n2,,2\n3,\" \t\",3\n4,\u00a0\u3000,4\n5,\"NULL\",5\nx,,6\n7,,x\n8,\xff,8\n9, é,9\n10,\" \\ \",10\n11,\"\n\",11\n"
	got := readAs(t, file, columns, audience.Format{NullValues: []string{"NULL"}})
	want := "2: 1 \"x\" 1\n10: 9 \" é\" 9\n11: 10 \" \\\\ \" 10\n" +
		"3+1@13: IDENTITY id\n4+1@18: IDENTITY id\n5+1@27: IDENTITY id\n6+1@37: IDENTITY id\n7+1@48: TYPE n\n8+1@53: IDENTITY id\n9+1@58: ENCODING id\n12+2@84: IDENTITY id\n"
	if got.Shown() != want {
		t.Errorf("got\n%swant\n%s", got.Shown(), want)
	}
	if r := got.Rejects[0]; r.Reason != "the primary identity is empty" || string(r.Raw) != "2,,2" || r.Lines != 1 {
		t.Errorf("%+v", r)
	}
	escaped := readAs(t, "n,id,m\n1,\"\\ \\\"\",1\n2,\"\\ \",2\n", columns, audience.Format{Escape: `\`})
	if got, want := escaped.Shown(), "2: 1 \" \\\"\" 1\n3+1@18: IDENTITY id\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	missing := readAs(t, "n\n1\nx\n", columns, audience.Format{})
	if got, want := missing.Shown(), "2+1@2: IDENTITY id\n3+1@4: TYPE n\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	whole := []tabular.Column{{Name: "n", Type: audience.Long, Primary: true}}
	if got, want := read(t, "n,x\n1,\n  ,y\nx,\n", whole).Shown(), "2: 1\n3+1@7: IDENTITY n\n4+1@12: TYPE n\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestLimitsOfDialects reads records that are too large, without quotes and with escapes.
func TestLimitsOfDialects(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		format        audience.Format
		before, after string
		err           string
	}{
		"no quotes":          {audience.Format{Quote: "none"}, "a|b\n1|2\n\"", "\n", "LINE_TOO_LONG"},
		"no quotes, no end":  {audience.Format{Quote: "none"}, "a|b\n1|2\n\"", "", "LINE_TOO_LONG"},
		"escaped, not ended": {audience.Format{Escape: `\`}, "a,b\n1,2\n\"\\\"", "\n\\\"", "LINE_TOO_LONG"},
		"no header":          {audience.Format{Header: headerless}, "a,b\n1,2\n", "\n", "LINE_TOO_LONG"},
		"columns":            {audience.Format{Quote: "none", Delimiter: "|"}, "a|b\n1|2\n" + strings.Repeat("\"|", tabular.MaxColumns), "\n", "LINE_TOO_LONG"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := io.MultiReader(strings.NewReader(c.before), &pad{tabular.MaxRecord}, strings.NewReader(c.after))
			got := readOnce(r, tabulartest.Text("a", "b"), tabular.Options{Workers: 1, Format: c.format})
			if got.Err != c.err || !strings.Contains(got.Message, "line 3 ") {
				t.Errorf("%s: %s", got.Err, got.Message)
			}
		})
	}
	many := readOnce(strings.NewReader("a|b\n1|2\n"+strings.Repeat("\"|", tabular.MaxColumns)+"\n"), tabulartest.Text("a", "b"), tabular.Options{Format: audience.Format{Quote: "none"}})
	if many.Err != "TOO_MANY_COLUMNS" || !strings.Contains(many.Message, "line 3 has 10001 columns") {
		t.Errorf("%s: %s", many.Err, many.Message)
	}
}

func TestDatePatternThatIsNone(t *testing.T) {
	t.Parallel()
	_, err := Read(t.Context(), strings.NewReader("a\n"), tabulartest.Text("a"), tabular.Options{Format: audience.Format{DateFormats: []string{"QQ"}}}, nil)
	var file *tabular.FileError
	if err == nil || errors.As(err, &file) {
		t.Error(err)
	}
}

// TestNoAllocationPerRowOfAnyDialect holds the parser to its promise with everything that a format can say.
func TestNoAllocationPerRowOfAnyDialect(t *testing.T) {
	file := bytes.ReplaceAll(tabulartest.People(5_000, true), []byte(" "), []byte(`\"`))
	file = bytes.ReplaceAll(file, []byte(`,`), []byte(`;`))
	_, rows, _ := bytes.Cut(file, input.LineFeed)
	f := audience.Format{NullValues: []string{"42", `Grace"Hopper`}, DateFormats: []string{"dd.MM.yyyy", "MMM d, yyyy h:mm a", "yyyy-MM-dd'T'HH:mm:ssX"}}
	patterns, err := value.NewDatePatterns(f.DateFormats)
	if err != nil {
		t.Fatal(err)
	}
	ch := chunk{Chunk: input.Chunk{Buf: append(make([]byte, 0, len(rows)+input.Spare), rows...), Size: len(rows)}, dialect: dialect{';', '"', '\\'}, quotes: true}
	columns := append([]tabular.Column(nil), tabulartest.BenchColumns...)
	columns[0].Primary = true
	columns[6].Type = audience.Date // no row has one: each goes through the patterns
	p := newParser(columns, []int{0, 1, 2, 3, 4, 5, -1, 7}, f, patterns)
	if n := testing.AllocsPerRun(10, func() {
		if err := p.parse(ch, func(b *tabular.Batch) error {
			if len(b.Lines) != 5_000 || len(b.Rejects) > 0 {
				t.Errorf("%d rows, %d rejects", len(b.Lines), len(b.Rejects))
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}); n > 100 {
		t.Errorf("%.0f allocations for 5,000 rows", n)
	}
}

// TestSpectrum reads what readers of CSV are commonly held against, with line feeds and with carriage returns before
// them.
func TestSpectrum(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, want string }{
		"simple":          {"a,b,c\n1,2,3\n", `2: "1" "2"`},
		"commas":          {"x,a,b\nJohn,120 any st.,\"Anytown, WW\"\n", `2: "120 any st." "Anytown, WW"`},
		"empty":           {"a,b,c\n1,\"\",\"\"\n2,3,4\n", "2: \"1\" (null)\n3: \"2\" \"3\""},
		"escaped quotes":  {"a,b\n1,\"ha \"\"ha\"\" ha\"\n3,4\n", "2: \"1\" \"ha \\\"ha\\\" ha\"\n3: \"3\" \"4\""},
		"json":            {"a,b\n1,\"{\"\"type\"\": \"\"Point\"\", \"\"at\"\": [102.0, 0.5], \"\"q\"\": \"\"\\\"\"\"\"}\"\n", `2: "1" "{\"type\": \"Point\", \"at\": [102.0, 0.5], \"q\": \"\\\"\"}"`},
		"line ends":       {"a,b,c\n1,2,3\n\"Once upon \na time\",5,6\n7,8,9\n", "2: \"1\" \"2\"\n3: \"Once upon \\na time\" \"5\"\n5: \"7\" \"8\""},
		"quotes and ends": {"a,b\n1,\"ha \n\"\"ha\"\" \nha\"\n3,4\n", "2: \"1\" \"ha \\n\\\"ha\\\" \\nha\"\n5: \"3\" \"4\""},
		"unicode":         {"a,b,c\n1,2,3\n4,5,ʤ\n", "2: \"1\" \"2\"\n3: \"4\" \"5\""},
	} {
		if got := read(t, c.file, tabulartest.Text("a", "b")).Shown(); got != c.want+"\n" {
			t.Errorf("%s: got\n%swant\n%s", name, got, c.want)
		}
		if got := read(t, strings.ReplaceAll(c.file, "\n", "\r\n"), tabulartest.Text("a", "b")).Shown(); got != strings.ReplaceAll(c.want, `\n`, `\r\n`)+"\n" {
			t.Errorf("%s with carriage returns: got\n%s", name, got)
		}
	}
}
