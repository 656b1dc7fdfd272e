package json

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/tabulartest"
)

func TestJSONHeader(t *testing.T) {
	t.Parallel()
	columns := []tabular.Column{{Name: "Email", Type: audience.String, Required: true}, {Name: "age", Type: audience.Integer}, {Name: "Größe", Type: audience.Number}}
	for _, c := range []struct{ text, names, extra, missing, err string }{
		{`{"b":1," EMAIL ":"x","a":{"c":2}}` + "\n" + `{"A":3,"d":4,"email":"y","\u0067RÖSSE":1,"GRÖßE":1.5}`, "b EMAIL a d gRÖSSE GRÖßE", "b a d gRÖSSE", "age", ""},
		{`[{"age":"no number","x":1},{"email":"y"}]`, "age x email", "x", "Größe", ""},
		{`{"email":"y"}` + "\n" + `{"age":1,"z":}` + "\n" + `{"email":"y"}`, "email", "", "age Größe", ""},
		{`[]`, "", "", "", ""},
		{`[{"age":1,"x":2}]`, "", "", "", `MISSING_COLUMN: no object of the file has the key "Email"; their keys are "age", "x"`},
		{`[{"secret":1}]`, "", "", "", `NO_HEADER: no object of the file has any of the audience's fields as a key`},
		{`[{}]`, "", "", "", `NO_HEADER: no object of the file has any of the audience's fields as a key`},
	} {
		r := readJSON(t, c.text, columns)
		got := []string{strings.Join(r.Header.Names, " "), strings.Join(r.Header.Extra, " "), strings.Join(r.Header.Missing, " ")}
		if want := []string{c.names, c.extra, c.missing}; !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", c.text, got, want)
		}
		if r.Err != "" && r.Err+": "+r.Message != c.err || r.Err == "" && c.err != "" {
			t.Errorf("%s: %s: %s", c.text, r.Err, r.Message)
		}
	}
}

// TestJSONManyNames has more names than are remembered; which ones are does not depend on workers and chunks.
func TestJSONManyNames(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	for i := range 3 * maxNames {
		fmt.Fprintf(&file, "{\"k%d\":1,\"%s%d\":2}\n", i, strings.Repeat("n", tabular.MaxName), i)
		if i%100 == 0 {
			fmt.Fprintf(&file, "{\"bad%d\":1,\n", i)
		}
	}
	file.WriteString("{\"id\":1,\"NAME\":\"x\"}\n")
	for _, opts := range []tabular.Options{{Workers: 1}, {Workers: 8, ChunkBytes: 64 << 10}} {
		r := readJSONOnce(bytes.NewReader(file.Bytes()), jsonColumns, opts)
		if r.Err != "" || len(r.Header.Extra) != maxNames || r.Header.Extra[0] != "k0" || r.Header.Extra[maxNames-1] != fmt.Sprintf("k%d", maxNames-1) || len(r.Header.Missing) > 0 {
			t.Fatalf("%s %s %d names, missing %q", r.Err, r.Message, len(r.Header.Extra), r.Header.Missing)
		}
		if last := r.Rows[len(r.Rows)-1]; fmt.Sprint(last.Values) != `[1 "x"]` {
			t.Fatal(last)
		}
	}
}

