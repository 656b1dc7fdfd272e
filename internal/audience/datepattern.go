package audience

import (
	"fmt"
	"strings"
)

// DatePart is a part of a date pattern: a letter with its number of repetitions, or a literal.
type DatePart struct {
	Letter byte   // y, M, d, H, h, m, s, S, a or X; 0 for a literal
	Count  int    // of the letter
	Text   string // of a literal
}

// dateLetters are the letters of a pattern and their allowed numbers of repetitions.
var dateLetters = map[byte][]int{
	'y': {2, 4},                      // year of exactly this number of digits; yy is 1970 to 2069
	'M': {1, 2, 3, 4},                // month: M of one or two digits, MM of two, MMM is Jan … Dec, MMMM January … December, in any case
	'd': {1, 2},                      // day of the month: d of one or two digits, dd of two; the same for hours to seconds
	'H': {1, 2},                      // hour 0-23
	'h': {1, 2},                      // hour 1-12
	'm': {1, 2},                      // minute
	's': {1, 2},                      // second 0-59
	'S': {1, 2, 3, 4, 5, 6, 7, 8, 9}, // fraction of a second, exactly this number of digits
	'a': {1},                         // AM or PM in any case
	'X': {1, 2, 3},                   // Z, or an offset: X is ±hh, XX ±hhmm, XXX ±hh:mm
}

// ParseDatePattern parses a pattern such as dd/MM/yyyy HH:mm. Letters stand for parts of a date and a time. Text
// between single quotes, and every character that is not a letter, stands for itself; two single quotes stand for one.
// A pattern has a year, a month and a day, and no part of a time without the larger ones.
func ParseDatePattern(pattern string) ([]DatePart, error) {
	var parts []DatePart
	literal := func(s string) {
		if n := len(parts); n > 0 && parts[n-1].Letter == 0 {
			parts[n-1].Text += s
			return
		}
		parts = append(parts, DatePart{Text: s})
	}
	seen := map[byte]bool{}
	for i := 0; i < len(pattern); {
		c := pattern[i]
		switch {
		case c == '\'':
			end := strings.IndexByte(pattern[i+1:], '\'')
			if end < 0 {
				return nil, fmt.Errorf("%.64q has a quote that is not closed", pattern)
			}
			if end == 0 {
				literal("'")
			} else {
				literal(pattern[i+1 : i+1+end])
			}
			i += end + 2
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
			n := 1
			for i+n < len(pattern) && pattern[i+n] == c {
				n++
			}
			if !allowedCount(c, n) {
				return nil, fmt.Errorf("%.64q has %s, which is not supported; use yyyy yy MM M MMM MMMM dd d HH H hh h mm m ss s S… a X XX XXX and text in single quotes", pattern, pattern[i:i+n])
			}
			if seen[c] {
				return nil, fmt.Errorf("%.64q has %c twice", pattern, c)
			}
			seen[c] = true
			parts = append(parts, DatePart{Letter: c, Count: n})
			i += n
		default:
			literal(pattern[i : i+1])
			i++
		}
	}
	switch {
	case !seen['y'] || !seen['M'] || !seen['d']:
		return nil, fmt.Errorf("%.64q must have a year, a month and a day, such as dd/MM/yyyy", pattern)
	case seen['h'] != seen['a'], seen['H'] && seen['h']:
		return nil, fmt.Errorf("%.64q must have either H, or h and a", pattern)
	case seen['m'] && !seen['H'] && !seen['h'], seen['s'] && !seen['m'], seen['S'] && !seen['s'], seen['X'] && !seen['H'] && !seen['h']:
		return nil, fmt.Errorf("%.64q has a part of a time without the larger one, such as minutes or an offset without hours", pattern)
	}
	return parts, nil
}

func allowedCount(letter byte, n int) bool {
	for _, allowed := range dateLetters[letter] {
		if n == allowed {
			return true
		}
	}
	return false
}
