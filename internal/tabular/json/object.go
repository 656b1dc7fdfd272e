package json

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/value"
)

// jsonOptions turn off checks of the decoder: the reader checks wanted names and strings itself, and ignores the
// others.
var jsonOptions = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// maxDepth is the deepest nesting of objects and arrays.
const maxDepth = 1000

// Rules that a well-formed value may break.
var (
	errNoObject    = errors.New("the value is not an object")
	errTextBehind  = errors.New("text follows the object")
	errTooDeep     = fmt.Errorf("objects and arrays lie more than %d deep in each other", maxDepth)
	errTooManyKeys = fmt.Errorf("an object has more than %d keys", tabular.MaxColumns)
)

// ruleOf returns the rule that an error is about, nil if it is about the syntax of JSON.
func ruleOf(err error) error {
	for _, rule := range []error{errNoObject, errTextBehind, errTooDeep, errTooManyKeys} {
		if errors.Is(err, rule) {
			return rule
		}
	}
	return nil
}

// jsonObject reads one object after the other into the builders of the wanted columns.
type jsonObject struct {
	columns  []tabular.Column
	format   audience.Format // how the file is read
	builders []*value.Builder
	names    jsonNames
	decoder  *jsontext.Decoder
	input    bytes.Buffer // what the decoder reads
	scratch  []byte       // a string without its escapes
	valid    bool         // the text is valid UTF-8

	rows    int     // accepted, of the batch
	count   int64   // values read
	objects int64   // of them, well-formed objects
	present []bool  // by wanted column: some well-formed object has it
	seen    []int64 // by wanted column: the count of the last value that has it

	whole  bool           // the value is a well-formed object
	bad    bool           // it is a reject
	reject tabular.Reject // if so
}

func newJSONObject(columns []tabular.Column, f audience.Format, patterns value.DatePatterns) jsonObject {
	o := jsonObject{columns: columns, format: f, names: newJSONNames(columns), present: make([]bool, len(columns)), seen: make([]int64, len(columns))}
	for _, c := range columns {
		b := value.NewBuilder(c, patterns)
		o.builders = append(o.builders, b)
	}
	o.decoder = jsontext.NewDecoder(new(bytes.Buffer), jsonOptions...)
	return o
}

// read reads the value at the beginning of text, which is at offset in the file. It returns the value's length, or an
// error and its position. The method end then makes the value a row or a reject.
func (o *jsonObject) read(text []byte, offset int64) (n int, err error) {
	o.input = *bytes.NewBuffer(text)
	o.decoder.Reset(&o.input, jsonOptions...)
	o.whole, o.bad = false, false
	o.count++
	o.names.begin()
	if o.decoder.PeekKind() != jsontext.KindBeginObject {
		o.refuse(-1, tabular.CodeJSON, errNoObject.Error())
		err = skipValue(o.decoder)
	} else {
		err = o.members(offset)
	}
	if err != nil {
		return syntaxOffset(o.decoder, err), err
	}
	return int(o.decoder.InputOffset()), nil
}

// syntaxOffset returns the position of a decoder's error.
func syntaxOffset(d *jsontext.Decoder, err error) int {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return int(syntax.ByteOffset)
	}
	return int(d.InputOffset())
}

// members reads the names and values of an object.
func (o *jsonObject) members(offset int64) error {
	err := eachMember(o.decoder, func(name []byte) error {
		if want := o.names.find(name, offset+o.decoder.InputOffset()); want >= 0 {
			return o.member(want)
		}
		return skipValue(o.decoder)
	})
	o.whole = err == nil
	return err
}

