package ingest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"roster/internal/audience"
	"roster/internal/ingest"
	"roster/internal/profile"
)

// mount mounts a file system of the given size on a directory until the test ends.
func mount(t *testing.T, dir, size string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount a file system of its own")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

func remount(t *testing.T, dir string, flags uintptr, size string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flags, "size="+size); err != nil {
		t.Fatal(err)
	}
}

// overDisk returns a world with a few members whose lake is on a separate disk.
func overDisk(t *testing.T) (w *world, disk string) {
	t.Helper()
	w = newWorld(t, defaultFields)
	disk = filepath.Join(w.pipeline.Lake.Warehouse(), w.table.Namespace, w.table.Name, "data")
	mount(t, disk, "64m")
	w.put("a.csv", "mail,city,points\nada@example.com,London,1\n")
	w.mustRun(true)
	return w, disk
}

// TestDiskIsFull fills the disk while a run writes the dataset. The run reports the problem and the place, and leaves
// no files. The next run succeeds when there is space again.
func TestDiskIsFull(t *testing.T) {
	t.Parallel()
	w, disk := overDisk(t)
	remount(t, disk, 0, "8k")
	w.put("a.csv", "mail,city,points\n"+crowd(2000))
	w.refused("no space left on the server's disk", disk)
	remount(t, disk, 0, "64m")
	if r := w.mustRun(true); r.Result.Members.After != 2000 {
		t.Fatalf("%+v", r.Result.Members)
	}
}

// TestDiskIsReadOnly makes the disk of the datasets read-only between two runs.
func TestDiskIsReadOnly(t *testing.T) {
	t.Parallel()
	w, disk := overDisk(t)
	remount(t, disk, syscall.MS_RDONLY, "64m")
	w.put("a.csv", "mail,city,points\n"+crowd(3))
	w.refused("the server's disk is read-only", disk)
	remount(t, disk, 0, "64m")
	if r := w.mustRun(true); r.Result.Members.After != 3 {
		t.Fatalf("%+v", r.Result.Members)
	}
}

func crowd(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat("x", i%7) + "p" + string(rune('a'+i%26)) + strconv.Itoa(i) + "@example.com,City " + strconv.Itoa(i*7919) + "," + strconv.Itoa(i) + "\n")
	}
	return b.String()
}

// refused checks that a full run fails with a reason that contains the words and the place, and changes nothing.
func (w *world) refused(words, disk string) {
	w.t.Helper()
	before, err := filepath.Glob(filepath.Join(disk, "*", "*"))
	if err != nil {
		w.t.Fatal(err)
	}
	r := w.run(true)
	if r.Status != audience.Failed || r.Error == nil {
		w.t.Fatalf("the run ended %s: %v", r.Status, r.Error)
	}
	place := "lake/" + w.table.Namespace + "/" + w.table.Name + "/data/"
	if !strings.Contains(r.Error.Message, words) || !strings.Contains(r.Error.Message, place) || r.Stages[0].Error == nil {
		w.t.Errorf("the reason is %q", r.Error.Message)
	}
	if strings.Contains(r.Error.Message, w.pipeline.Lake.Warehouse()) {
		w.t.Errorf("the reason tells where the server's files lie: %q", r.Error.Message)
	}
	if w.rows() != 1 || w.status("Email", "ada@example.com") != "realized" {
		w.t.Error("the audience changed")
	}
	after, err := filepath.Glob(filepath.Join(disk, "*", "*"))
	if err != nil || len(after) != len(before) {
		w.t.Errorf("files are left over: %v %v", after, err)
	}
}

// down is a profile store that does not accept runs.
type down struct{ profile.Store }

func (down) Apply(context.Context, profile.Ref, profile.Pointer, profile.Delta) error {
	return &os.PathError{Op: "write", Path: "/elsewhere", Err: syscall.ENOSPC}
}

// TestWhyARunHasNotEnded has a profile store that does not accept a committed run. The run's stage contains the reason
// until the store accepts the run. The files are not read again.
func TestWhyARunHasNotEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.put("a.csv", "mail,city,points\nada@example.com,London,1\n")
	s := w.spec(true)
	saved := checkpoints(&s, func() error { return nil })
	w.pipeline.Profile = down{w.store}
	if _, err := w.pipeline.Run(t.Context(), s); err == nil {
		t.Fatal("no error")
	}
	e := saved.Stages[1].Error
	if saved.Status != audience.Processing || saved.Stages[0].Status != audience.Success || saved.Stages[0].Error != nil ||
		e == nil || !strings.Contains(e.Message, "tried again") || strings.Contains(e.Message, "/elsewhere") {
		t.Fatalf("%s, stages %+v, error %v", saved.Status, saved.Stages, e)
	}
	w.pipeline.Profile = w.store
	s.Run = *saved
	// A committed run does not need the source.
	s.Source, s.Refused = nil, audience.Errorf(audience.BadGateway, "the source cannot be opened")
	r, err := w.pipeline.Run(t.Context(), s)
	if err != nil || r.Status != audience.Success || r.Stages[1].Error != nil {
		t.Fatalf("%s %v, stages %+v", r.Status, err, r.Stages)
	}
}

// TestAnAttemptLeavesNothing fails the last checkpoint before the commit several times. No attempt leaves files, which
// would fill the disk.
func TestAnAttemptLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.put("a.csv", "mail,city,points\n"+crowd(10))
	s := w.spec(true)
	for range 3 {
		// Includes saves of the progress, which may come before the second save of the run on a slow machine.
		var calls atomic.Int64
		checkpoints(&s, func() error {
			if calls.Add(1) >= 2 {
				return errors.Join(ingest.ErrNotSaved, errors.New("the store is down"))
			}
			return nil
		})
		r, err := w.pipeline.Run(t.Context(), s)
		if !errors.Is(err, ingest.ErrNotSaved) {
			t.Fatalf("%s %v", r.Status, err)
		}
		dir := filepath.Join(w.pipeline.Lake.Warehouse(), w.table.Namespace, w.table.Name)
		for _, kind := range []string{"data", "roster"} {
			if left, err := filepath.Glob(filepath.Join(dir, kind, "*")); err != nil || len(left) > 0 {
				t.Fatalf("left over: %v %v", left, err)
			}
		}
	}
}
