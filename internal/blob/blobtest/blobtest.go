// Package blobtest is the conformance suite of byte stores: what blob.Store promises, as tests that every engine runs. What is read is
// tested by package sourcetest.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"roster/internal/blob"
	"roster/internal/source/sourcetest"
)

// Run runs the suite. open returns a fresh, empty store each time.
func Run(t *testing.T, open func(t *testing.T) blob.Store) {
	t.Run("Source", func(t *testing.T) {
		t.Parallel()
		sourcetest.Run(t, func(t *testing.T) sourcetest.World {
			s := open(t)
			return sourcetest.World{Store: s,
				Put: func(t *testing.T, path string, content []byte) {
					t.Helper()
					if _, err := blob.Put(t.Context(), s, path, bytes.NewReader(content), nil, blob.CreateOptions{Volatile: true}); err != nil {
						t.Fatal(err)
					}
				},
				Remove: func(t *testing.T, path string) {
					t.Helper()
					if err := s.Remove(t.Context(), path); err != nil {
						t.Fatal(err)
					}
				}}
		})
	})
	for name, test := range map[string]func(*testing.T, blob.Store){
		"Replace": testReplace, "IfAbsent": testIfAbsent, "Race": testRace, "Large": testLarge, "BreaksOff": testBreaksOff, "Checksum": testChecksum,
		"OpenFile": testOpenFile, "Remove": testRemove, "Below": testBelow, "Outside": testOutside, "Cancelled": testCancelled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			if c, ok := s.(io.Closer); ok {
				t.Cleanup(func() { c.Close() })
			}
			test(t, s)
		})
	}
}

func put(t *testing.T, s blob.Store, path, content string) {
	t.Helper()
	if _, err := blob.Put(t.Context(), s, path, strings.NewReader(content), nil, blob.CreateOptions{}); err != nil {
		t.Fatalf("put %q: %v", path, err)
	}
}

// list returns the paths in a folder.
func list(t *testing.T, s blob.Store, folder string) string {
	t.Helper()
	var paths []string
	err := s.List(t.Context(), folder, func(o blob.Object) error {
		paths = append(paths, o.Path)
		return nil
	})
	if err != nil && !errors.Is(err, blob.ErrNotExist) {
		t.Fatalf("list %q: %v", folder, err)
	}
	return strings.Join(paths, " ")
}

func get(t *testing.T, s blob.Store, path string) string {
	t.Helper()
	f, err := s.OpenFile(t.Context(), path)
	if err != nil {
		t.Fatalf("open %q: %v", path, err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		t.Fatalf("read %q: %v", path, err)
	}
	return string(content)
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// testReplace looks at an object while another takes its place.
func testReplace(t *testing.T, s blob.Store) {
	put(t, s, "in/a", "old")
	w, err := s.Create(t.Context(), "in/a", blob.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("the new ")); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, "in/a"); got != "old" {
		t.Errorf("before the end there is %q", got)
	}
	if _, err := w.Write([]byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if got := get(t, s, "in/a"); got != "the new one" {
		t.Errorf("there is %q", got)
	}
	put(t, s, "empty", "")
	if got := get(t, s, "empty"); got != "" {
		t.Errorf("an empty object has %q", got)
	}
	if got := list(t, s, ""); got != "empty in/a" {
		t.Errorf("there are %q", got)
	}
}

func testIfAbsent(t *testing.T, s blob.Store) {
	for _, o := range []blob.CreateOptions{{IfAbsent: true}, {IfAbsent: true, Volatile: true}} {
		path := fmt.Sprintf("in/%t", o.Volatile)
		if _, err := blob.Put(t.Context(), s, path, strings.NewReader("first"), nil, o); err != nil {
			t.Fatal(err)
		}
		_, err := blob.Put(t.Context(), s, path, strings.NewReader("second"), nil, o)
		wantErr(t, "a second one", err, blob.ErrExist)
		if got := get(t, s, path); got != "first" {
			t.Errorf("there is %q", got)
		}
		if err := s.Remove(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		if _, err := blob.Put(t.Context(), s, path, strings.NewReader("third"), nil, o); err != nil {
			t.Errorf("after it was removed: %v", err)
		}
	}
}

// testRace has several writers of one new object, all of which have begun before the first ends.
func testRace(t *testing.T, s blob.Store) {
	var won atomic.Int64
	var begun, ended sync.WaitGroup
	begun.Add(8)
	for i := range 8 {
		ended.Go(func() {
			w, err := s.Create(t.Context(), "in/a", blob.CreateOptions{IfAbsent: true})
			if err == nil {
				_, err = w.Write(bytes.Repeat([]byte{byte('a' + i)}, 100))
			}
			begun.Done()
			begun.Wait()
			if err == nil {
				err = w.Commit()
			}
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, blob.ErrExist):
				t.Errorf("a writer that came late: %v", err)
			}
		})
	}
	ended.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of 8 writers have made the object", won.Load())
	}
	if got := get(t, s, "in/a"); got != strings.Repeat(got[:1], 100) {
		t.Errorf("the object is mixed: %q", got)
	}
}

