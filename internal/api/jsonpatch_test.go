package api

import (
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"roster/internal/audience"
)

// patchOf decodes a body as a JSON Patch.
func patchOf(body string) ([]patchOp, error) {
	return (&call{Request: httptest.NewRequest("PATCH", "/", strings.NewReader(body))}).jsonPatch()
}

func TestJSONPatch(t *testing.T) {
	t.Parallel()
	ops, err := patchOf(` [{"op": "add", "path": "/labels", "value": ["core/C1"]},
		{"op": "remove", "path": "/a~1b/c~01/", "value": "not looked at"}, {"value": 7, "path": "/params/port", "op": "replace"}]`)
	if err != nil || len(ops) != 3 {
		t.Fatal(ops, err)
	}
	var d decoder
	labels := []string{"before", "that"}
	if ops[0].set(&d, &labels); !ops[0].is("labels") || !reflect.DeepEqual(labels, []string{"core/C1"}) {
		t.Errorf("%+v: %q", ops[0], labels)
	}
	if want := []string{"a/b", "c~1", ""}; !ops[1].is(want...) {
		t.Errorf("%q, want %q", ops[1].path, want)
	}
	if ops[1].set(&d, &labels); labels != nil {
		t.Errorf("what is removed is still %q", labels)
	}
	if err := d.problems.Err(); err != nil {
		t.Error(err)
	}
	var name string
	ops[2].set(&d, &name)
	ops[2].refuse(&d, "/labels", "/name")
	want := audience.Problems{{Path: "[2].value", Message: "must be a string, not a number"}, {Path: "[2].path", Message: "cannot be changed; /labels, /name can"}}
	if !reflect.DeepEqual(d.problems, want) {
		t.Errorf("%v, want %v", d.problems, want)
	}
}

func TestJSONPatchRefused(t *testing.T) {
	t.Parallel()
	const op = `{"op": "add", "path": "/name", "value": 1}`
	if _, err := patchOf("[" + strings.Repeat(op+",", maxPatch-1) + op + "]"); err != nil {
		t.Errorf("%d operations: %v", maxPatch, err)
	}
	for body, want := range map[string]string{
		"":   "the body is missing; it must be a JSON Patch",
		"[1": "the body is not JSON: unexpected end of JSON input (line 1, byte 2)",
		op:   "the body must be a JSON Patch, which is an array of operations, not an object",
		"[]": "the JSON Patch has no operation",
		"[1, " + op + `, {"op": "add", "path": 5}]`: "[0]: must be an object, not a number; [2].path: must be a string, not a number",
		`[{"op": "add", "op": "add"}]`:              "[0].op: the property is given twice",
		`[{"op": "add", "path": "/a", "valeu": 1}]`: "[0].valeu: unknown property; the known ones here are op, path, from, value",
		`[{"op": "add", "path": "/a"}]`:             `[0].value: is required with "add"`,
		`[{"path": "/a", "value": 1}]`:              `[0].op: "" is not supported; use add, replace or remove`,
		`[{"op": "move", "path": "/a", "from": "/b"}, {"op": "test", "path": "", "value": 1}]`: `[0].op: "move" is not supported; use add, replace or remove; ` +
			`[1].op: "test" is not supported; use add, replace or remove; [1].path: "" does not name a property; write it as a JSON Pointer, such as /description`,
		`[{"op": "remove", "path": "a"}]`:                 `[0].path: "a" does not name a property; write it as a JSON Pointer, such as /description`,
		`[{"op": "remove", "path": "/a~2"}]`:              `[0].path: "/a~2" does not name a property; write it as a JSON Pointer, such as /description`,
		"[" + strings.Repeat(op+",", maxPatch) + op + "]": "the JSON Patch has 101 operations; at most 100 are allowed",
	} {
		_, err := patchOf(body)
		if audience.CodeOf(err) != audience.Invalid || audience.AsError(err).Message != want {
			t.Errorf("%.100s: %v, want %s", body, err, want)
		}
	}
}
