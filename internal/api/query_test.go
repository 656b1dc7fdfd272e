package api

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	contract "roster/api"
)

// described returns the query parameters of a call in openapi.yaml, in each spelling.
func described(t *testing.T, doc *openapi3.T, rt route) map[string]*openapi3.Parameter {
	t.Helper()
	item := doc.Paths.Value(strings.ReplaceAll(rt.path, "...", ""))
	if item == nil || item.GetOperation(rt.method) == nil {
		t.Fatalf("%s %s is not described", rt.method, rt.path)
	}
	found := map[string]*openapi3.Parameter{}
	for _, ref := range slices.Concat(item.Parameters, item.GetOperation(rt.method).Parameters) {
		if ref.Value.In != "query" {
			continue
		}
		found[ref.Value.Name] = ref.Value
		spellings, _ := ref.Value.Extensions["x-roster-spellings"].([]any)
		for _, name := range spellings {
			found[name.(string)] = ref.Value
		}
	}
	return found
}

// kindOf returns the kind of a parameter in openapi.yaml.
func kindOf(p *openapi3.Parameter) parameter {
	if p.Extensions["x-roster-ignored"] == true {
		return unused
	}
	var empty any = ""
	if schema := p.Schema.Value; schema.Type.Is("array") {
		empty = []any{""}
	}
	if p.Schema.Value.VisitJSON(empty) == nil {
		return text
	}
	return exact
}

// TestParameters compares the parameters of every call with openapi.yaml, and sends each. The server refuses by name a
// parameter that the call does not have, an empty one that must not be empty, and a text where a number or a word of a
// list is required.
func TestParameters(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromData(contract.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	refused := func(rt route, name, value string) {
		t.Helper()
		target := pathValues.Replace(strings.ReplaceAll(rt.path, "{path...}", "in.csv"))
		rec := w.do(rt.method, target+"?"+url.Values{name: {value}}.Encode(), "", "If-Match", "*")
		if rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), `"path":"`+name+`"`) {
			t.Errorf("%s %s?%s=%s: %d %s", rt.method, rt.path, name, value, rec.Code, rec.Body)
		}
	}
	sent := 0
	for _, rt := range (&server{}).routes() {
		if rt.do == nil {
			continue
		}
		refused(rt, "nonsense", "1")
		refused(rt, "nonsense", "")
		want := parameters{}
		for name, p := range described(t, doc, rt) {
			want[name] = kindOf(p)
			if sent++; want[name] == exact {
				refused(rt, name, "")
				if p.Schema.Value.Type == nil || !p.Schema.Value.Type.Is("string") && !p.Schema.Value.Type.Is("array") {
					refused(rt, name, "nonsense")
				}
			}
		}
		if !maps.Equal(want, rt.takes) {
			t.Errorf("%s %s takes %v, by openapi.yaml %v", rt.method, rt.path, map[string]parameter(rt.takes), map[string]parameter(want))
		}
	}
	if sent < 200 {
		t.Errorf("only %d parameters were compared", sent)
	}
	rec := w.do("GET", connections+"?count=true&orderby=", "")
	if names := rec.Header()[ignoredHeader]; rec.Code != http.StatusOK || !slices.Equal(names, []string{"count", "orderby"}) {
		t.Errorf("what has no effect is not named: %d %q", rec.Code, names)
	}
}
