package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"roster/client"
	"roster/internal/app"
)

// cutting forwards connections to an address. It cuts each of the first connections after a number of bytes.
func cutting(t *testing.T, to string, connections int32, after int64) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var cut atomic.Int32
	forward := func(from net.Conn) {
		defer from.Close()
		there, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer there.Close()
		go func() {
			_, _ = io.Copy(from, there)
			from.Close()
		}()
		if cut.Load() >= connections {
			_, _ = io.Copy(there, from)
			return
		}
		if n, _ := io.CopyN(there, from, after); n == after {
			cut.Add(1)
		}
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go forward(conn)
		}
	}()
	return l.Addr().String()
}

// TestUploadOverBrokenConnections uploads a file in parts, one per broken connection, and creates an audience from it.
func TestUploadOverBrokenConnections(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *app.Config) { c.SettleAge = new(time.Hour) }) // uploads are complete at once
	const people = 60_000
	var text bytes.Buffer
	text.WriteString("mail,points\n")
	for i := range people {
		fmt.Fprintf(&text, "person%d@example.com,%d\n", i, i)
	}
	c, err := client.LoadCredentials(app.CredentialsPath(s.dir))
	if err != nil {
		t.Fatal(err)
	}
	c.BaseURL, c.TokenURL = "http://"+cutting(t, strings.TrimPrefix(s.app.URL(), "http://"), 3, 400_000), ""
	var told []int64
	up, err := c.UploadFile(t.Context(), "lists/people.csv", bytes.NewReader(text.Bytes()), int64(text.Len()), func(sent int64) { told = append(told, sent) })
	if err != nil {
		t.Fatal(err)
	}
	if up.Path != "lists/people.csv" || up.Size != int64(text.Len()) || told[len(told)-1] != up.Size {
		t.Errorf("%+v", up)
	}
	if again, err := c.UploadFile(t.Context(), "lists/people.csv", bytes.NewReader(text.Bytes()), int64(text.Len()), nil); err != nil || again != up {
		t.Errorf("what is there was uploaded again: %+v, %v", again, err)
	}
	files, err := c.Files(t.Context(), "lists/", "", 0)
	if err != nil || len(files.Files) != 1 || files.Files[0].Path != up.Path || files.Files[0].ExpiresAt-files.Files[0].ModifiedAt != 7*24*3600 {
		t.Errorf("%+v, %v", files, err)
	}
	id := s.submit(compact(map[string]any{
		"name": "people", "originName": "CUSTOM_UPLOAD",
		"fields":     []any{map[string]any{"name": "mail", "type": "string", "identityNs": "email"}, map[string]any{"name": "points", "type": "long"}},
		"sourceSpec": map[string]any{"path": "lists/people.csv", "type": "file", "cloudType": "DLZ"},
	}))
	run := s.ingest(id, "{}")
	if got := fmt.Sprintf("%v %v", run["status"], run["rows"].(map[string]any)["added"]); got != fmt.Sprintf("SUCCESS %d", people) {
		t.Fatalf("%s: %v", got, run)
	}
	if err := c.DeleteFile(t.Context(), "lists/people.csv"); err != nil {
		t.Fatal(err)
	}
	run = s.ingest(id, "{}")
	if run["status"] != "FAILED" || !strings.Contains(fmt.Sprint(run["error"]), "lists/people.csv") {
		t.Errorf("after the file was deleted: %v", run)
	}
}

// TestUploadGoesOnAfterARestart stops the server during an upload and resumes the upload after the restart.
func TestUploadGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	s := start(t)
	c, err := client.LoadCredentials(app.CredentialsPath(s.dir))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("ada@example.com\n", 100_000)
	ctx, cancel := context.WithCancel(t.Context())
	_, err = c.UploadFile(ctx, "people.csv", readUntil{ctx, strings.NewReader(text)}, int64(len(text)), func(sent int64) {
		if sent > int64(len(text))/2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	s.stop()
	if _, err := os.Stat(filepath.Join(s.dir, "landing", "prod", "people.csv")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half of a file is there: %v", err)
	}
	s.open()
	c.BaseURL = s.app.URL()
	c.TokenURL = ""
	var first int64
	up, err := c.UploadFile(t.Context(), "people.csv", strings.NewReader(text), int64(len(text)), func(sent int64) {
		if first == 0 {
			first = sent
		}
	})
	if err != nil || up.Size != int64(len(text)) {
		t.Fatal(up, err)
	}
	if first == 0 {
		t.Error("the upload began anew")
	}
}

// readUntil fails when its context has ended. Without it, a cancelled client sends what it can read until it notices.
type readUntil struct {
	ctx context.Context
	io.ReaderAt
}

func (r readUntil) ReadAt(p []byte, off int64) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.ReaderAt.ReadAt(p, off)
}

