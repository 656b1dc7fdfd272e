package csv

import (
	"context"
	"fmt"
	"io"
	"maps"
	"strings"
	"unicode/utf8"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/input"
	"roster/internal/tabular/value"
)

// Infer proposes columns for a CSV file.
func Infer(ctx context.Context, r io.Reader, opts tabular.Options, wanted []tabular.Column, most tabular.Sample) (out tabular.Inferred, err error) {
	patterns, err := value.NewDatePatterns(opts.Format.DateFormats)
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
	once, repeated := tabular.Distinct(names)
	out.Places = places(names)
	types := make([]value.Candidates, len(names))
	for i := range types {
		types[i].Patterns, types[i].Commas = patterns, format.DecimalComma
	}
	out.Format, out.Unnamed = format, repeated
	if out.Rows, out.More, err = sample(ctx, c, types, opts.Format.NullValues, most); err != nil {
		return out, err
	}
	out.Bytes = c.Offset
	if len(wanted) == 0 && opts.Format.Header == nil && firstPerson(names, types) {
		return out, &tabular.FileError{Code: "NO_HEADER", Message: "the first line looks like a person's data, not like the names of columns. If the file has no header, set " + noHeader}
	}
	for i, name := range names {
		if once[i] && utf8.ValidString(name) {
			out.Columns = append(out.Columns, tabular.Column{Name: name, Type: types[i].Narrowest(name)})
		}
	}
	return out, nil
}

// numbered names the columns of a file without a header: column1, column2, … The chunker is at its first record.
func (c *chunker) numbered() ([]string, error) {
	start, end, _, _ := c.firstRecord(c.Buf, true)
	r, err := c.split(c.Buf[start:end], c.Line)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(r.values))
	for i := range names {
		names[i] = fmt.Sprintf("column%d", i+1)
	}
	return names, nil
}

// sample takes the first rows of a CSV file into account and returns their number, and whether there may be more.
func sample(ctx context.Context, c *chunker, types []value.Candidates, nulls []string, most tabular.Sample) (rows int, more bool, err error) {
	s := splitter{block: newBlock(len(types))}
	left := most.Rows
	for left > 0 && c.Offset < most.Bytes {
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
		c.Recycle(ch.Buf)
	}
	return rows, true, nil
}

// areText returns an error for names that are not valid UTF-8.
func areText(names []string) error {
	for i, name := range names {
		if !utf8.ValidString(name) {
			return &tabular.FileError{Code: "ENCODING", Message: fmt.Sprintf("the name of column %d in the header is not valid UTF-8; %s", i+1, encodingRemedy(names))}
		}
	}
	return nil
}

// encodingRemedy returns advice about a header that is not UTF-8.
func encodingRemedy(names []string) string {
	if likely := input.LikelyEncoding([]byte(strings.Join(names, "\n"))); likely != "" {
		return fmt.Sprintf("it looks like %s: %s, or save the file as UTF-8", likely, audience.EncodingRemedy(likely))
	}
	return "save the file as UTF-8, or name its encoding in the format"
}

// places returns the columns, from 1, of each name that occurs more than once.
func places(names []string) map[string][]int {
	at := map[string][]int{}
	for i, name := range names {
		at[audience.NameKey(name)] = append(at[audience.NameKey(name)], i+1)
	}
	maps.DeleteFunc(at, func(name string, columns []int) bool { return name == "" || len(columns) == 1 })
	return at
}

// narrow takes the first rows of a block into account, except for texts that are null.
func narrow(types []value.Candidates, k *block, rows int, nulls []string) {
	var b value.Builder
	for i := range types {
		for at := i; at < rows*k.stride; at += k.stride {
			text := valueOf(&b, k, k.fields[at])
			if v := value.TrimSpaces(text); len(v) > 0 && !value.IsOneOf(text, nulls) {
				types[i].See(v, false)
			}
		}
	}
}
