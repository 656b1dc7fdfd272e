package csv

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/input"
	"roster/internal/tabular/tabulartest"
)

// parsed reads one value of a type by way of a file, plain and quoted, and alone and among others.
func parsed(t testing.TB, typ audience.Type, v string) string {
	t.Helper()
	columns := []tabular.Column{{Name: "v", Type: typ}, {Name: "x", Type: audience.String}}
	quoted := `"` + strings.ReplaceAll(v, `"`, `""`) + `"`
	files := []string{"x,v\n," + quoted + "\n", "v,x\n" + quoted + ",2000-01-01\n"}
	if !strings.ContainsAny(v, ",\"\n\r") {
		files = append(files, "v,x\n"+v+",2\n", "x,v\ny,"+v+"\n")
	}
	var first string
	for i, file := range files {
		r := readOnce(strings.NewReader(file), columns, tabular.Options{Workers: 1})
		got := r.Err
		switch {
		case len(r.Rows) == 1:
			got = r.Rows[0].Values[0]
		case len(r.Rejects) == 1:
			got = r.Rejects[0].Code
		}
		if i == 0 {
			first = got
		} else if got != first {
			t.Fatalf("%q is %s in one file and %s in another", v, first, got)
		}
	}
	return first
}

func TestValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ    audience.Type
		values string // value=result, separated by |
	}{
		{audience.Integer, "0=0|7=7|-7=-7|+7=7|-0=0|007=7| 12\t=12|12345678=12345678|123456789=123456789|2147483647=2147483647|2147483648=RANGE|" +
			"-2147483648=-2147483648|-2147483649=RANGE|99999999999999999999999=RANGE|00000000000000000000001=1|=(null)|  =(null)|" +
			"1.0=TYPE|1e3=TYPE|1_000=TYPE|0x1=TYPE|1 2=TYPE|--1=TYPE|-=TYPE|+=TYPE|1,000=TYPE|١=TYPE|1\x00=TYPE|12a=TYPE|/=TYPE|:=TYPE|\u00a01=TYPE|true=TYPE"},
		{audience.Long, "0=0|-1=-1|+1=1|12345678=12345678|123456789=123456789|1234567890123456=1234567890123456|12345678901234567=12345678901234567|" +
			"9223372036854775807=9223372036854775807|9223372036854775808=RANGE|-9223372036854775808=-9223372036854775808|-9223372036854775809=RANGE|" +
			"18446744073709551616=RANGE|184467440737095516160=RANGE|999999999999999999999x=TYPE|1234567x=TYPE|x2345678=TYPE|12345678x=TYPE|123456789012345x=TYPE|" +
			"1.0=TYPE|=(null)|\t=(null)|00000000000000000007=7"},
		{audience.Number, "0=0|-0=-0|1=1|1.5=1.5|-1.5=-1.5|+1.5=1.5|.5=0.5|5.=5|-.5=-0.5|1234567=1.234567e+06|12345678=1.2345678e+07|1234.5678=1234.5678|0.1=0.1|" +
			"123456789.123456789=1.2345678912345679e+08|1e3=1000|1E-3=0.001|1e+3=1000|1.5e300=1.5e+300|1e999=RANGE|-1e999=RANGE|1e-999=0|" +
			"0.30000000000000004=0.30000000000000004|9007199254740993=9.007199254740992e+15|=(null)| 1.5 =1.5|" +
			".=TYPE|-=TYPE|-.=TYPE|1.2.3=TYPE|..=TYPE|1e=TYPE|e1=TYPE|1e+=TYPE|1e1.5=TYPE|0x10=TYPE|0x1p3=TYPE|1_0=TYPE|nan=TYPE|NaN=TYPE|inf=TYPE|Infinity=TYPE|" +
			"-inf=TYPE|1,5=TYPE|1 000=TYPE|--1=TYPE|+-1=TYPE|-+1=TYPE|- 1=TYPE|1d=TYPE|1f=TYPE|1.5x=TYPE|x=TYPE"},
		{audience.Boolean, "true=true|TRUE=true|tRuE=true|t=true|T=true|1=true|yes=true|YES=true|y=true|Y=true|false=false|False=false|f=false|F=false|0=false|" +
			"no=false|NO=false|n=false|N=false|=(null)| true =true|on=TYPE|off=TYPE|2=TYPE|10=TYPE|01=TYPE|tru=TYPE|truee=TYPE|falsee=TYPE|yeſ=TYPE|\x11=TYPE|ja=TYPE|\x00y=TYPE|y\x00=TYPE|\x00=TYPE|\x54\x00=TYPE"},
		{audience.Date, "2025-05-13=2025-05-13|1970-01-01=1970-01-01|0001-01-01=0001-01-01|9999-12-31=9999-12-31|2024-02-29=2024-02-29|2000-02-29=2000-02-29|" +
			" 2025-05-13 =2025-05-13|=(null)|0000-01-01=RANGE|0000-02-29=RANGE|2023-02-29=TYPE|1900-02-29=TYPE|2025-04-31=TYPE|2025-13-01=TYPE|2025-00-01=TYPE|" +
			"2025-01-00=TYPE|2025-01-32=TYPE|2025-99-99=TYPE|2025-5-13=TYPE|25-05-13=TYPE|2025/05/13=TYPE|20250513=TYPE|13.05.2025=TYPE|2025-05-13T00:00:00Z=TYPE|" +
			"-025-05-13=TYPE|12025-05-13=TYPE|2025-05-1x=TYPE|2025-05-x1=TYPE|2025--05-1=TYPE|２025-05-13=TYPE"},
		{audience.DateTime, "2025-05-23T20:19:00+00:00=2025-05-23T20:19:00Z|2025-05-23T20:19:00Z=2025-05-23T20:19:00Z|2025-05-23t20:19:00z=2025-05-23T20:19:00Z|" +
			"2025-05-23 20:19:00=2025-05-23T20:19:00Z|2025-05-23T20:19=2025-05-23T20:19:00Z|2025-05-23T20:19Z=2025-05-23T20:19:00Z|2025-05-23=2025-05-23T00:00:00Z|" +
			"2025-05-23T20:19:01.5Z=2025-05-23T20:19:01.5Z|2025-05-23T20:19:01.123456789Z=2025-05-23T20:19:01.123456Z|2025-05-23T20:19:01.9999999=2025-05-23T20:19:01.999999Z|" +
			"2025-05-23T20:19:01.000001+02:00=2025-05-23T18:19:01.000001Z|2025-05-23T20:19:01-0230=2025-05-23T22:49:01Z|2025-05-23T20:19+05=2025-05-23T15:19:00Z|" +
			"2025-01-01T00:30:00+01:00=2024-12-31T23:30:00Z|0001-01-01T00:00:00Z=0001-01-01T00:00:00Z|9999-12-31T23:59:59.999999Z=9999-12-31T23:59:59.999999Z|" +
			"1969-12-31T23:59:59.999999Z=1969-12-31T23:59:59.999999Z| 2025-05-23T20:19:00Z =2025-05-23T20:19:00Z|=(null)|2025-05-23T20:19:01,25Z=2025-05-23T20:19:01.25Z|" +
			"0001-01-01T00:00:00+00:01=RANGE|9999-12-31T23:59:59-00:01=RANGE|0000-12-31T00:00:00Z=RANGE|0000-12-31T23:59:00-01:00=RANGE|0000-12-31=RANGE|0000-01-011=TYPE|0000-01-01T25:00Z=TYPE|0000-02-30=TYPE|2025-05-23T24:00:00Z=TYPE|2025-05-23T23:59:60Z=TYPE|" +
			"2025-05-23T20:60:00Z=TYPE|2025-05-23T20:60Z=TYPE|2025-05-23T24:00=TYPE|2025-02-30T20:00:00Z=TYPE|2025-05-23T20:19:00.Z=TYPE|2025-05-23T20:19:00.1234567890Z=TYPE|" +
			"2025-05-23T20:19.5Z=TYPE|2025-05-23T20Z=TYPE|2025-05-23T=TYPE|2025-05-23Z=TYPE|2025-05-23T20:19:00 +00:00=2025-05-23T20:19:00Z|2024-01-01 00:00:00 UTC=2024-01-01T00:00:00Z|2024-01-01 00:00:00.123456 UTC=2024-01-01T00:00:00.123456Z|2024-01-01 00:00:00 +0000 UTC=2024-01-01T00:00:00Z|2024-01-01 00:00:00+00 UTC=2024-01-01T00:00:00Z|2024-01-01 00:00:00 +0100=2023-12-31T23:00:00Z|2024-01-01 00:00:00 GMT=2024-01-01T00:00:00Z|2024-01-01 00:00 utc=2024-01-01T00:00:00Z|2024-01-01 00:00:00 Z=2024-01-01T00:00:00Z|2024-01-01T00:00:00UTC=2024-01-01T00:00:00Z|2024-01-01 00:00:00 +0200 UTC=TYPE|2024-01-01 00:00:00 CET=TYPE|2024-01-01 00:00:00 EST=TYPE|2024-01-01 00:00:00  UTC=TYPE|2024-01-01 00:00:00 UTC+2=TYPE|2024-01-01 UTC=TYPE|2024-01-01 00:00:00 UTC UTC=TYPE|2024-01-01 00:00:00 Europe/Berlin=TYPE|2025-05-23T20:19:00+24:00=TYPE|" +
			"2025-05-23T20:19:00+00:60=TYPE|2025-05-23T20:19:00+1=TYPE|2025-05-23T20:19:00+010=TYPE|2025-05-23T20:19:00+01:=TYPE|2025-05-23T20:19:00+01:0=TYPE|" +
			"2025-05-23T20:19:00+01:000=TYPE|2025-05-23T20:19:00+01:00:00=TYPE|2025-05-23T20:19:00ZZ=TYPE|2025-05-23T20:19:00CET=TYPE|20250523T201900Z=TYPE|2025-05-23_20:19:00=TYPE|" +
			"2025-05-23T2x:19:00Z=TYPE|2025-05-23T20:1x=TYPE|1748031540=TYPE|2025-05-23T20:19:0=TYPE|2025-05-23T20:19:=TYPE|2025-05-23T20:1=TYPE|now=TYPE"},
		{audience.String, `a="a"| a =" a "|=(null)|  ="  "|NULL="NULL"|a"b="a\"b"|é="é"` + "|\xff=ENCODING|a\xc3=ENCODING|\xed\xa0\x80=ENCODING"},
	} {
		for _, x := range strings.Split(c.values, "|") {
			v, want, _ := strings.Cut(x, "=")
			if got := parsed(t, c.typ, v); got != want {
				t.Errorf("%s %q: got %s, want %s", c.typ, v, got, want)
			}
		}
	}
}

