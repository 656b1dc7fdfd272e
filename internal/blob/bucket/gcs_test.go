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

	"roster/internal/blob"
	"roster/internal/blob/blobtest"
	"roster/internal/source/sourcetest"
	"roster/tests/servertest"
)

// gcsWorld is a fresh bucket of a server.
func gcsWorld(t *testing.T, address, account string) (sourcetest.World, GCS) {
	t.Helper()
	c := GCS{Endpoint: "http://" + address, Bucket: fmt.Sprintf("b%d", time.Now().UnixNano()), Folder: "below/this", ServiceAccount: account, Writes: true, Client: &http.Client{}}
	bucket := servertest.MakeGCSBucket(t, address, c.Bucket)
	store, err := OpenGCS(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return sourcetest.World{Store: store,
		Put: func(t *testing.T, path string, content []byte) {
			t.Helper()
			bucket.Put(t, "below/this/"+path, "", content)
		},
		Remove: func(t *testing.T, path string) {
			t.Helper()
			bucket.Remove(t, "below/this/"+path)
		}}, c
}

func TestFakeGCSConformance(t *testing.T) {
	t.Parallel()
	address, account := servertest.FakeGCS(t), servertest.ServiceAccount(t, false)
	blobtest.Run(t, func(t *testing.T) blob.Store {
		w, _ := gcsWorld(t, address, account)
		return w.Store.(*Store)
	})
}

func TestGCSRefused(t *testing.T) {
	t.Parallel()
	_, c := gcsWorld(t, servertest.FakeGCS(t), servertest.ServiceAccount(t, false))
	for name, test := range map[string]struct {
		change func(c *GCS)
		want   error
	}{
		"no token":     {func(c *GCS) { c.ServiceAccount = servertest.ServiceAccount(t, true) }, blob.ErrCredentials},
		"no bucket":    {func(c *GCS) { c.Bucket = "absent" }, blob.ErrNoBucket},
		"no such host": {func(c *GCS) { c.Endpoint = "http://nowhere.invalid" }, blob.ErrUnreachable},
	} {
		bad := c
		test.change(&bad)
		s, err := OpenGCS(t.Context(), bad)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.List(t.Context(), "", func(blob.Object) error { return nil }); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		if _, err := s.Stat(t.Context(), "a"); !errors.Is(err, test.want) {
			t.Errorf("%s, of one object: %v, want %v", name, err, test.want)
		}
	}
	for name, text := range map[string]string{"no JSON": "x", "a user": `{"type":"authorized_user","refresh_token":"planted"}`, "nothing": "{}"} {
		bad := c
		bad.ServiceAccount = text
		if _, err := OpenGCS(t.Context(), bad); !errors.Is(err, blob.ErrCredentials) || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestGCSPacked reads an object that is marked as packed by gzip as it is stored, from any byte on.
func TestGCSPacked(t *testing.T) {
	t.Parallel()
	address := servertest.FakeGCS(t)
	w, c := gcsWorld(t, address, servertest.ServiceAccount(t, false))
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(bytes.Repeat([]byte("ada@example.com\n"), 1000)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	servertest.GCSBucket{Address: address, Name: c.Bucket}.Put(t, "below/this/a.csv", "gzip", packed.Bytes())
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