// testLarge writes and reads more than one part of any store.
func testLarge(t *testing.T, s blob.Store) {
	content := make([]byte, 21<<20+7)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(content)
	for _, o := range []blob.CreateOptions{{}, {IfAbsent: true}} {
		path := fmt.Sprintf("large %t", o.IfAbsent)
		if n, err := blob.Put(t.Context(), s, path, iotest.HalfReader(bytes.NewReader(content)), nil, o); err != nil || n != int64(len(content)) {
			t.Fatalf("%d bytes, %v", n, err)
		}
		if get(t, s, path) != string(content) {
			t.Errorf("%s: it has other content", path)
		}
	}
	_, err := blob.Put(t.Context(), s, "large true", bytes.NewReader(content), nil, blob.CreateOptions{IfAbsent: true})
	wantErr(t, "a second large one", err, blob.ErrExist)
}

// testBreaksOff has content that breaks off, soon and late.
func testBreaksOff(t *testing.T, s blob.Store) {
	put(t, s, "there", "old")
	broken := errors.New("broken")
	for _, size := range []int{0, 1, 17 << 20} {
		for _, path := range []string{"there", "in/new"} {
			_, err := blob.Put(t.Context(), s, path, io.MultiReader(bytes.NewReader(make([]byte, size)), iotest.ErrReader(broken)), nil, blob.CreateOptions{})
			wantErr(t, fmt.Sprintf("content that breaks off after %d bytes", size), err, broken)
		}
		if got, all := get(t, s, "there"), list(t, s, ""); got != "old" || all != "there" {
			t.Errorf("after %d bytes there are %q, with %q", size, all, got)
		}
	}
}

func testChecksum(t *testing.T, s blob.Store) {
	right, wrong := sha256.Sum256([]byte("content")), sha256.Sum256([]byte("contents"))
	_, err := blob.Put(t.Context(), s, "a", strings.NewReader("content"), wrong[:], blob.CreateOptions{})
	if wantErr(t, "a wrong checksum", err, blob.ErrChecksum); list(t, s, "") != "" {
		t.Error("an object with a wrong checksum is there")
	}
	if _, err := blob.Put(t.Context(), s, "a", strings.NewReader("content"), right[:], blob.CreateOptions{}); err != nil || get(t, s, "a") != "content" {
		t.Error(err)
	}
}

func testOpenFile(t *testing.T, s blob.Store) {
	put(t, s, "in/a", "0123456789")
	f, err := s.OpenFile(t.Context(), "in/a")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Size() != 10 {
		t.Errorf("it has %d bytes", f.Size())
	}
	for _, c := range []struct {
		off  int64
		n    int
		want string
		err  error
	}{{0, 10, "0123456789", nil}, {3, 4, "3456", nil}, {8, 2, "89", nil}, {8, 5, "89", io.EOF}, {10, 1, "", io.EOF}, {20, 1, "", io.EOF}} {
		p := make([]byte, c.n)
		n, err := f.ReadAt(p, c.off)
		if err == io.EOF && c.err == nil && n == c.n {
			err = nil // which io.ReaderAt permits at the end
		}
		if string(p[:n]) != c.want || err != c.err {
			t.Errorf("%d bytes at %d: %q, %v", c.n, c.off, p[:n], err)
		}
	}
	for _, path := range []string{"in/b", "in", "absent/a", "in/a/b"} {
		_, err := s.OpenFile(t.Context(), path)
		wantErr(t, "open "+path, err, blob.ErrNotExist)
	}
	put(t, s, "in/a", "other text")
	p := make([]byte, 10)
	if _, err := f.ReadAt(p, 0); err == nil && string(p) != "0123456789" {
		t.Errorf("an object that was replaced reads %q", p)
	} else if err != nil {
		wantErr(t, "an object that was replaced", err, blob.ErrChanged)
	}
}