// The values that the fuzz tests begin with, for all types.
var seeds = []string{"", "0", "-1", "+1", "12345678", "123456789", "1234567890123456", "9223372036854775808", "1.5", "-.5", "5.", "1e5", "1.2.3", "123456.7",
	"true", "No", "2025-05-13", "2024-02-29", "0000-01-01", "2025-05-23T20:19:00.123456Z", "2025-05-23 20:19+02", "12 ", "\t7", "0x1p3", "NaN", "1_0", "\xff", "4x"}

func fuzzValues(f *testing.F, check func(t *testing.T, v string)) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, v string) {
		if fileMarks([]byte(v)) > 0 {
			return // at the beginning of a record they are no part of it
		}
		check(t, v)
	})
}

// compare reads v as a type and holds the result against what want says of the trimmed value.
func compare(t *testing.T, typ audience.Type, v string, want func(v string) string) {
	t.Helper()
	expect := tabulartest.Null
	if trimmed := strings.Trim(v, " \t"); trimmed != "" {
		expect = want(trimmed)
	}
	if got := parsed(t, typ, v); got != expect {
		t.Errorf("%s %q: got %s, want %s", typ, v, got, expect)
	}
}

func FuzzInteger(f *testing.F) {
	fuzzValues(f, func(t *testing.T, v string) { compare(t, audience.Integer, v, tabulartest.WantWhole(32)) })
}

