package api

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"roster/internal/audience"
)

// A JSON Patch (RFC 6902) is decoded as strictly as every other body. The calls that take one allow its operations
// add, replace and remove on a few properties; add and replace both set a property, whether it is there or not.

// maxPatch bounds the operations of a JSON Patch.
const maxPatch = 100

// The operations that are taken.
const (
	patchAdd     = "add"
	patchReplace = "replace"
	patchRemove  = "remove"
)

// patchOp is one operation of a JSON Patch.
type patchOp struct {
	at    string   // where it stands in the body, such as "[0]"
	op    string   // patchAdd, patchReplace or patchRemove
	path  []string // the names that its JSON Pointer leads along, at least one
	value node     // of patchAdd and patchReplace
}

// jsonPatch decodes the call's body, a JSON Patch of 1 to maxPatch operations. Whatever is wrong with them is
// refused by its place in the body.
func (c *call) jsonPatch() ([]patchOp, error) {
	root, err := c.parsed("a JSON Patch")
	if err != nil {
		return nil, err
	}
	switch n := len(root.nodes); {
	case root.kind != kindArray:
		return nil, audience.InvalidField("", "the body must be a JSON Patch, which is an array of operations, not %s", root.kind.called())
	case n == 0:
		return nil, audience.InvalidField("", "the JSON Patch has no operation")
	case n > maxPatch:
		return nil, audience.InvalidField("", "the JSON Patch has %d operations; at most %d are allowed", n, maxPatch)
	}
	var d decoder
	ops := make([]patchOp, len(root.nodes))
	for i, n := range root.nodes {
		ops[i] = d.patchOp(fmt.Sprintf("[%d]", i), n)
	}
	return ops, d.problems.Err()
}

// patchOp decodes the operation that stands at a place of the body.
func (d *decoder) patchOp(at string, n node) patchOp {
	var in struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		From  string `json:"from"` // of operations that are refused by their names
		Value any    `json:"value"`
	}
	before := len(d.problems)
	if d.assign(at, n, reflect.ValueOf(&in).Elem()); len(d.problems) > before {
		return patchOp{}
	}
	o := patchOp{at: at, op: in.Op}
	switch {
	case !slices.Contains([]string{patchAdd, patchReplace, patchRemove}, in.Op):
		d.problems.Add(join(at, "op"), "%.64q is not supported; %s, %s and %s are", in.Op, patchAdd, patchReplace, patchRemove)
	case slices.Contains(n.names, "value"):
		if o.value = n.nodes[slices.Index(n.names, "value")]; o.value.kind == kindNull { // which is absence
			o.op = patchRemove
		}
	case in.Op != patchRemove:
		d.problems.Add(join(at, "value"), "is required with %q", in.Op)
	}
	var ok bool
	if o.path, ok = pointer(in.Path); !ok {
		d.problems.Add(join(at, "path"), "%.100q does not name a property; write it as a JSON Pointer, such as /description", in.Path)
	}
	return o
}

// pointer returns the names that a JSON Pointer (RFC 6901) leads along; false for a text that is none and for the
// pointer to the whole document.
func pointer(text string) (path []string, ok bool) {
	if !strings.HasPrefix(text, "/") {
		return nil, false
	}
	path = strings.Split(text[1:], "/")
	for i, name := range path {
		if strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(name), "~") {
			return nil, false
		}
		path[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
	}
	return path, true
}

// is reports whether the operation is on the property that the names lead to.
func (o *patchOp) is(path ...string) bool { return slices.Equal(o.path, path) }

// adds reports whether the operation puts a value behind the others of the list that the name leads to.
func (o *patchOp) adds(list string) bool { return o.op == patchAdd && o.is(list, "-") }

// add appends the operation's value to the ones that are added to a list.
func (o *patchOp) add(d *decoder, values *[]string) {
	var value string
	o.set(d, &value)
	*values = append(*values, value)
}

// set puts the operation's value into dst, a pointer to what a body may hold, or its zero value for patchRemove.
// d collects what does not fit.
func (o *patchOp) set(d *decoder, dst any) {
	v := reflect.ValueOf(dst).Elem()
	v.SetZero()
	if o.op != patchRemove {
		d.assign(join(o.at, "value"), o.value, v)
	}
}

// refuse says that the operation's path is none of those that can be changed, which are written as JSON Pointers.
func (o *patchOp) refuse(d *decoder, known ...string) {
	d.problems.Add(join(o.at, "path"), "cannot be changed; %s can", strings.Join(known, ", "))
}
