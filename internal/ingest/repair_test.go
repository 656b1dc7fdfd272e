package ingest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"roster/internal/audience"
)

// harm flips a bit in the newest file below the table that matches the pattern, and returns the name of the file.
func (w *world) harm(pattern string) string {
	w.t.Helper()
	paths, err := filepath.Glob(filepath.Join(w.pipeline.Lake.Warehouse(), "*", "*", pattern))
	if err != nil {
		w.t.Fatal(err)
	}
	newest := ""
	for _, p := range paths {
		if strings.HasSuffix(p, ".sum") || newest != "" && !younger(w.t, p, newest) {
			continue
		}
		newest = p
	}
	b, err := os.ReadFile(newest)
	if err != nil {
		w.t.Fatal(pattern, err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(newest, b, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return filepath.Base(newest)
}

func younger(t *testing.T, a, b string) bool {
	t.Helper()
	ai, err := os.Stat(a)
	if err != nil {
		t.Fatal(err)
	}
	bi, err := os.Stat(b)
	if err != nil {
		t.Fatal(err)
	}
	return ai.ModTime().After(bi.ModTime())
}

// A differential run fails and names the damaged file. A full run replaces the file, and its ledger contains the number
// of unreadable members.
func TestRepair(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"data/*/[0-9a-f]*.parquet", "data/*/deletes-*.parquet", "metadata/snap-*.avro", "metadata/[0-9a-f]*.avro"} {
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, defaultFields)
			w.put("a.csv", people(0, 100, 0))
			w.mustRun(true)
			w.clear()
			w.put("b.csv", people(90, 12, 0)) // replaces rows of the first file and adds two more
			w.mustRun(false)
			name := w.harm(pattern)
			w.clear()
			w.put("c.csv", people(50, 60, 0))
			r := w.run(false)
			if r.Status != audience.Failed || r.Error == nil || r.Error.Code != audience.Internal || !strings.Contains(r.Error.Message, name) {
				t.Fatalf("a differential run: %s %v", r.Status, r.Error)
			}
			r = w.mustRun(true)
			if m := r.Result.Members; m.Before != 102 || m.After != 60 || len(r.Result.Replaced) == 0 || !strings.HasSuffix(r.Result.Replaced[0], name) || r.Result.Unreadable == 0 {
				t.Errorf("%+v %v %d", m, r.Result.Replaced, r.Result.Unreadable)
			}
			w.wantAgrees()
			if got := len(rowsOf(t, w.dataset())); got != 60 {
				t.Errorf("%d rows", got)
			}
			w.clear()
			w.put("d.csv", people(100, 20, 0))
			if r = w.mustRun(false); r.Result.Members.After != 70 || len(r.Result.Replaced) != 0 {
				t.Errorf("the run after: %+v", r.Result.Members)
			}
			w.wantAgrees()
		})
	}
}
