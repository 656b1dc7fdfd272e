package tabular

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"roster/internal/audience"
)

// sampleChunk is how much of a file is parsed at a time.
const sampleChunk = 256 << 10

// Sample bounds what Infer looks at: a number of rows, and of bytes of the decoded text, as soon as there is a header or a
// row. The text that is read beyond Bytes is a chunk, or the row at which they end.
type Sample struct {
	Rows  int
	Bytes int64
}

// Inferred is what Infer proposes for a file.
type Inferred struct {
	Format  audience.Format // how the file is read
	Columns []Column
	Rows    int      // that the types are from; all rows of a Parquet file, whose schema says the types
	Bytes   int64    // of the decoded text that was looked at
	More    bool     // the sample is as large as it may be, so that the file may have more rows
	Nested  []string // columns that have no single values and cannot be read
	Unnamed []string // names that no field can have: those of several columns, and those with line breaks
	// Places has the columns, from 1, of each name that a CSV header has more than once, by its audience.NameKey.
	Places map[string][]int
}

// Infer proposes a column for each named column of a file: the narrowest type that fits the values of the sample, and
// string when there are none. A header that looks like somebody's data is an error, unless the format says that it is one. It errs
// on the side of string where another type would lose what somebody wrote, in the sample or, as far as that can be known, in the
// next file:
//
//   - whole numbers with leading zeros, a plus sign or more than 15 digits, and decimal numbers of more than 15
//     significant digits, stay strings;
//   - so do the digits of a column whose name says that they name something, such as zip, phone, id or code;
//   - boolean is proposed for true and false; for yes and no, y and n, t and f, or 1 and 0 only when the sample has both;
//   - times with more than microseconds stay strings.
//
// Values that are all written by a date pattern of the format are dates, also when they are digits alone. Rows that are no
// rows by the rules of the file's type count for the sample's size and say nothing. For a Parquet file the types are those of
// its schema, again string where another one would lose digits. The columns of a file without a header are called
// column1, column2, …, as many as its first record has. Names that several columns have, ignoring case, or that no field
// can have, are none. What the format leaves open is found out as Read does for the wanted columns, if there are any.
func Infer(ctx context.Context, f File, format audience.Format, wanted []Column, most Sample) (out Inferred, err error) {
	var g errgroup.Group
	g.Go(guard(func() (err error) {
		out, err = infer(ctx, f, format, wanted, most)
		return err
	}))
	err = g.Wait()
	return out, err
}

// verifiedAtOnce is the size up to which an encrypted file is read to its end for a sample, so that a wrong signature shows before
// there is a run.
const verifiedAtOnce = 4 << 20

func infer(ctx context.Context, f File, format audience.Format, wanted []Column, most Sample) (Inferred, error) {
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
		out, err = inferParquet(ctx, c.file)
	case audience.JSON:
		out, err = inferJSON(ctx, c.text, opts, most)
		if len(wanted) > 0 && errors.Is(err, errNoRow) {
			err = nil // there is nothing to propose, and nothing wrong
		}
		out.Format = format
		out.Format.Type, out.Format.Encoding = audience.JSON, encodingOf(c.head, format.Encoding)
	default:
		out, err = inferCSV(ctx, c.text, opts, wanted, most)
	}
	if err == nil && f.Size <= verifiedAtOnce {
		err = c.verify()
	}
	if err != nil {
		return Inferred{}, fileError(err)
	}
	out.Columns = slices.DeleteFunc(out.Columns, func(c Column) bool {
		if audience.CanNameField(c.Name) {
			return false
		}
		out.Unnamed = append(out.Unnamed, cutName(c.Name))
		return true
	})
	return out, nil
}

