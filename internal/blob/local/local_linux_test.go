package local_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"roster/internal/blob"
	"roster/internal/blob/local"
)

// asNobody runs fn with the rights of a user who is not root, as far as files go. Its thread ends with it, since the goroutine
// keeps it.
func asNobody(t *testing.T, fn func()) {
	t.Helper()
	failed := make(chan error)
	go func() {
		runtime.LockOSThread()
		const nobody = 65534
		if os.Getuid() == 0 {
			if err := syscall.Setfsuid(nobody); err != nil {
				failed <- err
				return
			}
		}
		fn()
		failed <- nil
	}()
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
}

// TestBrowseBesideUnreadable looks at a folder that has one which the user may not look into.
func TestBrowseBesideUnreadable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "Z"), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.csv"), []byte("mail\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	folder, err := local.OpenConfined(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	asNobody(t, func() {
		if err := folder.List(t.Context(), "", func(blob.Object) error { return nil }); !errors.Is(err, blob.ErrPermission) {
			t.Errorf("the list of all that is below: %v", err)
		}
		var seen []string
		err := folder.Browse(t.Context(), "", func(o blob.Object, _ bool) error {
			seen = append(seen, o.Path)
			return nil
		})
		if want := []string{"Z", "a.csv"}; err != nil || !slices.Equal(seen, want) {
			t.Errorf("%q, %v", seen, err)
		}
	})
}
