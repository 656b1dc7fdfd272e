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

// mount puts a file system of a size over a directory until the test ends.
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

// overDisk has a world with a small member on whose lake lies a disk of its own.
func overDisk(t *testing.T) (w *world, disk string) {
	t.Helper()
	w = newWorld(t, defaultFields)
	disk = filepath.Join(w.pipeline.Lake.Warehouse(), w.table.Namespace, w.table.Name, "data")
	mount(t, disk, "64m")
	w.put("a.csv", "mail,city,points\nada@example.com,London,1\n")
	w.mustRun(true)
	return w, disk
}

// TestDiskIsFull fills the disk while a run writes the dataset: it says what and where, leaves nothing, and the next
// one succeeds once there is room.
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

// TestDiskIsReadOnly has the disk of the datasets become read-only between two runs.
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

// refused requires that a full run fails with a reason that has the words and the place, and changes nothing.
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

// down is a profile store that does not take a run.
type down struct{ profile.Store }

func (down) Apply(context.Context, profile.Ref, profile.Pointer, profile.Delta) error {
	return &os.PathError{Op: "write", Path: "/elsewhere", Err: syscall.ENOSPC}
}

// TestWhyARunHasNotEnded has the profile store refuse a committed run: its stage says so until it has taken it, without
// another look at the files.
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
	s.Source, s.Refused = nil, audience.Errorf(audience.BadGateway, "the source cannot be opened") // which a committed run does not need
	r, err := w.pipeline.Run(t.Context(), s)
	if err != nil || r.Status != audience.Success || r.Stages[1].Error != nil {
		t.Fatalf("%s %v, stages %+v", r.Status, err, r.Stages)
	}
}

// TestAnAttemptLeavesNothing has the store refuse the last checkpoint before the commit again and again: no attempt
// leaves its files for the next ones to fill the disk with.
func TestAnAttemptLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.put("a.csv", "mail,city,points\n"+crowd(10))
	s := w.spec(true)
	for range 3 {
		var calls atomic.Int64 // also of who tells of the progress, which a slow machine has do so before the second save of the run itself
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
