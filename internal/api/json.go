package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"roster/internal/audience"
)

// The decoding of bodies is stricter than encoding/json: an unknown property, a duplicate property and a wrong type are
// refused, each with its path. A property that is null is absent. Whole numbers may be numeric strings, since clients
// send them so. The targets are the wire types of package client; a time among them, which has the tag epoch, loses the
// fraction of its second.

const maxDepth = 32

// decode decodes one JSON document into dst, a pointer to a struct. Its errors are *audience.Error with a
// problem per path.
func decode(body []byte, dst any) error {
	root, err := parse(body)
	if err != nil {
		return err
	}
	if root.kind != kindObject {
		return audience.InvalidField("", "the body must be %s, not %s", kindObject, root.kind.called())
	}
	d := &decoder{}
	d.assign("", root, reflect.ValueOf(dst).Elem())
	return d.problems.Err()
}

// kind is a JSON type; its text is the name in errors.
type kind string

const (
	kindObject kind = "an object"
	kindArray  kind = "an array"
	kindString kind = "a string"
	kindNumber kind = "a number"
	kindBool   kind = "true or false"
	kindNull   kind = "null"
)

// called returns the name of the kind of a given value, as opposed to that of a wanted one.
func (k kind) called() string {
	if k == kindBool {
		return "a boolean"
	}
	return string(k)
}

// node is a parsed JSON value.
type node struct {
	kind  kind
	text  string // of a string or a number
	truth bool
	names []string // of an object's properties
	nodes []node   // of an object or an array
}

// parse parses a document. It refuses text that is not JSON, text after the document, invalid UTF-8, half a character
// as \u, a duplicate property, and too much depth.
func parse(body []byte) (node, error) {
	if !utf8.Valid(body) {
		return node{}, audience.InvalidField("", "the body is not JSON: it is not UTF-8")
	}
	var raw json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		where := ""
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			line := 1 + bytes.Count(body[:min(int(syntax.Offset), len(body))], []byte("\n"))
			where = fmt.Sprintf(" (line %d, byte %d)", line, syntax.Offset)
		}
		return node{}, audience.InvalidField("", "the body is not JSON: %v%s", err, where)
	}
	if half := loneSurrogate(body); half != "" {
		return node{}, audience.InvalidField("", "the body is not JSON: %s is half of a character", half)
	}
	// The parser finds duplicates itself, because its error names the path.
	p := parser{Decoder: jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true))}
	return p.value()
}

// loneSurrogate returns an escape in a document that stands for half of a UTF-16 pair without the other half, "" if
// there is none. encoding/json would replace it with another character.
func loneSurrogate(doc []byte) string {
	for i := 0; i+5 < len(doc); i++ {
		if doc[i] != '\\' {
			continue
		}
		first, ok := escaped(doc[i:])
		if !ok || !utf16.IsSurrogate(first) {
			i++ // the escaped character may be a backslash
			continue
		}
		second, _ := escaped(doc[i+6:])
		if utf16.DecodeRune(first, second) == utf8.RuneError {
			return string(doc[i : i+6])
		}
		i += 11
	}
	return ""
}

// escaped reads \u and four digits at the beginning of a text.
func escaped(text []byte) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(n), err == nil
}

// parser reads a document. Reading it token by token with encoding/json takes several times as long.
type parser struct {
	*jsontext.Decoder
	steps []step // lead to the value that is being read
}

// step leads from an object to a property, or from an array to an element.
type step struct {
	name  string
	index int // -1 for a property
}

// path returns the path of the value that is being read.
func (p *parser) path() (path string) {
	for _, s := range p.steps {
		if s.index < 0 {
			path = join(path, s.name)
		} else {
			path += fmt.Sprintf("[%d]", s.index)
		}
	}
	return path
}

func (p *parser) value() (node, error) {
	token, err := p.ReadToken()
	if err != nil {
		return node{}, audience.InvalidField(p.path(), "the body is not JSON")
	}
	switch token.Kind() {
	case '"':
		return node{kind: kindString, text: token.String()}, nil
	case '0':
		return node{kind: kindNumber, text: token.String()}, nil
	case 't', 'f':
		return node{kind: kindBool, truth: token.Bool()}, nil
	case 'n':
		return node{kind: kindNull}, nil
	}
	if len(p.steps) == maxDepth {
		return node{}, audience.InvalidField(p.path(), "the body is nested more than %d deep", maxDepth)
	}
	if token.Kind() == '[' {
		return p.array()
	}
	return p.object()
}

