package audience_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"roster/internal/audience"
)

func TestNormaliseIdentity(t *testing.T) {
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
	} {
		if got := audience.NormaliseIdentity(c.namespace, []byte(c.value), []byte("x:")); string(got) != "x:"+c.want {
			t.Errorf("%s %q: got %q, want %q", c.namespace, c.value, got, "x:"+c.want)
		}
	}
}

func TestNormaliseIdentityAllocatesNothing(t *testing.T) {
	dst := make([]byte, 0, 64)
	for _, value := range []string{" Ada@Example.com ", "ÄDA@EXÄMPLE.com\u3000"} {
		v := []byte(value)
		if n := testing.AllocsPerRun(100, func() { audience.NormaliseIdentity("Email", v, dst[:0]) }); n != 0 {
			t.Errorf("%q: %v allocations", value, n)
		}
	}
}

// slowNormal is what NormaliseIdentity means, in the words of the standard library.
func slowNormal(namespace, value string) string {
	value = strings.TrimFunc(value, unicode.IsSpace)
	if namespace != "Email" {
		return value
	}
	if utf8.ValidString(value) {
		return strings.ToLower(value)
	}
	var b strings.Builder
	for len(value) > 0 {
		_, size := utf8.DecodeRuneInString(value)
		if one := value[:size]; utf8.ValidString(one) {
			b.WriteString(strings.ToLower(one))
		} else {
			b.WriteString(one)
		}
		value = value[size:]
	}
	return b.String()
}

func checkNormal(t *testing.T, value []byte) {
	for _, namespace := range []string{"Email", "ECID"} {
		before := bytes.Clone(value)
		got := audience.NormaliseIdentity(namespace, value, nil)
		if !bytes.Equal(value, before) {
			t.Fatalf("%s %q: the value was changed to %q", namespace, before, value)
		}
		if want := slowNormal(namespace, string(value)); string(got) != want {
			t.Fatalf("%s %q: got %q, want %q", namespace, value, got, want)
		}
		if again := audience.NormaliseIdentity(namespace, got, nil); !bytes.Equal(again, got) {
			t.Fatalf("%s %q: %q becomes %q the second time", namespace, value, got, again)
		}
	}
}

// TestNormaliseEveryRune holds the fuzz target's properties for each rune alone.
func TestNormaliseEveryRune(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		checkNormal(t, []byte(string(r)))
	}
}

func FuzzNormaliseIdentity(f *testing.F) {
	for _, seed := range []string{"", " Ada@Example.com ", "\u00a0İSTANBUL@x", "\xff A\xc3", "ẞ", "\x85a\u0085"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(checkNormal)
}
