package api

import (
	"net/http"
	"strings"
	"testing"

	"roster/internal/audience"
)

// TestIdempotencyKey repeats a POST whose first response was lost.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := external + "/" + audienceID + "/run"
	first := w.do("POST", path, "{}", repeatHeader, "key 1")
	calls := len(w.service.calls)
	again := w.do("POST", "/data"+path+"/", "{}", repeatHeader, "key 1")
	if first.Code != http.StatusOK || again.Code != first.Code || again.Body.String() != first.Body.String() {
		t.Fatalf("answered %d %s, and %d %s when repeated", first.Code, first.Body, again.Code, again.Body)
	}
	if len(w.service.calls) != calls {
		t.Error("the request was done again")
	}
	if first.Header().Get(repeatedHeader) != "" || again.Header().Get(repeatedHeader) != "true" {
		t.Errorf("%s is %q, and %q when repeated", repeatedHeader, first.Header().Get(repeatedHeader), again.Header().Get(repeatedHeader))
	}
	for _, key := range []string{"tab\t", "é", strings.Repeat("k", 256)} {
		if rec := w.do("POST", path, "{}", repeatHeader, key); rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), repeatHeader) {
			t.Errorf("the key %q answers %d %s", key, rec.Code, rec.Body)
		}
	}
}

// TestIdempotencyKeyOfAnotherRequest distinguishes requests by method, path, query and body.
func TestIdempotencyKeyOfAnotherRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := external + "/" + audienceID + "/run"
	w.do("POST", path, "{}", repeatHeader, "k")
	for _, other := range []struct{ path, body string }{{path, `{"force":true}`}, {path + "s", "{}"}, {path + "?a=b", "{}"}} {
		if rec := w.do("POST", other.path, other.body, repeatHeader, "k"); rec.Code != http.StatusBadRequest {
			t.Errorf("POST %s %s answers %d %s", other.path, other.body, rec.Code, rec.Body)
		}
	}
}

// TestIdempotencyKeyOfARefusal repeats a refused request, which is executed again.
func TestIdempotencyKeyOfARefusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := external + "/" + audienceID + "/run"
	w.service.err = audience.Errorf(audience.Impossible, "a run is in progress")
	if rec := w.do("POST", path, "{}", repeatHeader, "k"); rec.Code != http.StatusUnprocessableEntity {
		t.Fatal(rec.Code, rec.Body)
	}
	w.service.err = nil
	if rec := w.do("POST", path, "{}", repeatHeader, "k"); rec.Code != http.StatusOK || rec.Header().Get(repeatedHeader) != "" {
		t.Fatal(rec.Code, rec.Body)
	}
}

// TestIdempotencyKeyOfReads repeats POSTs that only read. They are executed again, and their responses are not stored.
func TestIdempotencyKeyOfReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{entities, audiences + "/bulk-get", external + "/validate", connections + "/" + connID + "/test"} {
		for range 2 {
			if rec := w.do("POST", path, readBody[path], repeatHeader, "k"); rec.Code >= 300 || rec.Header().Get(repeatedHeader) != "" {
				t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
			}
		}
	}
	if len(w.service.answers) != 0 {
		t.Errorf("%d answers are kept", len(w.service.answers))
	}
}

// readBody are the bodies of POSTs that read.
var readBody = map[string]string{
	entities:                `{"identities": [{"entityId": "ada@example.com", "entityIdNS": {"code": "email"}}]}`,
	audiences + "/bulk-get": `{"ids": [{"id": "a"}]}`,
	external + "/validate":  `{"sourceSpec": {"path": "a.csv", "type": "file", "cloudType": "DLZ"}}`,
}

// TestIdempotencyKeyOfLargeBodies distinguishes bodies that differ only after the first MiB.
func TestIdempotencyKeyOfLargeBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := external + "/" + audienceID + "/runs/" + runID + "/rejects/resubmit"
	begin := "mail\n" + strings.Repeat("ada@example.com\n", maxBody/16+1)
	first := w.do("POST", path, begin+"a", repeatHeader, "k")
	if first.Code != http.StatusOK {
		t.Fatal(first.Code, first.Body)
	}
	if rec := w.do("POST", path, begin+"a", repeatHeader, "k"); rec.Code != http.StatusOK || rec.Body.String() != first.Body.String() || rec.Header().Get(repeatedHeader) != "true" {
		t.Errorf("the same: %d %s", rec.Code, rec.Body)
	}
	if rec := w.do("POST", path, begin+"b", repeatHeader, "k"); rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), "another body") {
		t.Errorf("another body: %d %s", rec.Code, rec.Body)
	}
}
