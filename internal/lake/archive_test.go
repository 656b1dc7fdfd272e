package lake_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/lake"
)

// TestArchive checks that the metadata stays small, and that every kept version can be read, restored and expired.
func TestArchive(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	const runs = 80
	largest := int64(0)
	for i := range runs {
		d := w.load(t)
		dir := fmt.Sprintf("r%d-a", i)
		f := write(t, d, dir, 9, named(uint64(i), fmt.Sprint(i)))
		commit(t, d, lake.Commit{Run: audience.RunID(fmt.Sprintf("r%d", i)), Dir: dir, Add: []lake.DataFile{f}})
		d = w.load(t)
		if err := d.Archive(t.Context()); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.FromSlash(strings.TrimPrefix(w.load(t).MetadataLocation(), "file://")))
		if err != nil {
			t.Fatal(err)
		}
		largest = max(largest, info.Size())
	}
	if largest > 64<<10 {
		t.Errorf("the metadata had %d bytes", largest)
	}
	full := func() *lake.Dataset {
		t.Helper()
		d, err := w.load(t).WithHistory(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if recent, all := len(w.load(t).Versions()), len(full().Versions()); recent >= 32 || all != runs {
		t.Fatalf("%d recent versions, %d in all", recent, all)
	}
	old := lake.OrphanOptions{Before: time.Now().Add(time.Hour), InUse: func(audience.RunID) bool { return false }}
	if _, _, err := w.load(t).RemoveOrphans(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	v, ok := full().FindVersion("r3")
	if _, recent := w.load(t).FindVersion("r3"); !ok || recent {
		t.Fatal("the fourth version is not in the history file alone")
	}
	then, err := full().At(v.ID)
	if err != nil || len(namesOf(t, then)) != 4 {
		t.Fatal(err)
	}
	commit(t, w.load(t), lake.Commit{Run: "back", Dir: "back-a", Restore: v.ID})
	if names := namesOf(t, w.load(t)); len(names) != 4 {
		t.Errorf("after a rollback there are %v", names)
	}
	if n, err := w.load(t).Expire(t.Context(), full().Snapshots()[10].Time.Add(time.Millisecond)); err != nil || n < 9 || len(full().Snapshots()) != runs+1-n {
		t.Errorf("%d expired: %v", n, err)
	}
	if _, err := w.load(t).Commit(t.Context(), lake.Commit{Run: "again", Dir: "again-a", Restore: v.ID}); !errors.Is(err, lake.ErrNotExist) {
		t.Errorf("an expired version came back: %v", err)
	}
	found, err := filepath.Glob(filepath.Join(w.dir()+"-files", "history", "*.json"))
	if err != nil || len(found) == 0 {
		t.Fatal(found, err)
	}
	for _, name := range found { // like a program that removes orphans
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if recent, all := len(w.load(t).Versions()), len(full().Versions()); recent != all {
		t.Errorf("%d versions of %d are left", all, recent)
	}
	if n, err := w.load(t).Expire(t.Context(), time.Unix(1<<40, 0)); err != nil || n == 0 || len(full().Versions()) != 1 {
		t.Errorf("%d expired: %v", n, err)
	}
}

// Another program that removes orphan files removes what only the versions of the history file name. Those versions are
// lost, and everything else goes on.
func TestArchiveAfterForeignOrphanRemoval(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	for i := range 34 {
		d, dir := w.load(t), fmt.Sprintf("r%d-a", i)
		f := write(t, d, dir, 9, named(uint64(i), fmt.Sprint(i)))
		commit(t, d, lake.Commit{Run: audience.RunID(fmt.Sprintf("r%d", i)), Dir: dir, Replace: true, Add: []lake.DataFile{f}})
		if err := w.load(t).Archive(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	tbl, fsys := w.opened(t)
	kept := map[string]bool{tbl.MetadataLocation(): true}
	for _, s := range tbl.Metadata().Snapshots() {
		kept[s.ManifestList] = true
		for _, location := range manifestLocations(t, s.Manifests, fsys) {
			kept[location] = true
		}
	}
	err := filepath.WalkDir(w.dir(), func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || kept["file://"+filepath.ToSlash(p)] {
			return err
		}
		return os.Remove(p)
	})
	if err != nil {
		t.Fatal(err)
	}
	full, err := w.load(t).WithHistory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v, ok := full.FindVersion("r3")
	if !ok {
		t.Fatal("the history file is gone")
	}
	if _, err := w.load(t).Commit(t.Context(), lake.Commit{Run: "back", Dir: "back-a", Restore: v.ID}); !errors.Is(err, lake.ErrNotExist) {
		t.Errorf("a version without files came back: %v", err)
	}
	if c, err := w.load(t).Check(t.Context()); err != nil || len(c.Damaged) > 0 || c.Files == 0 {
		t.Errorf("checked %+v %v", c, err)
	}
	h, err := w.load(t).ReadHistory(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if state, err := h.State(lake.StateOptions{}); err != nil || len(state.Files()) != len(tbl.Metadata().Snapshots()) {
		t.Errorf("all files: %v", err)
	}
	if _, err := h.OnlyOf(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if lost := h.Naming(nil); !h.Incomplete() || len(lost) != len(full.Snapshots())-len(tbl.Metadata().Snapshots()) || lost[0].Version != "r0" {
		t.Errorf("the lost versions are %v", lost)
	}
	if _, _, err := w.load(t).RemoveOrphans(t.Context(), lake.OrphanOptions{Before: time.Now().Add(time.Hour), InUse: func(audience.RunID) bool { return false }}); err != nil {
		t.Error(err)
	}
	if err := w.load(t).Drop(t.Context(), h.Naming(nil)); err != nil {
		t.Fatal(err)
	}
	if h, err = w.load(t).ReadHistory(t.Context(), nil); err != nil || h.Incomplete() || len(h.Dataset().Snapshots()) != len(tbl.Metadata().Snapshots()) {
		t.Errorf("after the lost versions were dropped: %v", err)
	}
	commit(t, w.load(t), lake.Commit{Run: "next", Add: []lake.DataFile{write(t, w.load(t), "next-a", 9, named(1, "Ada"))}})
	if got := names(t, w.load(t)); got != "33 Ada" && got != "Ada 33" {
		t.Errorf("names %q", got)
	}
}
