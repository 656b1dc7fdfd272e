package json

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/tabulartest"
)

// readJSONOnce reads a file with the given options.
func readJSONOnce(r io.Reader, columns []tabular.Column, opts tabular.Options) tabulartest.Result {
	return tabulartest.CollectText(Read, r, columns, opts)
}

// readJSON reads a text in several ways, which must agree, and must give each row a line of its own.
func readJSON(t testing.TB, text string, columns []tabular.Column) tabulartest.Result {
	t.Helper()
	want := readJSONOnce(strings.NewReader(text), columns, tabular.Options{Workers: 1})
	for _, opts := range []tabular.Options{{Workers: 1, ChunkBytes: 16}, {Workers: 3, ChunkBytes: 64}, {Workers: 8, ChunkBytes: 1000}} {
		got := readJSONOnce(strings.NewReader(text), columns, opts)
		if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); a != b {
			t.Fatalf("%q with %+v:\n%s\nbut in one chunk:\n%s", text, opts, a, b)
		}
	}
	if got := readJSONOnce(iotest.OneByteReader(strings.NewReader(text)), columns, tabular.Options{Workers: 1, ChunkBytes: 16}); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%q read byte by byte:\n%+v\nbut at once:\n%+v", text, got, want)
	}
	if want.Err == "" && want.Bytes != int64(len(text)) {
		t.Fatalf("%q: the batches stand for %d bytes of %d", text, want.Bytes, len(text))
	}
	lines := map[int64]bool{}
	for _, x := range want.Rows {
		lines[x.Line] = true
	}
	for _, x := range want.Rejects {
		lines[x.Line] = true
	}
	if len(lines) != len(want.Rows)+len(want.Rejects) {
		t.Fatalf("%q: two rows have the same line", text)
	}
	return want
}

var jsonColumns = []tabular.Column{{Name: "id", Type: audience.Long}, {Name: "name", Type: audience.String}}

// shownJSON is what a read says, as short as a table of cases needs it.
func shownJSON(r tabulartest.Result) string {
	if r.Err != "" {
		return r.Err + ": " + r.Message
	}
	return r.Shown()
}

