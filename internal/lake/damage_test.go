package lake_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"roster/internal/identity"
	"roster/internal/lake"
)

// seen returns everything that can be read of a table.
func seen(t *testing.T, w *world, beside string) (rows []string, err error) {
	d, err := w.Load(t.Context(), w.table)
	if err != nil {
		return nil, err
	}
	f, err := d.OpenFile(beside)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	rows = append(rows, string(text))
	err = d.Scan(t.Context(), lake.ScanOptions{}, func(rec arrow.RecordBatch, _ lake.Position) error {
		rows = append(rows, fmt.Sprint(rec))
		return nil
	})
	if err != nil {
		return nil, err
	}
	s, err := d.OpenState(t.Context(), lake.StateOptions{})
	if err != nil {
		return nil, err
	}
	c := s.Cursor()
	defer c.Close()
	state, err := c.Range(identity.Key{}, nil)
	if err != nil {
		return nil, err
	}
	for i := range state.IDs {
		rows = append(rows, fmt.Sprint(state.IDs[i], state.Row[i], state.Since[i], state.Seen[i]))
		rec, ok, err := d.Find(t.Context(), state.IDs[i])
		if err != nil {
			return nil, err
		}
		if ok {
			rows = append(rows, fmt.Sprint(rec))
			rec.Release()
		}
	}
	return rows, nil
}

// damagedTable returns a table with data, position deletes and a file beside the data.
func damagedTable(t *testing.T) (w *world, beside string) {
	w = setup(t, nameField)
	versions(t, w)
	d := w.load(t)
	first := write(t, d, "r4-a", 9, named(1, "Ada"), named(2, "Bob"), named(3, "Cyd"))
	commit(t, d, lake.Commit{Run: "r4", Dir: "r4-a", Replace: true, Add: []lake.DataFile{first}})
	d = w.load(t)
	out, beside, err := d.CreateFile("r5-a", "delta-000")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(out, strings.Repeat("changes ", 9000)); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	commit(t, d, lake.Commit{Run: "r5", Dir: "r5-a", Deletes: map[string][]int64{first.Path: {1}}})
	return w, beside
}

// After any damage to any file, either the rows are right, or an error names the file.
func TestDamage(t *testing.T) {
	t.Parallel()
	w, beside := damagedTable(t)
	want, err := seen(t, w, beside)
	if err != nil || len(want) < 6 {
		t.Fatal(want, err)
	}
	damages := map[string]func(b []byte) []byte{
		"cut off":  func(b []byte) []byte { return b[:len(b)/2] },
		"emptied":  func(b []byte) []byte { return nil },
		"longer":   func(b []byte) []byte { return append(b, 0) },
		"zeroed":   func(b []byte) []byte { clear(b[len(b)/2:]); return b },
		"replaced": func(b []byte) []byte { return []byte("PAR1PAR1") },
	}
	for range 12 {
		at := rand.Float64()
		bit := rand.IntN(8)
		damages[fmt.Sprintf("bit %d at %.6f", bit, at)] = func(b []byte) []byte { b[int(at*float64(len(b)))] ^= 1 << bit; return b }
	}
	caught := map[string]int{}
	for _, path := range allFiles(t, w.dir()) {
		if strings.HasSuffix(path, ".sum") && !strings.Contains(path, "r5-a") && !strings.Contains(path, "r4-a") {
			continue
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		rel, _ := filepath.Rel(w.dir(), path)
		look := func(what string) {
			got, err := seen(t, w, beside)
			switch {
			case err == nil && !slices.Equal(got, want):
				t.Errorf("%s, %s: wrong rows", rel, what)
			case err != nil && (!errors.Is(err, lake.ErrDamaged) || !strings.Contains(err.Error(), filepath.Base(path))):
				t.Errorf("%s, %s: %v", rel, what, err)
			case err != nil:
				caught[kindOf(path)]++
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		// The other files belong to versions that are not read.
		if _, err := seen(t, w, beside); err != nil || strings.HasSuffix(path, ".sum") {
			for what, damage := range damages {
				overwrite(t, path, damage(slices.Clone(content)))
				look(what)
			}
		}
		overwrite(t, path, content)
	}
	for _, kind := range []string{"data", "deletes", "metadata.json", "manifest", "list", "roster"} {
		if caught[kind] < len(damages) {
			t.Errorf("damage of %s was noticed %d times", kind, caught[kind])
		}
	}
	if caught["sum"] > 0 {
		t.Errorf("damaged checksums of files that are whole made %d errors", caught["sum"])
	}
	if got, err := seen(t, w, beside); err != nil || !slices.Equal(got, want) {
		t.Errorf("the files are whole again: %v", err)
	}
}

func overwrite(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func kindOf(path string) string {
	name := filepath.Base(path)
	switch {
	case strings.HasSuffix(name, ".sum"):
		return "sum"
	case strings.HasSuffix(name, ".metadata.json"):
		return "metadata.json"
	case strings.HasPrefix(name, "snap-"):
		return "list"
	case strings.HasSuffix(name, ".avro"):
		return "manifest"
	case strings.HasPrefix(name, "deletes-"):
		return "deletes"
	case strings.HasSuffix(name, ".parquet"):
		return "data"
	}
	return "roster"
}

func allFiles(t *testing.T, dir string) (paths []string) {
	t.Helper()
	for _, pattern := range []string{"metadata/*", "data/*/*", "roster/*/*"} {
		found, err := filepath.Glob(filepath.Join(dir+"*", pattern)) // including the files beside the table
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	return paths
}

// Files from versions without checksums can be read.
func TestNoSums(t *testing.T) {
	t.Parallel()
	w, beside := damagedTable(t)
	want, err := seen(t, w, beside)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range allFiles(t, w.dir()) {
		if strings.HasSuffix(path, ".sum") {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, err := seen(t, w, beside); err != nil || !slices.Equal(got, want) {
		t.Errorf("%q: %v", got, err)
	}
}

// A scrub continues after the last file of the previous scrub, finds every damaged file, and creates missing checksums.
func TestScrub(t *testing.T) {
	t.Parallel()
	w, _ := damagedTable(t)
	paths := allFiles(t, w.dir())
	for _, path := range paths { // the hash in the name of a Parquet file restores its checksums
		if strings.HasSuffix(path, ".avro.sum") || strings.HasSuffix(path, ".json.sum") {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	checked, err := w.load(t).Check(t.Context())
	if err != nil || checked.Unchecked == 0 || len(checked.Damaged) != 0 {
		t.Fatalf("%+v %v", checked, err)
	}
	var c lake.Checked
	for n := int64(0); n < checked.Files; n++ {
		if c, err = w.load(t).Scrub(t.Context(), 1); err != nil || c.Files != 1 || len(c.Damaged) != 0 {
			t.Fatalf("%+v %v", c, err)
		}
	}
	if checked, err = w.load(t).Check(t.Context()); err != nil || checked.Unchecked != 0 {
		t.Errorf("after as many scrubs as files: %+v %v", checked, err)
	}
	harmed := 0
	for _, path := range paths {
		if kind := kindOf(path); (kind == "data" || kind == "roster") && strings.Contains(path, "r4-a") || strings.Contains(path, "r5-a") && kind == "deletes" {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b[len(b)/3] ^= 4
			overwrite(t, path, b)
			harmed++
		}
	}
	if c, err = w.load(t).Scrub(t.Context(), 1<<40); err != nil || len(c.Damaged) != harmed || harmed < 2 {
		t.Errorf("%d damaged files, found: %v %v", harmed, c.Damaged, err)
	}
}
