package audience_test

import (
	"strings"
	"testing"
	"unicode"

	"roster/internal/audience"
)

func TestEscapeFormula(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ value, want string }{
		{"=1+1", "'=1+1"}, {"+4912345", "'+4912345"}, {"-5", "'-5"}, {"@SUM(A1)", "'@SUM(A1)"},
		{"\tx", "'\tx"}, {"\rx", "'\rx"}, {"\nx", "'\nx"},
		{"  =1", "'  =1"}, {"\u00a0=1", "'\u00a0=1"}, {"\ufeff=1", "'\ufeff=1"}, {"\x00=1", "'\x00=1"},
		{"＝1", "'＝1"}, {"＋1", "'＋1"}, {"－1", "'－1"}, {"＠A", "'＠A"}, {"−1", "'−1"},
		{"'=1", "''=1"}, {"''+1", "'''+1"}, {"' =1", "'' =1"},
		{"", ""}, {" ", " "}, {"'", "'"}, {"'tis", "'tis"}, {"O'Neil", "O'Neil"}, {"a=1", "a=1"}, {"ada@x.org", "ada@x.org"}, {"1-2", "1-2"}, {"\xff=1", "\xff=1"},
	} {
		if got := audience.EscapeFormula(c.value); got != c.want {
			t.Errorf("%q is escaped as %q, want %q", c.value, got, c.want)
		}
		if got := audience.UnescapeFormula(c.want); got != c.value {
			t.Errorf("%q comes back as %q", c.value, got)
		}
	}
}

// FuzzEscapeFormula: every value comes back as it was, also one that somebody had escaped, and nothing that is escaped begins a
// formula.
func FuzzEscapeFormula(f *testing.F) {
	for _, seed := range []string{"", "'", "=1", "''+1", " \t@x", "\u200b＝\"", "\xff-", "\x00'=", "−1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, v string) {
		escaped := audience.EscapeFormula(v)
		if got := audience.UnescapeFormula(escaped); got != v {
			t.Errorf("%q is escaped as %q and comes back as %q", v, escaped, got)
		}
		if first := strings.TrimLeftFunc(escaped, func(r rune) bool { return unicode.IsSpace(r) || unicode.In(r, unicode.Cc, unicode.Cf) }); first != "" && strings.ContainsRune("=+-@", rune(first[0])) {
			t.Errorf("%q is escaped as %q", v, escaped)
		}
	})
}
