package identity_test

import (
	"strings"
	"testing"

	"roster/internal/identity"
)

func TestImpossible(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("0aB9", 16)
	for namespace, values := range map[string]struct{ can, cannot []string }{
		"Email": {
			[]string{"a@x.com", " Ada@Example.com ", "ada+list@x", "c,d@x.org", "ä@x", "a\u200b@x.com", `"a@b"@x.com`, "null@x.com", "o'neil@x.com"},
			[]string{"ada", "ada.example.com", "@x.com", "ada@", "a@x.com; b@x.com", "a@x.com,b@x.com", "a@x.com b@x.com", "a@@x.com", "ä@x.com;b@x.com",
				"n/a", "N/A", "NULL", "null", "-", "--", "?", "none", "#N/A", "\u200b-", "4.47911E+11", "a＠x.com"},
		},
		"Phone": {
			[]string{"+1", "+4915112345678", "00491511234567", "(030) 123 45-67", "030/1234567", "+49 (30) 123456/78", "555.123.4567", "1-800-FLOWERS", "+1 555 1234567 x12",
				"+1 555 1234567,,99", "tel:+49301234567", "'+4930123456", "٠١٢٣٤٥٦٧"},
			[]string{"4.47911E+11", "4,47911E+11", "4.47911e11", "4E11", "447911123456.0", "447911123456,00", "n/a", "NULL", "-", "unknown", "ada1@x.com",
				"+49301234567; +49307654321", "0301234567/01711234567", "0301234567|0301234568", "+49301234567, +49307654321"},
		},
		"Phone_E164":         {[]string{"+4915112345678"}, []string{"4.47911E+11", "#REF!"}},
		"Email_LC_SHA256":    {[]string{hash, strings.ToLower(hash), " " + hash + " ", strings.Repeat("A", 43) + "=", strings.Repeat("-", 10) + strings.Repeat("A", 33)}, []string{hash[1:], hash + "0", strings.Repeat("g", 64), strings.Repeat("a", 32), "a@x.com", "null"}},
		"Phone_SHA256_E.164": {[]string{hash}, []string{"+4930123456"}},
		"IDFA":               {[]string{"6D92078A-8246-4BA4-AE5B-76104861E7DC", "x"}, []string{"00000000-0000-0000-0000-000000000000", "n/a"}},
		"CRM":                {[]string{"1", "E5", "1E5", "12E+5", "4.5", "a;b", "NA", "unknown", "a@x.com; b@x.com", "👍", "Ω", "0"}, []string{"n/a", "NULL", "-", ".", `\N`, "4.47911E+11", "undefined", "NaN"}},
		"ECID":               {[]string{"012", "12345678901234567890123456789012345678"}, []string{"1.23457E+37", "none"}},
	} {
		for _, v := range values.can {
			if reason := identity.Impossible(namespace, []byte(v)); reason != "" {
				t.Errorf("%s %q cannot be one: %s", namespace, v, reason)
			}
		}
		for _, v := range values.cannot {
			switch reason := identity.Impossible(namespace, []byte(v)); {
			case reason == "":
				t.Errorf("%s %q can be one", namespace, v)
			case len(v) > 3 && strings.Contains(reason, v):
				t.Errorf("%s: the reason tells the value %q", namespace, v)
			}
		}
	}
}

func TestImpossibleAllocatesNothing(t *testing.T) {
	v := []byte("ada@example.com")
	if n := testing.AllocsPerRun(100, func() { identity.Impossible("Email", v) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
