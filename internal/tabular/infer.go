package tabular

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"roster/internal/audience"
)

const (
	defaultSample = 10_000
	sampleChunk   = 256 << 10
)

// Inferred is what Infer proposes for a file.
type Inferred struct {
	Format  audience.Format // how the file is read
	Columns []Column
	Rows    int      // that the types are from; all rows of a Parquet file, whose schema says the types
	More    bool     // the sample is as large as it may be, so that the file may have more rows
	Nested  []string // columns that have no single values and cannot be read
	Unnamed []string // names that no field can have: those of several columns, and those with line breaks
}

// Infer proposes a column for each named column of a file: the narrowest type that fits the values of the first maxRows
// rows (10,000 when it is 0), and string when there are none. It errs on the side of string where another type would
// lose what somebody wrote: whole numbers with leading zeros or a plus sign, such as postal codes and phone numbers,
// stay strings, as do those of more than 64 bits. Values that are all written by a date pattern of the format are dates,
// also when they are digits alone. Only words are booleans, not 0 and 1. Rows that are no rows by the
// rules of the file's type count for the sample's size and say nothing. For a Parquet file the types are those of its schema, again
// string where another one would lose digits. The columns of a file without a header are called column1, column2, …, as
// many as its first record has. Names that several columns have, ignoring case, or that no field can have, are none. What the format leaves open is
// found out as Read does for the wanted columns, if there are any.
func Infer(ctx context.Context, f File, format audience.Format, wanted []Column, maxRows int) (Inferred, error) {
	if maxRows <= 0 {
		maxRows = defaultSample
	}
	c, err := openContent(ctx, f, format)
	if err != nil {
		return Inferred{}, err
	}
	defer c.close()
	format.Compression = string(c.method)
	opts := Options{Format: format, ChunkBytes: sampleChunk}
	var out Inferred
	switch c.typ {
	case audience.Parquet:
		out, err = inferParquet(ctx, f)
	case audience.JSON:
		out, err = inferJSON(ctx, c.text, opts, maxRows)
		if len(wanted) > 0 && errors.Is(err, errNoRow) {
			err = nil // there is nothing to propose, and nothing wrong
		}
		out.Format = format
		out.Format.Type, out.Format.Encoding = audience.JSON, encodingOf(c.head, format.Encoding)
	default:
		out, err = inferCSV(ctx, c.text, opts, wanted, maxRows)
	}
	if err != nil {
		return Inferred{}, fileError(err)
	}
	out.Columns = slices.DeleteFunc(out.Columns, func(c Column) bool {
		if audience.CanNameField(c.Name) {
			return false
		}
		out.Unnamed = append(out.Unnamed, c.Name)
		return true
	})
	return out, nil
}

// inferCSV proposes columns for a CSV file.
func inferCSV(ctx context.Context, r io.Reader, opts Options, wanted []Column, maxRows int) (out Inferred, err error) {
	patterns, err := newDatePatterns(opts.Format.DateFormats)
	if err != nil {
		return out, err
	}
	c, names, format, err := openCSV(ctx, r, wanted, opts)
	if err != nil {
		return out, err
	}
	if !format.HasHeader() {
		if names, err = c.numbered(); err != nil {
			return out, err
		}
	}
	if len(wanted) == 0 {
		if err := areText(names); err != nil {
			return out, err
		}
	}
	once, repeated := distinct(names)
	types := make([]candidates, len(names))
	for i := range types {
		types[i].patterns = patterns
	}
	out.Format, out.Unnamed = format, repeated
	if out.Rows, out.More, err = sample(ctx, c, types, opts.Format.NullValues, maxRows); err != nil {
		return out, err
	}
	for i, name := range names {
		if once[i] && utf8.ValidString(name) {
			out.Columns = append(out.Columns, Column{Name: name, Type: types[i].narrowest()})
		}
	}
	return out, nil
}

// numbered names the columns of a file without a header: column1, column2, … The chunker is at its first record.
func (c *chunker) numbered() ([]string, error) {
	start, end, _, _ := c.firstRecord(c.buf, true)
	r, err := c.split(c.buf[start:end], c.line)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(r.values))
	for i := range names {
		names[i] = fmt.Sprintf("column%d", i+1)
	}
	return names, nil
}

// sample takes the first rows of a CSV file into account and returns how many there are, and whether there may be more.
func sample(ctx context.Context, c *chunker, types []candidates, nulls []string, maxRows int) (rows int, more bool, err error) {
	s := splitter{block: newBlock(len(types))}
	left := maxRows
	for left > 0 {
		ch, err := c.next(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			return rows, false, err
		}
		s.reset(ch)
		for left > 0 {
			more, err := s.next()
			if err != nil {
				return rows, false, err
			}
			if !more {
				break
			}
			n := min(s.rows, left)
			narrow(types, &s.block, n, nulls)
			rows += n
			left -= min(n+len(s.malformed), left)
		}
	}
	return rows, left == 0, nil
}

// areText refuses names that are not text.
func areText(names []string) error {
	for i, name := range names {
		if !utf8.ValidString(name) {
			return &FileError{Code: "ENCODING", Message: fmt.Sprintf("the name of column %d in the header is not valid UTF-8; save the file as UTF-8, or name its encoding in the format", i+1)}
		}
	}
	return nil
}

// distinct says of each column whether it has a name that no other has, ignoring case, and lists the names that several
// have.
func distinct(names []string) (once []bool, repeated []string) {
	have := make(map[string]int, len(names))
	for _, name := range names {
		have[foldName(name)]++
	}
	once = make([]bool, len(names))
	for i, name := range names {
		folded := foldName(name)
		switch n := have[folded]; {
		case folded == "" || n == 0:
		case n == 1:
			once[i] = true
		default:
			repeated = append(repeated, strings.ToValidUTF8(name, "\uFFFD"))
			have[folded] = 0
		}
	}
	return once, repeated
}

// narrow takes the first rows of a block into account, but for texts that are null.
func narrow(types []candidates, k *block, rows int, nulls []string) {
	var b builder
	for i := range types {
		for at := i; at < rows*k.stride; at += k.stride {
			text := b.value(k, k.fields[at])
			if v := trimSpaces(text); len(v) > 0 && !isOneOf(text, nulls) {
				types[i].see(v)
			}
		}
	}
}

// candidates are the types that a column may have, besides string.
type candidates struct {
	seen     bool
	not      [len(inferred)]bool
	patterns datePatterns // beside ISO 8601
	// otherwise says of Date and DateTime, in this order, that some value is not written by a pattern.
	otherwise [2]bool
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

// dated are the types that date patterns are of.
var dated = [...]audience.Type{audience.Date, audience.DateTime}

func (c *candidates) see(v []byte) {
	c.seen = true
	for i, t := range dated {
		c.otherwise[i] = c.otherwise[i] || !c.patterns.fit(t, v)
	}
	for i := range c.not {
		c.not[i] = c.not[i] || !inferred[i].fits(v) && !c.patterns.fit(inferred[i].typ, v)
	}
}

// fit reports whether a date or a time is written by one of the patterns.
func (list datePatterns) fit(t audience.Type, v []byte) bool {
	code := CodeType
	switch t {
	case audience.Date:
		_, code = list.date(v)
	case audience.DateTime:
		_, code = list.dateTime(v)
	}
	return code == ""
}

// narrowest returns the type to propose. Who says how dates are written means them, also when they could be numbers.
func (c *candidates) narrowest() audience.Type {
	for i, t := range dated {
		if c.seen && !c.otherwise[i] {
			return t
		}
	}
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
