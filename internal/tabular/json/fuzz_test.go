package json

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/input"
	"roster/internal/tabular/tabulartest"
)

// jsonReference reads a file with encoding/json, as the package comment has it: its strings a and b. It is told the
// layout, and decodes value by value.
func jsonReference(data string, layout jsonLayout) tabulartest.Result {
	var out tabulartest.Result
	found := false
	take := func(raw string, start int, line int64) {
		r, reject := jsonReferenceRow(raw)
		found = found || r.found
		r.Line = line
		if reject == nil {
			out.Rows = append(out.Rows, r.Row)
			return
		}
		reject.Line, reject.Lines, reject.Offset = line, 1+int64(strings.Count(raw, "\n")), int64(start)
		reject.Raw = []byte(raw)
		out.Rejects = append(out.Rejects, *reject)
	}
	pos := len(data) - len(strings.TrimPrefix(data, "\xef\xbb\xbf"))
	switch {
	case strings.Trim(data[pos:], " \t\r\n") == "":
		return tabulartest.Result{Err: "EMPTY_FILE"}
	case layout == jsonLines:
		for line := int64(1); pos < len(data); line++ {
			text, _, _ := strings.Cut(data[pos:], "\n")
			trimmed := strings.Trim(text, " \t\r")
			if trimmed != "" {
				take(trimmed, pos+strings.Index(text, trimmed), line)
			}
			pos += len(text) + 1
		}
	default:
		if !jsonReferenceValues(data, pos, layout, take) {
			return tabulartest.Result{Err: tabular.CodeJSON}
		}
	}
	if len(out.Rows)+len(out.Rejects) > 0 && !found {
		return tabulartest.Result{Err: "NO_HEADER"}
	}
	return out
}

// jsonReferenceValues takes the values of an array, or one after the other; ok is false when the file has an error.
func jsonReferenceValues(data string, pos int, layout jsonLayout, take func(raw string, start int, line int64)) (ok bool) {
	d := json.NewDecoder(strings.NewReader(data[pos:]))
	if layout == jsonArray {
		if _, err := d.Token(); err != nil {
			return false
		}
	}
	for line := int64(0); layout != jsonArray || d.More(); {
		var raw json.RawMessage
		err := d.Decode(&raw)
		if err == io.EOF && layout != jsonArray {
			return true
		}
		if err != nil || layout != jsonArray && raw[0] != '{' && raw[0] != '[' {
			return false
		}
		start := pos + int(d.InputOffset()) - len(raw)
		line = max(line+1, 1+int64(strings.Count(data[:start], "\n")))
		take(string(raw), start, line)
	}
	if _, err := d.Token(); err != nil {
		return false
	}
	_, err := d.Token()
	return err == io.EOF
}

type jsonReferenced struct {
	tabulartest.Row
	found bool // a well-formed object has a or b
}

// jsonReferenceRow reads one value that should be an object with the strings a and b.
func jsonReferenceRow(raw string) (r jsonReferenced, reject *tabular.Reject) {
	if !json.Valid([]byte(raw)) || raw[0] != '{' {
		return r, &tabular.Reject{Code: tabular.CodeJSON}
	}
	values := map[string]string{}
	d := json.NewDecoder(strings.NewReader(raw))
	d.UseNumber()
	if _, err := d.Token(); err != nil {
		panic(err)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			panic(err)
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			panic(err)
		}
		name := audience.NameKey(key.(string))
		if name != audience.NameKey("a") && name != audience.NameKey("b") {
			continue
		}
		r.found = true
		_, twice := values[name]
		value, code := jsonReferenceValue(string(v))
		if twice {
			code = tabular.CodeDuplicateKey
		}
		values[name] = value
		if code != "" && reject == nil {
			reject = &tabular.Reject{Code: code, Column: strings.ToLower(name)}
		}
	}
	for _, name := range []string{audience.NameKey("a"), audience.NameKey("b")} {
		v, ok := values[name]
		if !ok {
			v = tabulartest.Null
		}
		r.Values = append(r.Values, v)
	}
	return r, reject
}

var escapedReplacement = regexp.MustCompile(`(?i)\\ufffd`)

// jsonReferenceValue reads the value of a string column.
func jsonReferenceValue(raw string) (v, code string) {
	switch raw[0] {
	case '{', '[':
		return "", tabular.CodeType
	case 'n':
		return tabulartest.Null, ""
	case '"':
		var s string
		if err := json.Unmarshal([]byte(raw), &s); err != nil {
			panic(err)
		}
		plain := strings.ReplaceAll(raw, `\\`, "")
		meant := strings.Count(plain, "\uFFFD") + len(escapedReplacement.FindAllString(plain, -1))
		switch {
		case !utf8.ValidString(raw), strings.Count(s, "\uFFFD") != meant:
			return "", tabular.CodeEncoding
		case s == "":
			return tabulartest.Null, ""
		}
		return strconv.Quote(s), ""
	}
	return strconv.Quote(raw), ""
}

var jsonBodies = []string{
	"", " \n", "[]", "[ ]\n", `{"a":1}`, "{\"a\":\"x\",\"b\":null}\n{\"A\":true}\r\n\n{}", `[{"a":1.50},{"b":"\u00e9\ud83d\ude00\/"},{"a":{"b":[1,"]"]}}]`,
	"{\n\"a\":1\n}\n{\"b\":\n2}", `{"a":1}{"a":2} [3]`, "{\"a\":1}\nx\n{\"a\":\"\\ud800\"}\n{\"a\":\"\xff\"}\n{\"a\":1,\" a\\u0020\":2}", "[{\"a\":1},\n 2,null,\"\\\"\", [{}]\n]", "[{\"a\":1},{\"a\":}]",
	"[{\"a\":1}", "{\"a\":\n{\"a\":2}\n", "\xef\xbb\xbf{}\n{\"a\":\"\\\\\\\"}{[\"}", "{\"a\":1},\n{\"a\":2},", "[{\"a\":1}]]", "{\"a\":\"\\ufffd\uFFFD\",\"b\":1e5}",
}

// FuzzJSON holds chunked reading against encoding/json: which values are rows, which are rejects, and their values.
func FuzzJSON(f *testing.F) {
	for _, b := range jsonBodies {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if strings.HasPrefix(body, "\xff\xfe") || strings.HasPrefix(body, "\xfe\xff") || strings.IndexByte(body[:min(len(body), 4)], 0) >= 0 {
			return // UTF-16
		}
		got := readJSON(t, body, tabulartest.Text("a", "b"))
		layout := jsonLines
		if plain := bytes.TrimPrefix([]byte(body), input.Utf8Mark); input.Spaces(plain) < len(plain) {
			layout, _ = layoutOf(plain, true)
		}
		want := jsonReference(body, layout)
		if a, b := got.Shown(), want.Shown(); a != b {
			t.Fatalf("%q, layout %d:\n%s\nbut the reference says\n%s", body, layout, a, b)
		}
		for i, r := range got.Rejects {
			if !bytes.Equal(r.Raw, want.Rejects[i].Raw[:min(len(want.Rejects[i].Raw), tabular.MaxRaw)]) {
				t.Fatalf("raw %q, want %q", r.Raw, want.Rejects[i].Raw)
			}
		}
		if found, err := Infer(t.Context(), strings.NewReader(body), tabular.Options{}, tabulartest.WholeSample); err == nil && got.Err == "" && found.Rows < len(got.Rows) {
			t.Fatalf("%q: %d rows read and %d inferred from", body, len(got.Rows), found.Rows)
		}
	})
}