func TestJSONEncodings(t *testing.T) {
	t.Parallel()
	const text = "{\"id\":1,\"name\":\"Zoë €\"}\n{\"id\":2,\"name\":\"日😀\"}\n"
	encode := func(e interface{ String(string) (string, error) }, s string) string {
		out, err := e.String(s)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	little, big := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder(), unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewEncoder()
	western := strings.ReplaceAll(text, "日😀", "ü")
	for _, c := range []struct{ name, file, asked, encoding, second string }{
		{"UTF-8", text, "", "utf-8", "日😀"},
		{"mark", "\xef\xbb\xbf" + text, "windows-1252", "utf-8", "日😀"},
		{"UTF-16LE mark", "\xff\xfe" + encode(little, text), "", "utf-16le", "日😀"},
		{"UTF-16BE mark", "\xfe\xff" + encode(big, text), "", "utf-16be", "日😀"},
		{"UTF-16LE asked", encode(little, text), "utf-16le", "utf-16le", "日😀"},
		{"UTF-16BE array", encode(big, "["+strings.ReplaceAll(strings.TrimSpace(text), "\n", ",\n")+"]"), "utf-16be", "utf-16be", "日😀"},
		{"Windows", encode(charmap.Windows1252.NewEncoder(), western), "windows-1252", "windows-1252", "ü"},
	} {
		for _, chunk := range []int{16, 64, 1 << 20} {
			r := readJSONOnce(strings.NewReader(c.file), jsonColumns, tabular.Options{Workers: 2, ChunkBytes: chunk, Format: audience.Format{Encoding: c.asked}})
			want := fmt.Sprintf("1: 1 \"Zoë €\"\n2: 2 %q\n", c.second)
			if r.Shown() != want || r.Header.Format.Encoding != c.encoding || r.Header.Format.Type != audience.JSON {
				t.Errorf("%s in chunks of %d: %s, %+v %s", c.name, chunk, r.Shown(), r.Header.Format, r.Message)
			}
		}
	}
	for _, e := range []interface{ String(string) (string, error) }{little, big} {
		if got := readJSONOnce(strings.NewReader(encode(e, text)), jsonColumns, tabular.Options{}); got.Err != "ENCODING" {
			t.Errorf("UTF-16 that nobody has named: %+v", got)
		}
	}
	half := "\xff\xfe" + encode(little, `{"name":"`) + "\x00\xd8" + encode(little, `"}`+"\n"+`{"name":"b"}`)
	if got := readJSONOnce(strings.NewReader(half), jsonColumns, tabular.Options{}).Shown(); got != "2: (null) \"b\"\n1+1@3: ENCODING name\n" {
		t.Errorf("half a surrogate: %s", got)
	}
}

func TestJSONLimits(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return `{"name":"` + strings.Repeat("x", n-len(`{"name":""}`)) + `"}` }
	deep := func(n int) string { return `{"id":1,"x":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + "}" }
	wide := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, ",%q:%d", fmt.Sprint("k", i), i)
		}
		return `{` + b.String()[1:] + `}`
	}
	tooLong := "LINE_TOO_LONG: the row that begins on line 2 is longer than 16 MiB; is a quote not closed?"
	for _, c := range []struct{ name, file, want string }{
		{"longest line", "{\"id\":1}\n" + long(tabular.MaxRecord-1) + "\n", "2 rows"},
		{"line too long", "{\"id\":1}\n" + long(tabular.MaxRecord) + "\n{}", tooLong},
		{"last line too long", "{\"id\":1}\n" + long(tabular.MaxRecord+1), tooLong},
		{"longest element", "[{\"id\":1},\n" + long(tabular.MaxRecord-2) + ",{}]", "3 rows"},
		{"element too long", "[{\"id\":1},\n" + long(tabular.MaxRecord) + ",{}]", tooLong},
		{"last element too long", "[{\"id\":1},\n" + long(tabular.MaxRecord) + "]", tooLong},
		{"string not closed", "[{\"id\":1},\n{\"id\":\"" + strings.Repeat("x", tabular.MaxRecord), tooLong},
		{"error before", "[{\"id\":1},{\"id\":},\n" + long(tabular.MaxRecord) + "]", "JSON: line 1, byte 17 of the file: malformed JSON; nothing after it can be read"},
		{"backslashes", "[{\"id\":1},\n{\"id\":\"" + strings.Repeat(`\\`, tabular.MaxRecord/4) + "\"}]", "1 rows, TYPE"},
		{"deepest", "[" + deep(maxDepth) + "]", "1 rows"},
		{"too deep", "{\"id\":1}\n" + deep(maxDepth+1) + "\n" + deep(tabular.MaxRecord/4) + "\n{}", "2 rows, JSON, JSON"},
		{"too deep in an array", "[{},\n" + deep(100_000) + "]", "JSON: line 2, byte 1018 of the file: objects and arrays lie more than 1000 deep in each other; nothing after it can be read"},
		{"too deep and open", "[" + strings.Repeat("[", tabular.MaxRecord/2), "JSON: line 1, byte 1003 of the file: objects and arrays lie more than 1000 deep in each other; nothing after it can be read"},
		{"widest", "{\"id\":1}\n" + wide(tabular.MaxColumns), "2 rows"},
		{"empty objects", strings.Repeat("{}"+strings.Repeat(" ", 100<<10)+"\n", 200) + "{\"id\":1}", "201 rows"},
		{"too wide", "{\"id\":1}\n" + wide(tabular.MaxColumns+1), "1 rows, JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, chunk := range []int{1 << 10, 64 << 20} {
				r := readJSONOnce(strings.NewReader(c.file), jsonColumns, tabular.Options{Workers: 2, ChunkBytes: chunk})
				got := fmt.Sprintf("%d rows", len(r.Rows))
				for _, x := range r.Rejects {
					got += ", " + x.Code
				}
				if r.Err != "" {
					got = r.Err + ": " + r.Message
				}
				if got != c.want {
					t.Errorf("in chunks of %d: got %s, want %s", chunk, got, c.want)
				}
			}
		})
	}
}

// TestJSONErrors has readers and emits that fail.
func TestJSONErrors(t *testing.T) {
	t.Parallel()
	failure := errors.New("failure")
	file := tabulartest.JSONPeople(t, 1000, true)
	emit := func(int, *tabular.Batch) error { return nil }
	var of *tabular.FileError
	_, err := Read(context.Background(), io.MultiReader(bytes.NewReader(file[:len(file)/2]), iotest.ErrReader(failure)), tabulartest.BenchColumns, tabular.Options{ChunkBytes: 4096}, emit)
	if !errors.Is(err, failure) || !errors.As(err, &of) || of.Code != "READ" {
		t.Errorf("reader: %v", err)
	}
	_, err = Read(context.Background(), bytes.NewReader(file), tabulartest.BenchColumns, tabular.Options{ChunkBytes: 4096}, func(int, *tabular.Batch) error { return failure })
	if err != failure {
		t.Errorf("emit: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	_, err = Read(ctx, bytes.NewReader(file), tabulartest.BenchColumns, tabular.Options{ChunkBytes: 4096}, func(int, *tabular.Batch) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("context: %v", err)
	}
	if _, err = Read(context.Background(), bytes.NewReader(file), tabulartest.BenchColumns, tabular.Options{Format: audience.Format{DateFormats: []string{"?"}}}, emit); err == nil {
		t.Error("a date format that is none")
	}
}

// TestJSONStops has an error in a file that has no end.
func TestJSONStops(t *testing.T) {
	t.Parallel()
	r := io.MultiReader(strings.NewReader(`[{"id":x}`), repeated(`,{"id":1}`))
	if got := readJSONOnce(r, jsonColumns, tabular.Options{Workers: 2}); got.Err != tabular.CodeJSON {
		t.Fatalf("%s %s", got.Err, got.Message)
	}
}

// repeated is a reader of a text without an end.
type repeated string

func (r repeated) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		n += copy(p[n:], r)
	}
	return n, nil
}

// TestRandomJSON reads texts that are nearly JSON, longer than a fuzzer likes them, and holds them against the
// reference.
func TestRandomJSON(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(11, 12))
	n := 2_000
	if testing.Short() {
		n = 300
	}
	for range n {
		file := randomJSON(r)
		for range r.IntN(3) {
			at := r.IntN(len(file) + 1)
			switch r.IntN(3) {
			case 0:
				file = file[:at] + pick(r, "{", "}", "[", "]", ",", ":", `"`, " ", "\n", `\`, "x", "1", "\xa1") + file[at:]
			case 1:
				file = file[:at] + file[min(at+1, len(file)):]
			}
		}
		layout := jsonLines
		if strings.Trim(file, " \t\r\n") != "" {
			layout, _ = layoutOf([]byte(file), true)
		}
		if got, want := readJSON(t, file, tabulartest.Text("a", "b")).Shown(), jsonReference(file, layout).Shown(); got != want {
			t.Fatalf("%q, layout %d:\n%s\nbut the reference says\n%s", file, layout, got, want)
		}
	}
}

