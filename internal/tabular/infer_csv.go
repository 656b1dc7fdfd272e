package tabular

import (
	"context"
	"fmt"
	"io"
	"maps"
	"strings"
	"unicode/utf8"

	"roster/internal/audience"
)

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

// narrow takes the first rows of a block into account, but for texts that are null.
func narrow(types []candidates, k *block, rows int, nulls []string) {
	var b builder
	for i := range types {
		for at := i; at < rows*k.stride; at += k.stride {
			text := valueOf(&b, k, k.fields[at])
			if v := trimSpaces(text); len(v) > 0 && !isOneOf(text, nulls) {
				types[i].see(v, false)
			}
		}
	}
}
