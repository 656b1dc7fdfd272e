package identity_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"roster/internal/identity"
)

func TestNormalise(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ namespace, value, want string }{
		{"Email", "ada@example.com", "ada@example.com"},
		{"Email", " Ada@Example.COM\t", "ada@example.com"},
		{"Email", "\u00a0\u2003ÄDA@EXÄMPLE.com\u3000", "äda@exämple.com"},
		{"Email", "A\xffB@x", "a\xffb@x"},
		{"Email", " \u2003 ", ""},
		{"Email", "", ""},
		{"ECID", " 012 ", "012"},
		{"email", " A ", "A"}, // not a canonical code
		{"Phone", "\u2003+47 22 00\u2003", "+47 22 00"},
		{"CRM", "  \t", ""},
		{"Email", "a@ex.com\u200b", "a@ex.com"},             // zero width space
		{"Email", "\ufeffA\u00ad@ex\u2060.com", "a@ex.com"}, // byte order mark, soft hyphen, word joiner
		{"CRM", "a\x00b\tc\x7f\u0085\u202e", "abc"},
		{"CRM", "\u200b \u200f\u3000", ""},
		{"CRM", " \u200b x", "x"},          // white space behind what is removed
		{"CRM", "Jose\u0301", "Jos\u00e9"}, // decomposed
		{"Email", "JOSE\u0301@X", "jos\u00e9@x"},
		{"CRM", "e\u200b\u0301", "\u00e9"},  // composed once nothing is between
		{"Email", "H\u0331@x", "\u1e96@x"},  // composed in lower case only
		{"Email", "I\u0307@x", "i@x"},       // as its composed form
		{"Email", "\u212a@x", "k@x"},        // Kelvin sign
		{"CRM", "a b\u00a0c", "a b\u00a0c"}, // white space inside stays
		{"CRM", "\uff41", "\uff41"},         // full width is another letter
	} {
		if got := identity.Normalise(c.namespace, []byte(c.value), []byte("x:")); string(got) != "x:"+c.want {
			t.Errorf("%s %q: got %q, want %q", c.namespace, c.value, got, "x:"+c.want)
		}
	}
}

func TestNormaliseAllocatesNothing(t *testing.T) {
	dst := make([]byte, 0, 64)
	v := []byte(" Ada@Example.com ")
	if n := testing.AllocsPerRun(100, func() { identity.Normalise("Email", v, dst[:0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// slowNormal is what Normalise means, for text.
func slowNormal(namespace, value string) string {
	value = norm.NFC.String(strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf) {
			return -1
		}
		return r
	}, value))
	if namespace == "Email" {
		value = norm.NFC.String(strings.ToLower(value))
	}
	return strings.TrimFunc(value, unicode.IsSpace)
}

// formerNormal is the rule of earlier versions.
func formerNormal(namespace, value string) string {
	value = strings.TrimFunc(value, unicode.IsSpace)
	if namespace == "Email" {
		return strings.ToLower(value)
	}
	return value
}

func checkNormal(t *testing.T, value []byte) {
	for _, namespace := range []string{"Email", "ECID"} {
		before := bytes.Clone(value)
		got := identity.Normalise(namespace, value, nil)
		if !bytes.Equal(value, before) {
			t.Fatalf("%s %q: the value was changed to %q", namespace, before, value)
		}
		if again := identity.Normalise(namespace, got, nil); !bytes.Equal(again, got) {
			t.Fatalf("%s %q: %q becomes %q the second time", namespace, value, got, again)
		}
		if identity.Blank(value) != (len(got) == 0) {
			t.Fatalf("%s %q: blank is %v, the normal form %q", namespace, value, identity.Blank(value), got)
		}
		former, same := identity.Former(namespace, value, nil)
		if !utf8.Valid(value) {
			continue
		}
		if want := slowNormal(namespace, string(value)); string(got) != want {
			t.Fatalf("%s %q: got %q, want %q", namespace, value, got, want)
		}
		was := formerNormal(namespace, string(value))
		if same != (was == string(got)) || !same && string(former) != was {
			t.Fatalf("%s %q: the former form is %q, same %v; want %q", namespace, value, former, same, was)
		}
	}
}

// TestNormaliseEveryRune holds the fuzz target's properties for each rune alone, and between others.
func TestNormaliseEveryRune(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		checkNormal(t, []byte(string(r)))
		if r < 0x3000 {
			checkNormal(t, []byte("E"+string(r)+"\u0301 "))
		}
	}
}

func FuzzNormalise(f *testing.F) {
	for _, seed := range []string{"", " Ada@Example.com ", "\u00a0İSTANBUL@x", "\xff A\xc3", "ẞ", "\x85a\u0085", "e\u200b\u0301", "\xc2\x00\x9d"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(checkNormal)
}
