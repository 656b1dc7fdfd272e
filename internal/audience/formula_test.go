package audience_test

import (
	"testing"
	"testing/quick"

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

// TestFormulasComeBack escapes values of the characters that matter, and any others.
func TestFormulasComeBack(t *testing.T) {
	t.Parallel()
	comesBack := func(v string) bool { return audience.UnescapeFormula(audience.EscapeFormula(v)) == v }
	if err := quick.Check(comesBack, nil); err != nil {
		t.Error(err)
	}
	alphabet := []rune("'=+-@ \t\rx\u200b＝\"")
	made := func(choice []uint8) bool {
		v := make([]rune, 0, len(choice))
		for _, c := range choice[:min(len(choice), 6)] {
			v = append(v, alphabet[int(c)%len(alphabet)])
		}
		return comesBack(string(v))
	}
	if err := quick.Check(made, &quick.Config{MaxCount: 20_000}); err != nil {
		t.Error(err)
	}
}
