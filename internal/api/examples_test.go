package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	contract "roster/api"
	"roster/internal/audience"
	"roster/internal/control"
)

// pathValues replaces the parameters in the path of a route by the ids of the world.
var pathValues = strings.NewReplacer("{audienceId}", audienceID, "{taskId}", taskID, "{operationId}", taskID, "{runId}", runID, "{connectionId}", connID, "{publicKeyId}", string(keyID),
	"{namespace}", "email", "{identity}", "ada@example.com", "{flowId}", flowID, "{flowRunId}", flowRunID, "{name}", "dev",
	"{specId}/configs", audience.SpecS3+"/configs", "{specId}", audience.SpecLandingZone, "{workOrderId}", "DI-"+otherID, "{clientId}", otherID, "{webhookId}", otherID, "{erasureId}", otherID,
	"{family}", "core", "{datasetId}", audienceID, "{batchId}", flowRunID)

// TestExamples sends every call of openapi.yaml with its examples. Each must be accepted, and the response must conform
// to openapi.yaml. Every call with a JSON body has an example.
func TestExamples(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromData(contract.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	w, sent := newWorld(t), 0
	w.service.profiles = []control.Profile{{XID: "x1", Found: true, Primary: true, Identity: control.IdentityRef{ID: "ada@example.com", Namespace: "Email"}, ModifiedAt: testNow}}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if strings.HasPrefix(path, inLanding) || strings.HasPrefix(path, "/ims/") || strings.HasSuffix(path, "/resubmit") || path == "/metrics" {
				continue // bodies that are files or forms, and calls for objects that this world lacks
			}
			bodies := exampleBodies(t, method+" "+path, op)
			for _, name := range slices.Sorted(maps.Keys(bodies)) {
				for _, query := range exampleQueries(item, op) {
					rec := w.do(method, pathValues.Replace(path)+query, bodies[name], "If-Match", "*")
					if rec.Code >= http.StatusMultipleChoices {
						t.Errorf("%s %s%s, example %q: %d %s", method, path, query, name, rec.Code, rec.Body)
					}
					sent++
				}
			}
		}
	}
	if sent < 65 {
		t.Errorf("only %d examples were sent", sent)
	}
}

// exampleBodies returns the example bodies of a call by their names; one with the name "" for a call without a body.
func exampleBodies(t *testing.T, call string, op *openapi3.Operation) map[string]string {
	t.Helper()
	bodies := map[string]string{}
	add := func(name string, value any) {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		bodies[name] = string(text)
	}
	if op.RequestBody == nil {
		return map[string]string{"": ""}
	}
	content := op.RequestBody.Value.Content
	for _, kind := range []string{"application/json", "application/json-patch+json"} {
		media := content.Get(kind)
		if media == nil {
			continue
		}
		if media.Example != nil {
			add(kind, media.Example)
		}
		for name, one := range media.Examples {
			add(kind+" "+name, one.Value.Value)
		}
	}
	if len(bodies) == 0 {
		t.Errorf("%s takes a body and has no example of it", call)
	}
	return bodies
}

// exampleQueries returns the queries of a call: one with an example of each parameter, and one for each further named
// example of a parameter.
func exampleQueries(item *openapi3.PathItem, op *openapi3.Operation) []string {
	all := []url.Values{{}}
	for _, ref := range slices.Concat(item.Parameters, op.Parameters) {
		p := ref.Value
		if p.In != "query" {
			continue
		}
		if p.Example != nil {
			for _, query := range all {
				query[p.Name] = exampleTexts(p.Example)
			}
		}
		for _, one := range p.Examples {
			query := maps.Clone(all[0])
			query[p.Name] = exampleTexts(one.Value.Value)
			all = append(all, query)
		}
	}
	texts := make([]string, len(all))
	for i, query := range all {
		texts[i] = "?" + query.Encode()
	}
	return texts
}

func exampleTexts(value any) (texts []string) {
	list, is := value.([]any)
	if !is {
		list = []any{value}
	}
	for _, one := range list {
		texts = append(texts, fmt.Sprint(one))
	}
	return texts
}
