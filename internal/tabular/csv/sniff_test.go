package csv

import (
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/input"
	"roster/internal/tabular/tabulartest"
)

// TestSniff finds out the dialects of files as programs write them; the columns wanted are id, name and "last, first".
func TestSniff(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("1,x\n", input.WindowSize/4)
	for name, c := range map[string]struct{ file, want string }{
		"commas":                        {"id,name\n1,a\n", `, " none`},
		"semicolons":                    {"id;name\n1;a,b\n2;c,d\n", `; " none`},
		"tabs":                          {"id\tname\n1\ta,b\n", "\t \" none"},
		"bars":                          {"id|name\n1|a;b\n", `| " none`},
		"carets":                        {"id^name\n1^a\n", `^ " none`},
		"colons":                        {"id:name\n1:a\n", `: " none`},
		"spaces":                        {"id name\n1 \"a b\"\n", `  " none`},
		"hive":                          {"id\x01name\n1\x01a\n", "\x01 \" none"},
		"one column":                    {"id\n1;2\n3;4\n", `, " none`},
		"one column of two":             {"id\n1;\"a\"\n", `, " none`},
		"commas in a name":              {"id;last, first;x\n1;a;2\n", `; " none`},
		"commas in the only name":       {"last, first\na\n", `; " none`},
		"commas in quoted names":        {"\"id\";\"a,b,c\"\n1;2\n", `; " none`},
		"semicolons in quoted names":    {"\"x;y\",id,\"z;;\"\n1,2,3\n", `, " none`},
		"decimal commas":                {"a;b;c\n1,5;2,5;3\n4,5;6,5;7\n", `; " none`},
		"times and spaces":              {"a b;c d\n1 10:00:00;x\n", `; " none`},
		"other names, commas":           {"a,b,c\n1;1,2,3\n1;2,2,3\n", `, " none`},
		"other names, broken rows":      {"a;b,c\n1;2\n3;4\nx,y;z\n", `; " none`},
		"the more columns":              {"a;b;c,d\n", `; " none`},
		"a long file":                   {"id,name\n" + long + "1;2;3\n", `, " none`},
		"other names, a long file":      {"a,b\n" + long + strings.Repeat("1;2;3\n", input.WindowSize), `, " none`},
		"a long header":                 {"id;" + strings.Repeat("x,y;", input.WindowSize) + "name\n", `; " none`},
		"too many columns":              {"id;" + strings.Repeat("x;", tabular.MaxColumns) + "name\n", `; " none`},
		"quote not closed":              {"id;\"name\n1;2\n", `; " none`},
		"apostrophes in the header":     {"'id','name'\n'1','a'\n", `, ' none`},
		"apostrophes where they must":   {"id;name\n1;'a;b'\n2;c\n3;'d;''e'''\n", `; ' none`},
		"other names in apostrophes":    {"'a'\t'b'\n'1'\t'2'\n", "\t ' none"},
		"apostrophes in names":          {"id,name\n1,'t Hooft\n2,'s Jacob\n", `, " none`},
		"apostrophes as data":           {"id,name\n1,'a'\n2,'b'\n", `, " none`},
		"apostrophes beside quotes":     {"id,name\n1,\"'a','b'\"\n2,'c,d'\n", `, " none`},
		"apostrophes around quotes":     {"'id','name'\n'1','\n\"a'\n'2','b,\"c\"'\n", `, ' none`},
		"apostrophes, quotes in lines":  {"id;name\n1;'\n\";\"'\n2;'a;b'\n", `; ' none`},
		"apostrophes, a quote bare":     {"id;name\n1;'a;b'\n2;\"c\n", `; " none`},
		"apostrophes, one not closed":   {"'id','name'\n'1','a\n", `, ' none`},
		"escapes":                       {"id,name\n1,\"a\\\"b\"\n2,\"c\"\n", `, " \`},
		"escapes, semicolons":           {"\"id\";\"name\"\n\"1\";\"a \\\"b;c\\\" d\"\n", `; " \`},
		"escapes in one column":         {"\"name\"\n\"a\\\"b\"\n\"c\"\n", `, " \`},
		"escaped apostrophes":           {"'id','name'\n'1','it\\'s, really'\n", `, ' \`},
		"folders":                       {"id,name\n1,\"C:\\\"\n2,\"D:\\\"\n", `, " none`},
		"folders and quotes":            {"id,name\n1,\"C:\\\"\n2,\"a\"\"b\"\n", `, " none`},
		"folders behind quotes":         {"id,name\n1,\"C:\\a\\\"\"\"\n", `, " none`},
		"backslashes without quotes":    {"id,name\n1,a\\,b\n", `, " none`},
		"old mac":                       {"id;name\r1;a\r2;\"b\rc\"\r", `; " none`},
		"sep wins":                      {"sep=,\na;b;c,d\n1;2;3\n", `, " none`},
		"only line ends":                {"\n\n", `, " none`},
		"nothing":                       {"", `, " none`},
		"a quote in a field of no kind": {"id;name\n1;5\" x\n", `; " none`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			skip, said := preamble([]byte(c.file))
			var f audience.Format
			if said != 0 {
				f.Delimiter = string(rune(said))
			}
			d := sniff([]byte(c.file[skip:]), tabulartest.Text("id", "name", "last, first"), f)
			got := d.describe(f, "")
			if shown := fmt.Sprint(got.Delimiter, " ", got.Quote, " ", got.Escape); shown != c.want {
				t.Errorf("got %q, want %q", shown, c.want)
			}
		})
	}
}

// TestSniffRare believes a delimiter that names and values often have only where it parts wanted names.
func TestSniffRare(t *testing.T) {
	t.Parallel()
	for _, c := range string(rareDelimiters) {
		file := strings.ReplaceAll("id,name\n1,a b\n", ",", string(c))
		if d := sniff([]byte(file), tabulartest.Text("id", "name"), audience.Format{}); d.delimiter != byte(c) {
			t.Errorf("%q: %q", file, d.delimiter)
		}
		if d := sniff([]byte(file), tabulartest.Text("id", "first name"), audience.Format{}); d.delimiter != ',' {
			t.Errorf("%q parts one name: %q", file, d.delimiter)
		}
	}
}

// TestSniffGiven leaves what a format says as it is, and finds out the rest.
func TestSniffGiven(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		format     audience.Format
		file, want string
	}{
		"delimiter":            {audience.Format{Delimiter: ","}, "id;name\n1;'a'\n", `, " none`},
		"delimiter, the rest":  {audience.Format{Delimiter: "~"}, "'id'~'name'\n1~'a\\'b'\n", `~ ' \`},
		"delimiter is a quote": {audience.Format{Delimiter: `"`}, "id\"name\n1\"2\n", `" none none`},
		"delimiter, the other": {audience.Format{Delimiter: "'"}, "id'name\n1'\"2\"\n", `' " none`},
		"delimiter, backslash": {audience.Format{Delimiter: `\`}, "id\\\"name\"\n1\\2\n", `\ " none`},
		"quote":                {audience.Format{Quote: `"`}, "'id';'name'\n", `; " none`},
		"no quote":             {audience.Format{Quote: "none"}, "'id';'name'\n'1';\"a\\\"b\"\n", `; none none`},
		"escape":               {audience.Format{Escape: "/"}, "id|name\n", `| " /`},
		"no escape":            {audience.Format{Escape: "none"}, "id|name\n1|\"a\\\"b\"\n", `| " none`},
		"headerless":           {audience.Format{Header: headerless}, "1;a,b\n2;c\n", `; " none`},
		"headerless, times":    {audience.Format{Header: headerless}, "10:00,a\n11:00,b\n", `, " none`},
		"headerless, quotes":   {audience.Format{Header: headerless}, "'1','a'\n'2','b'\n", `, ' none`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := sniff([]byte(c.file), tabulartest.Text("id", "name"), c.format).describe(c.format, "")
			if shown := fmt.Sprint(got.Delimiter, " ", got.Quote, " ", got.Escape); shown != c.want {
				t.Errorf("got %q, want %q", shown, c.want)
			}
		})
	}
}

// TestSniffWithoutColumns finds out the dialect of a file of unknown columns.
func TestSniffWithoutColumns(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"a,b\n1,2\n":                              ",",
		"a;b\n1,5;2\n":                            ";",
		"a|b,c\n1|2\n3|4\n":                       "|",
		"a b:c\n1 2:3\n":                          ",",
		"id~name\n1~a\n":                          "~",
		"id^name\n1^a@b.c\n":                      "^",
		"id\x1fname\n1\x1fa\n":                    "\x1f",
		"mail/phone\na/b\nc/d\n":                  ",",
		"a=b\nc=d\ne=f\n":                         ",",
		"http://x/~a\nhttp://x/~b\nhttp://x/~c\n": ",",
		"o~a@ex.com\np~b@ex.com\nq~c@ex.com\n":    ",",
		"1^2\n3^4\n5^6\n":                         ",",
		"x\ty\tz\n1, 2\t3\t4\n":                   "\t",
		"mail\nann@example.com\n":                 ",",
		"\"a\",\"b;c;d\"\n1,2;3\n":                ",",
	} {
		if d := sniff([]byte(file), nil, audience.Format{}); string(rune(d.delimiter)) != want {
			t.Errorf("%q: %q, want %q", file, d.delimiter, want)
		}
	}
	for file, want := range map[string]string{
		"a@ex.com\nb@ex.com\n":                                   ",",
		"a+1@ex.com\nb+2@ex.com\n":                               ",",
		"http://ex.com/a?b=1&c=2#d\nhttp://ex.com/b?b=2&c=3#e\n": ",",
		"+49 30 12345\n+49 30 12346\n":                           ",",
		"030/12345\n030/12346\n":                                 ",",
		"QUJD+/==\nREVG+/==\n":                                   ",",
		"123e4567-e89b-12d3-a456-426614174000\n123e4567-e89b-12d3-a456-426614174001\n": ",",
		"$2b$10$abc\n$2b$10$def\n":                     ",",
		"a:b\nc:d\n":                                   ",",
		"x~1\ny~2\n":                                   ",",
		"a@ex.com;1,5\nb@ex.com;2,5\n":                 ";",
		"1,5;2,5\n3,5;4,5\n":                           ";",
		"1,5\t2,5\n3,5\t4,5\n":                         "\t",
		"a,1\nb,2\n":                                   ",",
		"1,2\n3,4\n":                                   ";", // decimal commas
		"1,2,3\n4,5,6\n":                               ",",
		"491711234567,5\n491711234568,7\n":             ",",
		"12,5\n13,75\n":                                ";",
		"1.234,56 €\n-7,5\n12\n":                       ";",
		"1,234,567\n2,345,678\n":                       ";",
		"20:19:00,123\n20:19:01,456\n":                 ";",
		"https://ex.com/a,b\nhttps://ex.com/c,d\n":     ";",
		"https://ex.com/a,b;x\nhttps://ex.com/c,d;y\n": "\t",
		"https://ex.com/a,Ann Lee\nhttps://ex.com/b,Bob Ray\n": ",",
		"cn=Ada,dc=ex,dc=org\ncn=Bob,dc=ex,dc=org\n":           ";",
		"a@ex.com,1\nb@ex.com,2\n":                             ",",
		"1\x01a\n2\x01b\n":                                     "\x01",
	} {
		if d := sniff([]byte(file), nil, audience.Format{Header: headerless}); string(rune(d.delimiter)) != want {
			t.Errorf("%q without a header: %q, want %q", file, d.delimiter, want)
		}
	}
	if d := sniff([]byte("1;a,b\n2;c,d\n"), nil, audience.Format{Header: headerless}); d.delimiter != ',' && d.delimiter != ';' {
		t.Errorf("%q", d.delimiter)
	}
}

