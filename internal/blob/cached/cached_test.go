package cached

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"roster/internal/blob"
	"roster/internal/blob/blobtest"
	"roster/internal/blob/faulty"
	"roster/internal/blob/local"
)

// open returns a store with copies of at most limit bytes, the folders of both, and the calls of the distant store.
func open(t *testing.T, limit int64) (s *Store, far, near string, calls func() string) {
	t.Helper()
	far, near = t.TempDir(), t.TempDir()
	var mu sync.Mutex
	var made []string
	of := func(dir string) blob.Store {
		s, err := local.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s = New(faulty.New(of(far), "far", func(call string) error {
		mu.Lock()
		defer mu.Unlock()
		made = append(made, strings.TrimPrefix(call, "far."))
		return nil
	}), of(near), limit)
	return s, far, near, func() string {
		mu.Lock()
		defer mu.Unlock()
		list := strings.Join(made, " ")
		made = nil
		return list
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, limit := range []int64{1, 1 << 10, 1 << 30} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			t.Parallel()
			blobtest.Run(t, func(t *testing.T) blob.Store {
				s, _, _, _ := open(t, limit)
				return s
			})
		})
	}
}

// files lists the files below a folder.
func files(t *testing.T, dir string) string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			list = append(list, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(list, " ")
}

func put(t *testing.T, s blob.Store, path, content string) {
	t.Helper()
	if _, err := blob.Put(t.Context(), s, path, strings.NewReader(content), nil, blob.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, s blob.Store, path string) string {
	t.Helper()
	content, err := blob.Get(t.Context(), s, path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestCopies reads what was written, and what another process has written, and removes copies with their objects.
func TestCopies(t *testing.T) {
	t.Parallel()
	s, far, near, calls := open(t, 100)
	table := s.Below("org").Below("table")
	put(t, table, "data/a", "ours")
	if err := os.WriteFile(filepath.Join(far, "org/table/data/b"), []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if a, b := get(t, s, "org/table/data/a"), get(t, table, "data/b"); a != "ours" || b != "theirs" {
			t.Errorf("read %q and %q", a, b)
		}
	}
	if got := calls(); strings.Count(got, "open") != 1 || strings.Count(got, "read") != 1 || strings.Count(got, "stat") != 0 {
		t.Errorf("the distant store was asked for %s", got)
	}
	if got := files(t, near); got != "org/table/data/a org/table/data/b" {
		t.Errorf("the copies are %s", got)
	}
	put(t, table, "data/large", strings.Repeat("x", 26)) // more than a quarter
	put(t, table, "data/a", "replaced")
	if got := get(t, table, "data/a"); got != "replaced" {
		t.Errorf("read %q", got)
	}
	if err := table.Remove(t.Context(), "data/b"); err != nil {
		t.Fatal(err)
	}
	if got := files(t, near); got != "org/table/data/a" {
		t.Errorf("the copies are %s", got)
	}
	for i := range 9 {
		put(t, table, fmt.Sprint("more/", i), strings.Repeat("y", 20))
	}
	if got := files(t, near); got != "org/table/more/4 org/table/more/5 org/table/more/6 org/table/more/7 org/table/more/8" {
		t.Errorf("the copies used last are %s", got)
	}
	if err := s.Below("org").RemoveAll(t.Context(), "table"); err != nil {
		t.Fatal(err)
	}
	if got := files(t, near) + files(t, far); got != "" {
		t.Errorf("%s is left", got)
	}
}

// TestRemovedWhileFetched removes an object while it is fetched. No copy stays.
func TestRemovedWhileFetched(t *testing.T) {
	t.Parallel()
	s, far, near, _ := open(t, 1<<20)
	if err := os.WriteFile(filepath.Join(far, "a"), []byte("personal"), 0o600); err != nil {
		t.Fatal(err)
	}
	slow := *s
	slow.Store = removing{s.Store, func() error { return s.Remove(t.Context(), "a") }}
	f, err := slow.OpenFile(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if s.copies.at["a"] != nil {
		t.Error("the copy of a removed object was kept")
	}
	if got := files(t, near); got != "" {
		t.Errorf("%s is left", got)
	}
}

// removing calls a function after an object was opened.
type removing struct {
	blob.Store
	then func() error
}

func (r removing) OpenFile(ctx context.Context, path string) (blob.File, error) {
	f, err := r.Store.OpenFile(ctx, path)
	return f, errors.Join(err, r.then())
}
