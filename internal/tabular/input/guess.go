package input

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/transform"
)

// EncodingGuess collects lines that are not valid UTF-8, and guesses their encoding. It is not safe for concurrent use.
type EncodingGuess struct {
	text   []byte // lines that are not valid UTF-8, up to guessBytes
	broken int64  // number of lines that are not valid UTF-8
	wide   int64  // number of lines that are valid UTF-8 and not ASCII
}

// guessBytes is the amount of text for a guess. The last line is used as a whole, up to twice this limit.
const guessBytes = 32 << 10

// Add adds lines to the guess.
func (g *EncodingGuess) Add(text []byte) {
	for line := range bytes.Lines(text) {
		switch {
		case ASCII(line):
		case utf8.Valid(line):
			g.wide++
		default:
			g.broken++
			if len(g.text) < guessBytes {
				line = line[:min(len(line), guessBytes)]
				g.text = append(append(g.text, bytes.TrimRight(line, "\r\n")...), '\n')
			}
		}
	}
}

func ASCII(text []byte) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Likely returns the encoding in which the lines read best. It returns "" if none reads them well, or if other lines
// are valid UTF-8, which any other encoding would misread.
func (g *EncodingGuess) Likely() string {
	const often, good = 4, 0.65
	const controls = "\x01\x02\x03\x04\x05\x06\x07\x08\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19" // not in any text
	if g.broken == 0 || often*g.wide > g.broken || bytes.ContainsAny(g.text, controls) {
		return ""
	}
	best, most := "", good
	for _, s := range scripts {
		for _, encoding := range s.encodings {
			text, _, err := transform.Bytes(Decoder(encoding), g.text)
			if err != nil {
				continue
			}
			runes := runesOf(text)
			for _, a := range s.alphabets {
				if got := s.score(runes, a); got > most+0.001 {
					best, most = encoding, got
				}
			}
		}
	}
	return best
}

// runesOf returns the characters of decoded text; the replacement character stands for invalid input.
func runesOf(text []byte) []rune {
	return []rune(strings.ReplaceAll(string(text), undecodable, replacement))
}

// script is a writing system with its usual encodings.
type script struct {
	encodings []string // the more likely first
	alphabets []alphabet
	// cased means that words are written in capitals as a whole, at their beginning, or not at all.
	cased bool
	// mixed means that its letters occur in words together with ASCII letters.
	mixed bool
}

// alphabet has the letters beyond ASCII and the score of each.
type alphabet struct {
	usual, other       string // lower case, or without case
	forUsual, forOther float64
	ranges             []*unicode.RangeTable // of other
}

func (a alphabet) weigh(r rune) float64 {
	low := unicode.ToLower(r)
	switch {
	case strings.ContainsRune(a.usual, low):
		return a.forUsual
	case strings.ContainsRune(a.other, low), unicode.In(r, a.ranges...):
		return a.forOther
	}
	return 0
}

// score rates how well a text reads, at most 1.
func (s script) score(text []rune, a alphabet) float64 {
	sum, n := 0.0, 0
	for i, r := range text {
		if r < utf8.RuneSelf {
			continue
		}
		n++
		before, after := rune(0), rune(0)
		if i > 0 {
			before = text[i-1]
		}
		if i+1 < len(text) {
			after = text[i+1]
		}
		sum += s.scoreRune(r, before, after, a)
	}
	return sum / float64(max(n, 1))
}

const typographic = "“”„‚‘’«»‹›–—…€£§°®©™•·´¿¡½¼¾²³ªº№±×\u00a0、。「」・〜：；（），．！？　《》【】"

func (s script) scoreRune(r, before, after rune, a alphabet) float64 {
	const wrong, sign = -2, 0.8
	letters := unicode.IsLetter(before) && unicode.IsLetter(after)
	switch weight := a.weigh(r); {
	case r == utf8.RuneError:
		return wrong
	case weight == 0 && strings.ContainsRune(typographic, r) && (!letters || strings.ContainsRune("’´·\u00a0・", r)):
		return sign
	case weight == 0, s.cased && unicode.IsUpper(r) && unicode.IsLower(before):
		return 0
	case !s.mixed && (asciiLetter(before) || asciiLetter(after)):
		return 0
	case s.mixed && !asciiLetter(before) && !asciiLetter(after) && (unicode.IsLetter(before) || unicode.IsLetter(after)):
		return weight / 2
	default:
		return weight
	}
}

func asciiLetter(r rune) bool { return r < utf8.RuneSelf && unicode.IsLetter(r) }

// LikelyEncoding guesses the encoding of text without further information. It returns "" for UTF-8, and if nothing
// fits.
func LikelyEncoding(text []byte) string {
	if utf16 := likelyUTF16(text); utf16 != "" {
		return utf16
	}
	var g EncodingGuess
	g.Add(text)
	return g.Likely()
}

// likelyUTF16 detects UTF-16 without a byte order mark: every other byte of its delimiters, digits and line ends is
// zero.
func likelyUTF16(text []byte) string {
	var zeros [2]int
	text = text[:min(len(text), guessBytes)]
	for i, c := range text {
		if c == 0 {
			zeros[i%2]++
		}
	}
	const some = 20 // one of this many bytes
	switch {
	case zeros[0] == 0 && zeros[1]*some > len(text) && bytes.Contains(text, []byte("\n\x00")):
		return "utf-16le"
	case zeros[1] == 0 && zeros[0]*some > len(text) && bytes.Contains(text, []byte("\x00\n")):
		return "utf-16be"
	}
	return ""
}
