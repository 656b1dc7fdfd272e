package lake_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/lake"
)

// walk calls fn with all files and directories of the world's table and their relative paths. The base is the table's
// directory or the directory for files beside the table.
func (w *world) walk(t *testing.T, fn func(path, rel string, e fs.DirEntry) error) {
	t.Helper()
	for _, dir := range []string{w.dir(), w.dir() + "-files"} {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) && path == dir {
				return nil
			}
			if err != nil {
				return err
			}
			rel, _ := filepath.Rel(dir, path)
			return fn(path, filepath.ToSlash(rel), e)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// files returns the paths of all files of the world's table.
func (w *world) files(t *testing.T) (out []string) {
	t.Helper()
	w.walk(t, func(path, rel string, e fs.DirEntry) error {
		if !e.IsDir() && !strings.HasSuffix(path, ".sum") { // each file has checksums
			out = append(out, rel)
		}
		return nil
	})
	return out
}

// age moves the modification times of all files and directories of the table into the past.
func (w *world) age(t *testing.T, by time.Duration) {
	t.Helper()
	at := time.Now().Add(-by)
	w.walk(t, func(path, _ string, _ fs.DirEntry) error { return os.Chtimes(path, at, at) })
}

// leave writes a file beside the data.
func leave(t *testing.T, d *lake.Dataset, dir, name string) {
	t.Helper()
	f, _, err := d.CreateFile(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func hasAny(files []string, part string) bool {
	return slices.ContainsFunc(files, func(f string) bool { return strings.Contains(f, part) })
}

func TestRemoveOrphans(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	d := w.load(t)
	for _, dir := range []string{"r1-a", "r2-a", "r3-a", "r7-a"} {
		leave(t, d, dir, "delta-000")
		leave(t, d, dir, "rejects.parquet")
	}
	snaps, rows := versions(t, w)
	d = w.load(t)
	// The files of a run in progress, a failed run and a compaction.
	for _, dir := range []string{"r8-a", "r9-a", lake.MaintenanceDir("x")} {
		write(t, d, dir, 9, named(1, "Ada"))
		leave(t, d, dir, "delta-000")
	}
	if err := os.WriteFile(filepath.Join(w.dir(), "metadata", "lost.avro"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	asked := map[audience.RunID]bool{}
	options := lake.OrphanOptions{Before: time.Now().Add(-time.Hour), Keep: map[string]time.Time{"rejects.parquet": time.Now().Add(-72 * time.Hour)},
		InUse: func(run audience.RunID) bool { asked[run] = true; return run == "r8" }}
	if n, _, err := d.RemoveOrphans(t.Context(), options); n != 0 || err != nil {
		t.Fatalf("%d young files were removed: %v", n, err)
	}
	before := w.files(t)
	w.age(t, 2*time.Hour)
	n, size, err := d.RemoveOrphans(t.Context(), options)
	if err != nil || n == 0 || size == 0 || n != len(before)-len(w.files(t)) {
		t.Fatal(n, size, err)
	}
	if asked["maintenance"] || !asked["r9"] {
		t.Errorf("asked for %v", asked)
	}
	after := w.files(t)
	for part, want := range map[string]bool{"data/r8-a/": true, "roster/r8-a/": true, "data/r9-a/": false, "roster/r9-a/": false, "maintenance": false, "lost.avro": false,
		"roster/r7-a/delta": false, "roster/r7-a/rejects": true, "roster/r1-a/delta": true, "roster/r1-a/rejects": true, "data/r1-a/": true} {
		if hasAny(after, part) != want {
			t.Errorf("%s: %v", part, after)
		}
	}
	if _, err := os.Stat(filepath.Join(w.dir(), "data", "r9-a")); !os.IsNotExist(err) {
		t.Errorf("the directory of a failed attempt: %v", err)
	}
	for i, s := range snaps {
		then, err := w.load(t).At(s.ID)
		if err != nil || len(state(t, then)) != len(rows[i]) {
			t.Errorf("version %d: %v", i, err)
		}
	}
}

// Files are removed with their expired snapshots, unless a later snapshot names them.
func TestExpiredFiles(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	for _, dir := range []string{"r1-a", "r2-a", "r3-a", "r4-a"} {
		leave(t, w.load(t), dir, "delta-000")
		leave(t, w.load(t), dir, "rejects.parquet")
	}
	snaps, rows := versions(t, w)
	commit(t, w.load(t), lake.Commit{Run: "r4", Dir: "r4-a", Restore: snaps[1].ID})
	w.age(t, 48*time.Hour)
	d := w.load(t)
	if n, err := d.Expire(t.Context(), d.Snapshots()[3].Time.Add(time.Second)); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	options := lake.OrphanOptions{Before: time.Now().Add(-time.Hour), Keep: map[string]time.Time{"rejects.parquet": time.Now().Add(-72 * time.Hour)},
		InUse: func(audience.RunID) bool { return false }}
	if _, _, err := d.RemoveOrphans(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	for part, want := range map[string]bool{"data/r1-a/": true, "data/r2-a/": true, "data/r3-a/": false, "roster/r1-a/delta": false, "roster/r3-a/delta": false,
		"roster/r4-a/delta": true, "roster/r1-a/rejects": true} {
		if got := w.files(t); hasAny(got, part) != want {
			t.Errorf("%s: %v", part, got)
		}
	}
	if got := scan(t, w.load(t)); !slices.Equal(got, rows[1]) {
		t.Errorf("the rows are %q", got)
	}
	if n, err := w.load(t).Expire(t.Context(), time.Now().Add(time.Hour)); n != 0 || err != nil {
		t.Errorf("the current snapshot expired: %d %v", n, err)
	}
	// Rejects have their own maximum age, even if the snapshot of their run is kept.
	options.Keep["rejects.parquet"] = time.Now().Add(-24 * time.Hour)
	if n, _, err := d.RemoveOrphans(t.Context(), options); n != 4 || err != nil || hasAny(w.files(t), "rejects") || !hasAny(w.files(t), "roster/r4-a/delta") {
		t.Errorf("%d files removed, %v are left: %v", n, w.files(t), err)
	}
	commit(t, w.load(t), lake.Commit{Run: "r5", Dir: "r5-a", Add: []lake.DataFile{write(t, w.load(t), "r5-a", 9, named(8, "Hal"))}})
	if n := len(scan(t, w.load(t))); n != 4 {
		t.Errorf("%d rows", n)
	}
}

// TestFilesInsideTheTable has files beside the data in the table's own directory, like earlier versions of Roster.
func TestFilesInsideTheTable(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	d := w.load(t)
	leave(t, d, "r1-a", "delta")
	leave(t, d, "r2-a", "delta")
	leave(t, d, "r3-a", "delta")
	commit(t, d, lake.Commit{Run: "r1", Dir: "r1-a"})
	if err := os.Mkdir(w.dir()+"/roster", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, attempt := range []string{"r1-a", "r2-a", "r3-a"} {
		if err := os.Rename(w.dir()+"-files/roster/"+attempt, w.dir()+"/roster/"+attempt); err != nil {
			t.Fatal(err)
		}
	}
	d = w.load(t)
	leave(t, d, "r4-a", "delta")
	locations, err := d.FilesBeside("delta")
	if err != nil || len(locations) != 4 {
		t.Fatal(locations, err)
	}
	for _, location := range locations {
		f, err := d.OpenFile(location)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	for _, want := range []int{3, 0} {
		if n, err := d.MoveBeside(t.Context()); n != want || err != nil {
			t.Errorf("%d attempts were moved, want %d: %v", n, want, err)
		}
	}
	if _, err := os.Stat(w.dir() + "/roster"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder in the table's directory: %v", err)
	}
	for _, location := range locations { // the locations before the move
		f, err := d.OpenFile(location)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	if moved, err := d.FilesBeside("delta"); err != nil || len(moved) != 4 || d.RemoveFile(locations[1]) != nil {
		t.Error(moved, err)
	}
	if left, err := d.FilesBeside("delta"); err != nil || len(left) != 3 {
		t.Error(left, err)
	}
	if err := d.RemoveAttempts(t.Context(), "r3", ""); err != nil {
		t.Fatal(err)
	}
	w.age(t, 48*time.Hour)
	n, _, err := d.RemoveOrphans(t.Context(), lake.OrphanOptions{Before: time.Now().Add(-time.Hour), InUse: func(audience.RunID) bool { return false }})
	if got := w.files(t); n != 1 || err != nil || !hasAny(got, "roster/r1-a/delta") || hasAny(got, "roster/r2-a") || hasAny(got, "roster/r3-a") || hasAny(got, "roster/r4-a") {
		t.Errorf("%d orphans, left: %q, %v", n, got, err)
	}
}
