package formats

import (
	"cmp"
	"errors"
	"strings"
	"testing"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/csv"
	"roster/internal/tabular/tabulartest"
)

func TestInferWithoutHeader(t *testing.T) {
	t.Parallel()
	no := false
	for text, want := range map[string]string{
		"\n1;ann;\n\"2\";bob;x\n": "column1 integer column2 string column3 string",
		"7":                       "column1 integer",
	} {
		got, err := Infer(t.Context(), tabulartest.Stored([]byte(text)), audience.Format{Header: &no, Delimiter: ";"}, nil, tabulartest.WholeSample)
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
		"0|1":                               audience.Boolean,
		"0|1|":                              audience.Boolean,
		"0|0":                               audience.Integer,
		"1":                                 audience.Integer,
		"0|1|2":                             audience.Integer,
		"NO|NO":                             audience.String,
		"NO|SE":                             audience.String,
		"yes|yes":                           audience.String,
		"Yes|NO":                            audience.Boolean,
		"yes|f":                             audience.String,
		"y|n":                               audience.Boolean,
		"Y":                                 audience.String,
		"F|F":                               audience.String,
		"true":                              audience.Boolean,
		"FALSE":                             audience.Boolean,
		"999999999999999":                   audience.Long,
		"1000000000000000":                  audience.String,
		"1234567890123456.78":               audience.String,
		"123456789012.345":                  audience.Number,
		"0.000123456789012345":              audience.Number,
		"0.1234567890123456":                audience.String,
		"1.5|1e-400":                        audience.String,
		"1.5|0.0e-400":                      audience.Number,
		"1.5|1234567890123456":              audience.String,
		"2025-05-13 10:00:00.123456":        audience.DateTime,
		"2025-05-13 10:00:00.123456000":     audience.DateTime,
		"2025-05-13 10:00:00.1234567":       audience.String,
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
		"t|f":                               audience.Boolean,
		"true|0":                            audience.String,
		"2025-05-13|1999-01-01":             audience.Date,
		"2025-05-13|2025-02-30":             audience.String,
		"2025-05-13|2025-05-13T10:00":       audience.DateTime,
		"2025-05-13 10:00:00+02":            audience.DateTime,
		"2025-05-13|12":                     audience.String,
		"ann@example.com|bob@example.com|":  audience.String,
		"\"1\"|\"2\"":                       audience.Integer,
		"\"true\"|\"no\"|\"\"":              audience.String,
		"\"true\"|\"false\"|\"\"":           audience.Boolean,
		"\"a\"\"b\"":                        audience.String,
		"\xff":                              audience.String,
		strings.Repeat("1|", 20_000) + "x|": audience.Integer,
	} {
		file := "v,x\n" + strings.ReplaceAll(values, "|", ",y\n") + ",y\n"
		got, err := Infer(t.Context(), tabulartest.Stored([]byte(file)), audience.Format{}, nil, tabulartest.WholeSample)
		columns, rows := got.Columns, got.Rows
		if err != nil || len(columns) != 2 || columns[0] != (tabular.Column{Name: "v", Type: want}) || columns[1].Type != audience.String {
			t.Errorf("%.40q: %+v, %v", values, columns, err)
		}
		if n := min(1+strings.Count(values, "|"), tabulartest.WholeSample.Rows); rows != n {
			t.Errorf("%.40q: a sample of %d rows, want %d", values, rows, n)
		}
		if strings.Count(values, "|") < tabulartest.WholeSample.Rows {
			tabulartest.CheckInferred(t, csv.Read, file, columns, err)
		}
	}
}

