package tabular

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"unicode/utf8"

	"roster/internal/audience"
)

const (
	defaultSample = 10_000
	sampleChunk   = 256 << 10
)

// Infer proposes a column for each named column of a CSV file: the narrowest type that fits the values of the
// first maxRows rows (10,000 when it is 0), and string when there are none. It errs on the side of string where
// another type would lose what somebody wrote: whole numbers with leading zeros or a plus sign, such as postal
// codes and phone numbers, stay strings, as do those of more than 64 bits. Only words are booleans, not 0 and 1.
// Rows that are no rows by the rules of CSV are left out of the sample. The second result is its size.
func Infer(r io.Reader, maxRows int) ([]Column, int, error) {
	if maxRows <= 0 {
		maxRows = defaultSample
	}
	ctx := context.Background()
	c := newChunker(r, sampleChunk)
	names, err := readHeader(ctx, c)
	if err != nil {
		return nil, 0, err
	}
	if err := distinct(names); err != nil {
		return nil, 0, err
	}
	types := make([]candidates, len(names))
	s := splitter{block: newBlock(len(names))}
	rows := 0
	for rows < maxRows {
		ch, err := c.next(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, 0, err
		}
		s.reset(ch)
		for rows < maxRows {
			more, err := s.next()
			if err != nil {
				return nil, 0, err
			}
			if !more {
				break
			}
			n := min(s.rows, maxRows-rows)
			narrow(types, &s.block, n)
			rows += n
		}
	}
	var columns []Column
	for i, name := range names {
		if name != "" {
			columns = append(columns, Column{Name: name, Type: types[i].narrowest()})
		}
	}
	return columns, rows, nil
}

// distinct refuses names that are not text, or the same ignoring case.
func distinct(names []string) error {
	at := make(map[string]int, len(names))
	for i, name := range names {
		if !utf8.ValidString(name) {
			return &FileError{Code: "ENCODING", Message: fmt.Sprintf("the name of column %d in the header is not valid UTF-8; save the file as UTF-8", i+1)}
		}
		folded := foldName(name)
		if first, ok := at[folded]; ok && name != "" {
			return &FileError{Code: "DUPLICATE_COLUMN", Message: fmt.Sprintf("the header names column %q twice, as columns %d and %d", name, first+1, i+1)}
		}
		at[folded] = i
	}
	return nil
}

// narrow takes the first rows of a block into account.
func narrow(types []candidates, k *block, rows int) {
	var b builder
	for i := range types {
		for at := i; at < rows*k.stride; at += k.stride {
			if v := trimSpaces(b.value(k, k.fields[at])); len(v) > 0 {
				types[i].see(v)
			}
		}
	}
}

// candidates are the types that a column may have, besides string.
type candidates struct {
	seen bool
	not  [len(inferred)]bool
}

// inferred are the types that are tried, the narrower first.
var inferred = [...]struct {
	typ  audience.Type
	fits func(v []byte) bool
}{
	{audience.Boolean, func(v []byte) bool {
		_, code := parseBoolean(v)
		return code == "" && len(v) > 1
	}},
	{audience.Integer, func(v []byte) bool {
		_, code := parseInteger(v)
		return code == "" && plainWhole(v)
	}},
	{audience.Long, func(v []byte) bool {
		_, code := parseLong(v)
		return code == "" && plainWhole(v)
	}},
	{audience.Number, plainNumber},
	{audience.Date, func(v []byte) bool {
		_, code := parseDate(v)
		return code == ""
	}},
	{audience.DateTime, func(v []byte) bool {
		_, code := parseDateTime(v)
		return code == ""
	}},
}

func (c *candidates) see(v []byte) {
	c.seen = true
	for i := range c.not {
		c.not[i] = c.not[i] || !inferred[i].fits(v)
	}
}

func (c *candidates) narrowest() audience.Type {
	for i, not := range c.not {
		if c.seen && !not {
			return inferred[i].typ
		}
	}
	return audience.String
}

// plainWhole reports whether digits, perhaps behind a minus sign, are how a program would write the number.
func plainWhole(v []byte) bool {
	digits := bytes.TrimPrefix(v, []byte{'-'})
	return len(digits) > 0 && digits[0]-'0' <= 9 && (digits[0] != '0' || len(v) == 1)
}

// plainNumber reports whether a double keeps what the text says. A whole number must be an exact double; a number
// with neither point nor signed exponent, such as 12E5, is rather a code.
func plainNumber(v []byte) bool {
	if _, code := parseNumber(v); code != "" || v[0] == '+' {
		return false
	}
	if !bytes.ContainsAny(v, ".eE") {
		n, code := parseLong(v)
		const exact = 1 << 53
		return code == "" && plainWhole(v) && -exact <= n && n <= exact
	}
	digits := bytes.TrimPrefix(v, []byte{'-'})
	zeros := len(digits) > 1 && digits[0] == '0' && digits[1]-'0' <= 9
	return !zeros && (bytes.IndexByte(v, '.') >= 0 || bytes.ContainsAny(v[1:], "+-"))
}