func FuzzLong(f *testing.F) {
	fuzzValues(f, func(t *testing.T, v string) { compare(t, audience.Long, v, tabulartest.WantWhole(64)) })
}

func FuzzNumber(f *testing.F) {
	fuzzValues(f, func(t *testing.T, v string) { compare(t, audience.Number, v, tabulartest.WantNumber) })
}

func FuzzBoolean(f *testing.F) {
	words := map[string]string{"true": "true", "t": "true", "1": "true", "yes": "true", "y": "true", "false": "false", "f": "false", "0": "false", "no": "false", "n": "false"}
	fuzzValues(f, func(t *testing.T, v string) {
		compare(t, audience.Boolean, v, func(v string) string {
			lower := strings.Map(func(r rune) rune {
				if 'A' <= r && r <= 'Z' {
					r += 'a' - 'A'
				}
				return r
			}, v)
			if w, ok := words[lower]; ok {
				return w
			}
			return tabular.CodeType
		})
	})
}

func wantDate(v string) string {
	d, err := time.Parse(time.DateOnly, v)
	switch {
	case err != nil:
		return tabular.CodeType
	case d.Year() == 0:
		return tabular.CodeRange
	}
	return d.Format(time.DateOnly)
}

func FuzzDate(f *testing.F) {
	fuzzValues(f, func(t *testing.T, v string) { compare(t, audience.Date, v, wantDate) })
}