func TestInferSample(t *testing.T) {
	t.Parallel()
	file := ",n, name\n0,1,a\n1,2\n2,3,\"b\"x\n3,4,c\n4,x,d\n"
	for most, want := range map[int]audience.Type{1: audience.Integer, 2: audience.Integer, 3: audience.String, 0: audience.String} {
		got, err := Infer(t.Context(), tabulartest.Stored([]byte(file)), audience.Format{}, nil, tabular.Sample{Rows: cmp.Or(most, tabulartest.WholeSample.Rows), Bytes: tabulartest.WholeSample.Bytes})
		columns, rows := got.Columns, got.Rows
		if err != nil || len(columns) != 2 || columns[0] != (tabular.Column{Name: "n", Type: want}) || columns[1] != (tabular.Column{Name: "name", Type: audience.String}) {
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
		wanted   []tabular.Column
		columns  string
		repeated string
	}{
		"repeated":           {"id,x, X,\"\",y,y,y\n1,2,3,4,5,6,7\n", audience.Format{}, nil, "id string", "x y"},
		"not text":           {"id,caf\xe9\n1,2\n", audience.Format{}, tabulartest.Text("id"), "id string", ""},
		"caret, wanted":      {"id^name\n1^a,b\n2^c\n", audience.Format{}, tabulartest.Text("id", "name"), "id string, name string", ""},
		"caret":              {"id^name\n1^a,b\n2^c\n", audience.Format{}, nil, "id string, name string", ""},
		"control-A":          {"id\x01name\n1\x01a b\n", audience.Format{}, nil, "id string, name string", ""},
		"tildes and quotes":  {"id~name\r\n\r\n1~\"a~\nb\"\r\n", audience.Format{}, nil, "id string, name string", ""},
		"carets, uneven":     {"id^name\n1^a\n2\n", audience.Format{}, nil, "id^name string", ""},
		"carets and no rows": {"id^name\n", audience.Format{}, nil, "id^name string", ""},
		"carets and commas":  {"a^b,c^d\n1^2,3^4\n", audience.Format{}, nil, "a^b string, c^d string", ""},
		"spaces":             {"full name\nAda Lovelace\nGrace Hopper\n", audience.Format{}, nil, "full name string", ""},
		"dates of digits":    {"d,n\n20250513,1\n20241231,20250513\n", audience.Format{DateFormats: []string{"yyyyMMdd"}}, nil, "d date, n integer", ""},
		"times of digits":    {"d\n20250513101112\n", audience.Format{DateFormats: []string{"yyyyMMdd", "yyyyMMddHHmmss"}}, nil, "d datetime", ""},
		"names of no field":  {"id,\"a\nb\",_roster_file,c\n1,2,3,4\n", audience.Format{}, nil, "id string, c integer", "a\nb _roster_file"},
		"JSON, twice":        {`{"id":1,"a":2,"A":3,"b\u0000":4}`, audience.Format{}, nil, "id string", "a b\x00"},
		"an empty array":     {"[]", audience.Format{}, tabulartest.Text("id"), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Infer(t.Context(), tabulartest.Stored([]byte(c.file)), c.format, c.wanted, tabulartest.WholeSample)
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
		_, err := Infer(t.Context(), tabulartest.Stored([]byte(file)), audience.Format{}, nil, tabulartest.WholeSample)
		var f *tabular.FileError
		if !errors.As(err, &f) || f.Code != want {
			t.Errorf("%q: %v, want %s", file, err, want)
		}
	}
}

// TestInferNames takes digits for numbers unless the name of their column says that they name something.
func TestInferNames(t *testing.T) {
	t.Parallel()
	for want, names := range map[audience.Type]string{
		audience.String: "zip|ZIP Code|zipcode|zip5|postal_code|PLZ|Postleitzahl|code postal|CEP|phone|Phone 1|homePhone|phoneNumber|Telefon|teléfono|Handy|mobile|fax|id|ID|" +
			"user_id|userId|userid|customerID|IDNumber|order-id|external.id|code|Código|countryCode|area code|barcode|ssn|IBAN|account|account_no|Kontonummer|Kundennr.|" +
			"customer number|Kunden-Nr|sku|ean|sha256|邮编|電話番号|Телефон|CPF|NIF|vat|passport|card|ref",
		audience.Integer: "points|age|amount|paid|valid|grid|width|idle|covid|visits|number|number of orders|numbers|phones|orders|zipped|decoder|score|balance|coding|accounts|year|children|Anzahl|カウント|金额|idea",
	} {
		for _, name := range strings.Split(names, "|") {
			got, err := Infer(t.Context(), tabulartest.Stored([]byte("\""+name+"\",x\n90001,a\n2138,b\n")), audience.Format{}, nil, tabulartest.WholeSample)
			if err != nil || got.Columns[0].Type != want {
				t.Errorf("%s: %+v, %v", name, got.Columns, err)
			}
		}
	}
}

// TestInferBounded looks at a sample that is bounded in bytes, however few rows they have.
func TestInferBounded(t *testing.T) {
	t.Parallel()
	most := tabular.Sample{Rows: 1000, Bytes: 1 << 20}
	for name, file := range map[string]string{
		"blank lines": "a,b\n1,2\n" + strings.Repeat("\n", 32<<20),
		"wide rows":   "a,b\n" + strings.Repeat(strings.Repeat("x", 1<<20)+",1\n", 32),
		"JSON":        strings.Repeat(`{"a":"`+strings.Repeat("x", 1<<20)+"\"}\n", 32),
		"JSON blank":  `{"a":1}` + strings.Repeat("\n", 32<<20),
	} {
		got, err := Infer(t.Context(), tabulartest.Stored([]byte(file)), audience.Format{}, nil, most)
		if err != nil || !got.More || got.Bytes > 4*most.Bytes || len(got.Columns) == 0 {
			t.Errorf("%s: %d bytes, %v, %+v", name, got.Bytes, err, got.Columns)
		}
	}
}
