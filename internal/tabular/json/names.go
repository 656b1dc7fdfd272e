package json

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"roster/internal/audience"
	"roster/internal/tabular"
)

// Limits of what is remembered of names.
const (
	maxNames = 10_000 // different spellings
)

// jsonNames finds the wanted column of a name and remembers the names that a file has. The objects of a file mostly
// have the same names in the same order, so the one that followed last time is tried first.
type jsonNames struct {
	wanted map[string]int // by folded name
	known  map[string]*jsonName
	last   *jsonName // of this object
	fresh  []*jsonName
}

// jsonName is a name as it is written.
type jsonName struct {
	raw    string    // with its quotes and escapes
	text   string    // without them and the white space around it
	want   int       // the wanted column, or -1
	offset int64     // where an object that is well-formed has it first; -1 when none has
	at     int64     // where the object that is read has it first, while offset is -1
	next   *jsonName // what followed last time
}

func newJSONNames(columns []tabular.Column) jsonNames {
	n := jsonNames{wanted: make(map[string]int, len(columns)), known: map[string]*jsonName{}}
	for i, c := range columns {
		n.wanted[audience.NameKey(c.Name)] = i
	}
	return n
}

// begin begins an object.
func (n *jsonNames) begin() {
	n.last = nil
	n.fresh = n.fresh[:0]
}

// find returns the wanted column that a name as it is written means, -1 for none. The name ends at offset at.
func (n *jsonNames) find(raw []byte, at int64) int {
	name := n.name(raw)
	if name == nil {
		return n.lookUp(trimName(raw))
	}
	if n.last != nil {
		n.last.next = name
	}
	n.last = name
	if name.offset < 0 && name.at < 0 {
		name.at = at
		n.fresh = append(n.fresh, name)
	}
	return name.want
}

// name returns a name that is known or becomes so, nil when there are too many or it is too long.
func (n *jsonNames) name(raw []byte) *jsonName {
	if n.last != nil && n.last.next != nil && n.last.next.raw == string(raw) && n.last.next.offset >= 0 {
		return n.last.next
	}
	name := n.known[string(raw)]
	if name == nil && len(n.known) < maxNames && len(raw) <= tabular.MaxName {
		name = &jsonName{raw: string(raw), text: trimName(raw), offset: -1, at: -1}
		name.want = n.lookUp(name.text)
		n.known[name.raw] = name
	}
	return name
}

func (n *jsonNames) lookUp(name string) int {
	if want, ok := n.wanted[audience.NameKey(name)]; ok {
		return want
	}
	return -1
}

// trimName returns a name without its quotes, its escapes and the white space around it. What is not valid Unicode
// in it is replaced.
func trimName(raw []byte) string {
	text, _ := jsontext.AppendUnquote(nil, raw)
	return strings.TrimSpace(string(text))
}

// keep remembers the names of an object that is well-formed.
func (n *jsonNames) keep() {
	for _, name := range n.fresh {
		name.offset = name.at
	}
	n.fresh = n.fresh[:0]
}

// forget forgets the names that were new in an object that is not well-formed.
func (n *jsonNames) forget() {
	for _, name := range n.fresh {
		delete(n.known, name.raw)
	}
	n.fresh = n.fresh[:0]
}

// jsonHeader says which names a file has, in the order in which they come first, from what its parsers saw.
func jsonHeader(columns []tabular.Column, parsers []*jsonParser) (tabular.Header, error) {
	rows, objects := int64(0), int64(0)
	present := make([]bool, len(columns))
	var names []*jsonName
	for _, p := range parsers {
		o := &p.object
		rows, objects = rows+o.count, objects+o.objects
		for want, there := range o.present {
			present[want] = present[want] || there
		}
		for _, name := range o.names.known {
			names = append(names, name)
		}
	}
	if rows == 0 {
		return tabular.Header{}, nil
	}
	slices.SortFunc(names, func(a, b *jsonName) int { return cmp.Compare(a.offset, b.offset) })
	var h tabular.Header
	listed := map[string]bool{}
	for _, name := range names {
		folded := audience.NameKey(name.text)
		if listed[folded] || len(h.Extra) == maxNames {
			continue
		}
		listed[folded] = true
		h.Names = append(h.Names, name.text)
		if name.want < 0 {
			h.Extra = append(h.Extra, name.text)
		}
	}
	for want, c := range columns {
		if !present[want] {
			h.Missing = append(h.Missing, c.Name)
		}
	}
	return h, usableObjects(h, columns, objects)
}

// usableObjects says why objects cannot be used. Their names are told only when it is sure that they are names.
func usableObjects(h tabular.Header, columns []tabular.Column, objects int64) error {
	switch {
	case objects == 0:
		return noObject()
	case len(h.Missing) == len(columns):
		return &tabular.FileError{Code: "NO_HEADER", Message: "no object of the file has any of the audience's fields as a key"}
	}
	for _, c := range columns {
		if c.Required && slices.Contains(h.Missing, c.Name) {
			return &tabular.FileError{Code: "MISSING_COLUMN", Message: fmt.Sprintf("no object of the file has the key %q; their keys are %s", c.Name, tabular.NameList(h.Names))}
		}
	}
	return nil
}

func noObject() error {
	return &tabular.FileError{Code: "NO_HEADER", Message: "nothing in the file is a JSON object; it must be an array of objects, or have an object on each line"}
}
