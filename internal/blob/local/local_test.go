package local_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"roster/internal/blob"
	"roster/internal/blob/local"
	"roster/internal/source"
)

// folder is a local store over a temporary folder.
type folder struct {
	*local.Store
	t   *testing.T
	dir string
}

func newFolder(t *testing.T, files ...string) *folder {
	t.Helper()
	f := &folder{t: t, dir: t.TempDir()}
	for _, name := range files {
		f.put(name, "content of "+name)
	}
	l, err := local.OpenConfined(f.dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	f.Store = l
	return f
}

func (f *folder) put(name, text string) {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f *folder) list(prefix string) ([]string, error) {
	var names []string
	err := f.List(f.t.Context(), prefix, func(o blob.Object) error {
		names = append(names, o.Path)
		return nil
	})
	return names, err
}

func TestListInPathOrder(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "b/2.csv", "b/1.csv", "b.csv", "b-c/x.csv", "a.csv", "b/sub/z.csv", "b0.csv")
	if err := os.Symlink("a.csv", filepath.Join(f.dir, "link.csv")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("b", filepath.Join(f.dir, "linked")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(f.dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := f.list("")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"a.csv", "b-c/x.csv", "b.csv", "b/1.csv", "b/2.csv", "b/sub/z.csv", "b0.csv"}
	if !slices.Equal(got, want) || !slices.IsSorted(got) {
		t.Errorf("got %q", got)
	}
	var links []string
	all := func(o blob.Object) error {
		if o.Link {
			links = append(links, o.Path)
		}
		return nil
	}
	if err := source.ListAll(t.Context(), f.Store, "", all); err != nil || !slices.Equal(links, []string{"link.csv", "linked"}) {
		t.Errorf("links %q, %v", links, err)
	}
	if got, _ := f.list("b"); !slices.Equal(got, []string{"b/1.csv", "b/2.csv", "b/sub/z.csv"}) {
		t.Errorf("got %q", got)
	}
	if _, err := f.list("absent"); !errors.Is(err, blob.ErrNotExist) {
		t.Error(err)
	}
	if _, err := f.list("a.csv"); !errors.Is(err, blob.ErrNotExist) {
		t.Error(err)
	}
	stop := errors.New("stop")
	if err := f.List(t.Context(), "", func(blob.Object) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.List(ended, "", func(blob.Object) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestConfined tries to leave the root.
func TestConfined(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "in/a.csv")
	outside := filepath.Join(t.TempDir(), "secret.csv")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"link.csv": outside, "dir": filepath.Dir(outside), "inside.csv": "in/a.csv", "insidedir": "in"} {
		if err := os.Symlink(target, filepath.Join(f.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"../x", "in/../../x", "in/..", "..", ".", "/etc/passwd", outside, "in//a.csv", "in/./a.csv", "in/a.csv/", "a\x00b",
		"link.csv", "dir/secret.csv", "inside.csv", "insidedir/a.csv"} {
		if _, err := f.Stat(t.Context(), name); !errors.Is(err, blob.ErrOutside) {
			t.Errorf("Stat(%q): %v", name, err)
		}
		if r, err := f.Open(t.Context(), blob.Object{Path: name}, 0, -1); !errors.Is(err, blob.ErrOutside) {
			t.Errorf("Open(%q): %v %v", name, r, err)
		}
		if _, err := f.list(name); !errors.Is(err, blob.ErrOutside) {
			t.Errorf("List(%q): %v", name, err)
		}
	}
	for _, name := range []string{"absent", "in", "in/a.csv/x", "in/fifo"} {
		if _, err := f.Stat(t.Context(), name); !errors.Is(err, blob.ErrNotExist) {
			t.Errorf("Stat(%q): %v", name, err)
		}
	}
}

func TestOpenReadsThePinnedVersion(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "a.csv")
	obj, err := f.Stat(t.Context(), "a.csv")
	if err != nil || obj.Size != int64(len("content of a.csv")) {
		t.Fatalf("%+v %v", obj, err)
	}
	read := func(offset, length int64) (string, error) {
		r, err := f.Open(t.Context(), obj, offset, length)
		if err != nil {
			return "", err
		}
		defer r.Close()
		text, err := io.ReadAll(r)
		return string(text), err
	}
	for _, c := range []struct {
		offset, length int64
		want           string
	}{{0, -1, "content of a.csv"}, {11, -1, "a.csv"}, {0, 7, "content"}, {8, 2, "of"}, {16, -1, ""}} {
		if got, err := read(c.offset, c.length); err != nil || got != c.want {
			t.Errorf("%+v: %q %v", c, got, err)
		}
	}
	f.put("a.csv", "other text of a.csv")
	if _, err := read(0, -1); !errors.Is(err, blob.ErrChanged) {
		t.Errorf("a replaced file: %v", err)
	}
}

// TestChangeWhileReading changes a file between two reads.
func TestChangeWhileReading(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(path string) error{
		"cut": func(p string) error { return os.Truncate(p, 5) },
		"grown": func(p string) error {
			f, err := os.OpenFile(p, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteString("more")
			return err
		},
		"touched": func(p string) error { return os.Chtimes(p, time.Now(), time.Now().Add(time.Hour)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFolder(t)
			f.put("a.csv", strings.Repeat("x", 100_000))
			obj, err := f.Stat(t.Context(), "a.csv")
			if err != nil {
				t.Fatal(err)
			}
			r, err := f.Open(t.Context(), obj, 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
				t.Fatal(err)
			}
			if err := change(filepath.Join(f.dir, "a.csv")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(r); !errors.Is(err, blob.ErrChanged) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestErrorsNameThePath(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	_, err := f.Stat(t.Context(), "list.csv")
	if err == nil || !strings.Contains(err.Error(), "list.csv") || strings.Contains(err.Error(), f.dir) {
		t.Error(err)
	}
	if _, err := local.OpenConfined(filepath.Join(f.dir, "absent"), nil); err == nil {
		t.Error("an absent root opens")
	}
	if os.Getuid() != 0 {
		f.put("locked.csv", "x")
		if err := os.Chmod(filepath.Join(f.dir, "locked.csv"), 0); err != nil {
			t.Fatal(err)
		}
		obj, err := f.Stat(t.Context(), "locked.csv")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Open(t.Context(), obj, 0, -1); !errors.Is(err, blob.ErrPermission) {
			t.Error(err)
		}
	}
}

func TestManyFiles(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	for i := range 2000 {
		f.put(fmt.Sprintf("%d/%d.csv", i%7, i), "")
	}
	got, err := f.list("")
	if err != nil || len(got) != 2000 || !slices.IsSorted(got) {
		t.Errorf("%d files, %v", len(got), err)
	}
}

// TestAppend continues a file: bytes after the first ones are dropped, one writer has it at a time, and what was written
// stays without Commit. A moved file is not found any more.
func TestAppend(t *testing.T) {
	t.Parallel()
	s, err := local.OpenConfined(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	write := func(size int64, text string, commit bool) {
		t.Helper()
		w, err := s.Append(t.Context(), "a/b/part", size)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append(t.Context(), "a/b/part", size); !errors.Is(err, blob.ErrBusy) {
			t.Errorf("a second writer: %v", err)
		}
		if commit {
			if err := w.Commit(); err != nil {
				t.Error(err)
			}
		}
	}
	holds := func(path, want string) {
		t.Helper()
		if got, err := blob.Get(t.Context(), s, path); err != nil || string(got) != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	refused := func(what, path string, size int64, want error) {
		t.Helper()
		if _, err := s.Append(t.Context(), path, size); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	refused("an absent file", "a/b/part", 1, blob.ErrChanged)
	write(0, "012", true)
	write(3, "xyz", false)
	holds("a/b/part", "012xyz")
	write(2, "34", true)
	holds("a/b/part", "0134")
	refused("a shorter file", "a/b/part", 5, blob.ErrChanged)
	refused("a path that leads out", "../part", 0, blob.ErrOutside)
	if err := s.Move(t.Context(), "a/b/part", "c/d.csv"); err != nil {
		t.Fatal(err)
	}
	holds("c/d.csv", "0134")
	refused("a moved file", "a/b/part", 4, blob.ErrChanged)
	if err := s.Move(t.Context(), "a/b/part", "c/e.csv"); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("a moved file: %v", err)
	}
}
