package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestHeadersTwice sends each of the four headers twice, because a proxy and the server could otherwise use different
// values.
func TestHeadersTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	values := map[string]string{"Authorization": "Bearer " + w.token, "x-api-key": clientID, "x-gw-ims-org-id": org, "x-sandbox-name": "prod"}
	send := func(name, second string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", external, nil)
		for k, v := range values {
			r.Header.Set(k, v)
		}
		r.Header.Add(name, second)
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		return rec
	}
	for name, value := range values {
		if rec := send(name, value+"x"); rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), name) {
			t.Errorf("another %s: %d %s", name, rec.Code, rec.Body)
		}
		if rec := send(name, value); rec.Code != http.StatusOK {
			t.Errorf("the same %s again: %d %s", name, rec.Code, rec.Body)
		}
	}
}