func testRemove(t *testing.T, s blob.Store) {
	for _, path := range []string{"a", "in/1", "in/2", "in/deep/3", "inside/4", "other/deep/5"} {
		put(t, s, path, path)
	}
	for _, c := range []struct {
		what string
		do   func() error
		want string
	}{
		{"nothing", func() error { return s.Remove(t.Context()) }, "a in/1 in/2 in/deep/3 inside/4 other/deep/5"},
		{"absent ones", func() error { return s.Remove(t.Context(), "absent", "in/absent", "absent/1", "a/b", "in") }, "a in/1 in/2 in/deep/3 inside/4 other/deep/5"},
		{"two", func() error { return s.Remove(t.Context(), "in/1", "absent", "other/deep/5") }, "a in/2 in/deep/3 inside/4"},
		{"an absent folder", func() error { return s.RemoveAll(t.Context(), "absent") }, "a in/2 in/deep/3 inside/4"},
		{"a folder", func() error { return s.RemoveAll(t.Context(), "in") }, "a inside/4"},
		{"all", func() error { return s.RemoveAll(t.Context(), "") }, ""},
		{"all of nothing", func() error { return s.RemoveAll(t.Context(), "") }, ""},
	} {
		if err := c.do(); err != nil {
			t.Errorf("remove %s: %v", c.what, err)
		}
		if got := list(t, s, ""); got != c.want {
			t.Errorf("after %s was removed there are %q, want %q", c.what, got, c.want)
		}
	}
	var folders []string
	err := s.Browse(t.Context(), "", func(o blob.Object, folder bool) error {
		folders = append(folders, o.Path)
		return nil
	})
	if err != nil || len(folders) > 0 {
		t.Errorf("folders without objects: %q, %v", folders, err)
	}
	put(t, s, "in/1", "again")
}

func testBelow(t *testing.T, s blob.Store) {
	put(t, s, "x/in/a", "a")
	put(t, s, "xy/b", "b")
	for _, x := range []blob.Store{s.Below("x"), s.Below("absent"), s.Below("deep/er").Below("still")} {
		if got := list(t, x, ""); got != "in/a" && got != "" {
			t.Errorf("there are %q", got)
		}
		put(t, x, "in/b", "b")
		if o, err := x.Stat(t.Context(), "in/b"); err != nil || o.Path != "in/b" || get(t, x, "in/b") != "b" {
			t.Errorf("%+v, %v", o, err)
		}
		_, err := x.Stat(t.Context(), "absent")
		if wantErr(t, "stat", err, blob.ErrNotExist); !strings.HasPrefix(err.Error(), `"absent"`) {
			t.Errorf("an error with another path: %v", err)
		}
	}
	if got := list(t, s, ""); got != "absent/in/b deep/er/still/in/b x/in/a x/in/b xy/b" {
		t.Errorf("there are %q", got)
	}
	if err := errors.Join(s.Below("x").RemoveAll(t.Context(), ""), s.Below("absent").Remove(t.Context(), "in/b"), s.Below("nowhere").RemoveAll(t.Context(), "")); err != nil {
		t.Error(err)
	}
	if got := list(t, s, ""); got != "deep/er/still/in/b xy/b" {
		t.Errorf("there are %q", got)
	}
	put(t, s.Below("x"), "again", "a")
}

func testOutside(t *testing.T, s blob.Store) {
	for _, path := range []string{"../a", "/in/a", "in/../a", "in//a", "./in/a", "in/a/", "in/\x00", ".", "", "..", "in/.."} {
		_, err := s.Create(t.Context(), path, blob.CreateOptions{})
		wantErr(t, fmt.Sprintf("create %q", path), err, blob.ErrOutside)
		_, err = s.OpenFile(t.Context(), path)
		wantErr(t, fmt.Sprintf("open %q", path), err, blob.ErrOutside)
		wantErr(t, fmt.Sprintf("remove %q", path), s.Remove(t.Context(), path), blob.ErrOutside)
		if path != "" {
			wantErr(t, fmt.Sprintf("remove all in %q", path), s.RemoveAll(t.Context(), path), blob.ErrOutside)
		}
	}
}

func testCancelled(t *testing.T, s blob.Store) {
	put(t, s, "in/a", "a")
	ctx, cancel := context.WithCancel(t.Context())
	w, err := s.Create(ctx, "in/b", blob.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("some")); err != nil {
		t.Fatal(err)
	}
	cancel()
	wantErr(t, "commit", w.Commit(), context.Canceled)
	_, err = s.Create(ctx, "in/c", blob.CreateOptions{})
	wantErr(t, "create", err, context.Canceled)
	_, err = s.OpenFile(ctx, "in/a")
	wantErr(t, "open", err, context.Canceled)
	wantErr(t, "remove", s.Remove(ctx, "in/a"), context.Canceled)
	wantErr(t, "remove all", s.RemoveAll(ctx, "in"), context.Canceled)
	if got := list(t, s, ""); got != "in/a" {
		t.Errorf("there are %q", got)
	}
}
