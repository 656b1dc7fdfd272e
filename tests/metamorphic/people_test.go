package metamorphic

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/tests/ingesttest"
)

// fields are the fields of the people: one of each type, three identities, a delete flag.
var fields = []audience.Field{
	{Name: "mail", Type: audience.String, IdentityNs: "Email"},
	{Name: "phone", Type: audience.String, IdentityNs: "Phone"},
	{Name: "crm", Type: audience.Long, IdentityNs: "CORE"},
	{Name: "name", Type: audience.String},
	{Name: "note", Type: audience.String},
	{Name: "points", Type: audience.Integer},
	{Name: "score", Type: audience.Number},
	{Name: "born", Type: audience.Date},
	{Name: "seen", Type: audience.DateTime},
	{Name: "vip", Type: audience.Boolean},
	{Name: "gone", Type: audience.Boolean, Role: audience.RoleDelete},
}

const (
	mailField  = 0
	phoneField = 1
	goneField  = 10
)

// row is a row of a file with a value for each field: nil for null, a string, int64 for integers and longs, float64,
// day, time.Time in UTC with microseconds, or bool.
type row []any

// day is a date as days since 1970-01-01.
type day int32

func (d day) String() string { return time.Unix(int64(d)*86400, 0).UTC().Format(time.DateOnly) }

// identity returns the normal form of the row's primary identity, "" if there is none.
func (r row) identity() string { return r.normal(mailField) }

// normal returns the normal form of an identity.
func (r row) normal(field int) string {
	text, _ := r[field].(string)
	return string(identity.Normalise(fields[field].IdentityNs, []byte(text), nil))
}

// key returns the member's key: the primary identity, and with pairs also the supplemental one. It is "" if one of them
// is missing.
func (r row) key(pairs bool) string {
	if !pairs || r.identity() == "" {
		return r.identity()
	}
	if phone := r.normal(phoneField); phone != "" {
		return r.identity() + " " + phone
	}
	return ""
}

// leaves reports whether the row's delete flag is set.
func (r row) leaves() bool { return r[goneField] == true }

// member returns the row as the dataset has it: its key and its values.
func (r row) member(pairs bool) string {
	key := identity.KeyOf("Email", []byte(r.identity()))
	if pairs {
		key = identity.PairKey(key, identity.KeyOf("Phone", []byte(r.normal(phoneField))))
	}
	texts := make([]string, len(r))
	for i, v := range r {
		texts[i] = ingesttest.Text(v)
	}
	return hex.EncodeToString(key[:]) + " " + strings.Join(texts, " ")
}

// generator generates rows of a number of people, several rows per person.
type generator struct {
	*rand.Rand
	people int
	pairs  bool // each person has several phones
	last   map[int]row
}

// history returns the rows that arrive in each round.
func history(rnd *rand.Rand, people, rounds int, pairs bool) [][]row {
	g := &generator{Rand: rnd, people: people, last: map[int]row{}, pairs: pairs}
	out := make([][]row, rounds)
	for i := range out {
		for range people/2 + g.IntN(people/2) {
			out[i] = append(out[i], g.row())
		}
	}
	return out
}

// row generates a row: a new person, a change, an unchanged person, or a row without an identity.
func (g *generator) row() row {
	who := g.IntN(g.people)
	if old := g.last[who]; old != nil && g.IntN(3) == 0 {
		return old
	}
	r := row{
		g.mail(who), g.maybe(g.phone(who)), g.maybe(int64(who) * 1_000_003), g.maybe(g.text()), g.maybe(g.text() + g.text()),
		g.maybe(int64(int32(g.Uint32()))), g.maybe(g.number()), g.maybe(day(g.IntN(60_000) - 30_000)), g.maybe(g.instant()), g.maybe(g.IntN(2) == 0), nil,
	}
	switch g.IntN(20) {
	case 0:
		r[goneField] = true
	case 1:
		r[goneField] = false
	}
	g.last[who] = r
	if g.IntN(100) == 0 {
		r = append(row{}, r...)
		r[mailField] = []any{nil, " ", "\t\u00a0"}[g.IntN(3)]
	}
	return r
}

// maybe returns null instead of the value with a probability of one in eight.
func (g *generator) maybe(v any) any {
	if g.IntN(8) == 0 || v == "" {
		return nil
	}
	return v
}

// phone returns a number that a person shares with another one.
func (g *generator) phone(who int) string {
	if g.pairs {
		return fmt.Sprintf("+49%d%d", who/2, g.IntN(3))
	}
	return fmt.Sprintf("+49%d", who/2)
}

// mail returns one of the spellings of a person's address.
func (g *generator) mail(who int) string {
	mail := fmt.Sprintf("person%d@example.com", who)
	if who%5 == 0 {
		mail = fmt.Sprintf("Größe%d@example.com", who)
	}
	switch g.IntN(6) {
	case 0:
		return strings.ToUpper(mail)
	case 1:
		return " " + mail
	case 2:
		return mail + "\u00a0"
	}
	return mail
}

// fragments are the parts of texts: everything that is difficult for a format.
var fragments = []string{
	"Ada", "Lovelace", " ", "  ", ",", ";", "\t", "|", "\"", "\"\"", "'", "\\", "\\\"", "\n", "\r\n", "\r", "\n\n", "é", "ẞ", "東京", "🦉", "e\u0301", "\u2028", "\ufeff", "\u00a0",
	"\x01", "\x1f", "\x7f", "null", "NULL", "NA", "\\N", "{", "}", "[", "]", ":", "{\"a\":1}", "=1+1", "-", "0", "007", "1.0", "1e3", "true", "2025-05-13", "sep=;", "<b>&amp;", "\u00ff", "\ufffd",
}

// text returns a text, often an empty one.
func (g *generator) text() string {
	var b strings.Builder
	for range g.IntN(6) {
		b.WriteString(fragments[g.IntN(len(fragments))])
	}
	return b.String()
}

// number returns a double of any size that JSON and CSV can write.
func (g *generator) number() float64 {
	switch g.IntN(4) {
	case 0:
		return float64(g.IntN(1000))
	case 1:
		return g.NormFloat64() * 1e6
	case 2:
		return math.Round(g.Float64()*1e4) / 100
	}
	for {
		if v := math.Float64frombits(g.Uint64()); !math.IsNaN(v) && !math.IsInf(v, 0) {
			return v
		}
	}
}

// instant returns an instant that nanoseconds and INT96 can also represent.
func (g *generator) instant() time.Time {
	micros := g.Int64N(4_000_000_000_000_000) - 1_000_000_000_000_000
	if g.IntN(2) == 0 {
		micros -= micros % 1_000_000
	}
	return time.UnixMicro(micros).UTC()
}
