package tabular

import (
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
)

func TestDatePatterns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ typ, patterns, values string }{ // value=result, separated by |
		{"date", "dd/MM/yyyy", "13/05/2025=2025-05-13|29/02/2024=2024-02-29| 13/05/2025\t=2025-05-13|2025-05-13=2025-05-13|=(null)|" +
			"29/02/2023=TYPE|00/05/2025=TYPE|13/00/2025=TYPE|13/13/2025=TYPE|3/05/2025=TYPE|13/5/2025=TYPE|13/05/25=TYPE|13/05/02025=TYPE|13-05-2025=TYPE|13/05/2025x=TYPE|" +
			"13/05/0000=RANGE|31/04/0000=TYPE|1/1=TYPE|１3/05/2025=TYPE|2025-02-30=TYPE|0000-01-01=RANGE"},
		{"date", "d.M.yy", "1.2.70=1970-02-01|01.02.69=2069-02-01|31.12.99=1999-12-31|1.1.00=2000-01-01|001.1.00=TYPE|1.1.2000=TYPE|1.1.0=TYPE|.1.00=TYPE"},
		{"date", "yyyyMMdd", "20250513=2025-05-13|2025051=TYPE|202505133=TYPE"},
		{"date", "d MMM yyyy", "1 jan 2025=2025-01-01|31 DEC 2025=2025-12-31|1 May 2025=2025-05-01|1 Mai 2025=TYPE|1 ja 2025=TYPE|1 January 2025=TYPE"},
		{"date", "MMMM d, yyyy", "January 1, 2025=2025-01-01|SEPTEMBER 30, 2025=2025-09-30|may 5, 2025=2025-05-05|Jun 5, 2025=TYPE|june 5, 2025=2025-06-05|December 31, 2025x=TYPE|Sept 1, 2025=TYPE|Decembe=TYPE"},
		{"date", "M/d/yyyy H:mm", "5/13/2025 0:00=2025-05-13|5/13/2025 00:00=2025-05-13|5/13/2025 0:01=TYPE|5/13/2025=TYPE"},
		{"date", "yyyy-MM-dd'T'HH:mm:ssXXX", "2025-05-13T00:00:00+02:00=2025-05-13|2025-05-13T22:00:00Z=TYPE"},
		{"date", "MM/dd/yyyy|dd/MM/yyyy|yyyy", "01/02/2025=2025-01-02|13/02/2025=2025-02-13|32/01/2025=TYPE|13/13/2025=TYPE"},
		{"date", "yyyy'year' 'o''clock'M''d", "2025year oclock5'1=2025-05-01"},
		{"datetime", "dd/MM/yyyy HH:mm", "13/05/2025 20:19=2025-05-13T20:19:00Z|13/05/2025 24:00=TYPE|13/05/2025 20:60=TYPE|13/05/2025 8:19=TYPE|2025-05-13=2025-05-13T00:00:00Z|13/05/2025=TYPE"},
		{"datetime", "d/M/yyyy h:m:s a", "1/2/2025 12:0:0 AM=2025-02-01T00:00:00Z|1/2/2025 12:00:00 pm=2025-02-01T12:00:00Z|1/2/2025 1:2:3 Pm=2025-02-01T13:02:03Z|" +
			"1/2/2025 0:00:00 AM=TYPE|1/2/2025 13:00:00 PM=TYPE|1/2/2025 1:00:00=TYPE|1/2/2025 1:00:00 XM=TYPE|1/2/2025 1:00:00 P=TYPE|1/2/2025 1:00:60 PM=TYPE"},
		{"datetime", "yyyyMMddHHmmssSSS", "20250513201900123=2025-05-13T20:19:00.123Z|2025051320190012=TYPE"},
		{"datetime", "yyyyMMdd HHmmss.S|yyyyMMdd HHmmss.SSSSSSSSS", "20250513 201900.5=2025-05-13T20:19:00.5Z|20250513 201900.123456789=2025-05-13T20:19:00.123456Z|20250513 201900.55=TYPE"},
		{"datetime", "yyyy/MM/dd HH:mmX", "2025/01/01 00:30+01=2024-12-31T23:30:00Z|2025/01/01 00:30Z=2025-01-01T00:30:00Z|2025/01/01 00:30=TYPE|2025/01/01 00:30+0100=TYPE|2025/01/01 00:30z=TYPE"},
		{"datetime", "yyyy/MM/dd HH:mm XX", "2025/01/01 00:30 -0130=2025-01-01T02:00:00Z|2025/01/01 00:30 Z=2025-01-01T00:30:00Z|2025/01/01 00:30 +01:00=TYPE|2025/01/01 00:30 +2400=TYPE|2025/01/01 00:30 +01=TYPE"},
		{"datetime", "yyyy/MM/dd HH:mm XXX", "2025/01/01 00:30 -01:30=2025-01-01T02:00:00Z|2025/01/01 00:30 +0100=TYPE|2025/01/01 00:30 +01000=TYPE|" +
			"9999/12/31 23:59 -00:01=RANGE|0001/01/01 00:00 +00:01=RANGE|0000/01/01 00:00 Z=RANGE"},
		{"datetime", "d.M.yyyy", "1.2.2025=2025-02-01T00:00:00Z"},
		{"string", "d.M.yyyy", "1.2.2025=\"1.2.2025\""},
	} {
		var list []string
		for _, p := range strings.Split(c.patterns, "|") {
			if p != "yyyy" {
				list = append(list, p)
			}
		}
		for _, x := range strings.Split(c.values, "|") {
			v, want, _ := strings.Cut(x, "=")
			got := readAs(t, "v;x\n"+v+";y\n", []Column{{Name: "v", Type: audience.Type(c.typ)}}, audience.Format{DateFormats: list, Delimiter: ";"})
			shown := ""
			if len(got.Rows) > 0 {
				shown = got.Rows[0].Values[0]
			} else if len(got.Rejects) > 0 {
				shown = got.Rejects[0].Code
			}
			if shown != want {
				t.Errorf("%s %q by %s: got %s, want %s", c.typ, v, c.patterns, shown, want)
			}
		}
	}
}