func pick(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }

// randomJSON returns a valid file of objects.
func randomJSON(r *rand.Rand) string {
	value := func() string {
		return pick(r, `1`, `-1.50e3`, `true`, `null`, `""`, `"x"`, `"é\u00e9"`, `"\\"`, `"\""`, `"]},{["`, `{"a":[{}]}`, `[[],{}]`, `"`+strings.Repeat("long ", 20)+`"`, "\"\xff\"", `"\ud83d"`)
	}
	space := pick(r, "", "", " ", "\n")
	object := func() string {
		var members []string
		for range r.IntN(5) {
			members = append(members, pick(r, `"a"`, `"a"`, `"B"`, `"b"`, `"c"`, `"\u0061"`)+":"+space+value())
		}
		return "{" + space + strings.Join(members, ","+space) + space + "}"
	}
	var objects []string
	for range 1 + r.IntN(30) {
		if r.IntN(20) == 0 {
			objects = append(objects, pick(r, `[]`, `null`, `{}`))
		} else {
			objects = append(objects, object())
		}
	}
	switch r.IntN(3) {
	case 0:
		return pick(r, "", "\n") + "[" + space + strings.Join(objects, space+","+space) + space + "]" + space
	case 1:
		return strings.Join(objects, pick(r, "\n", "\r\n", "\n\n"))
	}
	return strings.Join(objects, pick(r, "", " ", "\n"))
}
