package value

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"roster/internal/tabular"
)

// FuzzJSONWhole holds whole numbers against exact arithmetic.
func FuzzJSONWhole(f *testing.F) {
	for _, v := range []string{"0", "-0", "0.0e5", "1.0", "1e3", "1.5e1", "1.5", "10e-1", "1e-1", "9223372036854775807", "9223372036854775808", "-9223372036854775808.000", "92233720368547758.07e2",
		"1e18", "1e19", "1e400", "1e-400", "0e999999999999999999999", "1e999999999999999999999", "1e-999999999999999999999", "0.000000000000000000000000012e27", "12345678901234567890e-1"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		if !jsonNumber.MatchString(v) {
			return
		}
		n, code := parseWhole([]byte(v), true)
		got := code
		if code == "" {
			got = strconv.FormatInt(n, 10)
		}
		if want, ok := wantWholeJSON(v); ok && got != want {
			t.Fatalf("%s is %s, want %s", v, got, want)
		}
	})
}

// wantWholeJSON returns what a number is as a whole number; ok is false when exact arithmetic would take too long.
func wantWholeJSON(v string) (want string, ok bool) {
	_, exponent, _ := strings.Cut(strings.ToLower(v), "e")
	if len(exponent) > 4 {
		return "", false
	}
	r, ok := new(big.Rat).SetString(v)
	switch {
	case !ok:
		return "", false
	case !r.IsInt():
		return tabular.CodeType, true
	case !r.Num().IsInt64():
		return tabular.CodeRange, true
	}
	return fmt.Sprint(r.Num()), true
}

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
