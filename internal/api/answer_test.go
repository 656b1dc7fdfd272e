package api

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
)

// TestTooMany checks that a refusal has a time to retry.
func TestTooMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := audience.Errorf(audience.TooMany, "too many runs")
	e.RetryAfter = 90*time.Second + time.Millisecond
	w.service.err = e
	rec := w.do("POST", external+"/"+audienceID+"/run", "{}")
	if rec.Code != http.StatusTooManyRequests || rec.Header().Get("Retry-After") != "91" || !strings.Contains(rec.Body.String(), `"100910-429"`) {
		t.Fatalf("answered %d, Retry-After %s, %s", rec.Code, rec.Header().Get("Retry-After"), rec.Body)
	}
}

// TestCompressedAnswer checks that long responses are compressed for clients that accept it, and short ones never.
func TestCompressedAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := func(encoding string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", external+"/"+audienceID, nil)
		for name, value := range map[string]string{"Authorization": "Bearer " + w.token, "x-api-key": clientID, "x-gw-ims-org-id": org,
			"x-sandbox-name": "prod", "Accept-Encoding": encoding} {
			r.Header.Set(name, value)
		}
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		return rec
	}
	w.service.audience.Description = "short"
	if rec := ask("gzip"); rec.Code != http.StatusOK || rec.Body.Len() < 1024 && rec.Header().Get("Content-Encoding") != "" {
		t.Errorf("an answer of %d bytes has Content-Encoding %q", rec.Body.Len(), rec.Header().Get("Content-Encoding"))
	}
	w.service.audience.Description = strings.Repeat("long ", 800)
	plain, packed := ask("identity"), ask("gzip")
	if packed.Header().Get("Content-Encoding") != "gzip" || packed.Body.Len() >= plain.Body.Len() {
		t.Fatalf("Content-Encoding %q, %d bytes of %d", packed.Header().Get("Content-Encoding"), packed.Body.Len(), plain.Body.Len())
	}
	z, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(z); err != nil || string(text) != plain.Body.String() {
		t.Fatalf("unpacked it is %q, %v", text, err)
	}
}
