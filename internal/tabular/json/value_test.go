package json

import (
	"strings"
	"testing"

	"roster/internal/audience"
	"roster/internal/tabular"
)

// jsonValue reads one value of a type, as it is written in JSON, from a line and from an array.
func jsonValue(t *testing.T, typ audience.Type, f audience.Format, v string) string {
	t.Helper()
	columns := []tabular.Column{{Name: "x", Type: audience.String}, {Name: "v", Type: typ}}
	var first string
	for i, file := range []string{`{"v":` + v + "}", "[{\"x\":\"é\xff\"},{\"z\":[{}],\"v\" : " + v + " ,\"x\":\"y\"\n}\n]"} {
		r := readJSONOnce(strings.NewReader(file), columns, tabular.Options{Workers: 1, Format: f})
		got := r.Err + r.Message
		switch {
		case len(r.Rejects) == 1+i:
			got = r.Rejects[i].Code
		case len(r.Rows) == 1:
			got = r.Rows[0].Values[1]
		}
		if i == 0 {
			first = got
		} else if got != first {
			t.Fatalf("%s is %s in one file and %s in another", v, first, got)
		}
	}
	return first
}

func TestJSONValues(t *testing.T) {
	t.Parallel()
	format := audience.Format{NullValues: []string{"N/A", "-999"}, DateFormats: []string{"dd/MM/yyyy", "yyyyMMdd"}}
	for _, c := range []struct {
		typ    audience.Type
		values string // value=result, separated by |
	}{
		{audience.Integer, `7=7|-7=-7|-0=0|1.0=1|1e3=1000|1.5e1=15|10e-1=1|1.5=TYPE|1e-1=TYPE|2147483647=2147483647|2147483648=RANGE|2147483648.0=RANGE|-2147483648.0=-2147483648|1e99999999999=RANGE|` +
			`"7"=7|"+7"=7|"007"=7|" 7 "=7|"\t7"=7|"1.0"=TYPE|"1e3"=TYPE|""=(null)|" "=(null)|null=(null)|true=TYPE|"x"=TYPE|{}=TYPE|[1]=TYPE|-999=(null)|"N/A"=(null)|"-999"=(null)|-999.0=-999`},
		{audience.Long, `9223372036854775807=9223372036854775807|9223372036854775808=RANGE|-9223372036854775808=-9223372036854775808|9223372036854775807.0=9223372036854775807|` +
			`9223372036854775808.0=RANGE|12345678901234567890123=RANGE|9.223372036854775807e18=9223372036854775807|9.2233720368547758075e18=TYPE|1e18=1000000000000000000|1e19=RANGE|0e999=0|0.0=0|false=TYPE`},
		{audience.Number, `1=1|1.5=1.5|-0=-0|1e3=1000|12345678901234567890=1.2345678901234567e+19|1e999=RANGE|"1.5"=1.5|".5"=0.5|"NaN"=TYPE|true=TYPE|""=(null)|[]=TYPE`},
		{audience.Boolean, `true=true|false=false|1=true|0=false|"yes"=true|"N"=false|2=TYPE|1.0=TYPE|"maybe"=TYPE|null=(null)`},
		{audience.Date, `"2025-05-13"=2025-05-13|"13/05/2025"=2025-05-13|20250513=2025-05-13|"2023-02-29"=TYPE|2025=TYPE|true=TYPE|1747094400000=TYPE|"0000-01-01"=RANGE|"\u0032025-05-13"=2025-05-13`},
		{audience.DateTime, `"2025-05-23T20:19:00+02:00"=2025-05-23T18:19:00Z|"2025-05-23"=2025-05-23T00:00:00Z|"23/05/2025"=2025-05-23T00:00:00Z|1747094400=TYPE`},
		{audience.String, `12.50="12.50"|1e3="1e3"|-0.0="-0.0"|true="true"|false="false"|null=(null)|""=(null)|" "=" "|"N/A"=(null)|"n/a"="n/a"|-999=(null)|"\u00e9\n"="é\n"|"\ud83d\ude00"="😀"|"a\/b"="a/b"|` +
			`"\u0000"="\x00"|"\ud800"=ENCODING|"\udc00x"=ENCODING|"\ufffd"="�"|{"a":1}=TYPE|[]=TYPE|12345678901234567890123="12345678901234567890123"` +
			"|\"\xff\"=ENCODING|\"\xed\xa0\x80\"=ENCODING|\"\uFFFD\"=\"\uFFFD\""},
	} {
		for _, v := range strings.Split(c.values, "|") {
			v, want, _ := strings.Cut(v, "=")
			if got := jsonValue(t, c.typ, format, v); got != want {
				t.Errorf("%s %s: got %s, want %s", c.typ, v, got, want)
			}
		}
	}
}

// TestJSONReasons says which rule a row breaks, and that no value is told.
func TestJSONReasons(t *testing.T) {
	t.Parallel()
	columns := []tabular.Column{{Name: "Email", Type: audience.String, Primary: true}, {Name: "age", Type: audience.Integer}, {Name: "born", Type: audience.Date}}
	for _, c := range []struct{ row, column, code, reason string }{
		{`{"email":"a@b","age":"secret"}`, "age", tabular.CodeType, "the value is not a whole number of 32 bits"},
		{`{"email":"a@b","age":3e9}`, "age", tabular.CodeRange, "the value is out of range for a whole number of 32 bits"},
		{`{"email":"a@b","born":[{"secret":1}]}`, "born", tabular.CodeType, "the value is nested, an object or an array, not a date such as 2025-05-13"},
		{`{"email":"\ud800"}`, "Email", tabular.CodeEncoding, "the value is not valid Unicode"},
		{`{"email":" \t\u00a0"}`, "Email", tabular.CodeIdentity, "the primary identity is empty"},
		{`{"email":null,"age":1}`, "Email", tabular.CodeIdentity, "the primary identity is empty"},
		{`{"age":1}`, "Email", tabular.CodeIdentity, "the primary identity is empty"},
		{`{"age":"secret"}`, "age", tabular.CodeType, "the value is not a whole number of 32 bits"},
		{`{"email":"a@b","EMAIL":"a@b"}`, "Email", tabular.CodeDuplicateKey, "the object has the key more than once, perhaps in another case"},
		{`{"email":"a@b","\u0065mail\t":1}`, "Email", tabular.CodeDuplicateKey, "the object has the key more than once, perhaps in another case"},
		{`{"age":"secret","age":1}`, "age", tabular.CodeType, "the value is not a whole number of 32 bits"},
		{`{"email":"secret"`, "", tabular.CodeJSON, "the line is not a JSON object"},
		{`{"email":"secret"}, {}`, "", tabular.CodeJSON, "the line is not a JSON object: text follows the object"},
		{`["secret"]`, "", tabular.CodeJSON, "the value is not an object"},
	} {
		r := readJSON(t, `{"email":"c@d","other":1,"OTHER":2,"other":[3]}`+"\n"+c.row+"\n{\"email\":\"e@f\"}", columns)
		if len(r.Rows) != 2 || len(r.Rejects) != 1 {
			t.Errorf("%s: %+v", c.row, r)
			continue
		}
		got := r.Rejects[0]
		if got.Column != c.column || got.Code != c.code || got.Reason != c.reason || string(got.Raw) != c.row || got.Line != 2 {
			t.Errorf("%s: got %+v", c.row, got)
		}
	}
}
