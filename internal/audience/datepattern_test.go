package audience_test

import (
	"fmt"
	"strings"
	"testing"

	"roster/internal/audience"
)

func TestParseDatePattern(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		"dd/MM/yyyy":                   "d2 </> M2 </> y4",
		"d.M.yy":                       "d1 <.> M1 <.> y2",
		"yyyyMMdd":                     "y4 M2 d2",
		"MMMM d, yyyy":                 "M4 < > d1 <, > y4",
		"MMM d, yyyy h:mm a":           "M3 < > d1 <, > y4 < > h1 <:> m2 < > a1",
		"yyyy-MM-dd'T'HH:mm:ss.SSSXXX": "y4 <-> M2 <-> d2 <T> H2 <:> m2 <:> s2 <.> S3 X3",
		"yyyy'年'MM'月'dd'日'":            "y4 <年> M2 <月> d2 <日>",
		"yyyy年MM月dd":                   "y4 <年> M2 <月> d2",
		"d ''MMM'' yyyy 'o''clock'":    "d1 < '> M3 <' > y4 < oclock>",
		"HH dd MM yyyy":                "H2 < > d2 < > M2 < > y4",
		"yyyyMMddHHmmssSSSSSSSSSX":     "y4 M2 d2 H2 m2 s2 S9 X1",
		"dd/MM/yyyy''":                 "d2 </> M2 </> y4 <'>",
	} {
		parts, err := audience.ParseDatePattern(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		var shown []string
		for _, p := range parts {
			if p.Letter == 0 {
				shown = append(shown, "<"+p.Text+">")
			} else {
				shown = append(shown, fmt.Sprintf("%c%d", p.Letter, p.Count))
			}
		}
		if got := strings.Join(shown, " "); got != want {
			t.Errorf("%s: got %s, want %s", pattern, got, want)
		}
	}
}

func TestParseDatePatternErrors(t *testing.T) {
	t.Parallel()
	for pattern, says := range map[string]string{
		"":                      "must have a year",
		"HH:mm":                 "must have a year",
		"dd/yyyy":               "must have a year",
		"MM/yyyy":               "must have a year",
		"DD/MM/yyyy":            "has DD, which is not supported",
		"dd/MMMMM/yyyy":         "has MMMMM",
		"dd/MM/yyy":             "has yyy",
		"dd/MM/yyyy SSSSSSSSSS": "has SSSSSSSSSS",
		"dd/MM/yyyyT":           "has T",
		"dd/MM/yyyy 'at":        "not closed",
		"dd/MM/yyyy dd":         "has d twice",
		"dd/MM/yyyy hh":         "either H, or h and a",
		"dd/MM/yyyy a":          "either H, or h and a",
		"dd/MM/yyyy HH hh a":    "either H, or h and a",
		"dd/MM/yyyy mm":         "without the larger one",
		"dd/MM/yyyy HH:ss":      "without the larger one",
		"dd/MM/yyyy HH:mm.SSS":  "without the larger one",
		"dd/MM/yyyyX":           "without the larger one",
		"dd/MM/yyyy" + strings.Repeat("!", 1_000) + "Q": "has Q",
	} {
		_, err := audience.ParseDatePattern(pattern)
		if err == nil || !strings.Contains(err.Error(), says) || len(err.Error()) > 300 {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

func FuzzParseDatePattern(f *testing.F) {
	f.Add("dd/MM/yyyy HH:mm:ss.SSSX")
	f.Add("d 'o''clock' MMM yy h a")
	f.Fuzz(func(t *testing.T, pattern string) {
		parts, err := audience.ParseDatePattern(pattern)
		if err != nil {
			return
		}
		seen := map[byte]bool{}
		for i, p := range parts {
			literal := p.Letter == 0
			if literal && (p.Text == "" || i > 0 && parts[i-1].Letter == 0) || !literal && (p.Count < 1 || seen[p.Letter]) {
				t.Fatalf("%q: %+v", pattern, parts)
			}
			seen[p.Letter] = true
		}
	})
}
