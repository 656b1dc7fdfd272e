package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/landing"
	"roster/internal/source"
)

func (f *fake) Upload(_ context.Context, _ audience.Actor, path string, u landing.Upload) (landing.State, error) {
	n, err := io.Copy(io.Discard, u.Body)
	if err != nil {
		return landing.State{}, err
	}
	u.Body = nil
	if err := f.called(u); err != nil {
		return landing.State{}, err
	}
	if r := u.Range; r != nil && r.Last+1 < r.Size {
		return landing.State{Received: r.Last + 1, Size: r.Size}, nil
	}
	return landing.State{File: &source.Object{Path: path, Size: n, Version: "v1"}, SHA256: []byte{0xab}}, nil
}

type filesArgs struct {
	prefix, after string
	limit         int
}

func (f *fake) Files(_ context.Context, _ audience.Actor, prefix, after string, limit int) ([]control.File, bool, error) {
	return []control.File{{Path: "a/b c.csv", Size: 5, Version: "v", Modified: testNow, Expires: testNow.Add(landing.TTL)}}, limit == 1, f.called(filesArgs{prefix, after, limit})
}

func (f *fake) DeleteFile(_ context.Context, _ audience.Actor, path string) error {
	return f.called(path)
}

func TestUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	content := strings.Repeat("x", 3<<20) // longer than a JSON body may be
	u := ok[client.Upload](t, w.do("PUT", "/landing/lists/new%20one.csv", content, "Content-Type", "text/csv"), 200)
	if u != (client.Upload{Path: "lists/new one.csv", Size: 3 << 20, Version: "v1", SHA256: "ab"}) {
		t.Errorf("%+v", u)
	}
	broken := httptest.NewRequest("PUT", "/landing/x.csv", iotest.ErrReader(errors.New("connection reset by peer")))
	for name, value := range map[string]string{"Authorization": "Bearer " + w.token, "x-api-key": clientID, "x-gw-ims-org-id": org, "x-sandbox-name": "prod"} {
		broken.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	if w.handler.ServeHTTP(rec, broken); rec.Code != 400 {
		t.Errorf("an upload that broke off: %d %s", rec.Code, rec.Body)
	}
	for _, path := range []string{"/landing/../x", "/landing/%2e%2e/x", "/landing/a//b", "/landing/a/", "/landing/a%5cb", "/landing/%2Fetc", "/landing/a%00b", "/landing/."} {
		if rec := w.do("PUT", path, "x"); rec.Code < 400 || rec.Code > 499 {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
}

func TestUploadOfRanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sum := sha256.Sum256([]byte("abcdefg"))
	digest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	part := ok[client.UploadState](t, w.do("PUT", "/landing/dlz-user-container/a.csv", "abc", "Content-Range", "bytes 0-2/7", "Repr-Digest", "sha-512=:AAAA:, "+digest), 202)
	if part != (client.UploadState{Path: "a.csv", Size: 7, Received: 3}) {
		t.Errorf("%+v", part)
	}
	want := landing.Upload{Length: 3, Range: &landing.Range{First: 0, Last: 2, Size: 7}, SHA256: sum[:]}
	if got := last[landing.Upload](t, w.service); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	ok[client.UploadState](t, w.do("PUT", "/landing/a.csv", "", "Content-Range", "bytes */7"), 202)
	if got := last[landing.Upload](t, w.service); *got.Range != (landing.Range{First: -1, Last: -1, Size: 7}) {
		t.Errorf("%+v", got.Range)
	}
	ok[client.Upload](t, w.do("PUT", "/landing/a.csv", "defg", "Content-Range", "bytes 3-6/7"), 200)
	ok[client.Upload](t, w.do("PUT", "/landing/a.csv", "abcdefg", "Content-Digest", digest), 200)
	if got := last[landing.Upload](t, w.service); !reflect.DeepEqual(got, landing.Upload{Length: 7, SHA256: sum[:]}) {
		t.Errorf("%+v", got)
	}
	for name, header := range map[string][]string{
		"an empty range":            {"Content-Range", " "},
		"an empty digest":           {"Repr-Digest", " "},
		"no range":                  {"Content-Range", "0-2"},
		"no size":                   {"Content-Range", "bytes 0-2/*"},
		"backwards":                 {"Content-Range", "bytes 2-1/7"},
		"beyond the end":            {"Content-Range", "bytes 0-7/7"},
		"a huge number":             {"Content-Range", "bytes 0-2/9999999999999999999"},
		"a digest of a range":       {"Content-Range", "bytes 0-2/7", "Content-Digest", digest},
		"a digest of another kind":  {"Repr-Digest", "md5=:AAAA:"},
		"a digest of another size":  {"Repr-Digest", "sha-256=:AAAA:"},
		"a digest that is no bytes": {"Repr-Digest", "sha-256=:A=A:"},
	} {
		if rec := w.do("PUT", "/landing/a.csv", "abc", header...); rec.Code != 400 {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := ok[client.FileList](t, w.do("GET", "/landing?prefix=a/&limit=1", ""), 200)
	file := client.File{Path: "a/b c.csv", Size: 5, Version: "v", ModifiedAt: testNow.Unix(), ExpiresAt: testNow.AddDate(0, 0, 7).Unix()}
	if len(list.Files) != 1 || list.Files[0] != file || list.Page.Count != 1 || list.Page.Next == "" {
		t.Errorf("%+v", list)
	}
	ok[client.FileList](t, w.do("GET", fmt.Sprintf("/landing?start=%s", list.Page.Next), ""), 200)
	if got := last[filesArgs](t, w.service); got != (filesArgs{"a/", "a/b c.csv", landing.DefaultFiles}) {
		t.Errorf("%+v", got)
	}
	for _, query := range []string{"limit=0", "limit=1001", "start=!", "prefix=a&prefix=b"} {
		if rec := w.do("GET", "/landing?"+query, ""); rec.Code != 400 {
			t.Errorf("%s: %d", query, rec.Code)
		}
	}
	if rec := w.do("DELETE", "/landing/a/b%20c.csv", ""); rec.Code != 204 || last[string](t, w.service) != "a/b c.csv" {
		t.Errorf("%d", rec.Code)
	}
}
