// Package sourcetest is the conformance suite of file stores: the contract of source.Store, as tests that every engine
// runs.
package sourcetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"roster/internal/source"
)

// World is an empty store with functions that add and remove files.
type World struct {
	Store  source.Store
	Put    func(t *testing.T, path string, content []byte)
	Remove func(t *testing.T, path string)
}

// Run runs the suite. open returns a fresh, empty store each time.
func Run(t *testing.T, open func(t *testing.T) World) {
	for name, test := range map[string]func(*testing.T, World){
		"List": testList, "Browse": testBrowse, "Pages": testPages, "Stat": testStat, "Open": testOpen, "Large": testLarge, "Changed": testChanged,
		"Outside": testOutside, "Names": testNames, "Patterns": testPatterns, "Cancelled": testCancelled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			if c, ok := w.Store.(io.Closer); ok {
				t.Cleanup(func() { c.Close() })
			}
			test(t, w)
		})
	}
}

func list(t *testing.T, s source.Store, folder string) (objects []source.Object) {
	t.Helper()
	err := s.List(t.Context(), folder, func(o source.Object) error {
		objects = append(objects, o)
		return nil
	})
	if err != nil {
		t.Fatalf("list %q: %v", folder, err)
	}
	return objects
}

func paths(objects []source.Object) string {
	var list []string
	for _, o := range objects {
		list = append(list, o.Path)
	}
	return strings.Join(list, " ")
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func testList(t *testing.T, w World) {
	for _, path := range []string{"b.csv", "in/2.csv", "in/1.csv", "in/deep/er/x.csv", "in-side.csv", "inside/y.csv", "a.csv"} {
		w.Put(t, path, []byte(path))
	}
	for folder, want := range map[string]string{
		"":        "a.csv b.csv in-side.csv in/1.csv in/2.csv in/deep/er/x.csv inside/y.csv",
		"in":      "in/1.csv in/2.csv in/deep/er/x.csv",
		"in/deep": "in/deep/er/x.csv",
	} {
		objects := list(t, w.Store, folder)
		if got := paths(objects); got != want {
			t.Errorf("folder %q: %s, want %s", folder, got, want)
		}
		for _, o := range objects {
			if o.Size != int64(len(o.Path)) || o.Version == "" || o.Modified.IsZero() {
				t.Errorf("folder %q has %+v", folder, o)
			}
		}
	}
	none := func(source.Object) error { return nil }
	for _, folder := range []string{"nowhere", "in/nowhere", "i"} {
		wantErr(t, "list "+folder, w.Store.List(t.Context(), folder, none), source.ErrNotExist)
	}
	failed := errors.New("failed")
	for end, want := range map[error]error{failed: failed, fs.SkipAll: nil} {
		listed, browsed := 0, 0
		err := w.Store.List(t.Context(), "", func(source.Object) error {
			listed++
			return end
		})
		if wantErr(t, "a listing that is ended", err, want); listed != 1 {
			t.Errorf("the listing continued for %d objects", listed)
		}
		err = w.Store.Browse(t.Context(), "", func(source.Object, bool) error {
			browsed++
			return end
		})
		if wantErr(t, "a look at a folder that is ended", err, want); browsed != 1 {
			t.Errorf("the look at a folder continued for %d objects", browsed)
		}
	}
}

func testBrowse(t *testing.T, w World) {
	for _, path := range []string{"b.csv", "in/2.csv", "in/1.csv", "in/deep/er/x.csv", "in-side.csv", "inside/y.csv", "a b/c+d/e.csv"} {
		w.Put(t, path, []byte(path))
	}
	for folder, want := range map[string]string{
		"":          "[a b/ b.csv in-side.csv in/ inside/]",
		"in":        "[in/1.csv in/2.csv in/deep/]",
		"in/deep":   "[in/deep/er/]",
		"a b":       "[a b/c+d/]",
		"a b/c+d":   "[a b/c+d/e.csv]",
		"in/absent": "does not exist",
		"i":         "does not exist",
		"..":        "lies outside",
	} {
		var seen []string
		err := w.Store.Browse(t.Context(), folder, func(o source.Object, deeper bool) error {
			if deeper {
				o.Path += "/"
			} else if o.Size != int64(len(o.Path)) || o.Version == "" || o.Modified.IsZero() {
				t.Errorf("folder %q has %+v", folder, o)
			}
			seen = append(seen, o.Path)
			return nil
		})
		slices.Sort(seen)
		if err != nil && strings.Contains(err.Error(), want) {
			continue
		}
		if got := fmt.Sprint(seen); got != want || err != nil {
			t.Errorf("folder %q: %s, %v, want %s", folder, got, err, want)
		}
	}
}

func testPages(t *testing.T, w World) {
	const many = 1200 // more than one page of any store
	want := make([]string, many)
	for i := range want {
		want[i] = fmt.Sprintf("in/%04d", i)
		w.Put(t, want[i], []byte("x"))
	}
	if got := paths(list(t, w.Store, "in")); got != strings.Join(want, " ") {
		t.Errorf("the listing has %d of %d objects, or another order", strings.Count(got, " ")+1, many)
	}
}

func testStat(t *testing.T, w World) {
	w.Put(t, "in/a.csv", []byte("hello"))
	o, err := w.Store.Stat(t.Context(), "in/a.csv")
	if err != nil || o.Path != "in/a.csv" || o.Size != 5 || o.Version == "" || o.Modified.IsZero() {
		t.Fatalf("%+v, %v", o, err)
	}
	if listed := list(t, w.Store, "in")[0]; listed.Version != o.Version || listed.Modified.Unix() != o.Modified.Unix() {
		t.Errorf("listed as %+v, looked at as %+v", listed, o)
	}
	w.Put(t, "in/a.csv", []byte("hullo"))
	if again, err := w.Store.Stat(t.Context(), "in/a.csv"); err != nil || again.Version == o.Version {
		t.Errorf("the version of other content is %q as before, %v", again.Version, err)
	}
	for _, path := range []string{"in/b.csv", "in", "nowhere/a.csv", "in/a.csv/b"} {
		_, err := w.Store.Stat(t.Context(), path)
		wantErr(t, "stat "+path, err, source.ErrNotExist)
	}
}

// read reads a range.
func read(t *testing.T, s source.Store, o source.Object, offset, length int64) ([]byte, error) {
	t.Helper()
	r, err := s.Open(t.Context(), o, offset, length)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func object(t *testing.T, s source.Store, path string) source.Object {
	t.Helper()
	o, err := s.Stat(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func testOpen(t *testing.T, w World) {
	w.Put(t, "a", []byte("0123456789"))
	w.Put(t, "empty", nil)
	o := object(t, w.Store, "a")
	for _, c := range []struct {
		offset, length int64
		want           string
	}{{0, -1, "0123456789"}, {0, 10, "0123456789"}, {3, -1, "3456789"}, {3, 4, "3456"}, {9, 1, "9"}, {10, -1, ""}, {4, 0, ""}} {
		if got, err := read(t, w.Store, o, c.offset, c.length); err != nil || string(got) != c.want {
			t.Errorf("%d bytes from %d: %q, %v, want %q", c.length, c.offset, got, err, c.want)
		}
	}
	if got, err := read(t, w.Store, object(t, w.Store, "empty"), 0, -1); err != nil || len(got) != 0 {
		t.Errorf("an empty object: %q, %v", got, err)
	}
}

func testLarge(t *testing.T, w World) {
	content := make([]byte, 41<<20+17)
	_, _ = rand.NewChaCha8([32]byte{}).Read(content)
	w.Put(t, "large", content)
	o := object(t, w.Store, "large")
	if got, err := read(t, w.Store, o, 0, -1); err != nil || !bytes.Equal(got, content) {
		t.Fatalf("%d bytes of %d, %v; they differ", len(got), len(content), err)
	}
	if got, err := read(t, w.Store, o, 1<<20-3, 9<<20); err != nil || !bytes.Equal(got, content[1<<20-3:10<<20-3]) {
		t.Fatalf("a range: %d bytes, %v; they differ", len(got), err)
	}
	// A reader that is closed early must leave nothing behind.
	r, err := w.Store.Open(t.Context(), o, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 3<<20)); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func testChanged(t *testing.T, w World) {
	content := make([]byte, 12<<20)
	w.Put(t, "a", content)
	o := object(t, w.Store, "a")
	r, err := w.Store.Open(t.Context(), o, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	w.Put(t, "a", bytes.Repeat([]byte("x"), len(content)))
	// Data on its way may still arrive; the end of the pinned version must not. A store that still has the pinned
	// version may return all of it.
	rest, err := io.ReadAll(r)
	if err != nil || len(rest) != len(content)-10 {
		wantErr(t, "the rest of an object that was replaced", err, source.ErrChanged)
	}
	if slices.Contains(rest, 'x') {
		t.Error("bytes of the new version came for those of the pinned one")
	}
	_, err = read(t, w.Store, o, 0, -1)
	wantErr(t, "an object that was replaced", err, source.ErrChanged)
	w.Remove(t, "a")
	if _, err = read(t, w.Store, o, 0, -1); !errors.Is(err, source.ErrNotExist) && !errors.Is(err, source.ErrChanged) {
		t.Errorf("an object that was removed: %v", err)
	}
}

func testOutside(t *testing.T, w World) {
	w.Put(t, "in/a", []byte("a"))
	for _, path := range []string{"../a", "/in/a", "in/../in/a", "in//a", "./in/a", "in/a/", "in/\x00", "."} {
		_, err := w.Store.Stat(t.Context(), path)
		wantErr(t, fmt.Sprintf("stat %q", path), err, source.ErrOutside)
		_, err = read(t, w.Store, source.Object{Path: path, Size: 1, Version: "v"}, 0, -1)
		wantErr(t, fmt.Sprintf("open %q", path), err, source.ErrOutside)
	}
	wantErr(t, "list ..", w.Store.List(t.Context(), "..", func(source.Object) error { return nil }), source.ErrOutside)
}

func testNames(t *testing.T, w World) {
	for _, name := range []string{"a b.csv", "ünï cödé 🦉.csv", "100%.csv", "a+b.csv", "a%20b.csv", "q?x=1&y#z.csv", "semi;colon,comma.csv", "eq=ual.csv", "(a)'b'.csv", "~x.csv"} {
		path := "in " + name + "/" + name
		w.Put(t, path, []byte(name))
		if got := paths(list(t, w.Store, "in "+name)); got != path {
			t.Errorf("%q is listed as %q", path, got)
		}
		if got, err := read(t, w.Store, object(t, w.Store, path), 0, -1); err != nil || string(got) != name {
			t.Errorf("%q holds %q, %v", path, got, err)
		}
	}
}

func testCancelled(t *testing.T, w World) {
	w.Put(t, "in/a", []byte("a"))
	o := object(t, w.Store, "in/a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.Store.Stat(ctx, "in/a")
	wantErr(t, "stat", err, context.Canceled)
	wantErr(t, "list", w.Store.List(ctx, "in", func(source.Object) error { return nil }), context.Canceled)
	r, err := w.Store.Open(ctx, o, 0, -1)
	if err == nil {
		_, err = io.ReadAll(r)
		r.Close()
	}
	wantErr(t, "open", err, context.Canceled)
}

// testPatterns lists the matches of patterns, for files and for folders.
func testPatterns(t *testing.T, w World) {
	for _, path := range []string{"p/a.csv", "p/b.csv", "p/c.txt", "p/d/e.csv", "p/d/f/g.csv", "q.csv", "other/a.csv"} {
		w.Put(t, path, []byte("email\n"))
	}
	for pattern, want := range map[string][2]string{ // for a file, for a folder
		"p/*.csv":      {"p/a.csv p/b.csv", "p/a.csv p/b.csv"},
		"p/?.csv":      {"p/a.csv p/b.csv", "p/a.csv p/b.csv"},
		"p/**/*.csv":   {"p/a.csv p/b.csv p/d/e.csv p/d/f/g.csv", "p/a.csv p/b.csv p/d/e.csv p/d/f/g.csv"},
		"p/d*":         {"", "p/d/e.csv p/d/f/g.csv"},
		"*.csv":        {"q.csv", "q.csv"},
		"*/a.csv":      {"other/a.csv p/a.csv", "other/a.csv p/a.csv"},
		"**":           {"other/a.csv p/a.csv p/b.csv p/c.txt p/d/e.csv p/d/f/g.csv q.csv", "other/a.csv p/a.csv p/b.csv p/c.txt p/d/e.csv p/d/f/g.csv q.csv"},
		"p/[ab].c*":    {"", ""},
		"absent/*.csv": {"", ""},
		"p/d":          {"p/d/e.csv p/d/f/g.csv", "p/d/e.csv p/d/f/g.csv"},
	} {
		for i, folders := range []bool{false, true} {
			var found []source.Object
			err := source.ListPath(t.Context(), w.Store, pattern, folders, func(o source.Object) error { found = append(found, o); return nil })
			slices.SortFunc(found, func(a, b source.Object) int { return strings.Compare(a.Path, b.Path) })
			if err != nil || paths(found) != want[i] {
				t.Errorf("%s, folders %t: %q, %v; want %q", pattern, folders, paths(found), err, want[i])
			}
		}
	}
	w.Put(t, "p/*.csv", []byte("email\n"))
	var found []source.Object
	if err := source.ListPath(t.Context(), w.Store, "p/*.csv", true, func(o source.Object) error { found = append(found, o); return nil }); err != nil || paths(found) != "p/*.csv" {
		t.Errorf("a file that is called like a pattern: %q, %v", paths(found), err)
	}
}