// eachMember reads an object, the next value of a decoder. It calls fn after each name to read the value.
func eachMember(d *jsontext.Decoder, fn func(name []byte) error) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for keys := 0; d.PeekKind() != jsontext.KindEndObject; keys++ {
		if keys == tabular.MaxColumns {
			return errTooManyKeys
		}
		name, err := d.ReadValue()
		if err != nil {
			return err
		}
		if err := fn(name); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// member reads the value of a wanted column.
func (o *jsonObject) member(want int) error {
	if o.seen[want] == o.count {
		o.refuse(want, tabular.CodeDuplicateKey, "the object has the key more than once, perhaps in another case")
		return skipValue(o.decoder)
	}
	o.seen[want] = o.count
	switch o.decoder.PeekKind() {
	case jsontext.KindBeginObject, jsontext.KindBeginArray:
		o.refuse(want, tabular.CodeType, "the value is nested, an object or an array, not "+value.Rule(o.columns[want].Type))
		return skipValue(o.decoder)
	}
	v, err := o.decoder.ReadValue()
	if err == nil && !o.bad {
		o.value(want, v)
	}
	return err
}

// value adds a scalar to a wanted column.
func (o *jsonObject) value(want int, v []byte) {
	c, b := &o.columns[want], o.builders[want]
	number := false
	switch v[0] {
	case 'n':
		v = nil
	case '"':
		var ok bool
		if v, ok = o.unquote(v); !ok {
			o.refuse(want, tabular.CodeEncoding, "the value is not valid Unicode")
			return
		}
	default:
		number = v[0] != 't' && v[0] != 'f'
	}
	if value.IsOneOf(v, o.format.NullValues) {
		v = nil
	}
	if code := b.Append(v, number); code != "" {
		o.refuse(want, code, value.ReasonIn(o.format, code, c.Type))
		return
	}
	if value.IsIdentity(c) {
		if code, reason := value.NoIdentity(c, v); code != "" {
			o.refuse(want, code, reason)
		}
	}
}

// unquote returns the text of a string; ok is false if it is not valid Unicode.
func (o *jsonObject) unquote(v []byte) (text []byte, ok bool) {
	if bytes.IndexByte(v, '\\') < 0 {
		text = v[1 : len(v)-1]
		return text, o.valid || utf8.Valid(text)
	}
	var err error
	o.scratch, err = jsontext.AppendUnquote(o.scratch[:0], v)
	return o.scratch, err == nil
}

// skipValue skips the next value of a decoder.
func skipValue(d *jsontext.Decoder) error {
	switch d.PeekKind() {
	case jsontext.KindBeginObject, jsontext.KindBeginArray:
	default:
		_, err := d.ReadValue()
		return err
	}
	for outer := d.StackDepth(); ; {
		if _, err := d.ReadToken(); err != nil {
			return err
		}
		switch depth := d.StackDepth(); {
		case depth == outer:
			return nil
		case depth > maxDepth:
			return errTooDeep
		}
	}
}

// refuse makes the value a reject, unless it is one already; want is -1 if the value as a whole is wrong.
func (o *jsonObject) refuse(want int, code, reason string) {
	if o.bad {
		return
	}
	o.bad = true
	o.reject = tabular.Reject{Code: code, Reason: reason}
	if want >= 0 {
		o.reject.Column = o.columns[want].Name
	}
}

// spoil makes the value a reject because its line is not an object.
func (o *jsonObject) spoil(err error) {
	o.whole, o.bad = false, false
	reason := "the line is not a JSON object"
	if rule := ruleOf(err); rule != nil {
		reason += ": " + rule.Error()
	}
	o.refuse(-1, tabular.CodeJSON, reason)
}

// end ends a value; ok is false if it is a reject.
func (o *jsonObject) end() (ok bool) {
	if o.whole {
		o.names.keep()
		o.objects++
		o.complete()
	} else {
		o.names.discard()
	}
	if !o.bad {
		o.rows++
		return true
	}
	for _, b := range o.builders {
		if b.Rows > o.rows {
			b.Remove(o.rows, []bool{true})
		}
	}
	return false
}

// complete sets the columns to null that the object does not have.
func (o *jsonObject) complete() {
	for want, c := range o.columns {
		switch {
		case o.seen[want] == o.count:
			o.present[want] = true
		case !o.bad:
			o.builders[want].AddNulls(1)
			if code, reason := value.Absent(&c); code != "" {
				o.refuse(want, code, reason)
			}
		}
	}
}
