package value

import (
	"bytes"
	"math"

	"roster/internal/audience"
	"roster/internal/tabular"
)

// Candidates are the possible types of a column, besides string.
type Candidates struct {
	Seen     bool
	not      [len(inferred)]bool
	words    booleanWords
	Patterns DatePatterns // in addition to ISO 8601
	// Commas means that numbers have decimal commas; comma and groups report that a value has a comma or groups of
	// digits.
	Commas, comma, groups bool
	// otherwise reports for Date and DateTime, in this order, that a value does not match a pattern.
	otherwise [2]bool
}

// inferred are the types to try, the narrower first. number means that the value is a JSON number.
var inferred = [...]struct {
	typ  audience.Type
	fits func(v []byte, number bool) bool
}{
	{audience.Integer, func(v []byte, _ bool) bool {
		_, code := ParseInteger(v)
		return code == "" && plainWhole(v)
	}},
	{audience.Long, func(v []byte, _ bool) bool {
		_, code := ParseLong(v)
		return code == "" && plainWhole(v)
	}},
	{audience.Number, plainNumber},
	{audience.Date, func(v []byte, _ bool) bool {
		_, code := ParseDate(v)
		return code == ""
	}},
	{audience.DateTime, func(v []byte, _ bool) bool {
		_, code := ParseDateTime(v)
		return code == "" && microseconds(v)
	}},
}

// dated are the types that have date patterns.
var dated = [...]audience.Type{audience.Date, audience.DateTime}

// See takes a value into account.
func (c *Candidates) See(v []byte, number bool) {
	c.Seen = true
	c.words.see(v, number)
	for i, t := range dated {
		c.otherwise[i] = c.otherwise[i] || !c.Patterns.fit(t, v)
	}
	digits := v
	if c.Commas {
		digits = c.plain(v)
	}
	for i := range c.not {
		text := v
		if IsNumeric(inferred[i].typ) {
			text = digits
		}
		c.not[i] = c.not[i] || (len(text) == 0 || !inferred[i].fits(text, number)) && !c.Patterns.fit(inferred[i].typ, v)
	}
}

// plain converts a number with a decimal comma to one with a point and without groups; it returns an empty result for
// other texts.
func (c *Candidates) plain(v []byte) []byte {
	text, ok := WithPoint(nil, v)
	if !ok {
		return nil
	}
	comma := bytes.IndexByte(v, ',') >= 0
	c.comma, c.groups = c.comma || comma, c.groups || len(text) < len(v)
	return text
}

// fit reports whether a date or a time matches one of the patterns.
func (list DatePatterns) fit(t audience.Type, v []byte) bool {
	code := tabular.CodeType
	switch t {
	case audience.Date:
		_, code = list.Date(v)
	case audience.DateTime:
		_, code = list.DateTime(v)
	}
	return code == ""
}

// Narrowest returns the type to propose for a column with that name. If date patterns are declared, matching values are
// dates, even if they could be numbers.
func (c *Candidates) Narrowest(name string) audience.Type {
	if !c.Seen {
		return audience.String
	}
	for i, t := range dated {
		if !c.otherwise[i] {
			return t
		}
	}
	digits := !NamesCode(name)
	if c.words.areBooleans() && (digits || !c.words.digits()) {
		return audience.Boolean
	}
	for i, not := range c.not {
		// Points between groups of three digits may also be decimal points.
		if t := inferred[i].typ; !not && !(IsNumeric(t) && c.groups && !c.comma) && (digits || t == audience.Date || t == audience.DateTime) {
			return t
		}
	}
	return audience.String
}

// booleanPairs are the lower-case words of booleans, each with its opposite. Only true and false are certain to be
// booleans if the opposite is missing: no is Norway, t is a grade, and 1 a number.
var booleanPairs = [...][2]string{{"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"}, {"1", "0"}}

// booleanWords are the words that a column contains, while they belong to one pair.
type booleanWords struct {
	pair int     // its number in booleanPairs, from 1; 0 before the first word, -1 if there is another value
	has  [2]bool // of the pair
}

// see takes a value into account. A JSON number is not a boolean, because JSON has booleans.
func (w *booleanWords) see(v []byte, number bool) {
	if w.pair < 0 {
		return
	}
	for i, words := range booleanPairs {
		for side, word := range words {
			if number || len(v) != len(word) || !bytes.EqualFold(v, []byte(word)) || w.pair != 0 && w.pair != i+1 {
				continue
			}
			w.pair, w.has[side] = i+1, true
			return
		}
	}
	w.pair = -1
}

func (w *booleanWords) areBooleans() bool { return w.pair == 1 || w.pair > 1 && w.has[0] && w.has[1] }

// digits reports whether the words are digits.
func (w *booleanWords) digits() bool { return w.pair == len(booleanPairs) }

// exactDigits is the number of significant digits of any decimal number that a double keeps.
const exactDigits = 15

// plainWhole reports whether a program would write the number with these digits, perhaps after a minus sign.
func plainWhole(v []byte) bool {
	digits := bytes.TrimPrefix(v, []byte{'-'})
	return len(digits) > 0 && len(digits) <= exactDigits && digits[0]-'0' <= 9 && (digits[0] != '0' || len(v) == 1)
}

// plainNumber reports whether a double keeps the text's value. A text with neither point nor signed exponent, such as
// 12E5, is rather a code, unless it is a JSON number.
func plainNumber(v []byte, number bool) bool {
	x, code := ParseNumber(v)
	if code != "" || v[0] == '+' {
		return false
	}
	mantissa, exponent := v, []byte(nil)
	if e := bytes.IndexFunc(v, func(r rune) bool { return r|0x20 == 'e' }); e >= 0 {
		mantissa, exponent = v[:e], v[e:]
	}
	digits := bytes.TrimPrefix(mantissa, []byte{'-'})
	if exponent == nil && bytes.IndexByte(mantissa, '.') < 0 {
		return plainWhole(v)
	}
	zeros := len(digits) > 1 && digits[0] == '0' && digits[1]-'0' <= 9
	significant := len(bytes.TrimLeft(bytes.Replace(digits, []byte{'.'}, nil, 1), "0"))
	const smallest = 0x1p-1022 // smaller doubles have fewer digits
	kept := significant <= exactDigits && (significant == 0 || math.Abs(x) >= smallest)
	return kept && !zeros && (number || bytes.IndexByte(mantissa, '.') >= 0 || bytes.ContainsAny(exponent, "+-"))
}

// microseconds reports whether a time has only zeros below microseconds.
func microseconds(v []byte) bool {
	const most = 6
	at := bytes.IndexByte(v, '.')
	if at < 0 {
		at = bytes.IndexByte(v, ',')
	}
	if at < 0 {
		return true
	}
	fraction := v[at+1:]
	for i, c := range fraction {
		if c-'0' > 9 {
			break
		}
		if i >= most && c != '0' {
			return false
		}
	}
	return true
}
