package api

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"roster/internal/audience"
)

// A JSON Patch (RFC 6902) is decoded as strictly as every other body. The calls with a patch allow the operations add,
// replace and remove on a few properties; add and replace both set a property, whether it exists or not.

// maxPatch is the largest number of operations of a JSON Patch.
const maxPatch = 100

// The supported operations.
const (
	patchAdd     = "add"
	patchReplace = "replace"
	patchRemove  = "remove"
)

// patchOp is one operation of a JSON Patch.
type patchOp struct {
	at    string   // its position in the body, such as "[0]"
	op    string   // patchAdd, patchReplace or patchRemove
	path  []string // the names in its JSON Pointer, at least one
	value node     // of patchAdd and patchReplace
}

// jsonPatch decodes the call's body, a JSON Patch of 1 to maxPatch operations. It reports problems with their positions
// in the body.
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

// patchOp decodes the operation at a position of the body.
func (d *decoder) patchOp(at string, n node) patchOp {
	var in struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		From  string `json:"from"` // of operations that are not supported
		Value any    `json:"value"`
	}
	before := len(d.problems)
	if d.assign(at, n, reflect.ValueOf(&in).Elem()); len(d.problems) > before {
		return patchOp{}
	}
	o := patchOp{at: at, op: in.Op}
	switch {
	case !slices.Contains([]string{patchAdd, patchReplace, patchRemove}, in.Op):
		d.problems.Add(join(at, "op"), "%.64q is not supported; use %s, %s or %s", in.Op, patchAdd, patchReplace, patchRemove)
	case slices.Contains(n.names, "value"):
		if o.value = n.nodes[slices.Index(n.names, "value")]; o.value.kind == kindNull { // which counts as absent
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

// pointer returns the names in a JSON Pointer (RFC 6901); false for other text and for the pointer to the whole
// document.
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

// is reports whether the operation changes the property at path.
func (o *patchOp) is(path ...string) bool { return slices.Equal(o.path, path) }

// adds reports whether the operation appends a value to the list with that name.
func (o *patchOp) adds(list string) bool { return o.op == patchAdd && o.is(list, "-") }

// add appends the operation's value to the values that are added to a list.
func (o *patchOp) add(d *decoder, values *[]string) {
	var value string
	o.set(d, &value)
	*values = append(*values, value)
}

// set stores the operation's value in dst, a pointer to a type of bodies, or the zero value for patchRemove. d collects
// the problems.
func (o *patchOp) set(d *decoder, dst any) {
	v := reflect.ValueOf(dst).Elem()
	v.SetZero()
	if o.op != patchRemove {
		d.assign(join(o.at, "value"), o.value, v)
	}
}

// refuse reports that the operation's path cannot be changed, and lists those that can, as JSON Pointers.
func (o *patchOp) refuse(d *decoder, known ...string) {
	d.problems.Add(join(o.at, "path"), "cannot be changed; %s can", strings.Join(known, ", "))
}
