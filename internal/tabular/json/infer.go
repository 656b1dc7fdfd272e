package json

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/value"
)

// Infer proposes a column for each key of the objects of a JSON file, in the order of first appearance, from the values
// of the first objects. It applies the rules of CSV to the text of strings and numbers. Keys with an object or an array
// as a value are listed as nested, not as columns. Lines and elements that are not objects count for the sample's size
// and nothing else, and so do the values of a key that an object has twice.
func Infer(ctx context.Context, r io.Reader, opts tabular.Options, most tabular.Sample) (out tabular.Inferred, err error) {
	patterns, err := value.NewDatePatterns(opts.Format.DateFormats)
	if err != nil {
		return out, err
	}
	opts.ChunkBytes = tabular.SampleChunk
	c, format, err := openJSON(ctx, r, opts)
	if err != nil {
		return out, err
	}
	s := jsonSample{nulls: format.NullValues, patterns: patterns, at: map[string]int{}, decoder: jsontext.NewDecoder(new(bytes.Buffer), jsonOptions...)}
	w := jsonWalker{layout: c.layout, values: &s}
	whole := false
	for s.looked < most.Rows && c.Offset < most.Bytes {
		ch, err := c.next(ctx)
		if err == io.EOF {
			whole = true
			break
		}
		if err != nil {
			return out, err
		}
		w.reset(ch)
		for s.looked < most.Rows {
			start, end, err := w.next()
			if err != nil {
				return out, err
			}
			if start == end {
				break
			}
			if err := s.addObject(w.row); err != nil {
				return out, err
			}
		}
		c.Recycle(ch.Buf)
	}
	switch {
	case s.looked == 0:
		return out, ErrNoRow
	case s.rows == 0:
		return out, noObject()
	}
	for _, k := range s.keys {
		switch {
		case k.name == "":
		case !k.once:
			out.Unnamed = append(out.Unnamed, tabular.CutName(k.name))
		case k.nested:
			out.Nested = append(out.Nested, tabular.CutName(k.name))
		default:
			out.Columns = append(out.Columns, tabular.Column{Name: k.name, Type: k.types.Narrowest(k.name)})
		}
	}
	out.Rows, out.Bytes, out.More = s.rows, c.Offset, !whole
	return out, nil
}

// ErrNoRow is the error of a file without rows, which has no columns to propose.
var ErrNoRow = &tabular.FileError{Code: "NO_HEADER", Message: "the file has no rows, and so no columns; its format must be told by one that has some"}

// jsonSample collects the keys and values of a file's objects.
type jsonSample struct {
	nulls    []string
	patterns value.DatePatterns
	decoder  *jsontext.Decoder
	input    bytes.Buffer
	keys     []*jsonKey
	at       map[string]int // of keys, by folded name
	looked   int            // number of values read
	rows     int            // number of objects among them

	whole   bool // the value is a well-formed object
	members []jsonMember
}

// jsonKey is the knowledge about a key.
type jsonKey struct {
	name   string
	once   bool // some object has it exactly once
	nested bool
	types  value.Candidates
}

// jsonMember is a member of the current object.
type jsonMember struct {
	name  string
	value jsontext.Value // empty if it is nested
}

// read reads the value at the beginning of text.
func (s *jsonSample) read(text []byte, _ int64) (n int, err error) {
	s.input = *bytes.NewBuffer(text)
	s.decoder.Reset(&s.input, jsonOptions...)
	s.whole, s.members = false, s.members[:0]
	if s.decoder.PeekKind() != jsontext.KindBeginObject {
		err = skipValue(s.decoder)
	} else {
		err = s.object()
	}
	if err != nil {
		return syntaxOffset(s.decoder, err), err
	}
	return int(s.decoder.InputOffset()), nil
}

// object reads an object.
func (s *jsonSample) object() error {
	err := eachMember(s.decoder, func(name []byte) error {
		m := jsonMember{name: trimName(name)}
		switch s.decoder.PeekKind() {
		case jsontext.KindBeginObject, jsontext.KindBeginArray:
			s.members = append(s.members, m)
			return skipValue(s.decoder)
		}
		var err error
		m.value, err = s.decoder.ReadValue()
		s.members = append(s.members, m)
		return err
	})
	s.whole = err == nil
	return err
}

// spoil excludes a line.
func (s *jsonSample) spoil(error) { s.whole = false }

// addObject counts the last object, which is on the given line.
func (s *jsonSample) addObject(line int64) error {
	s.looked++
	if !s.whole {
		return nil
	}
	s.rows++
	times := make(map[string]int, len(s.members))
	for _, m := range s.members {
		times[audience.NameKey(m.name)]++
	}
	for _, m := range s.members {
		folded := audience.NameKey(m.name)
		at, known := s.at[folded]
		if !known {
			if at = len(s.keys); at == tabular.MaxColumns {
				return &tabular.FileError{Code: "TOO_MANY_COLUMNS", Message: fmt.Sprintf("up to line %d the objects have more than %d different keys", line, tabular.MaxColumns)}
			}
			s.at[folded] = at
			s.keys = append(s.keys, &jsonKey{name: m.name, types: value.Candidates{Patterns: s.patterns}})
		}
		if times[folded] == 1 {
			s.keys[at].see(m.value, s.nulls)
		}
	}
	return nil
}

// see takes a value into account.
func (k *jsonKey) see(v jsontext.Value, nulls []string) {
	text, number := []byte(v), v.Kind() == jsontext.KindNumber
	k.once = true
	switch {
	case len(v) == 0:
		k.nested = true
		return
	case v.Kind() == jsontext.KindNull:
		return
	case v.Kind() == jsontext.KindString:
		text, _ = jsontext.AppendUnquote(nil, v)
	}
	if slices.Contains(nulls, string(text)) {
		return
	}
	if text = value.TrimSpaces(text); len(text) > 0 {
		k.types.See(text, number)
	}
}
