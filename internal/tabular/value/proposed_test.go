package value

import "testing"

// TestSurelyKept compares the short way with the long one on every text of up to five of the characters of numbers.
func TestSurelyKept(t *testing.T) {
	t.Parallel()
	const characters = "-+.e015"
	short := 0
	var try func(text []byte)
	try = func(text []byte) {
		if len(text) > 0 && surelyKept(text) {
			short++
			n, code := ParseLong(text)
			if whole := code == "" && !hasMarks(text) && ExactDouble(n); !whole && !plainNumber(text, false) {
				t.Errorf("%s is no number that a double keeps", text)
			}
		}
		if len(text) < 5 {
			for _, c := range []byte(characters) {
				try(append(text[:len(text):len(text)], c))
			}
		}
	}
	try(nil)
	if short == 0 {
		t.Error("nothing goes the short way")
	}
	for text, want := range map[string]bool{"0": true, "-0": false, "12.5": true, "-0.5": true, "012": false, "1.": false, ".5": false, "1e5": false, "": false, "-": false,
		"123456789012345": true, "1234567890123456": false, "1234567.89012345": true, "1234567.890123456": false, "0.38188": true, "1.5\u00a0": false} {
		if got := surelyKept([]byte(text)); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
