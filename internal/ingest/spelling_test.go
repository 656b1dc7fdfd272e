package ingest_test

import (
	"maps"
	"testing"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/ingest"
)

// TestPurgeOfRejectsSpelledOtherwise removes exactly the rejects whose rows contain the identity in any form.
func TestPurgeOfRejectsSpelledOtherwise(t *testing.T) {
	t.Parallel()
	const header = "mail,city,points,gone\n"
	for name, c := range map[string]struct {
		file, text, identity string
		format               *audience.Format
		gone                 bool
	}{
		"as it is":           {"a.csv", header + "Ada@X.org,,many,\n", "ada@x.org", nil, true},
		"somebody else":      {"a.csv", header + "ada@x.org,,many,\n", "bob@x.org", nil, false},
		"escaped letter":     {"a.jsonl", `{"mail":"\u0061da@x.org","points":"many"}` + "\n", "ada@x.org", nil, true},
		"escaped umlaut":     {"a.jsonl", `{"mail":"\u00C4da@x.org","points":"many"}` + "\n", "äda@x.org", nil, true},
		"surrogate pair":     {"a.jsonl", `{"mail":"\ud83d\ude00@x.org","points":"many"}` + "\n", "😀@x.org", nil, true},
		"escaped marks":      {"a.jsonl", `{"mail":"a\"\/\\d\ta@x.org","points":"many"}` + "\n", "a\"/\\d\ta@x.org", nil, true},
		"an escaped escape":  {"a.jsonl", `{"mail":"\\u0061da@x.org","points":"many"}` + "\n", "ada@x.org", nil, false},
		"no JSON":            {"a.jsonl", `{"mail":"\u0061da@x.org","points":}` + "\n" + `{"mail":"bob@x.org"}` + "\n", "ada@x.org", nil, true},
		"an escape cut off":  {"a.jsonl", `{"mail":"ada@x.org\u00` + "\n", "ada@x.org", nil, true},
		"doubled quotes":     {"a.csv", header + `"a""d\a@x.org",,many,` + "\n", `a"d\a@x.org`, nil, true},
		"a quote of its own": {"a.csv", header + `|a||da@x.org|,,many,` + "\n", "a|da@x.org", &audience.Format{Quote: "|"}, true},
		"an escape of its own": {"a.csv", header + `"a^"da@x.org",,many,` + "\n", `a"da@x.org`,
			&audience.Format{Escape: "^"}, true},
		"Latin letters":    {"a.csv", header + "\"\xc4da@x.org\",,many,\n", "äda@x.org", nil, true},
		"Cyrillic letters": {"a.csv", header + "\xe8\xe2\xe0\xed@x.org,,many,\n", "иван@x.org", nil, true},
		"Japanese letters": {"a.csv", header + "\x93\x63\x92\x86@x.org,,many,\n", "田中@x.org", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, defaultFields)
			w.aud.KeepRejectedRows, w.aud.Source.Format = true, c.format
			w.put(c.file, c.text)
			w.put("other.csv", header+"zoe@example.com,,1,\n")
			r := w.run(true)
			if r.Result.Rows.Rejected != 1 {
				t.Fatalf("%s %v %+v", r.Status, r.Error, r.Result.Rows)
			}
			key := identity.KeyOf("Email", []byte(c.identity))
			removed, err := w.pipeline.Purge(t.Context(), ingest.PurgeSpec{Table: w.table, Audience: &w.aud, People: []ingest.Person{
				{Key: identity.Key{1}, Values: [][]byte{[]byte("nobody@x.org")}}, {Key: key, Values: [][]byte{[]byte(c.identity)}},
				{Key: identity.Key{2}, Values: [][]byte{[]byte(c.identity + "anization")}},
			}, Host: &planned{testRuns: noRuns}})
			want := map[identity.Key]int{}
			if c.gone {
				want[key] = 1
			}
			if err != nil || !maps.Equal(removed, want) {
				t.Errorf("removed files of rejects of %v, %v", removed, err)
			}
		})
	}
}
