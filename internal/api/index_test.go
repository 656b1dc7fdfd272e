package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

// TestIndex reads the index without credentials and follows every address in it.
func TestIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := func(method, path, accept string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, nil)
		if accept != "" {
			r.Header.Set("Accept", accept)
		}
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		return rec
	}
	for accept, html := range map[string]bool{
		"": false, "*/*": false, "application/json": false, "text/html": true, "TEXT/HTML": true, "text/*": true, "image/png": false,
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": true, "text/html;q=0.5, application/json": false, "text/html;q=0.5, */*": false,
		"text/html;q=0": false, "application/json;q=0.1, text/html;q=0.2": true, "application/problem+json, application/json": false, ";;;, text/html": true,
	} {
		for _, method := range []string{"GET", "HEAD"} {
			rec := ask(method, "/", accept)
			want := "application/json"
			if html {
				want = "text/html; charset=utf-8"
			}
			if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != want || rec.Header().Get("Vary") != "Accept" {
				t.Errorf("%s, Accept %q: %d, %s", method, accept, rec.Code, rec.Header())
			}
		}
	}
	var body indexBody
	if err := json.Unmarshal(ask("GET", "/", "").Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	if body.Name != "Roster" || body.Version != "v1.2.3-<test>" || body.Description == "" || body.Documentation == "" {
		t.Errorf("%+v", body)
	}
	page := ask("GET", "/", "text/html").Body.String()
	if !strings.Contains(page, "v1.2.3-&lt;test&gt;") {
		t.Errorf("the page does not tell the version: %s", page)
	}
	links := reflect.ValueOf(body.Links)
	for i := range links.NumField() {
		name, path := links.Type().Field(i).Name, links.Field(i).String()
		if !strings.Contains(page, path) {
			t.Errorf("the page does not name %s", path)
		}
		switch code := ask("GET", path, "").Code; {
		case name == "API": // a prefix of other paths
		case name == "Audiences" && code == http.StatusUnauthorized, name == "Tokens" && code == http.StatusMethodNotAllowed, code == http.StatusOK:
		default:
			t.Errorf("%s, %s: %d", name, path, code)
		}
	}
	if rec := ask("POST", "/", ""); rec.Code != http.StatusMethodNotAllowed || rec.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, Allow %q", rec.Code, rec.Header().Get("Allow"))
	}
	for _, path := range []string{"/index.html", "/favicon.ico", "//", "/data/", "/docs"} {
		rec := ask("GET", path, "text/html")
		if rec.Code != http.StatusNotFound || rec.Header().Get("Content-Type") != problemType {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Header())
		}
	}
}