func (p *parser) array() (node, error) {
	n := node{kind: kindArray}
	p.steps = append(p.steps, step{})
	for p.PeekKind() != ']' {
		p.steps[len(p.steps)-1].index = len(n.nodes)
		v, err := p.value()
		if err != nil {
			return n, err
		}
		n.nodes = append(n.nodes, v)
	}
	p.steps = p.steps[:len(p.steps)-1]
	_, err := p.ReadToken()
	return n, err
}

func (p *parser) object() (node, error) {
	const few = 8 // names that are compared one by one
	n := node{kind: kindObject}
	var seen map[string]bool // the names, if there are many
	p.steps = append(p.steps, step{index: -1})
	for p.PeekKind() != '}' {
		token, err := p.ReadToken()
		if err != nil {
			return n, audience.InvalidField(p.path(), "the body is not JSON")
		}
		name := token.String()
		p.steps[len(p.steps)-1].name = name
		if len(n.names) == few {
			seen = map[string]bool{}
			for _, before := range n.names {
				seen[before] = true
			}
		}
		if seen[name] || seen == nil && slices.Contains(n.names, name) {
			return n, audience.InvalidField(p.path(), "the property is given twice")
		}
		if seen != nil {
			seen[name] = true
		}
		v, err := p.value()
		if err != nil {
			return n, err
		}
		n.names, n.nodes = append(n.names, name), append(n.nodes, v)
	}
	p.steps = p.steps[:len(p.steps)-1]
	_, err := p.ReadToken()
	return n, err
}

// join adds a property's name to a path. It shortens a very long name, because the path is only shown.
func join(path, name string) string {
	if len(name) > 100 {
		name = strings.ToValidUTF8(name[:100], "") + "…"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// decoder assigns nodes to Go values and collects the problems.
type decoder struct{ problems audience.Problems }

func (d *decoder) assign(path string, n node, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		d.assign(path, n, p.Elem())
		v.Set(p)
	case reflect.Interface:
		v.Set(reflect.ValueOf(plain(n)))
	case reflect.String:
		if d.expect(path, n, kindString) {
			v.SetString(n.text)
		}
	case reflect.Bool:
		if d.expect(path, n, kindBool) {
			v.SetBool(n.truth)
		}
	case reflect.Int, reflect.Int64:
		d.integer(path, n, v, false)
	case reflect.Float64:
		d.number(path, n, v)
	case reflect.Slice:
		d.slice(path, n, v)
	case reflect.Map:
		if v.Type().Elem().Kind() == reflect.Interface {
			d.scalars(path, n, v)
		} else {
			d.stringMap(path, n, v)
		}
	case reflect.Struct:
		if d.expect(path, n, kindObject) {
			d.object(path, n, v)
		}
	default:
		panic("api: a wire type has a property of kind " + v.Kind().String())
	}
}

// expect reports whether n has the kind, and records a problem if not.
func (d *decoder) expect(path string, n node, want kind) bool {
	if n.kind == want {
		return true
	}
	d.problems.Add(path, "must be %s, not %s", want, n.kind.called())
	return false
}

// integer reads a whole number, or a string that contains one. With floored, it drops a fraction.
func (d *decoder) integer(path string, n node, v reflect.Value, floored bool) {
	if n.kind != kindNumber && n.kind != kindString {
		d.expect(path, n, "a whole number")
		return
	}
	number, err := strconv.ParseInt(strings.TrimSpace(n.text), 10, 64)
	if err != nil {
		// 30.0 and 3e1 are whole numbers, too.
		text := strings.TrimSpace(n.text)
		f, floatErr := strconv.ParseFloat(text, 64)
		whole := n.kind == kindNumber
		if floored {
			f, whole = math.Floor(f), whole || strings.Trim(text, "0123456789.") == ""
		}
		if number = int64(f); !whole || floatErr != nil || float64(number) != f || f > 1<<53 || f < -1<<53 {
			d.problems.Add(path, "must be a whole number")
			return
		}
	}
	v.SetInt(number)
}

// number reads a number in the range of a double.
func (d *decoder) number(path string, n node, v reflect.Value) {
	if !d.expect(path, n, kindNumber) {
		return
	}
	f, err := strconv.ParseFloat(n.text, 64)
	if err != nil {
		d.problems.Add(path, "is out of range")
		return
	}
	v.SetFloat(f)
}

func (d *decoder) slice(path string, n node, v reflect.Value) {
	if !d.expect(path, n, kindArray) {
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.nodes), len(n.nodes))
	for i, entry := range n.nodes {
		d.assign(fmt.Sprintf("%s[%d]", path, i), entry, list.Index(i))
	}
	v.Set(list)
}

