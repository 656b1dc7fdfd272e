package json

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/tabulartest"
)

func TestInferJSON(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, want string }{
		{`{"b":1,"a":"x"}` + "\n" + `{"c":true,"B":2}`, "b=integer a=string c=boolean; nested; 2 rows"},
		{`[{"n":1},{"n":3000000000},{"n":null}]`, "n=long; nested; 3 rows"},
		{`[{"n":1},{"n":2.5},{"f":1.0},{"e":1e3,"big":1e21,"long":123456789012345678901}]`, "n=number f=number e=number big=number long=string; nested; 4 rows"},
		{`[{"zip":"01234","phone":"+49","n":"12","day":"2025-05-13","at":"2025-05-13T10:00:00Z","yes":"yes","one":1}]`, "zip=string phone=string n=integer day=date at=datetime yes=string one=integer; nested; 1 rows"},
		{`[{"a":1,"b":{"c":2},"d":[]},{"a":{},"b":null}]`, "; nested a b d; 2 rows"},
		{`[{"d":1234567890123456.78,"e":0.5,"f":1234567890123456,"b":1,"id":7,"zip":2138},{"b":0}]`, "d=string e=number f=string b=integer id=string zip=string; nested; 2 rows"},
		{`[{"a":null,"":1," x ":"N/A"},{" X":4}]`, "a=string x=integer; nested; 2 rows"},
		{`[{"a":"\u0031"},{"a":" 2 "}]`, "a=integer; nested; 2 rows"},
		{"{\"a\":1}\n{\"a\":\n[\"x\"]\n{\"a\":\"x\",\"A\":\"y\"}\n{\"a\":2}\n", "a=integer; nested; 3 rows"},
		{`{"a":1,"b":2,"B":3}`, "a=integer; nested; 1 rows"},
		{"{\"a\":1,\"\xff\":2,\"\\ud800\":3}", "a=integer; nested; 1 rows"},
		{"{\n\"a\":1}\n{\"a\":\n\"x\"}", "a=string; nested; 2 rows"},
		{"\xff\xfe{\x00\"\x00a\x00\"\x00:\x001\x00}\x00", "a=integer; nested; 1 rows"},
		{`[{"a":1},{"a":}]`, "JSON"},
		{`[{"a":1}`, "JSON"},
		{"x\ny", "NO_HEADER"},
		{"[]", "NO_HEADER"},
		{"", "EMPTY_FILE"},
	} {
		found, err := Infer(t.Context(), strings.NewReader(c.file), tabular.Options{Format: audience.Format{NullValues: []string{"N/A"}}}, tabulartest.WholeSample)
		var list []string
		for _, x := range found.Columns {
			list = append(list, x.Name+"="+string(x.Type))
		}
		got := fmt.Sprintf("%s; %s; %d rows", strings.Join(list, " "), strings.Join(append([]string{"nested"}, found.Nested...), " "), found.Rows)
		if file := (*tabular.FileError)(nil); errors.As(err, &file) {
			got = file.Code
		}
		if got != c.want {
			t.Errorf("%q: got %s, want %s", c.file, got, c.want)
		}
	}
}

func TestInferJSONSample(t *testing.T) {
	t.Parallel()
	file := strings.Repeat("{\"a\":1}\nx\n", 50_000) + "{\"a\":\"x\",\"b\":1}"
	for _, most := range []int{1, 100, 100_000} {
		found, err := Infer(t.Context(), strings.NewReader(file), tabular.Options{}, tabular.Sample{Rows: most, Bytes: tabulartest.WholeSample.Bytes})
		if err != nil || found.Rows != (most+1)/2 || !found.More || len(found.Columns) != 1 || found.Columns[0].Type != audience.Integer {
			t.Errorf("%d: %+v, %v", most, found, err)
		}
	}
	var wide strings.Builder
	for i := range tabular.MaxColumns + 1 {
		fmt.Fprintf(&wide, "{\"k%d\":1}\n", i)
	}
	_, err := Infer(t.Context(), strings.NewReader(wide.String()), tabular.Options{}, tabular.Sample{Rows: tabular.MaxColumns + 1, Bytes: tabulartest.WholeSample.Bytes})
	if file := (*tabular.FileError)(nil); !errors.As(err, &file) || file.Code != "TOO_MANY_COLUMNS" {
		t.Error(err)
	}
}

// TestJSONManyRejects has more rejects than a batch takes.
func TestJSONManyRejects(t *testing.T) {
	t.Parallel()
	const n = 3 * tabular.BatchRejects
	r := readJSON(t, strings.Repeat("{\"id\":\"x\"}\n{\"id\":1}\n{\n", n), jsonColumns)
	if len(r.Rows) != n || len(r.Rejects) != 2*n {
		t.Fatalf("%d rows and %d rejects", len(r.Rows), len(r.Rejects))
	}
}
