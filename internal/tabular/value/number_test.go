package value

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/tabular/tabulartest"
)

// TestManyValues holds the parsers against the standard library with values that are as a type's values mostly are,
// which a fuzzer finds late.
func TestManyValues(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	digits := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('0' + r.IntN(10))
		}
		return string(b)
	}
	sign := func() string { return []string{"", "", "-", "+"}[r.IntN(4)] }
	for range 50_000 {
		whole := sign() + digits(1+r.IntN(22))
		number := sign() + digits(r.IntN(12)) + "." + digits(r.IntN(12))
		if r.IntN(4) == 0 {
			number += "e" + sign() + digits(1+r.IntN(3))
		}
		for _, v := range []string{whole, number} {
			x, code := ParseNumber([]byte(v))
			same(t, audience.Number, v, strconv.FormatFloat(x, 'g', -1, 64), code, tabulartest.WantNumber(v))
			if s := v[min(1, len(v)-1):]; len(s) <= 8 && s[0] != '+' && s[0] != '-' {
				if x, ok := ShortDecimal(load(s), uint32(len(s))); ok {
					same(t, audience.Number, s, strconv.FormatFloat(x, 'g', -1, 64), "", tabulartest.WantNumber(s))
				}
			}
		}
		n, code := ParseLong([]byte(whole))
		same(t, audience.Long, whole, strconv.FormatInt(n, 10), code, tabulartest.WantWhole(64)(whole))
	}
}

func same(t *testing.T, typ audience.Type, v, got, code, want string) {
	t.Helper()
	if code != "" {
		got = code
	}
	if got != want {
		t.Fatalf("%s %q: got %s, want %s", typ, v, got, want)
	}
}

// load returns a short text as the bytes of a word, with something behind it.
func load(s string) uint64 {
	w := uint64(math.MaxUint64)
	for i := range s {
		w = w&^(0xff<<(8*i)) | uint64(s[i])<<(8*i)
	}
	return w
}

// TestEveryDate holds every date of the calendar, and what lies between, against the standard library.
func TestEveryDate(t *testing.T) {
	t.Parallel()
	for at := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 10_000; at = at.AddDate(0, 0, 1) {
		v := at.AppendFormat(nil, time.DateOnly)
		days, code := ParseDate(v)
		if code != "" || int64(days) != at.Unix()/86_400 && at.Unix()%86_400 == 0 {
			t.Fatalf("%s: %d %s", v, days, code)
		}
	}
	for _, year := range []int{0, 1, 4, 100, 400, 1900, 1970, 2000, 2023, 2024, 9999} {
		for month := range 100 {
			last := time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
			for day := range 100 {
				v := fmt.Sprintf("%04d-%02d-%02d", year, month, day)
				valid := 1 <= month && month <= 12 && 1 <= day && day <= last && year > 0
				if _, code := ParseDate([]byte(v)); (code == "") != valid {
					t.Fatalf("%s: %q", v, code)
				}
			}
		}
	}
}
