package control_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/source"
)

// landed lists the landing zone's files, and everything beside it, with what they hold.
func (w *world) landed() map[string]string {
	w.t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(filepath.Join(w.dir, "landing"), func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, filepath.Join(w.dir, "landing")+"/")] = string(text)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return files
}

func TestUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct{ path, stored, text string }{
		{"a.csv", "a.csv", "mail\n"},
		{"lists/2026/b.csv", "lists/2026/b.csv", "mail\nx\n"},
		{"dlz-user-container/lists/c d.csv", "lists/c d.csv", ""},
		{"a.csv", "a.csv", "mail\nada@example.com\n"},
	} {
		o, err := w.Upload(t.Context(), w.editor, c.path, iotest.OneByteReader(strings.NewReader(c.text)))
		if err != nil {
			t.Fatal(err)
		}
		src, err := source.OpenLocal(w.landing(""))
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		if want, err := src.Stat(t.Context(), c.stored); err != nil || o != want || o.Size != int64(len(c.text)) {
			t.Errorf("%+v, want %+v, %v", o, want, err)
		}
		if got := w.landed()["prod/"+c.stored]; got != c.text {
			t.Errorf("%s holds %q", c.stored, got)
		}
	}
	if got := w.landed(); len(got) != 4 {
		t.Errorf("%v", got)
	}
}

// TestUploadBreaksOff checks that nobody sees an upload that is not whole, while it comes in and when it ends early.
func TestUploadBreaksOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.landed()["prod/in.csv"]
	looking := readFunc(func([]byte) (int, error) {
		files := w.landed()
		if files["prod/in.csv"] != before || len(files) != 2 {
			t.Errorf("while it comes in: %v", files)
		}
		return 0, errors.New("connection reset")
	})
	_, err := w.Upload(t.Context(), w.editor, "in.csv", io.MultiReader(strings.NewReader("mail\nhalf"), looking))
	wantCode(t, "broken off", err, audience.Invalid, "after 9 bytes")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Upload(ctx, w.editor, "new/a.csv", strings.NewReader("mail\n")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if files := w.landed(); files["prod/in.csv"] != before || len(files) != 1 {
		t.Errorf("afterwards: %v", files)
	}
}

type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

func TestUploadRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	outside := t.TempDir()
	for link, target := range map[string]string{"link": outside, "link.csv": filepath.Join(outside, "x.csv"), "inner": "sub"} {
		if err := os.Symlink(target, w.landing(link)); err != nil {
			t.Fatal(err)
		}
	}
	w.write(w.landing("sub/a.csv"), "mail\n")
	before := len(w.landed())
	for _, path := range []string{
		"", "/a.csv", "/etc/x.csv", "../a.csv", "a/../../b.csv", "a//b.csv", "a/./b.csv", "a/", `a\b.csv`, "a\x00.csv", "a\nb.csv", "dlz-user-container",
		"dlz-user-container/../a.csv", ".hidden.csv", "sub/.a/b.csv", "_SUCCESS", "_tmp/a.csv", "a.csv.tmp", "a.PART", "a.csv~", "a.crc",
		strings.Repeat("x", 256), "link/a.csv", "link.csv", "inner/a.csv", "sub", "in.csv/a.csv",
	} {
		_, err := w.Upload(t.Context(), w.editor, path, strings.NewReader("mail\n"))
		wantCode(t, path, err, audience.Invalid, "path")
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) != 0 {
		t.Errorf("outside: %v, %v", left, err)
	}
	if after := w.landed(); len(after) != before {
		t.Errorf("refused uploads left %v", after)
	}
}

// TestUnfinishedUploads checks that the first look for unfinished work removes what an earlier process left of
// uploads, and that later ones leave those of this process alone.
func TestUnfinishedUploads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(filepath.Join(w.dir, "landing", ".upload-1"), "half")
	w.Service = control.New(w.config("after a restart"))
	w.recover("start")
	if files := w.landed(); len(files) != 1 || files["prod/in.csv"] == "" {
		t.Errorf("%v", files)
	}
	w.write(filepath.Join(w.dir, "landing", ".upload-2"), "half")
	w.recover("later")
	if files := w.landed(); len(files) != 2 {
		t.Errorf("%v", files)
	}
}
