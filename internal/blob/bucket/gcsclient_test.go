package bucket

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"roster/internal/blob"
	"roster/tests/servertest"
)

// TestGCSPut writes objects around the size of a part and reads them back.
func TestGCSPut(t *testing.T) {
	t.Parallel()
	w, c := gcsWorld(t, servertest.FakeGCS(t), servertest.ServiceAccount(t, false))
	store, err := OpenGCS(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, uploadPart - 1, uploadPart, uploadPart + 1, 2 * uploadPart, 2*uploadPart + 5} {
		content := bytes.Repeat([]byte("abcdefghijk"), size/11+1)[:size]
		if _, err := blob.Put(t.Context(), store, "a b%2F/ü?.csv", iotest.HalfReader(bytes.NewReader(content)), nil, blob.CreateOptions{}); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		o, err := w.Store.Stat(t.Context(), "a b%2F/ü?.csv")
		if err != nil || o.Size != int64(size) {
			t.Fatalf("%d bytes: %+v, %v", size, o, err)
		}
		r, err := w.Store.Open(t.Context(), o, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes: %d were read, %v", size, len(got), err)
		}
		r.Close()
	}
	broken := errors.New("broken")
	for _, size := range []int{1, uploadPart + 1} {
		_, err := blob.Put(t.Context(), store, "never.csv", io.MultiReader(bytes.NewReader(make([]byte, size)), iotest.ErrReader(broken)), nil, blob.CreateOptions{})
		if _, told := w.Store.Stat(t.Context(), "never.csv"); err == nil || !errors.Is(told, blob.ErrNotExist) {
			t.Errorf("after %d bytes of a content that breaks off: %v, %v", size, err, told)
		}
	}
	c.Bucket = "absent"
	absent, err := OpenGCS(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, uploadPart + 1} {
		if _, err := blob.Put(t.Context(), absent, "a.csv", bytes.NewReader(make([]byte, size)), nil, blob.CreateOptions{}); !errors.Is(err, blob.ErrNoBucket) {
			t.Errorf("%d bytes into an absent bucket: %v", size, err)
		}
	}
}

// uploads is a store that takes uploads in parts. It keeps of each request as many bytes as keep says.
type uploads struct {
	keep     func(request int, body []byte) (kept int, status int) // status 0 is the usual one
	location string                                                // of uploads; "" for the store's own
	spoil    bool

	mu      sync.Mutex
	content []byte
	asked   int
	removed string // the query of a DELETE
}

func (u *uploads) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case r.Method == http.MethodDelete:
		u.removed = r.URL.RawQuery
	case r.Method == http.MethodPost:
		w.Header().Set("Location", u.location+r.URL.Path+"?uploadType=resumable&upload_id=x%2Fy")
	case r.URL.Query().Get("upload_id") != "x/y":
		w.WriteHeader(http.StatusNotFound)
	default:
		status := 0
		var from, to, size int64 = int64(len(u.content)), 0, -1
		span, total, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Content-Range"), "bytes "), "/")
		if total != "*" {
			size, _ = strconv.ParseInt(total, 10, 64)
		}
		if _, err := fmt.Sscanf(span, "%d-%d", &from, &to); err == nil {
			if from != int64(len(u.content)) || to-from+1 != int64(len(body)) {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			u.asked++
			var kept int
			kept, status = u.keep(u.asked, body)
			u.content = append(u.content, body[:kept]...)
		}
		switch {
		case status != 0:
			w.WriteHeader(status)
		case int64(len(u.content)) == size:
			sum := crc32.Checksum(u.content, castagnoli)
			if u.spoil {
				sum++
			}
			_ = json.NewEncoder(w).Encode(map[string]string{"name": "a", "size": strconv.FormatInt(size, 10), "generation": "7", "crc32c": checksum(sum)})
		default:
			if len(u.content) > 0 {
				w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", len(u.content)-1))
			}
			w.WriteHeader(http.StatusPermanentRedirect)
		}
	}
}