var instant = regexp.MustCompile(`^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[Tt ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?(?:[Zz]|([+-][0-9]{2})(?::?([0-9]{2}))?)?)?$`)

// wantDateTime brings a value into the one form that the standard library parses.
func wantDateTime(v string) string {
	m := instant.FindStringSubmatch(v)
	if m == nil {
		return tabular.CodeType
	}
	for i, s := range []string{"", "", "00:00", "00", "0", "+00", "00"} {
		if m[i] == "" {
			m[i] = s
		}
	}
	if m[5][1:] > "23" || m[6] > "59" {
		return tabular.CodeType
	}
	at, err := time.Parse(time.RFC3339Nano, m[1]+"T"+m[2]+":"+m[3]+"."+m[4]+m[5]+":"+m[6])
	if err != nil {
		return tabular.CodeType
	}
	year0 := at.Year() == 0
	at = at.UTC()
	if y := at.Year(); year0 || y < 1 || y > 9999 {
		return tabular.CodeRange
	}
	return at.Truncate(time.Microsecond).Format("2006-01-02T15:04:05.999999Z")
}

func FuzzDateTime(f *testing.F) {
	fuzzValues(f, func(t *testing.T, v string) { compare(t, audience.DateTime, v, wantDateTime) })
}

// TestMark holds the vector instructions against the plain code.
func TestMark(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	buf := make([]byte, 64*segment+input.Slack)
	for range 2_000 {
		for i := range buf {
			buf[i] = []byte{',', '\n', '"', ',' ^ 1, ',' + 0x80, 0, 0xff, byte(r.IntN(256))}[r.IntN(8)]
		}
		n := r.IntN(64*segment) + 1
		var a, b [segment]uint64
		got := markedWords(a[:], buf[:n], ',', '\n', '"')
		markWords(b[:len(got)], buf, ',', '\n', '"')
		for i, c := range buf[:64*len(got)] {
			want := i < n && bytes.IndexByte([]byte(",\n\""), c) >= 0
			if (got[i/64]>>(i%64)&1 == 1) != want {
				t.Fatalf("byte %d of %d, %q", i, n, c)
			}
			if i < n && got[i/64]>>(i%64)&1 != b[i/64]>>(i%64)&1 {
				t.Fatalf("plain code, byte %d of %d, %q", i, n, c)
			}
		}
	}
}
