package csv

import (
	"strings"
	"testing"

	"roster/internal/audience"
	"roster/internal/tabular"
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
			got := readAs(t, "v;x\n"+v+";y\n", []tabular.Column{{Name: "v", Type: audience.Type(c.typ)}}, audience.Format{DateFormats: list, Delimiter: ";"})
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
	got := readAs(t, "v\nx\n", []tabular.Column{{Name: "v", Type: audience.Date}}, audience.Format{DateFormats: []string{"dd/MM/yyyy"}})
	if len(got.Rejects) != 1 || got.Rejects[0].Reason != "the value is not a date such as 2025-05-13, nor is it written in one of the format's dateFormats" {
		t.Errorf("%+v", got.Rejects)
	}
}
