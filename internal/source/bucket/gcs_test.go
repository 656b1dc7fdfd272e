package bucket

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/option"

	"roster/internal/source"
	"roster/internal/source/sourcetest"
	"roster/tests/servertest"
)

// gcsWorld is a fresh bucket of a server.
func gcsWorld(t *testing.T, address, account string) (sourcetest.World, GCS) {
	t.Helper()
	c := GCS{Endpoint: "http://" + address, Bucket: fmt.Sprintf("b%d", time.Now().UnixNano()), Folder: "below/this", ServiceAccount: account, Client: &http.Client{}}
	admin, err := storage.NewClient(t.Context(), option.WithEndpoint(c.Endpoint+"/storage/v1/"), option.WithoutAuthentication(), storage.WithJSONReads())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Close() })
	bucket := admin.Bucket(c.Bucket)
	if err := bucket.Create(t.Context(), "p", nil); err != nil {
		t.Fatal(err)
	}
	store, err := OpenGCS(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return sourcetest.World{Store: store,
		Put: func(t *testing.T, path string, content []byte) {
			t.Helper()
			w := bucket.Object("below/this/" + path).NewWriter(t.Context())
			if _, err := w.Write(content); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		},
		Remove: func(t *testing.T, path string) {
			t.Helper()
			if err := bucket.Object("below/this/" + path).Delete(t.Context()); err != nil {
				t.Fatal(err)
			}
		}}, c
}

func TestFakeGCSConformance(t *testing.T) {
	t.Parallel()
	address, account := servertest.FakeGCS(t), servertest.ServiceAccount(t, false)
	sourcetest.Run(t, func(t *testing.T) sourcetest.World {
		w, _ := gcsWorld(t, address, account)
		return w
	})
}

func TestGCSRefused(t *testing.T) {
	t.Parallel()
	_, c := gcsWorld(t, servertest.FakeGCS(t), servertest.ServiceAccount(t, false))
	for name, test := range map[string]struct {
		change func(c *GCS)
		want   error
	}{
		"no token":     {func(c *GCS) { c.ServiceAccount = servertest.ServiceAccount(t, true) }, source.ErrCredentials},
		"no bucket":    {func(c *GCS) { c.Bucket = "absent" }, source.ErrNoBucket},
		"no such host": {func(c *GCS) { c.Endpoint = "http://nowhere.invalid" }, source.ErrUnreachable},
	} {
		bad := c
		test.change(&bad)
		s, err := OpenGCS(t.Context(), bad)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.List(t.Context(), "", func(source.Object) error { return nil }); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		if _, err := s.Stat(t.Context(), "a"); !errors.Is(err, test.want) {
			t.Errorf("%s, of one object: %v, want %v", name, err, test.want)
		}
	}
	for name, text := range map[string]string{"no JSON": "x", "a user": `{"type":"authorized_user","refresh_token":"planted"}`, "nothing": "{}"} {
		bad := c
		bad.ServiceAccount = text
		if _, err := OpenGCS(t.Context(), bad); !errors.Is(err, source.ErrCredentials) || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestGCSPacked reads an object that is marked as packed by gzip as it is stored, from any byte on.
func TestGCSPacked(t *testing.T) {
	t.Parallel()
	w, c := gcsWorld(t, servertest.FakeGCS(t), servertest.ServiceAccount(t, false))
	admin, err := storage.NewClient(t.Context(), option.WithEndpoint(c.Endpoint+"/storage/v1/"), option.WithoutAuthentication(), storage.WithJSONReads())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(bytes.Repeat([]byte("ada@example.com\n"), 1000)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	put := admin.Bucket(c.Bucket).Object("below/this/a.csv").NewWriter(t.Context())
	put.ContentEncoding, put.ContentType = "gzip", "text/csv"
	if _, err := put.Write(packed.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := put.Close(); err != nil {
		t.Fatal(err)
	}
	o, err := w.Store.Stat(t.Context(), "a.csv")
	if err != nil || o.Size != int64(packed.Len()) {
		t.Fatalf("%+v, %v; %d bytes are stored", o, err, packed.Len())
	}
	for _, from := range []int64{0, 7} {
		r, err := w.Store.Open(t.Context(), o, from, -1)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(r); err != nil || !bytes.Equal(text, packed.Bytes()[from:]) {
			t.Errorf("from byte %d: %d bytes, %v", from, len(text), err)
		}
		r.Close()
	}
}