// TestUploadCommand uploads with the command.
func TestUploadCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.csv"), filepath.Join(dir, "b.csv")
	writeFile(t, a, "mail\nada@example.com\n")
	writeFile(t, b, "")
	cmd := command(t, "upload", a, b, "--to", "lists", "--json", "--data-dir", filepath.Join(dir, "data"))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatal(err, errs.String())
	}
	dec := json.NewDecoder(&out)
	for _, want := range []client.Upload{{Path: "lists/a.csv", Size: 21}, {Path: "lists/b.csv"}} {
		var got client.Upload
		if err := dec.Decode(&got); err != nil || got.Path != want.Path || got.Size != want.Size || len(got.SHA256) != 64 {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "data", "landing", "prod", "lists", "a.csv")); string(text) != "mail\nada@example.com\n" {
		t.Errorf("%q, %v", text, err)
	}
	for want, args := range map[int][]string{
		2: {"upload", filepath.Join(dir, "absent.csv"), "--data-dir", filepath.Join(dir, "data")},
		3: {"upload", a, "--to", "../elsewhere/_x", "--data-dir", filepath.Join(dir, "data")},
	} {
		cmd := command(t, args...)
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != want {
			t.Errorf("%v: %v, want exit code %d", args, err, want)
		}
	}
}

// TestLandingBucket keeps the landing zones in a bucket: uploads, runs, lists, deletions, and the deletion of a
// sandbox.
func TestLandingBucket(t *testing.T) {
	store := startS3(t)
	t.Setenv("AWS_ACCESS_KEY_ID", s3Key)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3Secret)
	s := start(t, func(c *app.Config) { c.LandingURL = "s3://people/zones?endpoint=" + store.url })
	walkThroughSeed(t, s, landingPlace)

	c, err := client.LoadCredentials(app.CredentialsPath(s.dir))
	if err != nil {
		t.Fatal(err)
	}
	text := rowsOf(0, 50_000)
	for range 2 { // the second time the file exists
		up, err := c.UploadFile(t.Context(), "lists/people.csv", strings.NewReader(text), int64(len(text)), nil)
		if err != nil || up.Path != "lists/people.csv" || up.Size != int64(len(text)) {
			t.Fatal(up, err)
		}
	}
	if got := store.keys(); fmt.Sprint(got) != "[zones/prod/activation/sample-source/example.csv zones/prod/lists/people.csv]" {
		t.Errorf("the bucket has %v", got)
	}
	id := s.submit(fmt.Sprintf(`{"name": "people", "originName": "CUSTOM_UPLOAD", "fields": %s, "sourceSpec": {"path": "lists", "type": "folder", "cloudType": "DLZ"}}`, peopleFields))
	if run := s.ingest(id, "{}"); run["status"] != "SUCCESS" || run["rows"].(map[string]any)["added"] != 50_000.0 {
		t.Errorf("%v", run)
	}
	files, err := c.Files(t.Context(), "lists/", "", 0)
	if err != nil || len(files.Files) != 1 {
		t.Errorf("%+v, %v", files, err)
	}
	if err := c.DeleteFile(t.Context(), "lists/people.csv"); err != nil {
		t.Error(err)
	}
	s.call("DELETE", "/landing/lists/people.csv", "").refused(404, "100940-404", "lists/people.csv")
	s.call("POST", "/data/foundation/sandbox-management/sandboxes", `{"name": "dev", "title": "Dev"}`).ok(202)
	s.callWith("PUT", "/landing/a.csv", "mail\n", map[string]string{"x-sandbox-name": "dev"}).ok(200)
	if got := store.keys(); len(got) != 2 {
		t.Errorf("the bucket has %v", got)
	}
	s.call("DELETE", "/data/foundation/sandbox-management/sandboxes/dev", "").ok(202)
	waitUntil(t, "nothing of the sandbox is in the bucket", func() bool { return len(store.keys()) == 1 })
	if left, err := filepath.Glob(filepath.Join(s.dir, "landing", ".uploads", "*", "*")); err != nil || len(left) != 0 {
		t.Errorf("uploads are left: %v, %v", left, err)
	}
}
