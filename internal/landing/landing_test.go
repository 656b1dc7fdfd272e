package landing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"roster/internal/audience"
	"roster/internal/blob"
	"roster/internal/blob/local"
	"roster/internal/source"
)

// world is landing zones in a folder of a test.
type world struct {
	*Zones
	t   *testing.T
	dir string
}

func newWorld(t *testing.T, quota int64) *world {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "landing")
	w := &world{t: t, dir: dir}
	w.Zones = New(dir, w.store(), quota)
	return w
}

// restart is another process on the same folder.
func (w *world) restart() { w.Zones = New(w.dir, w.store(), w.quota) }

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
	return w.Put(w.t.Context(), "prod", name, Upload{Body: strings.NewReader(text), Length: int64(len(text))})
}

// part puts a range of a file whose text is known.
func (w *world) part(name, text string, first, last int, body io.Reader) (State, error) {
	sum := sha256.Sum256([]byte(text))
	return w.Put(w.t.Context(), "prod", name, Upload{Body: body, Length: int64(last + 1 - first), SHA256: sum[:],
		Range: &Range{First: int64(first), Last: int64(last), Size: int64(len(text))}})
}

func (w *world) ask(name, text string) State {
	w.t.Helper()
	sum := sha256.Sum256([]byte(text))
	s, err := w.Put(w.t.Context(), "prod", name, Upload{SHA256: sum[:], Range: &Range{First: -1, Last: -1, Size: int64(len(text))}})
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
		s, err := w.Put(t.Context(), "prod", c.path, Upload{Body: iotest.OneByteReader(strings.NewReader(c.text)), Length: -1})
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
	_, err := w.Put(t.Context(), "prod", "a.csv", Upload{Body: strings.NewReader("mail\n"), Length: 5, SHA256: make([]byte, 32)})
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
	_, err := w.Put(t.Context(), "prod", "in.csv", Upload{Body: io.MultiReader(strings.NewReader("mail\nhalf"), looking), Length: -1})
	wantCode(t, "broken off", err, audience.Invalid)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Put(ctx, "prod", "new/a.csv", Upload{Body: strings.NewReader("mail\n"), Length: -1}); !errors.Is(err, context.Canceled) {
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
	_, err = w.Put(t.Context(), "prod", "a.csv", Upload{Body: strings.NewReader("12345"), Length: 5, SHA256: sum[:], Range: &Range{First: 0, Last: 4, Size: 5}})
	wantCode(t, "another checksum", err, audience.Invalid)
	_, err = w.Put(t.Context(), "prod", "a.csv", Upload{Body: strings.NewReader("12345"), Length: -1, Range: &Range{First: 0, Last: 4, Size: 5}})
	wantCode(t, "a range of no length", err, audience.Invalid)
	w.holds("after refusals", map[string]string{"prod/a.csv": text})
}

// TestUnnoted has bytes after those that were noted, as a crash may leave them: they are of no account. A note without
// bytes, as it is left when the file is in its place, is neither.
func TestUnnoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	const text = "0123456789"
	if _, err := w.part("a.csv", text, 0, 4, strings.NewReader(text[:5])); err != nil {
		t.Fatal(err)
	}
	p := part{id: partID("prod", "a.csv")}
	f, err := os.OpenFile(filepath.Join(w.dir, unfinished, "prod", p.bytes()), os.O_APPEND|os.O_WRONLY, 0)
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
	b := part{id: partID("prod", "b.csv")}
	if err := os.Rename(filepath.Join(w.dir, unfinished, "prod", b.bytes()), filepath.Join(w.dir, "prod", "b.csv")); err != nil {
		t.Fatal(err)
	}
	if s := w.ask("b.csv", text); s.Received != 0 || s.File != nil {
		t.Errorf("a note without bytes: %+v", s)
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
	if _, err := w.Put(ctx, "prod", "a.csv", u); !errors.Is(err, context.Canceled) {
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
	_, err = w.Put(t.Context(), "prod", "b.csv", Upload{Body: strings.NewReader("12345"), Length: -1})
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
	if _, err := w.Put(t.Context(), "dev", "a.csv", Upload{Body: strings.NewReader("1234567890"), Length: 10}); err != nil {
		t.Errorf("in another sandbox: %v", err)
	}
	if _, err := w.part("b.csv", "123456", 0, 0, strings.NewReader("1")); err != nil {
		t.Errorf("what fits: %v", err)
	}
	_, err = w.whole("c.csv", "1")
	wantCode(t, "beside an upload that will need the rest", err, audience.Impossible)
	body := readFunc(func([]byte) (int, error) { return 0, errors.New("reset") })
	for range 3 {
		_, err = w.Put(t.Context(), "dev", "a.csv", Upload{Body: body, Length: 10})
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
	if _, err := w.part("c.csv", "0123", 0, 1, strings.NewReader("01")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.part("d.csv", "0123", 0, 1, strings.NewReader("01")); err != nil {
		t.Fatal(err)
	}
	age(filepath.Join(unfinished, "prod", (&part{id: partID("prod", "c.csv")}).note()))
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
	if c, d := w.ask("c.csv", "0123"), w.ask("d.csv", "0123"); c.Received != 0 || d.Received != 2 {
		t.Errorf("%+v, %+v", c, d)
	}
	if err := w.Clear(t.Context(), "prod"); err != nil {
		t.Fatal(err)
	}
	w.holds("cleared", map[string]string{})
}

// TestPiecesOfAnotherProcess removes what an earlier process left of uploads in one piece.
func TestPiecesOfAnotherProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	left := filepath.Join(w.dir, unfinished, "dev", piece+"1")
	if err := errors.Join(os.MkdirAll(filepath.Dir(left), 0o700), os.WriteFile(left, []byte("half"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.whole("a.csv", "x"); err != nil {
		t.Fatal(err)
	}
	w.holds("afterwards", map[string]string{"prod/a.csv": "x"})
}

// TestDamagedNotes damages what is noted of an upload in every way. It has to begin anew, other uploads of its sandbox and of others go on,
// and what is left of it goes with its sandbox, or in time.
func TestDamagedNotes(t *testing.T) {
	t.Parallel()
	const text = "0123456789"
	for name, note := range map[string]string{
		"empty": "", "cut off": `{"Sandbox":"prod","Na`, "bytes": "\x00\xff", "another kind": `[1]`, "nothing": `null`, "of another upload": `{"Sandbox":"dev","Name":"b.csv","Size":10,"Received":5}`,
		"more than all": `{"Sandbox":"prod","Name":"a.csv","Size":10,"Received":11}`, "less than nothing": `{"Sandbox":"prod","Name":"a.csv","Size":10,"Received":-1}`,
		"no checksum": `{"Sandbox":"prod","Name":"a.csv","Size":10,"Received":5,"SHA256":"AAAA"}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1000)
			damaged := filepath.Join(w.dir, unfinished, "prod", (&part{id: partID("prod", "a.csv")}).note())
			damage := func() {
				t.Helper()
				if _, err := w.part("a.csv", text, 0, 4, strings.NewReader(text[:5])); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(damaged, []byte(note), 0o600); err != nil {
					t.Fatal(err)
				}
				w.restart()
			}
			damage()
			for _, sandbox := range []string{"prod", "dev"} {
				if s, err := w.Put(t.Context(), sandbox, "b.csv", Upload{Body: strings.NewReader(text), Length: 10}); err != nil || s.File == nil {
					t.Errorf("another upload, in %s: %+v, %v", sandbox, s, err)
				}
			}
			_, err := w.part("a.csv", text, 5, 9, strings.NewReader(text[5:]))
			wantCode(t, "to go on", err, audience.Stale)
			if s, err := w.part("a.csv", text, 0, 9, strings.NewReader(text)); err != nil || s.File == nil {
				t.Errorf("anew: %+v, %v", s, err)
			}
			damage()
			if err := w.Clear(t.Context(), "dev"); err != nil {
				t.Error("another sandbox: ", err)
			}
			if err := w.Clear(t.Context(), "prod"); err != nil {
				t.Error(err)
			}
			w.holds("cleared", map[string]string{})
			if left, err := os.ReadDir(filepath.Join(w.dir, unfinished)); err != nil || len(left) != 0 {
				t.Errorf("folders are left: %v, %v", left, err)
			}
			damage()
			if _, err := w.Expire(t.Context(), time.Now().Add(time.Hour), func(string) bool { return false }); err != nil {
				t.Error(err)
			}
			w.holds("expired", map[string]string{})
		})
	}
}

// TestUploadsOfAnEarlierVersion goes on with an upload that lies beside those of all sandboxes.
func TestUploadsOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	const text = "0123456789"
	for _, name := range []string{"a.csv", "b.csv", "c.csv"} {
		if _, err := w.part(name, text, 0, 4, strings.NewReader(text[:5])); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(filepath.Join(w.dir, unfinished, "prod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Rename(filepath.Join(w.dir, unfinished, "prod", e.Name()), filepath.Join(w.dir, unfinished, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(w.dir, unfinished, (&part{id: partID("prod", "b.csv")}).note()), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.restart()
	if a, b, c := w.ask("a.csv", text), w.ask("b.csv", text), w.ask("c.csv", text); a.Received != 5 || b.Received != 0 || c.Received != 5 {
		t.Errorf("%+v, %+v, %+v", a, b, c)
	}
	if err := w.Clear(t.Context(), "prod"); err != nil {
		t.Fatal(err)
	}
	w.holds("cleared", map[string]string{})
}
