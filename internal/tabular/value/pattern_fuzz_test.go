package value

import (
	"strings"
	"testing"
	"time"

	"roster/internal/tabular"
)

// FuzzDatePattern holds the patterns against the standard library: what they take has the same meaning there, and
// they take what the standard library writes.
func FuzzDatePattern(f *testing.F) {
	at := time.Date(2025, 5, 13, 20, 19, 1, 123456000, time.FixedZone("", 2*3600))
	for i, l := range layouts {
		f.Add(uint8(i), at.Format(l[1]))
	}
	f.Fuzz(func(t *testing.T, i uint8, v string) {
		l := layouts[int(i)%len(layouts)]
		patterns, err := NewDatePatterns([]string{l[0]})
		if err != nil {
			t.Fatal(err)
		}
		micros, code := patterns.DateTime([]byte(v))
		at, err := time.Parse(l[1], strings.NewReplacer("am", "AM", "aM", "AM", "Am", "AM", "pm", "PM", "pM", "PM", "Pm", "PM").Replace(v))
		if year := at.Year(); strings.Contains(l[0], "/yy") && !strings.Contains(l[0], "yyyy") && year == 1969 {
			at = at.AddDate(100, 0, 0)
		}
		switch {
		case code == "" && (err != nil || micros != at.UnixMicro()):
			t.Fatalf("%q by %s: %d, but the standard library says %v, %v", v, l[0], micros, at, err)
		case code == tabular.CodeType && err == nil && at.Format(l[1]) == v:
			t.Fatalf("%q by %s is TYPE, but the standard library says %v", v, l[0], at)
		case code == tabular.CodeRange && err == nil && at.UTC().Year() >= 1 && at.UTC().Year() <= 9999 && at.Year() > 0:
			t.Fatalf("%q by %s is RANGE, but the standard library says %v", v, l[0], at)
		}
	})
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