// TestSniffedOnceForAll reads a file whose first bytes say one thing and whose others another, in chunks of all
// sizes.
func TestSniffedOnceForAll(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	file.WriteString("id;name\n")
	for file.Len() < input.WindowSize {
		file.WriteString("1;'a,b'\n")
	}
	for range 100 {
		file.WriteString("2,3;\"c\\\"d\"\n")
	}
	want := readOnce(strings.NewReader(file.String()), tabulartest.Text("id", "name"), tabular.Options{Workers: 1})
	if len(want.Rejects) != 100 || want.Header.Format.Delimiter != ";" || want.Header.Format.Escape != "none" {
		t.Fatalf("%d rejects, %+v", len(want.Rejects), want.Header)
	}
	for _, chunk := range []int{16, 1_000, input.WindowSize - 1, input.WindowSize, 1 << 20} {
		got := readOnce(iotest.OneByteReader(strings.NewReader(file.String())), tabulartest.Text("id", "name"), tabular.Options{Workers: 2, ChunkBytes: chunk})
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("chunks of %d: another result", chunk)
		}
	}
}

// TestSniffLongHeader reads a header that is longer than what tells the dialect.
func TestSniffLongHeader(t *testing.T) {
	t.Parallel()
	file := "id;\"x" + strings.Repeat("x", input.WindowSize) + "\";name\n1;2,5;3\n"
	if got, want := read(t, file, tabulartest.Text("id", "name")).Shown(), "2: \"1\" \"3\"\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
