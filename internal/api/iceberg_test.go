package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/control"
)

func (f *fake) DatasetMetadata(_ context.Context, _ audience.Actor, id audience.ID) (control.DatasetMetadata, error) {
	return control.DatasetMetadata{JSON: []byte(`{"format-version": 2}`), Location: "file:///lake/" + string(id)}, f.called(id)
}

// iceberg sends a request with only a token.
func (w *world) iceberg(method, path string) (status int, body string) {
	w.t.Helper()
	r := httptest.NewRequest(method, icebergBase+path, nil)
	r.Header.Set("Authorization", "Bearer "+w.token)
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	if method == "HEAD" { // net/http drops the body
		return rec.Code, ""
	}
	return rec.Code, strings.TrimSpace(rec.Body.String())
}

func TestIceberg(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.audiences = []audience.Audience{{ID: audienceID, Name: "Gold / silver, 50 %"}}
	const table = `{"metadata-location":"file:///lake/` + audienceID + `","metadata":{"format-version":2},"config":{}}`
	for _, call := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/namespaces", 200, `{"namespaces":[["prod"]]}`},
		{"GET", "/namespaces?parent=prod", 200, `{"namespaces":[]}`},
		{"GET", "/namespaces?parent=secret", 404, `{"error":{"code":404,"message":"there is no sandbox \"secret\" in the organization","type":"NoSuchNamespaceException"}}`},
		{"HEAD", "/namespaces/prod", 200, ""},
		{"GET", "/namespaces/secret", 403, `{"error":{"code":403,"message":"the client has no role in the sandbox \"secret\"","type":"ForbiddenException"}}`},
		{"GET", "/namespaces/none/tables", 404, `{"error":{"code":404,"message":"there is no sandbox \"none\" in the organization","type":"NoSuchNamespaceException"}}`},
		{"GET", "/namespaces/prod/tables", 200, `{"identifiers":[{"namespace":["prod"],"name":"Gold _ silver_ 50 __60ccea95"}]}`},
		{"GET", "/namespaces/prod/tables?pageToken=x", 400, `{"error":{"code":400,"message":"pageToken: is not a token that this catalog issued","type":"BadRequestException"}}`},
		{"GET", "/namespaces/prod/tables/" + audienceID, 200, table},
		{"HEAD", "/namespaces/prod/tables/" + audienceID, 200, ""},
		{"GET", "/namespaces/prod/tables/" + url.PathEscape("Gold / silver, 50 %"), 200, table},
		{"POST", "/namespaces", 406, `{"error":{"code":406,"message":"this catalog is read-only: POST /iceberg/v1/namespaces is not possible","type":"UnsupportedOperationException"}}`},
		{"DELETE", "/namespaces/prod/tables/x", 406, `{"error":{"code":406,"message":"this catalog is read-only: DELETE /iceberg/v1/namespaces/prod/tables/x is not possible","type":"UnsupportedOperationException"}}`},
		{"GET", "/namespaces/prod/views", 406, `{"error":{"code":406,"message":"this catalog is read-only: GET /iceberg/v1/namespaces/prod/views is not possible","type":"UnsupportedOperationException"}}`},
	} {
		if status, body := w.iceberg(call.method, call.path); status != call.status || body != call.body {
			t.Errorf("%s %s: %d %s", call.method, call.path, status, body)
		}
	}
	w.token = "x"
	for _, path := range []string{"/config", "/namespaces", "/namespaces/prod", "/namespaces/prod/tables", "/namespaces/prod/tables/" + audienceID} {
		if status, body := w.iceberg("GET", path); status != http.StatusUnauthorized || !strings.Contains(body, "NotAuthorizedException") {
			t.Errorf("%s without a token: %d %s", path, status, body)
		}
	}
}

// manyAudiences is a sandbox with many audiences, which lists and finds them as the store does.
type manyAudiences struct {
	*fake
	list []audience.Audience
}

func (m *manyAudiences) Audiences(_ context.Context, _ audience.Actor, q audience.AudienceQuery) (found []audience.Audience, _ int, _ error) {
	for _, aud := range m.list {
		named := len(q.Filters) == 0 || q.Filters[0].Value == aud.Name
		if named && strings.Contains(aud.Name, q.NameContains) && (q.After == nil || aud.CreatedAt.After(q.After.At)) && len(found) < q.Limit {
			found = append(found, aud)
		}
	}
	return found, 0, nil
}

func (m *manyAudiences) AudiencesByID(context.Context, audience.Actor, []audience.ID) (map[audience.ID]audience.Audience, error) {
	return nil, nil
}

// TestTableNames lists many audiences, by pages and in one list, and finds each by its listed name.
func TestTableNames(t *testing.T) {
	t.Parallel()
	service := &manyAudiences{fake: newFake()}
	names := []string{"Plain", "with space", "a.b", "a/b", "a_b", `"quoted"`, "100 %", "....", "Łódź", "a?b#c", "a+b", "a  b", "60ccea95-1435-4180-97a5-58af4aa285ab"}
	for i := range 3*icebergPage - len(names) {
		names = append(names, fmt.Sprintf("audience.%d", i))
	}
	for i, name := range names {
		service.list = append(service.list, audience.Audience{ID: audience.ID(fmt.Sprintf("%08x-0000-4000-8000-000000000000", i*0x10001)),
			Name: name, CreatedAt: testNow.Add(time.Duration(i) * time.Millisecond)})
	}
	s := &server{Config: Config{Service: service}}
	seen := map[string]bool{}
	for _, aud := range service.list {
		name := tableName(&aud)
		if seen[name] || strings.ContainsAny(name, `./"%?#`) {
			t.Errorf("%q is the table %q", aud.Name, name)
		}
		seen[name] = true
		for _, by := range []string{name, aud.Name, strings.ReplaceAll(name, " ", "+")} {
			if id, err := s.audienceOfTable(t.Context(), audience.Actor{}, by); err != nil || id != aud.ID {
				t.Errorf("%q finds %q, %v; want %s", by, id, err, aud.ID)
			}
		}
	}
	for _, absent := range []string{"", "none", "a_b_00000000", "_60ccea95", "audience_1_ffffffff"} {
		if id, err := s.audienceOfTable(t.Context(), audience.Actor{}, absent); audience.CodeOf(err) != audience.NotFound {
			t.Errorf("%q finds %q, %v", absent, id, err)
		}
	}
	token := ""
	var after *audience.Position
	for _, aud := range service.list[:3] {
		token = tableToken(&audience.Position{At: aud.CreatedAt, ID: string(aud.ID)})
		var err error
		if after, err = tableAfter(token); err != nil || !after.At.Equal(aud.CreatedAt) || after.ID != string(aud.ID) {
			t.Errorf("%q: %+v %v", token, after, err)
		}
	}
	if !slices.ContainsFunc(service.list, func(aud audience.Audience) bool { return string(aud.ID) == after.ID }) {
		t.Error(after)
	}
}

// TestIcebergRate limits the requests of a client, those without a sandbox included.
func TestIcebergRate(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/config", "/namespaces", "/namespaces/prod", "/namespaces/prod/tables"} {
		w := newWorld(t)
		w.handler = New(Config{Service: w.service, Issuer: w.issuer, Log: slog.New(slog.DiscardHandler), RateLimit: 1})
		status, body := 0, ""
		for range 20 {
			if status, body = w.iceberg("GET", path); status != 200 {
				break
			}
		}
		if status != 429 || !strings.Contains(body, `"type":"SlowDownException"`) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}
