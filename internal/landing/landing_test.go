package landing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"roster/internal/audience"
	"roster/internal/blob"
	"roster/internal/blob/bucket"
	"roster/internal/blob/faulty"
	"roster/internal/blob/local"
	"roster/internal/meta"
	"roster/internal/meta/metatest"
	"roster/internal/meta/postgres"
	"roster/internal/meta/sqlite"
	"roster/internal/netguard"
	"roster/internal/source"
	"roster/tests/servertest"
)

var (
	prod = audience.Scope{Org: "org", Sandbox: "prod"}
	dev  = audience.Scope{Org: "org", Sandbox: "dev"}
)

// world is landing zones in a folder of a test.
type world struct {
	*Zones
	t   *testing.T
	dir string
	now time.Time // zero means the real time
}

func newWorld(t *testing.T, quota int64) *world {
	t.Helper()
	w := &world{t: t, dir: filepath.Join(t.TempDir(), "landing")}
	w.Zones = New(Config{Files: w.store(), Store: w.meta(), Dir: w.dir, Quota: quota, Clock: w.clock})
	return w
}

func (w *world) clock() time.Time {
	if w.now.IsZero() {
		return time.Now()
	}
	return w.now
}

// restart is another process on the same folder.
func (w *world) restart() {
	w.t.Helper()
	w.Zones = New(w.Config)
	if err := w.Recover(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// meta is a metadata store with the sandboxes.
func (w *world) meta() meta.Store {
	w.t.Helper()
	s, err := sqlite.Open(w.t.Context(), filepath.Join(w.t.TempDir(), "meta.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { s.Close() })
	w.tenants(s)
	return s
}

func (w *world) tenants(s meta.Store) {
	w.t.Helper()
	err := s.Update(w.t.Context(), func(tx meta.Tx) error {
		return errors.Join(tx.CreateOrganization(w.t.Context(), prod.Org), tx.CreateSandbox(w.t.Context(), &audience.Sandbox{ID: "1", Org: prod.Org, Name: prod.Sandbox}),
			tx.CreateSandbox(w.t.Context(), &audience.Sandbox{ID: "2", Org: dev.Org, Name: dev.Sandbox}))
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// store opens the folder of the zones, which the server has made.
func (w *world) store() blob.Store {
	w.t.Helper()
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	s, err := local.OpenConfined(w.dir, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { s.Close() })
	return s
}

// files lists all files of the folder, with what they hold; of unfinished uploads only whether there are any.
func (w *world) files() map[string]string {
	w.t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if name := strings.TrimPrefix(path, w.dir+"/"); strings.HasPrefix(name, unfinished) {
			files[unfinished] = ""
		} else {
			files[name] = string(text)
		}
		return err
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Fatal(err)
	}
	return files
}

func (w *world) holds(when string, want map[string]string) {
	w.t.Helper()
	if got := w.files(); !reflect.DeepEqual(got, want) {
		w.t.Errorf("%s: %q, want %q", when, got, want)
	}
}

// whole puts a file in one piece.
func (w *world) whole(name, text string) (State, error) {
	return w.Put(w.t.Context(), prod, name, Upload{Body: strings.NewReader(text), Length: int64(len(text))})
}

// part puts a range of a file whose text is known.
func (w *world) part(name, text string, first, last int, body io.Reader) (State, error) {
	sum := sha256.Sum256([]byte(text))
	return w.Put(w.t.Context(), prod, name, Upload{Body: body, Length: int64(last + 1 - first), SHA256: sum[:],
		Range: &Range{First: int64(first), Last: int64(last), Size: int64(len(text))}})
}

func (w *world) ask(name, text string) State {
	w.t.Helper()
	sum := sha256.Sum256([]byte(text))
	s, err := w.Put(w.t.Context(), prod, name, Upload{SHA256: sum[:], Range: &Range{First: -1, Last: -1, Size: int64(len(text))}})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func wantCode(t *testing.T, what string, err error, code audience.Code) {
	t.Helper()
	if audience.CodeOf(err) != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

func TestWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	for _, c := range []struct{ path, text string }{
		{"a.csv", "mail\n"}, {"lists/2026/b.csv", "mail\nx\n"}, {"c d.csv", ""}, {"a.csv", "mail\nada@example.com\n"},
	} {
		s, err := w.Put(t.Context(), prod, c.path, Upload{Body: iotest.OneByteReader(strings.NewReader(c.text)), Length: -1})
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(c.text))
		if s.File == nil || s.File.Path != c.path || s.File.Size != int64(len(c.text)) || !bytes.Equal(s.SHA256, sum[:]) {
			t.Errorf("%+v", s)
		}
	}
	want := map[string]string{"prod/a.csv": "mail\nada@example.com\n", "prod/lists/2026/b.csv": "mail\nx\n", "prod/c d.csv": ""}
	w.holds("afterwards", want)
	_, err := w.Put(t.Context(), prod, "a.csv", Upload{Body: strings.NewReader("mail\n"), Length: 5, SHA256: make([]byte, 32)})
	wantCode(t, "another checksum", err, audience.Invalid)
	w.holds("after another checksum", want)
}

// TestBreaksOff checks that nobody sees an upload that is not whole, while it comes in and when it ends early.
func TestBreaksOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	if _, err := w.whole("in.csv", "mail\n"); err != nil {
		t.Fatal(err)
	}
	looking := readFunc(func([]byte) (int, error) {
		w.holds("while it comes in", map[string]string{"prod/in.csv": "mail\n", unfinished: ""})
		return 0, errors.New("connection reset")
	})
	_, err := w.Put(t.Context(), prod, "in.csv", Upload{Body: io.MultiReader(strings.NewReader("mail\nhalf"), looking), Length: -1})
	wantCode(t, "broken off", err, audience.Invalid)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Put(ctx, prod, "new/a.csv", Upload{Body: strings.NewReader("mail\n"), Length: -1}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	w.holds("afterwards", map[string]string{"prod/in.csv": "mail\n"})
}

type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

func TestNames(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"", "/a.csv", "/etc/x.csv", "../a.csv", "a/../../b.csv", "a//b.csv", "a/./b.csv", "a/", `a\b.csv`, "a\x00.csv", "a\nb.csv",
		".hidden.csv", "sub/.a/b.csv", "_SUCCESS", "_tmp/a.csv", "a.csv.tmp", "a.PART", "a.csv~", "a.crc", strings.Repeat("x", 256),
	} {
		wantCode(t, path, CheckName(path), audience.Invalid)
	}
}

// TestPlaces refuses to write where there is something else than a file, or behind a link.
func TestPlaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	if _, err := w.whole("sub/in.csv", "mail\n"); err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	for link, target := range map[string]string{"link": outside, "link.csv": filepath.Join(outside, "x.csv"), "inner": "sub"} {
		if err := os.Symlink(target, filepath.Join(w.dir, "prod", link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"link/a.csv", "link.csv", "inner/a.csv", "sub", "sub/in.csv/a.csv"} {
		_, err := w.whole(path, "mail\n")
		wantCode(t, path, err, audience.Invalid)
		_, err = w.part(path, "mail\n", 0, 4, strings.NewReader("mail\n"))
		wantCode(t, path, err, audience.Invalid)
		if err := w.Remove(t.Context(), "prod", path); !errors.Is(err, source.ErrOutside) && !errors.Is(err, source.ErrNotExist) {
			t.Errorf("%s is removed: %v", path, err)
		}
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) != 0 {
		t.Errorf("outside: %v, %v", left, err)
	}
	w.holds("afterwards", map[string]string{"prod/sub/in.csv": "mail\n"})
}

// TestRanges sends a file piece by piece, over connections that break off and a restart.
func TestRanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	const text = "mail\nada@example.com\n"
	if s := w.ask("a.csv", text); s.Received != 0 || s.File != nil {
		t.Errorf("before the beginning: %+v", s)
	}
	_, err := w.part("a.csv", text, 5, 6, strings.NewReader("ad"))
	wantCode(t, "no beginning", err, audience.Stale)
	if s, err := w.part("a.csv", text, 0, 4, strings.NewReader(text[:5])); err != nil || s.Received != 5 || s.Size != int64(len(text)) || s.File != nil {
		t.Errorf("%+v, %v", s, err)
	}
	w.holds("in the middle", map[string]string{unfinished: ""})
	_, err = w.part("a.csv", text, 4, 6, strings.NewReader("\nad"))
	wantCode(t, "bytes that are there", err, audience.Stale)
	_, err = w.part("a.csv", text, 5, 9, io.MultiReader(strings.NewReader("ada"), iotest.ErrReader(errors.New("reset"))))
	wantCode(t, "broken off", err, audience.Invalid)
	_, err = w.part("a.csv", text, 8, 12, strings.NewReader("@"))
	wantCode(t, "shorter than its range", err, audience.Invalid)
	w.restart()
	if s := w.ask("a.csv", text); s.Received != 9 {
		t.Errorf("after a restart: %+v", s)
	}
	if s := w.ask("a.csv", text+"x"); s.Received != 0 {
		t.Errorf("another file: %+v", s)
	}
	_, err = w.part("a.csv", text+"x", 9, 12, strings.NewReader("exam"))
	wantCode(t, "of another file", err, audience.Stale)
	s, err := w.part("a.csv", text, 9, len(text)-1, strings.NewReader(text[9:]))
	if err != nil || s.File == nil || s.File.Path != "a.csv" {
		t.Errorf("%+v, %v", s, err)
	}
	w.holds("at the end", map[string]string{"prod/a.csv": text})
	if s := w.ask("a.csv", text); s.File == nil || s.Received != int64(len(text)) {
		t.Errorf("asked after the end: %+v", s)
	}
	if s := w.ask("a.csv", strings.ToUpper(text)); s.File != nil {
		t.Errorf("another file of the same size: %+v", s)
	}

	sum := sha256.Sum256([]byte(text))
	_, err = w.Put(t.Context(), prod, "a.csv", Upload{Body: strings.NewReader("12345"), Length: 5, SHA256: sum[:], Range: &Range{First: 0, Last: 4, Size: 5}})
	wantCode(t, "another checksum", err, audience.Invalid)
	_, err = w.Put(t.Context(), prod, "a.csv", Upload{Body: strings.NewReader("12345"), Length: -1, Range: &Range{First: 0, Last: 4, Size: 5}})
	wantCode(t, "a range of no length", err, audience.Invalid)
	w.holds("after refusals", map[string]string{"prod/a.csv": text})
}

// parts lists the files of incomplete uploads in a sandbox.
func (w *world) parts() (paths []string) {
	w.t.Helper()
	paths, err := filepath.Glob(filepath.Join(w.dir, unfinished, "prod", "*"))
	if err != nil {
		w.t.Fatal(err)
	}
	return paths
}

// TestUnnoted has bytes after those that were recorded, as a crash may leave them: they do not count. A part that is
// gone, as after the move of a complete file to its place, does not count either.
func TestUnnoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	const text = "0123456789"
	if _, err := w.part("a.csv", text, 0, 4, strings.NewReader(text[:5])); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(w.parts()[0], os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("xxxxxxxxx"); err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	if s := w.ask("a.csv", text); s.Received != 5 {
		t.Errorf("%+v", s)
	}
	if _, err := w.part("a.csv", text, 5, 9, strings.NewReader(text[5:])); err != nil {
		t.Fatal(err)
	}
	w.holds("at the end", map[string]string{"prod/a.csv": text})

	if _, err := w.part("b.csv", text, 0, 8, strings.NewReader(text[:9])); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(w.parts()[0], filepath.Join(w.dir, "prod", "b.csv")); err != nil {
		t.Fatal(err)
	}
	_, err = w.part("b.csv", text, 9, 9, strings.NewReader(text[9:]))
	wantCode(t, "a part that is gone", err, audience.Stale)
	if s := w.ask("b.csv", text); s.Received != 0 || s.File != nil {
		t.Errorf("a part that is gone: %+v", s)
	}
	if _, err := w.part("b.csv", text, 0, 9, strings.NewReader(text)); err != nil {
		t.Error(err)
	}
	w.holds("at the end", map[string]string{"prod/a.csv": text, "prod/b.csv": text})
}

// TestCutOffAtItsEnd asks for an upload of which every byte is there, but whose request ended before the file was.
func TestCutOffAtItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	ctx, cancel := context.WithCancel(t.Context())
	sum := sha256.Sum256([]byte("0123"))
	u := Upload{Length: 4, SHA256: sum[:], Range: &Range{First: 0, Last: 3, Size: 4}, Body: readFunc(func(p []byte) (int, error) {
		n := copy(p, "0123")
		cancel()
		return n, nil
	})}
	if _, err := w.Put(ctx, prod, "a.csv", u); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	w.holds("cut off", map[string]string{unfinished: ""})
	if s := w.ask("a.csv", "0123"); s.File == nil || !s.Completed {
		t.Errorf("%+v", s)
	}
	w.holds("asked", map[string]string{"prod/a.csv": "0123"})
}

// TestOneAtATime refuses a range while another request sends one of the same file.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	looked := false
	body := io.MultiReader(strings.NewReader("abc"), readFunc(func([]byte) (int, error) {
		_, err := w.part("a.csv", "abcdef", 0, 2, strings.NewReader("abc"))
		wantCode(t, "at the same time", err, audience.Stale)
		_, err = w.part("b.csv", "abcdef", 0, 2, strings.NewReader("abc"))
		looked = err == nil
		return 0, io.EOF
	}), strings.NewReader("def"))
	if _, err := w.part("a.csv", "abcdef", 0, 5, body); err != nil || !looked {
		t.Error(looked, err)
	}
}

func TestQuota(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	if _, err := w.whole("a.csv", "123456"); err != nil {
		t.Fatal(err)
	}
	_, err := w.whole("b.csv", "12345")
	wantCode(t, "too much", err, audience.Impossible)
	if !strings.Contains(fmt.Sprint(err), "6 B of its quota of 10 B") {
		t.Error(err)
	}
	_, err = w.Put(t.Context(), prod, "b.csv", Upload{Body: strings.NewReader("12345"), Length: -1})
	wantCode(t, "too much, of a length that is not known", err, audience.Impossible)
	_, err = w.part("b.csv", "12345", 0, 0, strings.NewReader("1"))
	wantCode(t, "too much, by ranges", err, audience.Impossible)
	w.holds("afterwards", map[string]string{"prod/a.csv": "123456"})
	if _, err := w.whole("a.csv", "1234567890"); err != nil {
		t.Errorf("in the place of another: %v", err)
	}
	if _, err := w.whole("a.csv", "1234"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Put(t.Context(), dev, "a.csv", Upload{Body: strings.NewReader("1234567890"), Length: 10}); err != nil {
		t.Errorf("in another sandbox: %v", err)
	}
	if _, err := w.part("b.csv", "123456", 0, 0, strings.NewReader("1")); err != nil {
		t.Errorf("what fits: %v", err)
	}
	_, err = w.whole("c.csv", "1")
	wantCode(t, "beside an upload that will need the rest", err, audience.Impossible)
	body := readFunc(func([]byte) (int, error) { return 0, errors.New("reset") })
	for range 3 {
		_, err = w.Put(t.Context(), dev, "a.csv", Upload{Body: body, Length: 10})
		wantCode(t, "broken off", err, audience.Invalid)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	for _, name := range []string{"a.csv", "b/c.csv", "b/d.csv", "b.csv", "bc/x.csv", ".resubmitted/r/x"} {
		if _, err := w.whole(name, "x"); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		prefix, after string
		limit         int
		want          []string
		more          bool
	}{
		{"", "", 0, []string{"a.csv", "b.csv", "b/c.csv", "b/d.csv", "bc/x.csv"}, false},
		{"b", "", 2, []string{"b.csv", "b/c.csv"}, true},
		{"b", "b/c.csv", 2, []string{"b/d.csv", "bc/x.csv"}, false},
		{"b/", "", 0, []string{"b/c.csv", "b/d.csv"}, false},
		{"dlz-user-container/b/d", "", 0, []string{"b/d.csv"}, false},
		{"absent/", "", 0, nil, false},
	} {
		files, more, err := w.List(t.Context(), "prod", c.prefix, c.after, c.limit)
		var got []string
		for _, f := range files {
			got = append(got, f.Path)
		}
		if err != nil || more != c.more || !slices.Equal(got, c.want) {
			t.Errorf("%q after %q: %v, %v, %v", c.prefix, c.after, got, more, err)
		}
	}
	for _, prefix := range []string{"../", "a/../b", "/"} {
		_, _, err := w.List(t.Context(), "prod", prefix, "", 0)
		wantCode(t, prefix, err, audience.Invalid)
	}
}

func TestExpireAndClear(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	old := time.Now().Add(-TTL - time.Hour)
	age := func(name string) {
		t.Helper()
		if err := os.Chtimes(filepath.Join(w.dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"old/a.csv", "b.csv", ".resubmitted/r/x"} {
		if _, err := w.whole(name, "x"); err != nil {
			t.Fatal(err)
		}
	}
	age("prod/old/a.csv")
	age("prod/.resubmitted/r/x")
	w.now = old
	if _, err := w.part("c.csv", "0123", 0, 1, strings.NewReader("01")); err != nil {
		t.Fatal(err)
	}
	w.now = time.Time{}
	if _, err := w.part("d.csv", "0123", 0, 1, strings.NewReader("01")); err != nil {
		t.Fatal(err)
	}
	for _, part := range w.parts() { // d.csv continues, however old its bytes are
		age(strings.TrimPrefix(part, w.dir))
	}
	orphan := filepath.Join(unfinished, "dev", "orphan")
	if err := errors.Join(os.Mkdir(filepath.Join(w.dir, unfinished, "dev"), 0o700), os.WriteFile(filepath.Join(w.dir, orphan), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	age(orphan)
	before := time.Now().Add(-TTL)
	if n, err := w.Expire(t.Context(), before, func(sandbox string) bool { return sandbox == "prod" }); n != 0 || err != nil {
		t.Error(n, err)
	}
	if n, err := w.Expire(t.Context(), before, func(string) bool { return false }); n != 2 || err != nil {
		t.Error(n, err)
	}
	w.holds("afterwards", map[string]string{"prod/b.csv": "x", unfinished: ""})
	if _, err := os.Stat(filepath.Join(w.dir, "prod", "old")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty folder is left: %v", err)
	}
	if left := w.parts(); len(left) != 1 {
		t.Errorf("uploads are left: %v", left)
	}
	if _, err := os.Stat(filepath.Join(w.dir, orphan)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an orphan is left: %v", err)
	}
	if c, d := w.ask("c.csv", "0123"), w.ask("d.csv", "0123"); c.Received != 0 || d.Received != 2 {
		t.Errorf("%+v, %+v", c, d)
	}
	if err := w.Clear(t.Context(), "prod"); err != nil {
		t.Fatal(err)
	}
	w.holds("cleared", map[string]string{})
}

// noted writes an incomplete upload as an earlier version has left it, and returns the path of its note.
func (w *world) noted(folder string, n note, bytes string) string {
	w.t.Helper()
	id := fmt.Sprintf("%x", sha256.Sum256([]byte(n.Sandbox+"\x00"+n.Name)))[:40]
	path := filepath.Join(w.dir, unfinished, folder, id)
	text, err := json.Marshal(n)
	err = errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path+".bytes", []byte(bytes), 0o600), os.WriteFile(path+".json", text, 0o600))
	if err != nil {
		w.t.Fatal(err)
	}
	return path + ".json"
}

// TestUploadsOfAnEarlierVersion continues uploads that an earlier version recorded in files, in the folder of the sandbox
// or above it. What cannot continue is removed.
func TestUploadsOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	const text = "0123456789"
	sum := sha256.Sum256([]byte(text))
	for name, stores := range map[string]func(w *world) blob.Store{
		"local": func(w *world) blob.Store { return w.Files },
		"bucket": func(w *world) blob.Store {
			return faulty.New(w.Files.Below("bucket"), "", func(string) error { return nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1000)
			w.Files = stores(w)
			for folder, name := range map[string]string{"": "a.csv", "prod": "b.csv"} {
				w.noted(folder, note{Sandbox: "prod", Name: name, Size: 10, SHA256: sum[:], Received: 5}, text[:7])
			}
			w.noted("gone", note{Sandbox: "gone", Name: "a.csv", Size: 10, Received: 5}, text[:5])
			w.noted("prod", note{Sandbox: "prod", Name: "nothing.csv", Size: 10}, "")
			for i, damaged := range []string{"", `{"Sandbox":"prod","Na`, "\x00\xff", `[1]`, `null`, `{"Sandbox":"dev","Name":"b.csv","Size":10,"Received":5}`,
				`{"Sandbox":"prod","Name":"5.csv","Size":10,"Received":11}`, `{"Sandbox":"prod","Name":"6.csv","Size":10,"Received":-1}`,
				`{"Sandbox":"prod","Name":"7.csv","Size":10,"Received":5,"SHA256":"AAAA"}`} {
				at := w.noted("prod", note{Sandbox: "prod", Name: fmt.Sprintf("%d.csv", i), Size: 10, Received: 5}, text[:5])
				if err := os.WriteFile(at, []byte(damaged), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, left := range []string{piece + "1", ".x.part", "x.json.new"} {
				if err := os.WriteFile(filepath.Join(w.dir, unfinished, "prod", left), []byte("half"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			w.restart()
			w.restart()
			_, err := w.whole("too-much.csv", strings.Repeat("x", 981))
			wantCode(t, "beside the uploads", err, audience.Impossible)
			for _, name := range []string{"a.csv", "b.csv"} {
				if s := w.ask(name, text); s.Received != 5 {
					t.Errorf("%s: %+v", name, s)
				}
				if s, err := w.part(name, text, 5, 9, strings.NewReader(text[5:])); err != nil || s.File == nil {
					t.Errorf("%s: %+v, %v", name, s, err)
				}
			}
			for path := range w.files() {
				if strings.Contains(path, unfinished) {
					t.Errorf("%s is left", path)
				}
			}
		})
	}
}

// TestTwoProcesses sends the ranges of files to two processes in turn, over connections that break off, at the same
// time, and while a process stands still. The files are whole and nothing is left.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(w *world) (blob.Store, meta.Store){
		"local": func(w *world) (blob.Store, meta.Store) { return w.store(), w.meta() },
		"S3 and PostgreSQL": func(w *world) (blob.Store, meta.Store) {
			s, err := postgres.Open(t.Context(), metatest.PostgresURL(w.t))
			if err != nil {
				w.t.Fatal(err)
			}
			w.t.Cleanup(func() { s.Close() })
			w.tenants(s)
			return s3Store(w.t), s
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &world{t: t, dir: filepath.Join(t.TempDir(), "landing")}
			files, store := open(a)
			c := Config{Files: files, Store: store, Dir: a.dir, Quota: 100, Clock: time.Now}
			b := &world{t: t, dir: a.dir, Zones: New(c)}
			a.Zones = New(c)
			content := func(name string) string {
				t.Helper()
				o, err := a.Open("prod").Stat(t.Context(), name)
				if err != nil {
					t.Fatal(err)
				}
				r, err := a.Open("prod").Open(t.Context(), o, 0, -1)
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				text, err := io.ReadAll(r)
				if err != nil {
					t.Error(err)
				}
				return string(text)
			}

			const text = "0123456789abcdef"
			send := func(w *world, first, last int, received int64) {
				t.Helper()
				if s, err := w.part("a.csv", text, first, last, strings.NewReader(text[first:last+1])); err != nil || s.Received != received {
					t.Errorf("%d to %d: %+v, %v", first, last, s, err)
				}
			}
			send(a, 0, 2, 3)
			send(b, 3, 4, 5)
			_, err := a.part("a.csv", text, 3, 4, strings.NewReader(text[3:5]))
			wantCode(t, "a range sent twice", err, audience.Stale)
			_, err = b.part("a.csv", text, 5, 9, io.MultiReader(strings.NewReader(text[5:7]), iotest.ErrReader(errors.New("reset"))))
			wantCode(t, "broken off", err, audience.Invalid)
			if s := a.ask("a.csv", text); s.Received != 7 {
				t.Errorf("%+v", s)
			}
			// b stands still in the middle of a range, a receives it and the next one, b goes on.
			still := io.MultiReader(strings.NewReader(text[7:8]), readFunc(func([]byte) (int, error) {
				send(a, 7, 9, 10)
				send(a, 10, 11, 12)
				return 0, io.EOF
			}), strings.NewReader(text[8:10]))
			_, err = b.part("a.csv", text, 7, 9, still)
			wantCode(t, "a range that another process received", err, audience.Stale)
			_, err = b.whole("too-much.csv", strings.Repeat("x", 85))
			wantCode(t, "beside an upload of the other process", err, audience.Impossible)
			s, err := b.part("a.csv", text, 12, 15, strings.NewReader(text[12:]))
			if err != nil || s.File == nil || !s.Completed {
				t.Errorf("%+v, %v", s, err)
			}
			if got := content("a.csv"); got != text {
				t.Errorf("%q", got)
			}

			// While an upload of unknown size is in progress, its bytes count in the other process.
			growing := io.MultiReader(strings.NewReader(strings.Repeat("x", 50)), readFunc(func([]byte) (int, error) {
				_, err := b.whole("too-much.csv", strings.Repeat("x", 35))
				wantCode(t, "beside an upload in progress", err, audience.Impossible)
				return 0, io.EOF
			}))
			if _, err := a.Put(t.Context(), prod, "growing.csv", Upload{Body: growing, Length: -1}); err != nil {
				t.Error(err)
			}

			// Both processes send all further ranges of a file at once; one of them finishes it.
			if _, err := a.part("b.csv", text, 0, 2, strings.NewReader(text[:3])); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			var completed atomic.Int64
			for _, w := range []*world{a, b} {
				wg.Go(func() {
					for sum := sha256.Sum256([]byte(text)); ; {
						s, err := w.Put(t.Context(), prod, "b.csv", Upload{SHA256: sum[:], Range: &Range{First: -1, Last: -1, Size: int64(len(text))}})
						if err == nil && s.File == nil {
							n := min(int(s.Received)+3, len(text))
							s, err = w.part("b.csv", text, int(s.Received), n-1, strings.NewReader(text[s.Received:n]))
						}
						if s.Completed {
							completed.Add(1)
						}
						if s.File != nil {
							return
						}
						// The S3 server fails if it creates an object while it removes the empty folder of another one.
						if err != nil && audience.CodeOf(err) != audience.Stale && !errors.Is(err, blob.ErrFailed) {
							t.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			if got := content("b.csv"); got != text || completed.Load() != 1 {
				t.Errorf("%q, completed %d times", got, completed.Load())
			}

			// An abandoned upload is removed by one of both.
			send(a, 0, 2, 3)
			later := time.Now().Add(time.Hour)
			for _, w := range []*world{a, b} {
				wg.Go(func() {
					if err := w.expireUploads(t.Context(), later, func(string) bool { return false }); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if err := files.List(t.Context(), unfinished, func(o blob.Object) error { t.Errorf("%s is left", o.Path); return nil }); err != nil && !errors.Is(err, blob.ErrNotExist) {
				t.Error(err)
			}
		})
	}
}

// s3Store is a bucket of an S3 server.
func s3Store(t *testing.T) blob.Store {
	t.Helper()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "bucket"), 0o700); err != nil {
		t.Fatal(err)
	}
	address := servertest.VersityGWOf(t, root, "key", "secret-of-the-key")
	everywhere := netguard.Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}
	s, err := bucket.OpenS3(t.Context(), bucket.S3{Endpoint: "http://" + address, Region: "us-east-1", PathStyle: true, Bucket: "bucket", Folder: "zones", AccessKey: "key",
		SecretKey: "secret-of-the-key", Client: everywhere.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