// inferCSV proposes columns for a CSV file.
func inferCSV(ctx context.Context, r io.Reader, opts Options, wanted []Column, most Sample) (out Inferred, err error) {
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
	out.Places = places(names)
	types := make([]candidates, len(names))
	for i := range types {
		types[i].patterns, types[i].commas = patterns, format.DecimalComma
	}
	out.Format, out.Unnamed = format, repeated
	if out.Rows, out.More, err = sample(ctx, c, types, opts.Format.NullValues, most); err != nil {
		return out, err
	}
	out.Bytes = c.offset
	if len(wanted) == 0 && opts.Format.Header == nil && firstPerson(names, types) {
		return out, &FileError{Code: "NO_HEADER", Message: "the first line looks like a person's data and not like the names of columns. If the file has no header, say so: " + noHeader}
	}
	for i, name := range names {
		if once[i] && utf8.ValidString(name) {
			out.Columns = append(out.Columns, Column{Name: name, Type: types[i].narrowest(name)})
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
func sample(ctx context.Context, c *chunker, types []candidates, nulls []string, most Sample) (rows int, more bool, err error) {
	s := splitter{block: newBlock(len(types))}
	left := most.Rows
	for left > 0 && c.offset < most.Bytes {
		ch, err := c.next(ctx)
		if err == io.EOF {
			return rows, false, nil
		}
		if err != nil {
			return rows, false, err
		}
		s.reset(ch)
		for left > 0 {
			if err := ctx.Err(); err != nil {
				return rows, false, err
			}
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
		c.recycle(ch.buf)
	}
	return rows, true, nil
}

// areText refuses names that are not text.
func areText(names []string) error {
	for i, name := range names {
		if !utf8.ValidString(name) {
			return &FileError{Code: "ENCODING", Message: fmt.Sprintf("the name of column %d in the header is not valid UTF-8; %s", i+1, encodingRemedy(names))}
		}
	}
	return nil
}

// encodingRemedy says what to do about a header that is not UTF-8.
func encodingRemedy(names []string) string {
	if likely := likelyEncoding([]byte(strings.Join(names, "\n"))); likely != "" {
		return fmt.Sprintf("it looks like %s: %s, or save the file as UTF-8", likely, audience.EncodingRemedy(likely))
	}
	return "save the file as UTF-8, or name its encoding in the format"
}

// places returns the columns, from 1, of each name that is there more than once.
func places(names []string) map[string][]int {
	at := map[string][]int{}
	for i, name := range names {
		at[audience.NameKey(name)] = append(at[audience.NameKey(name)], i+1)
	}
	maps.DeleteFunc(at, func(name string, columns []int) bool { return name == "" || len(columns) == 1 })
	return at
}

// distinct says of each column whether it has a name that no other has, ignoring case, and lists the names that several
// have.
func distinct(names []string) (once []bool, repeated []string) {
	have := make(map[string]int, len(names))
	for _, name := range names {
		have[audience.NameKey(name)]++
	}
	once = make([]bool, len(names))
	for i, name := range names {
		folded := audience.NameKey(name)
		switch n := have[folded]; {
		case folded == "" || n == 0:
		case n == 1:
			once[i] = true
		default:
			repeated = append(repeated, cutName(strings.ToValidUTF8(name, "\uFFFD")))
			have[folded] = 0
		}
	}
	return once, repeated
}

// cutName leaves the end of a name out that is too long to be shown.
func cutName(name string) string {
	const longest = 1024 // bytes
	if len(name) <= longest {
		return name
	}
	return strings.ToValidUTF8(name[:longest], "") + "…"
}

// narrow takes the first rows of a block into account, but for texts that are null.
func narrow(types []candidates, k *block, rows int, nulls []string) {
	var b builder
	for i := range types {
		for at := i; at < rows*k.stride; at += k.stride {
			text := b.value(k, k.fields[at])
			if v := trimSpaces(text); len(v) > 0 && !isOneOf(text, nulls) {
				types[i].see(v, false)
			}
		}
	}
}

// candidates are the types that a column may have, besides string.
type candidates struct {
	seen     bool
	not      [len(inferred)]bool
	words    booleanWords
	patterns datePatterns // beside ISO 8601
	// commas says that numbers are written with decimal commas; comma and groups that some value has one, or groups of digits.
	commas, comma, groups bool
	// otherwise says of Date and DateTime, in this order, that some value is not written by a pattern.
	otherwise [2]bool
}

// inferred are the types that are tried, the narrower first. number says that the value is a number of JSON.
var inferred = [...]struct {
	typ  audience.Type
	fits func(v []byte, number bool) bool
}{
	{audience.Integer, func(v []byte, _ bool) bool {
		_, code := parseInteger(v)
		return code == "" && plainWhole(v)
	}},
	{audience.Long, func(v []byte, _ bool) bool {
		_, code := parseLong(v)
		return code == "" && plainWhole(v)
	}},
	{audience.Number, plainNumber},
	{audience.Date, func(v []byte, _ bool) bool {
		_, code := parseDate(v)
		return code == ""
	}},
	{audience.DateTime, func(v []byte, _ bool) bool {
		_, code := parseDateTime(v)
		return code == "" && microseconds(v)
	}},
}

// dated are the types that date patterns are of.
var dated = [...]audience.Type{audience.Date, audience.DateTime}

// see takes a value into account.
func (c *candidates) see(v []byte, number bool) {
	c.seen = true
	c.words.see(v, number)
	for i, t := range dated {
		c.otherwise[i] = c.otherwise[i] || !c.patterns.fit(t, v)
	}
	digits := v
	if c.commas {
		digits = c.plain(v)
	}
	for i := range c.not {
		text := v
		if isNumeric(inferred[i].typ) {
			text = digits
		}
		c.not[i] = c.not[i] || (len(text) == 0 || !inferred[i].fits(text, number)) && !c.patterns.fit(inferred[i].typ, v)
	}
}

// plain returns a number with a decimal comma as it is with a point and without groups; empty for other texts.
func (c *candidates) plain(v []byte) []byte {
	text, ok := withPoint(nil, v)
	if !ok {
		return nil
	}
	comma := bytes.IndexByte(v, ',') >= 0
	c.comma, c.groups = c.comma || comma, c.groups || len(text) < len(v)
	return text
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

// narrowest returns the type to propose for a column of that name. Who says how dates are written means them, also when
// they could be numbers.
func (c *candidates) narrowest(name string) audience.Type {
	if !c.seen {
		return audience.String
	}
	for i, t := range dated {
		if !c.otherwise[i] {
			return t
		}
	}
	digits := !namesCode(name)
	if c.words.areBooleans() && (digits || !c.words.digits()) {
		return audience.Boolean
	}
	for i, not := range c.not {
		// Points that part three digits each may be decimal points, too.
		if t := inferred[i].typ; !not && !(isNumeric(t) && c.groups && !c.comma) && (digits || t == audience.Date || t == audience.DateTime) {
			return t
		}
	}
	return audience.String
}

// booleanPairs are the words of booleans in lower case, each with its opposite. Only the first ones are sure to be booleans
// when the other one is not there: no is Norway, t is a grade, and 1 a number.
var booleanPairs = [...][2]string{{"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"}, {"1", "0"}}

// booleanWords are the words that a column has, as long as they are of one pair.
type booleanWords struct {
	pair int     // its number in booleanPairs, from 1; 0 when there was no word yet, -1 when there is something else
	has  [2]bool // of the pair
}

// see takes a value into account. A number of JSON is no boolean: JSON has its own.
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

// exactDigits is how many significant digits of any decimal number a double keeps.
const exactDigits = 15

// plainWhole reports whether digits, perhaps behind a minus sign, are how a program would write a number.
func plainWhole(v []byte) bool {
	digits := bytes.TrimPrefix(v, []byte{'-'})
	return len(digits) > 0 && len(digits) <= exactDigits && digits[0]-'0' <= 9 && (digits[0] != '0' || len(v) == 1)
}

// plainNumber reports whether a double keeps what the text says. A text with neither point nor signed exponent, such as
// 12E5, is rather a code, unless it is a number of JSON.
func plainNumber(v []byte, number bool) bool {
	x, code := parseNumber(v)
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
	const smallest = 0x1p-1022 // below it doubles have fewer digits
	kept := significant <= exactDigits && (significant == 0 || math.Abs(x) >= smallest)
	return kept && !zeros && (number || bytes.IndexByte(mantissa, '.') >= 0 || bytes.ContainsAny(exponent, "+-"))
}

// microseconds reports whether a time has no digits below microseconds but zeros.
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
