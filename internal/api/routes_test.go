package api

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	contract "roster/api"
)

// TestDescription compares the routes with openapi.yaml in both directions.
func TestDescription(t *testing.T) {
	t.Parallel()
	if _, err := specification(); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]any
	}
	if err := yaml.Unmarshal(contract.OpenAPI, &doc); err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	for path, item := range doc.Paths {
		for method := range item {
			if method != "parameters" && method != "servers" {
				described[strings.ToUpper(method)+" "+path] = true
			}
		}
	}
	served := map[string]bool{}
	for _, r := range (&server{}).routes() {
		for _, path := range append([]string{r.path}, r.also...) {
			served[r.method+" "+strings.NewReplacer("...", "", "{$}", "").Replace(path)] = true
		}
	}
	for _, call := range slices.Sorted(maps.Keys(served)) {
		if !described[call] {
			t.Errorf("%s is served but not described in openapi.yaml", call)
		}
	}
	for _, call := range slices.Sorted(maps.Keys(described)) {
		if !served[call] {
			t.Errorf("%s is described in openapi.yaml but not served", call)
		}
	}
}

// TestSpellings calls every route in each of its spellings.
func TestSpellings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bodies := map[string]string{
		"POST " + external + "/submit": validSubmit, "POST " + external: validSubmit,
		"POST " + connections:                      `{"name": "files", "connectionSpec": {"id": "26f526f2-58f4-4712-961d-e41bf1ccc0e8"}}`,
		"PATCH " + connections + "/{connectionId}": `[{"op": "replace", "path": "/name", "value": "n"}]`,
		"POST " + keys:                             `{"encryptionAlgorithm": "PGP"}`,
		"POST " + customerKeys:                     `{"encryptionAlgorithm": "PGP", "publicKey": "public"}`,
		"POST " + sandboxes:                        `{"name": "dev", "title": "Development"}`,
		"PUT " + sandboxes + "/{name}":             `{"action": "reset"}`,
		"POST " + namespaces:                       `{"name": "n", "code": "N"}`,
		"POST " + entities:                         `{"identities": [{"entityId": "a", "entityIdNS": {"code": "email"}}]}`,
		"PATCH " + one:                             `{}`,
		"PUT " + one + "/source":                   `{"sourceSpec": {"path": "in.csv", "type": "file", "cloudType": "DLZ"}}`,
		"POST " + clients:                          `{"name": "loader"}`,
		"PATCH " + clients + "/{clientId}":         `{"labels": []}`,
		"POST " + webhooks:                         `{"url": "https://example.com/hook", "events": ["roster.run.ended"]}`,
		"PATCH " + webhooks + "/{webhookId}":       `{"enabled": false}`,
		"POST " + external + "/validate":           `{"sourceSpec": {"path": "in.csv", "type": "file", "sourceType": "Cloud Storage", "cloudType": "DLZ"}}`,
		"POST " + audiences + "/bulk-get":          `{"ids": [{"id": "` + absentID + `"}]}`,
		"POST " + workOrders:                       `{"action": "delete_identity", "datasetId": "ALL", "identities": [{"namespace": {"code": "Email"}, "id": "ada@example.com"}]}`,
		"POST " + audiences:                        newUPSAudience,
		"PUT " + audiences + "/{audienceId}":       `{"tags": ["a"]}`,
		"PATCH " + audiences + "/{audienceId}":     `[{"op": "remove", "path": "/tags"}]`,
	}
	for _, rt := range (&server{}).routes() {
		if rt.do == nil || strings.HasPrefix(rt.path+"/", inLanding) {
			continue
		}
		for _, path := range append([]string{rt.path}, rt.also...) {
			var first string
			for _, spelled := range []string{"/data" + path, path, "/data" + path + "/", path + "/"} {
				target := pathValues.Replace(spelled)
				if rt.path == flowservice+"/runs" {
					target += "?property=flowId==" + flowID
				}
				if strings.HasSuffix(rt.path, "/configs") {
					target += "?authType=IamBasedAuthentication"
				}
				if rt.path == entities && rt.method != "POST" {
					continue // see TestLookup and TestErase
				}
				rec := w.do(rt.method, target, bodies[rt.method+" "+rt.path], "If-Match", "*")
				if rec.Code >= 300 {
					t.Errorf("%s %s: %d %s", rt.method, target, rec.Code, rec.Body)
				}
				if first == "" {
					first = rec.Body.String()
				} else if rec.Body.String() != first {
					t.Errorf("%s %s answers otherwise than in its first spelling", rt.method, target)
				}
			}
		}
	}
}

// TestPathsThatAreNone checks that the server never redirects and that every refusal has the contract's body.
func TestPathsThatAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{
		"*", "/nothing", "/data", "/data/", "/data/healthz", "/data/ims/token/v3", "/data/landing/x", "/data/landing", "/landing/",
		"/core/ais/external-audience//submit", "/core/ais/../ais/external-audience", "/core/ais/./external-audience",
		"/core/ais/external-audience/" + audienceID + "/run/" + runID + "/more", "/core/ais/external-audiences", "/core/ais/nothing-here",
		"/core/ais/external-audience/" + audienceID + "//", "/data/data/core/ais/external-audience", "/core/ais/external-audience/task",
		"/core/ais/external-audience/not-an-id", "/core/ais/external-audience/%2e%2e", "/core/ais/external-audience/a%2Fb",
		"/CORE/ais/external-audience",
	} {
		rec := w.do("GET", path, "")
		if rec.Code != http.StatusNotFound || rec.Header().Get("Content-Type") != problemType || !strings.Contains(rec.Body.String(), "100940-404") {
			t.Errorf("GET %s: %d %s", path, rec.Code, rec.Body)
		}
	}
	for call, allow := range map[string]string{
		"PUT /data/core/ais/external-audience/":                   "GET, HEAD, POST",
		"POST /core/ais/external-audience/" + audienceID:          "GET, HEAD, PATCH, DELETE",
		"DELETE /core/ais/external-audience/task/" + taskID + "/": "GET, HEAD",
		"GET /core/ais/external-audience/" + audienceID + "/run":  "POST",
		"GET /ims/token/v3":   "POST",
		"POST /healthz":       "GET, HEAD",
		"GET /landing/in.csv": "PUT, DELETE",
		"PUT /landing":        "GET, HEAD",
		"OPTIONS /data/foundation/flowservice/connections":                      "GET, HEAD, POST",
		"PATCH /data/foundation/sandbox-management/sandboxes":                   "GET, HEAD, POST",
		"PUT /data/core/ais/external-audience/" + audienceID + "/runs/" + runID: "GET, HEAD",
	} {
		method, path, _ := strings.Cut(call, " ")
		rec := w.do(method, path, "")
		if rec.Code != http.StatusMethodNotAllowed || rec.Header().Get("Allow") != allow || !strings.Contains(rec.Body.String(), `"errorCode":"100910-405"`) {
			t.Errorf("%s: %d, Allow %q, %s", call, rec.Code, rec.Header().Get("Allow"), rec.Body)
		}
	}
	if len(w.service.calls) > 0 {
		t.Errorf("use cases were called: %v", w.service.calls)
	}
}