func TestDatePatternReason(t *testing.T) {
	t.Parallel()
	got := readAs(t, "v\nx\n", []Column{{Name: "v", Type: audience.Date}}, audience.Format{DateFormats: []string{"dd/MM/yyyy"}})
	if len(got.Rejects) != 1 || got.Rejects[0].Reason != "the value is not a date such as 2025-05-13, nor is it written in one of the format's dateFormats" {
		t.Errorf("%+v", got.Rejects)
	}
}

// layouts are patterns and what they are in the standard library. It reads more than they do: hours of 00 with AM, a
// fraction of a second that the layout has not, and every year of two digits from 69 on in another century.
var layouts = [][2]string{
	{"dd/MM/yyyy", "02/01/2006"},
	{"d.M.yyyy", "2.1.2006"},
	{"yyyyMMdd", "20060102"},
	{"d-MMM-yyyy", "2-Jan-2006"},
	{"MMMM d, yyyy", "January 2, 2006"},
	{"dd.MM.yyyy HH:mm", "02.01.2006 15:04"},
	{"M/d/yyyy h:mm a", "1/2/2006 3:04 PM"},
	{"MM/dd/yyyy hh:mm:ss a", "01/02/2006 03:04:05 PM"},
	{"yyyy-MM-dd HH:mm:ss.SSS", "2006-01-02 15:04:05.000"},
	{"yyyy/MM/dd'T'HH:mm:ssX", "2006/01/02T15:04:05Z07"},
	{"yyyy/MM/dd HH:m:s XX", "2006/01/02 15:4:5 Z0700"},
	{"dd MMM yyyy HH:mm:ss.SSSSSSXXX", "02 Jan 2006 15:04:05.000000Z07:00"},
	{"dd/MM/yy", "02/01/06"},
}

// FuzzDatePattern holds the patterns against the standard library: what they take has the same meaning there, and
// they take what the standard library writes.
func FuzzDatePattern(f *testing.F) {
	at := time.Date(2025, 5, 13, 20, 19, 1, 123456000, time.FixedZone("", 2*3600))
	for i, l := range layouts {
		f.Add(uint8(i), at.Format(l[1]))
	}
	f.Fuzz(func(t *testing.T, i uint8, v string) {
		l := layouts[int(i)%len(layouts)]
		patterns, err := newDatePatterns([]string{l[0]})
		if err != nil {
			t.Fatal(err)
		}
		micros, code := patterns.dateTime([]byte(v))
		at, err := time.Parse(l[1], strings.NewReplacer("am", "AM", "aM", "AM", "Am", "AM", "pm", "PM", "pM", "PM", "Pm", "PM").Replace(v))
		if year := at.Year(); strings.Contains(l[0], "/yy") && !strings.Contains(l[0], "yyyy") && year == 1969 {
			at = at.AddDate(100, 0, 0)
		}
		switch {
		case code == "" && (err != nil || micros != at.UnixMicro()):
			t.Fatalf("%q by %s: %d, but the standard library says %v, %v", v, l[0], micros, at, err)
		case code == CodeType && err == nil && at.Format(l[1]) == v:
			t.Fatalf("%q by %s is TYPE, but the standard library says %v", v, l[0], at)
		case code == CodeRange && err == nil && at.UTC().Year() >= 1 && at.UTC().Year() <= 9999 && at.Year() > 0:
			t.Fatalf("%q by %s is RANGE, but the standard library says %v", v, l[0], at)
		}
	})
}
