package web

import (
	"compress/gzip"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestStream sends answers that end well, that fail before their first byte, and that break off.
func TestStream(t *testing.T) {
	t.Parallel()
	failure := errors.New("gone")
	large := strings.Repeat("member\n", 100_000)
	parts := map[string]func(w io.Writer) error{
		"/whole": func(w io.Writer) error { _, err := io.WriteString(w, large); return err },
		"/empty": func(io.Writer) error { return nil },
		"/none":  func(io.Writer) error { return failure },
		"/short": func(w io.Writer) error { _, err := io.WriteString(w, "part\n"); return errors.Join(err, failure) },
		"/part":  func(w io.Writer) error { _, err := io.WriteString(w, large); return errors.Join(err, failure) },
	}
	s := New(Config{Log: slog.New(slog.DiscardHandler), Fail: func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
	}})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.Stream(w, r, &Stream{ContentType: "application/x-ndjson", Header: map[string]string{"x-next-cursor": "c"}, Write: parts[r.URL.Path]})
	}))
	t.Cleanup(srv.Close)
	for _, encoding := range []string{"gzip", "identity"} {
		get := func(method, path string) (*http.Response, string, error) {
			r, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Accept-Encoding", encoding)
			resp, err := srv.Client().Do(r)
			if err != nil {
				return nil, "", err
			}
			defer resp.Body.Close()
			body := io.Reader(resp.Body)
			if resp.Header.Get("Content-Encoding") == "gzip" {
				if body, err = gzip.NewReader(body); err != nil {
					return resp, "", err
				}
			}
			text, err := io.ReadAll(body)
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
			}
			return resp, string(text), err
		}
		resp, body, err := get("GET", "/whole")
		if err != nil || resp.StatusCode != 200 || body != large || resp.Header.Get("x-next-cursor") != "c" || (resp.Header.Get("Content-Encoding") == "gzip") != (encoding == "gzip") {
			t.Errorf("%s: whole: %v %v", encoding, resp, err)
		}
		for _, method := range []string{"GET", "HEAD"} {
			if resp, body, err = get(method, "/empty"); err != nil || resp.StatusCode != 200 || body != "" {
				t.Errorf("%s: %s empty: %v %v", encoding, method, resp, err)
			}
		}
		if resp, body, err = get("HEAD", "/none"); err != nil || resp.StatusCode != 200 || body != "" {
			t.Errorf("%s: HEAD reads the body: %v %v", encoding, resp, err)
		}
		resp, body, err = get("GET", "/none")
		if err != nil || resp.StatusCode != 422 || !strings.Contains(body, "gone") || resp.Header.Get("x-next-cursor") != "" {
			t.Errorf("%s: none: %v %s %v", encoding, resp, body, err)
		}
		for _, path := range []string{"/short", "/part"} {
			if resp, body, err := get("GET", path); err == nil {
				t.Errorf("%s: %s passed for whole: %v, %d bytes", encoding, path, resp, len(body))
			}
		}
	}
}
