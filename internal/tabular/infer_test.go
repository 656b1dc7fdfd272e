package tabular

import (
	"errors"
	"strings"
	"testing"

	"roster/internal/audience"
)

func TestInferWithoutHeader(t *testing.T) {
	t.Parallel()
	no := false
	for text, want := range map[string]string{
		"\n1;ann;\n\"2\";bob;x\n": "column1 integer column2 string column3 string",
		"7":                       "column1 integer",
	} {
		got, err := Infer(t.Context(), stored([]byte(text)), audience.Format{Header: &no, Delimiter: ";"}, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, c := range got.Columns {
			list = append(list, c.Name, string(c.Type))
		}
		if s := strings.Join(list, " "); s != want {
			t.Errorf("%q: %s, want %s", text, s, want)
		}
	}
}

func TestInfer(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]audience.Type{
		"":                                  audience.String,
		"|":                                 audience.String,
		"a|1":                               audience.String,
		"1|2|":                              audience.Integer,
		" 1 |-2|0":                          audience.Integer,
		"0|1":                               audience.Integer,
		"1|2147483648":                      audience.Long,
		"1|9223372036854775808":             audience.String,
		"01234|56789":                       audience.String,
		"-01|5":                             audience.String,
		"-0":                                audience.String,
		"+4915112345678":                    audience.String,
		"1|1.5":                             audience.Number,
		"1.50|-0.25|.5":                     audience.Number,
		"1e-5|2.5E3":                        audience.Number,
		"12E5|13E6":                         audience.String,
		"00.5|1.5":                          audience.String,
		"9007199254740993|1.5":              audience.String,
		"1.5|nan":                           audience.String,
		"1e999":                             audience.String,
		"true|FALSE|":                       audience.Boolean,
		"yes|no":                            audience.Boolean,
		"t|f":                               audience.String,
		"true|0":                            audience.String,
		"2025-05-13|1999-01-01":             audience.Date,
		"2025-05-13|2025-02-30":             audience.String,
		"2025-05-13|2025-05-13T10:00":       audience.DateTime,
		"2025-05-13 10:00:00+02":            audience.DateTime,
		"2025-05-13|12":                     audience.String,
		"ann@example.com|bob@example.com|":  audience.String,
		"\"1\"|\"2\"":                       audience.Integer,
		"\"true\"|\"no\"|\"\"":              audience.Boolean,
		"\"a\"\"b\"":                        audience.String,
		"\xff":                              audience.String,
		strings.Repeat("1|", 20_000) + "x|": audience.Integer,
	} {
		file := "v,x\n" + strings.ReplaceAll(values, "|", ",\n") + ",\n"
		got, err := Infer(t.Context(), stored([]byte(file)), audience.Format{}, nil, 0)
		columns, rows := got.Columns, got.Rows
		if err != nil || len(columns) != 2 || columns[0] != (Column{Name: "v", Type: want}) || columns[1].Type != audience.String {
			t.Errorf("%.40q: %+v, %v", values, columns, err)
		}
		if n := min(1+strings.Count(values, "|"), defaultSample); rows != n {
			t.Errorf("%.40q: a sample of %d rows, want %d", values, rows, n)
		}
		if strings.Count(values, "|") < defaultSample {
			checkInferred(t, file, columns, err)
		}
	}
}

func TestInferSample(t *testing.T) {
	t.Parallel()
	file := ",id, name\n0,1,a\n1,2\n2,3,\"b\"x\n3,4,c\n4,x,d\n"
	for most, want := range map[int]audience.Type{1: audience.Integer, 2: audience.Integer, 3: audience.String, 0: audience.String} {
		got, err := Infer(t.Context(), stored([]byte(file)), audience.Format{}, nil, most)
		columns, rows := got.Columns, got.Rows
		if err != nil || len(columns) != 2 || columns[0] != (Column{Name: "id", Type: want}) || columns[1] != (Column{Name: "name", Type: audience.String}) {
			t.Errorf("%d rows: %+v, %v", most, columns, err)
		}
		if got.More != (most > 0) {
			t.Errorf("%d rows: more is %v", most, got.More)
		}
		if most == 0 {
			most = 3
		}
		if rows != most {
			t.Errorf("a sample of %d rows, want %d", rows, most)
		}
	}
}

// TestInferLikeRead looks at files as Read does, which does not care for columns that nobody wants.
func TestInferLikeRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file     string
		format   audience.Format
		wanted   []Column
		columns  string
		repeated string
	}{
		"repeated":           {"id,x, X,\"\",y,y,y\n1,2,3,4,5,6,7\n", audience.Format{}, nil, "id integer", "x y"},
		"not text":           {"id,caf\xe9\n1,2\n", audience.Format{}, text("id"), "id integer", ""},
		"caret, wanted":      {"id^name\n1^a,b\n2^c\n", audience.Format{}, text("id", "name"), "id integer, name string", ""},
		"caret":              {"id^name\n1^a,b\n2^c\n", audience.Format{}, nil, "id integer, name string", ""},
		"control-A":          {"id\x01name\n1\x01a b\n", audience.Format{}, nil, "id integer, name string", ""},
		"tildes and quotes":  {"id~name\r\n\r\n1~\"a~\nb\"\r\n", audience.Format{}, nil, "id integer, name string", ""},
		"carets, uneven":     {"id^name\n1^a\n2\n", audience.Format{}, nil, "id^name string", ""},
		"carets and no rows": {"id^name\n", audience.Format{}, nil, "id^name string", ""},
		"carets and commas":  {"a^b,c^d\n1^2,3^4\n", audience.Format{}, nil, "a^b string, c^d string", ""},
		"spaces":             {"full name\nAda Lovelace\nGrace Hopper\n", audience.Format{}, nil, "full name string", ""},
		"dates of digits":    {"d,n\n20250513,1\n20241231,20250513\n", audience.Format{DateFormats: []string{"yyyyMMdd"}}, nil, "d date, n integer", ""},
		"times of digits":    {"d\n20250513101112\n", audience.Format{DateFormats: []string{"yyyyMMdd", "yyyyMMddHHmmss"}}, nil, "d datetime", ""},
		"names of no field":  {"id,\"a\nb\",_roster_file,c\n1,2,3,4\n", audience.Format{}, nil, "id integer, c integer", "a\nb _roster_file"},
		"JSON, twice":        {`{"id":1,"a":2,"A":3,"b\u0000":4}`, audience.Format{}, nil, "id integer", "a b\x00"},
		"an empty array":     {"[]", audience.Format{}, text("id"), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Infer(t.Context(), stored([]byte(c.file)), c.format, c.wanted, 0)
			if err != nil {
				t.Fatal(err)
			}
			var columns []string
			for _, c := range got.Columns {
				columns = append(columns, c.Name+" "+string(c.Type))
			}
			if shown := strings.Join(columns, ", "); shown != c.columns || strings.Join(got.Unnamed, " ") != c.repeated {
				t.Errorf("got %s and %q", shown, got.Unnamed)
			}
		})
	}
}

func TestInferErrors(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"":               "EMPTY_FILE",
		"\n":             "NO_HEADER",
		"a,\xff\n1,2":    "ENCODING",
		"\"a\n1":         "NO_HEADER",
		"\xfe\xff\x00a,": "ENCODING",
		" [ ] ":          "NO_HEADER",
	} {
		_, err := Infer(t.Context(), stored([]byte(file)), audience.Format{}, nil, 0)
		var f *FileError
		if !errors.As(err, &f) || f.Code != want {
			t.Errorf("%q: %v, want %s", file, err, want)
		}
	}
}
