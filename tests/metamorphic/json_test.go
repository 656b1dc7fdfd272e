package metamorphic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonDialect is a way to write JSON.
type jsonDialect struct {
	begin, between, end string
	indent              string // "" for objects on one line
}

var jsonDialects = []jsonDialect{
	{"", "\n", "\n", ""},
	{"\ufeff", "\r\n\r\n", "", ""},
	{"[", ",", "]", ""},
	{"[\n", ",\n", "\n]\n", "  "},
	{"", "\n", "", "\t"},
	{" \n[", " , ", "]", " "},
}

func jsonLayout() layout {
	l := layout{name: "json"}
	for _, d := range jsonDialects {
		l.writers = append(l.writers, d.write)
	}
	return l
}

// write writes rows in the dialect. Details without meaning are random: the order of keys, extra keys, and the spelling
// of values.
func (d jsonDialect) write(rnd *rand.Rand, rows []row) []byte {
	objects := make([]string, len(rows))
	for i, r := range rows {
		objects[i] = d.object(rnd, r)
	}
	return []byte(d.begin + strings.Join(objects, d.between) + d.end)
}

func (d jsonDialect) object(rnd *rand.Rand, r row) string {
	var members []string
	for _, i := range rnd.Perm(len(fields) + 1) {
		switch {
		case i == len(fields):
			members = append(members, `"nobody's":{"mail":["x",{"note":null}],"n":-1.5e-7}`)
		case r[i] == nil && i != mailField && rnd.IntN(2) == 0: // an absent key means null
		default:
			members = append(members, fmt.Sprintf("%s:%s", jsonString(rnd, columnName(rnd, i)), jsonValue(rnd, r[i])))
		}
	}
	object := "{" + strings.Join(members, ",") + "}"
	if d.indent == "" {
		return object
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(object), "", d.indent); err != nil {
		panic(err)
	}
	return b.String()
}

// jsonValue returns a random spelling of a value.
func jsonValue(rnd *rand.Rand, v any) string {
	switch v := v.(type) {
	case nil:
		return []string{"null", `""`}[rnd.IntN(2)]
	case string:
		return jsonString(rnd, v)
	case int64:
		s := strconv.FormatInt(v, 10)
		if v == 0 {
			return []string{s, "-0", "0.00", "0e5"}[rnd.IntN(4)]
		}
		return []string{s, s + ".0", s + "00e-2", `"` + s + `"`}[rnd.IntN(4)]
	case float64:
		s := spellNumber(rnd, v)
		return []string{strings.Replace(s, "e+", "E", 1), `"` + s + `"`}[rnd.IntN(2)]
	case bool:
		return []string{strconv.FormatBool(v), `"` + spellBoolean(rnd, v) + `"`}[rnd.IntN(2)]
	case day:
		return `"` + v.String() + `"`
	case time.Time:
		return `"` + spellTime(rnd, v) + `"`
	}
	panic(fmt.Sprintf("a value of type %T", v))
}

// jsonString writes a string, with unnecessary escapes.
func jsonString(rnd *rand.Rand, s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r < ' ' || r == '"' || r == '\\' || rnd.IntN(8) == 0:
			b.WriteString(jsonEscape(r))
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func jsonEscape(r rune) string {
	if i := strings.IndexRune("\"\\/\b\f\n\r\t", r); i >= 0 && r < utf8.RuneSelf {
		return `\` + `"\/bfnrt`[i:i+1]
	}
	if high, low := utf16.EncodeRune(r); low != utf8.RuneError {
		return fmt.Sprintf(`\u%04x\u%04X`, high, low)
	}
	return fmt.Sprintf(`\u%04x`, r)
}
