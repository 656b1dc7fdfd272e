package lake_test

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/iceberg-go"
	icebergio "github.com/apache/iceberg-go/io"

	"roster/internal/lake"
)

func TestPathOf(t *testing.T) {
	t.Parallel()
	for location, want := range map[string]string{
		"file:///data/lake/org/a1":           "/data/lake/org/a1",
		"file:/data/lake/org/a1":             "/data/lake/org/a1",
		"file://host/data/lake/org/":         "/data/lake/org",
		"file:///data of Łódź/lake/x":        "/data of Łódź/lake/x",
		"file:///data%20of%20%C5%81/lake/x":  "/data of Ł/lake/x", // as earlier versions wrote it
		"file:///h%23/q%3F/p%25/x":           "/h#/q?/p%/x",
		"file:///h#/q?/x":                    "/h#/q?/x",
		"file:///data/lake/x/city=a%2Fb/f":   "/data/lake/x/city=a%2Fb/f", // as Spark names a partition
		"file:///former 100%/x/city=a%2Fb/f": "/former 100%/x/city=a%2Fb/f",
		"s3://bucket/x":                      "",
		"/data/lake/x":                       "",
		"file:data":                          "",
		"":                                   "",
	} {
		got, err := lake.PathOf(location, "/data/lake", "/former 100%")
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s is %q, %v", location, got, err)
		}
	}
}

// All locations that the metadata of a table contain are paths as they are, whatever characters the warehouse has.
func TestLocations(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"data of Łódź + others", "p%20q", "100% x", "h#x", "q?x", `q"<{|^`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: filepath.Join(dir, "catalog.db")}).String())
			if err != nil {
				t.Fatal(err)
			}
			db.SetMaxOpenConns(1)
			t.Cleanup(func() { db.Close() })
			w := setupOn(t, lake.Config{Warehouse: filepath.Join(dir, name), Catalog: db, Dialect: "sqlite"}, nameField)
			f := write(t, w.load(t), "r1-a", 9, named(1, "Ada"), named(2, "Grace"))
			commit(t, w.load(t), lake.Commit{Run: "r1", Add: []lake.DataFile{f}})
			commit(t, w.load(t), lake.Commit{Run: "r2", Dir: "r2-a", Deletes: map[string][]int64{f.Path: {0}}, Add: []lake.DataFile{write(t, w.load(t), "r2-a", 9, named(3, "Alan"))}})
			if got := allRows(t, w.load(t)); len(got) != 2 || !strings.HasPrefix(got[0], "Grace") || !strings.HasPrefix(got[1], "Alan") {
				t.Errorf("rows %q", got)
			}
			tbl, fsys := w.opened(t)
			checkLocation(t, tbl.Location())
			checkLocation(t, tbl.MetadataLocation())
			for _, s := range tbl.Metadata().Snapshots() {
				checkLocation(t, s.ManifestList)
			}
			for _, location := range manifestLocations(t, tbl.CurrentSnapshot().Manifests, fsys) {
				checkLocation(t, location)
			}
		})
	}
}

// A fold brings files with escaped locations, as earlier versions wrote them, to plain locations.
func TestEscapedLocations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	w := setupOn(t, lake.Config{Warehouse: filepath.Join(dir, "data of Łódź"), Catalog: db, Dialect: "sqlite"}, nameField)
	plain := write(t, w.load(t), "r1-a", 9, named(1, "Ada"), named(2, "Grace"))
	old, err := lake.EscapeLocation(plain)
	if err != nil || !strings.Contains(old.Path, "%20") {
		t.Fatal(old.Path, err)
	}
	commit(t, w.load(t), lake.Commit{Run: "r1", Add: []lake.DataFile{old}})
	commit(t, w.load(t), lake.Commit{Run: "r2", Dir: "r2-a", Deletes: map[string][]int64{old.Path: {0}}})
	for _, want := range []bool{true, false} {
		d := w.load(t)
		state, err := d.OpenState(t.Context(), lake.StateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := d.Escaped(t.Context()); err != nil || got != want || state.Escaped(0) != want || len(state.Files()) != 1 {
			t.Errorf("escaped: %v %v %v, want %v", got, state.Escaped(0), err, want)
		}
		if got := allRows(t, d); len(got) != 1 || !strings.HasPrefix(got[0], "Grace") {
			t.Errorf("rows %q", got)
		}
		commit(t, d, fold(t, d, fmt.Sprint(want), 1))
	}
}

// checkLocation checks that the rest of a location after its scheme is the path of a file.
func checkLocation(t *testing.T, location string) {
	t.Helper()
	p, ok := strings.CutPrefix(location, "file://")
	if _, err := os.Stat(p); err != nil || !ok {
		t.Errorf("%s: %v", location, err)
	}
}

// manifestLocations returns the locations of the manifests, and those of the files that they name.
func manifestLocations(t *testing.T, manifests func(icebergio.IO) ([]iceberg.ManifestFile, error), fsys icebergio.IO) (all []string) {
	t.Helper()
	list, err := manifests(fsys)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		all = append(all, m.FilePath())
		for e, err := range m.Entries(fsys, true) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, e.DataFile().FilePath())
			if of := e.DataFile().ReferencedDataFile(); of != nil {
				all = append(all, *of)
			}
		}
	}
	return all
}