func TestJSONLayouts(t *testing.T) {
	t.Parallel()
	const both = "1: 1 \"a\"\n2: 2 (null)\n"
	for _, c := range []struct{ name, text, want string }{
		{"lines", `{"id":1,"name":"a"}` + "\n" + `{"id":2}` + "\n", both},
		{"lines without the last end", `{"id":1,"name":"a"}` + "\r\n" + `{"id":2}`, both},
		{"blank lines", "\n" + `{"id":1,"name":"a"}` + "\n \t\r\n\n" + `  {"id":2}  ` + "\n\n", "2: 1 \"a\"\n5: 2 (null)\n"},
		{"byte order mark", "\xef\xbb\xbf" + `{"id":1,"name":"a"}` + "\n" + `{"id":2}`, both},
		{"empty objects first", "{}\n{ }\n" + `{"id":1}` + "\n{}", "1: (null) (null)\n2: (null) (null)\n3: 1 (null)\n4: (null) (null)\n"},
		{"array", `[{"id":1,"name":"a"},{"id":2}]`, both},
		{"array with spaces", " \n[ " + `{"id":1,"name":"a"} ,` + "\n\n" + `{"id":2}` + "\n]\n \n", "2: 1 \"a\"\n4: 2 (null)\n"},
		{"pretty array", "[\n  {\n    \"id\": 1,\n    \"name\": \"a\"\n  },\n  {\n    \"id\": 2\n  }\n]\n", "2: 1 \"a\"\n6: 2 (null)\n"},
		{"array over one line and more", `[{"id":1},{"id":2},{"id":3},` + "\n" + `{"id":4},` + "\n\n\n" + `{"id":5}]`, "1: 1 (null)\n2: 2 (null)\n3: 3 (null)\n4: 4 (null)\n5: 5 (null)\n"},
		{"empty array", " [ \n ] ", ""},
		{"pretty objects", "{\n  \"id\": 1,\n  \"name\": \"a\"\n}\n{\n  \"id\": 2\n}\n", "1: 1 \"a\"\n5: 2 (null)\n"},
		{"pretty objects after an empty one", "{}\n{\n  \"id\": 1\n}", "1: (null) (null)\n2: 1 (null)\n"},
		{"concatenated", `{"id":1,"name":"a"}{"id":2}`, both},
		{"concatenated and lines", `{"id":1,"name":"a"} {"id":2}` + "\n" + `{"id":3}`, both + "3: 3 (null)\n"},
		{"old Macintosh lines", `{"id":1,"name":"a"}` + "\r" + `{"id":2}`, both},
		{"brackets in strings", `[{"name":"]}[{,\\\"","id":1},{"name":"\\","id":2}]`, "1: 1 \"]}[{,\\\\\\\"\"\n2: 2 \"\\\\\"\n"},

		{"malformed lines", "{\"id\":1}\n{\"id\":}\nx\n{\"id\":4,\n{\"id\":5}\n[1]\n7\n{\"id\":8}]\n{\"name\":\"a\nb\"}\n",
			"1: 1 (null)\n5: 5 (null)\n2+1@9: JSON \n3+1@17: JSON \n4+1@19: JSON \n6+1@37: JSON \n7+1@41: JSON \n8+1@43: JSON \n9+1@53: JSON \n10+1@64: JSON \n"},
		{"first line malformed", "{\"id\":\n{\"id\":2}\n", "2: 2 (null)\n1+1@0: JSON \n"},
		{"first line cut in an array", "{\"id\":[\n{\"id\":2}\n{\"id\":3}", "2: 2 (null)\n3: 3 (null)\n1+1@0: JSON \n"},
		{"first line cut in a string", "{\"id\":\"a\n{\"id\":2}", "2: 2 (null)\n1+1@0: JSON \n"},
		{"first line no object", "x\n{\"id\":2}", "2: 2 (null)\n1+1@0: JSON \n"},
		{"lines with commas", "{\"id\":1},\n{\"id\":2}", "2: 2 (null)\n1+1@0: JSON \n"},
		{"elements that are no objects", "[1,{\"id\":1},[2],\n\"x\",null]", "2: 1 (null)\n1+1@1: JSON \n3+1@12: JSON \n4+1@17: JSON \n5+1@21: JSON \n"},
		{"array between objects", "{\n\"id\":1} [2] {\"id\":3}", "1: 1 (null)\n3: 3 (null)\n2+1@10: JSON \n"},

		{"nothing", "", "EMPTY_FILE: the file is empty; a file without rows is an empty array, []"},
		{"white space", " \n\t\n", "EMPTY_FILE: the file is empty; a file without rows is an empty array, []"},
		{"no object", "a,b\n1,2\n", "NO_HEADER: nothing in the file is a JSON object; it must be an array of objects, or have an object on each line"},
		{"array of arrays", "[[1],[2]]", "NO_HEADER: nothing in the file is a JSON object; it must be an array of objects, or have an object on each line"},
		{"other names", `{"a":1}`, "NO_HEADER: no object of the file has any of the audience's fields as a key"},
		{"malformed element", "[{\"id\":1},\n{\"id\":x},\n{\"id\":3}]", "JSON: line 2, byte 18 of the file: malformed JSON; nothing after it can be read"},
		{"malformed brackets", "[{\"id\":1]},\n{\"id\":3}]", "JSON: line 1, byte 9 of the file: malformed JSON; nothing after it can be read"},
		{"no comma", "[{\"id\":1}\n{\"id\":2}]", "JSON: line 2, byte 11 of the file: malformed JSON; nothing after it can be read"},
		{"two commas", "[{\"id\":1},,{\"id\":2}]", "JSON: line 1, byte 11 of the file: malformed JSON; nothing after it can be read"},
		{"comma at the end", "[{\"id\":1},\n]", "JSON: line 2, byte 12 of the file: malformed JSON; nothing after it can be read"},
		{"comma alone", "[,]", "JSON: line 1, byte 2 of the file: malformed JSON; nothing after it can be read"},
		{"brace for bracket", "[{\"id\":1}}", "JSON: line 1, byte 10 of the file: malformed JSON; nothing after it can be read"},
		{"text behind the array", "[{\"id\":1}]\n \n{\"id\":2}", "JSON: line 3 has text after the end of the file's array; a file must contain one array of objects, or only objects"},
		{"two arrays", "[]\n[{\"id\":1}]", "JSON: line 2 has text after the end of the file's array; a file must contain one array of objects, or only objects"},
		{"array not closed", "[{\"id\":1}\n", "JSON: the file ends on line 2 in the middle of its JSON; it was cut off"},
		{"array not closed after a comma", "[{\"id\":1},", "JSON: the file ends on line 1 in the middle of its JSON; it was cut off"},
		{"only a bracket", "[", "JSON: the file ends on line 1 in the middle of its JSON; it was cut off"},
		{"cut in an element", "[{\"id\":1},\n{\"id\":", "JSON: the file ends on line 2 in the middle of its JSON; it was cut off"},
		{"cut in a string", "[{\"id\":1},\n{\"id\":\"2]", "JSON: the file ends on line 2 in the middle of its JSON; it was cut off"},
		{"cut pretty object", "{\n\"id\":1}\n{\n\"id\":", "JSON: the file ends on line 4 in the middle of its JSON; it was cut off"},
		{"malformed pretty object", "{\n\"id\":1}\n{\n\"id\" 2}", "JSON: line 4, byte 18 of the file: malformed JSON; nothing after it can be read"},
		{"number between objects", "{\n\"id\":1} 2 {\"id\":3}", "JSON: line 2, byte 11 of the file: the value is not an object; nothing after it can be read"},
		{"closed twice", "{\n\"id\":1}}{\"id\":3}", "JSON: line 2, byte 10 of the file: malformed JSON; nothing after it can be read"},
		{"the first error counts", "[{\"id\":1},\n{\"id\":x},\n{\"id\":y}] z", "JSON: line 2, byte 18 of the file: malformed JSON; nothing after it can be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := shownJSON(readJSON(t, c.text, jsonColumns)); got != c.want {
				t.Errorf("%q gives\n%s\nwant\n%s", c.text, got, c.want)
			}
		})
	}
}