func (d *decoder) stringMap(path string, n node, v reflect.Value) {
	if !d.expect(path, n, kindObject) {
		return
	}
	m := map[string]string{}
	for i, name := range n.names {
		if n.nodes[i].kind != kindNull && d.expect(join(path, name), n.nodes[i], kindString) {
			m[name] = n.nodes[i].text
		}
	}
	v.Set(reflect.ValueOf(m))
}

// scalars reads an object of texts, numbers and booleans.
func (d *decoder) scalars(path string, n node, v reflect.Value) {
	if !d.expect(path, n, kindObject) {
		return
	}
	m := map[string]any{}
	for i, name := range n.names {
		d.scalar(join(path, name), n.nodes[i], name, m)
	}
	v.Set(reflect.ValueOf(m).Convert(v.Type()))
}

// scalar stores a text, a number or a boolean under a name; a null is absent.
func (d *decoder) scalar(path string, n node, name string, m map[string]any) {
	switch n.kind {
	case kindNull:
	case kindString:
		m[name] = n.text
	case kindNumber:
		m[name] = json.Number(n.text)
	case kindBool:
		m[name] = n.truth
	default:
		d.expect(path, n, "a text, a number or a boolean")
	}
}

func (d *decoder) object(path string, n node, v reflect.Value) {
	properties := propertiesOf(v.Type())
	for i, name := range n.names {
		at := slices.IndexFunc(properties, func(p property) bool { return p.name == name })
		if at < 0 {
			known := make([]string, len(properties))
			for j, p := range properties {
				known[j] = p.name
			}
			d.problems.Add(join(path, name), "unknown property; the known ones here are %s", strings.Join(known, ", "))
			continue
		}
		switch to := v.FieldByIndex(properties[at].index); {
		case n.nodes[i].kind == kindNull:
		case properties[at].epoch:
			to.Set(reflect.New(to.Type().Elem()))
			d.integer(join(path, name), n.nodes[i], to.Elem(), true)
		default:
			d.assign(join(path, name), n.nodes[i], to)
		}
	}
}

// property is a JSON property of a struct.
type property struct {
	name  string
	index []int
	epoch bool // a pointer to a time, in epoch seconds or milliseconds
	// optional means that a zero value is omitted from answers.
	optional bool
}

// propertyLists caches the properties of structs, by their types.
var propertyLists sync.Map

// propertiesOf lists the properties of a struct, including those of embedded structs, in order.
func propertiesOf(t reflect.Type) []property {
	if list, ok := propertyLists.Load(t); ok {
		return list.([]property)
	}
	var list []property
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			_, epoch := f.Tag.Lookup("epoch")
			list = append(list, property{name, f.Index, epoch, options != ""})
		}
	}
	propertyLists.Store(t, list)
	return list
}

// plain returns the node as encoding/json would decode it into an any, except that null becomes an empty struct, to
// show that there is a value.
func plain(n node) any {
	switch n.kind {
	case kindString:
		return n.text
	case kindNumber:
		return json.Number(n.text)
	case kindBool:
		return n.truth
	case kindArray:
		list := make([]any, len(n.nodes))
		for i, e := range n.nodes {
			list[i] = plain(e)
		}
		return list
	case kindObject:
		m := map[string]any{}
		for i, name := range n.names {
			m[name] = plain(n.nodes[i])
		}
		return m
	}
	return struct{}{}
}
