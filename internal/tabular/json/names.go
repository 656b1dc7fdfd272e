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

// Limits of the names that are remembered.
const (
	maxNames = 10_000 // different spellings
)

// jsonNames finds the wanted column of a name and remembers the names in a file. Most objects have the same names in
// the same order, so it first tries the name that followed last time.
type jsonNames struct {
	wanted map[string]int // by folded name
	known  map[string]*jsonName
	last   *jsonName // of this object
	fresh  []*jsonName
}

// jsonName is a name as written.
type jsonName struct {
	raw    string    // including quotes and escapes
	text   string    // without them and without surrounding white space
	want   int       // the wanted column, or -1
	offset int64     // of the first occurrence in a well-formed object; -1 if there is none
	at     int64     // of the first occurrence in the current object, while offset is -1
	next   *jsonName // the name that followed last time
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

// find returns the wanted column of a name as written, -1 for none. The name ends at offset at.
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

// name returns a known or new name, nil if there are too many or it is too long.
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

// trimName returns a name without its quotes, its escapes and the surrounding white space. It replaces invalid Unicode.
func trimName(raw []byte) string {
	text, _ := jsontext.AppendUnquote(nil, raw)
	return strings.TrimSpace(string(text))
}

// keep keeps the new names of a well-formed object.
func (n *jsonNames) keep() {
	for _, name := range n.fresh {
		name.offset = name.at
	}
	n.fresh = n.fresh[:0]
}

// discard removes the names that were new in a malformed object.
func (n *jsonNames) discard() {
	for _, name := range n.fresh {
		delete(n.known, name.raw)
	}
	n.fresh = n.fresh[:0]
}

// jsonHeader returns the names in a file, in the order of first appearance, from those that its parsers saw.
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

// usableObjects explains why objects cannot be used. It shows their names only if they are certainly names.
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