// TestGCSParts has parts of an upload break off.
func TestGCSParts(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host is asked") }))
	t.Cleanup(elsewhere.Close)
	whole := func(_ int, body []byte) (int, int) { return len(body), 0 }
	for name, c := range map[string]struct {
		*uploads
		wrong bool
	}{
		"whole":                 {&uploads{keep: whole}, false},
		"another host is named": {&uploads{keep: whole, location: elsewhere.URL}, false},
		"half of the first request": {&uploads{keep: func(n int, body []byte) (int, int) {
			if n == 1 {
				return len(body) / 2, 0
			}
			return len(body), 0
		}}, false},
		"half of the last part, and too much to do": {&uploads{keep: func(n int, body []byte) (int, int) {
			if n == 3 {
				return len(body) / 2, http.StatusServiceUnavailable
			}
			return len(body), 0
		}}, false},
		"all of each part, and no answer in time": {&uploads{keep: func(_ int, body []byte) (int, int) { return len(body), http.StatusGatewayTimeout }}, false},
		"nothing, ever":   {&uploads{keep: func(int, []byte) (int, int) { return 0, 0 }}, true},
		"refused":         {&uploads{keep: func(int, []byte) (int, int) { return 0, http.StatusForbidden }}, true},
		"too much to do":  {&uploads{keep: func(int, []byte) (int, int) { return 0, http.StatusServiceUnavailable }}, true},
		"another content": {&uploads{keep: whole, spoil: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := c.uploads
			server := httptest.NewServer(u)
			t.Cleanup(server.Close)
			content := bytes.Repeat([]byte("0123456"), 2*uploadPart/7+100)
			err := gcsClient{straight(server.Client()), server.URL}.put(t.Context(), "b", "a", bytes.NewReader(content), false)
			if c.wrong {
				if err == nil {
					t.Error("no error")
				}
			} else if err != nil || !bytes.Equal(u.content, content) {
				t.Errorf("%d of %d bytes, %v", len(u.content), len(content), err)
			}
			if removed := u.removed == "ifGenerationMatch=7"; removed != c.spoil {
				t.Errorf("removed: %v (%q), %v", removed, u.removed, err)
			}
		})
	}
}

// TestGCSRepeats counts the requests to a store that fails.
func TestGCSRepeats(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		call   func(c gcsClient, t *testing.T) error
		want   int
	}{
		"a list":            {http.StatusServiceUnavailable, func(c gcsClient, t *testing.T) error { _, err := c.list(t.Context(), "b", "", "", "", 0); return err }, 3},
		"too many requests": {http.StatusTooManyRequests, func(c gcsClient, t *testing.T) error { _, err := c.stat(t.Context(), "b", "k"); return err }, 3},
		"a small object": {http.StatusBadGateway, func(c gcsClient, t *testing.T) error {
			return c.put(t.Context(), "b", "k", strings.NewReader("x"), false)
		}, 3},
		"a removal":          {http.StatusServiceUnavailable, func(c gcsClient, t *testing.T) error { return c.remove(t.Context(), "b", "k", 0) }, 1},
		"no right":           {http.StatusForbidden, func(c gcsClient, t *testing.T) error { _, err := c.stat(t.Context(), "b", "k"); return err }, 1},
		"the buckets":        {http.StatusInternalServerError, func(c gcsClient, t *testing.T) error { _, err := c.buckets(t.Context(), "p"); return err }, 3},
		"bytes":              {http.StatusRequestTimeout, func(c gcsClient, t *testing.T) error { _, err := c.read(t.Context(), "b", "k", 1, 0, 1); return err }, 3},
		"a status of no use": {http.StatusPermanentRedirect, func(c gcsClient, t *testing.T) error { _, err := c.stat(t.Context(), "b", "k"); return err }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				w.WriteHeader(c.status)
				fmt.Fprint(w, `{"error": {"code": 1, "message": "secret", "errors": [{"reason": "why", "message": "secret"}]}}`)
			}))
			err := c.call(gcsClient{straight(server.Client()), server.URL}, t)
			server.Close()
			var failed *gcsError
			if !errors.As(err, &failed) || failed.status != c.status || failed.reason != "why" || strings.Contains(err.Error(), "secret") || asked != c.want {
				t.Errorf("%d requests, want %d: %v", asked, c.want, err)
			}
		})
	}
}
