package source_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"roster/internal/blob/local"
	"roster/internal/source"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"Lists/People.csv", "Lists/people.csv.gz", "Lists/2026/a.csv", "lists2/a.csv", "a/Ä.csv", "x.CSV", "x.csv.part"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("mail\n"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := local.OpenConfined(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct {
		path   string
		folder bool
		want   string
	}{
		{"lists/people.csv", false, `; the nearest there is "Lists/People.csv", "Lists/people.csv.gz"`},
		{"Lists/people.CSV", false, `; the nearest there is "Lists/People.csv", "Lists/people.csv.gz"`},
		{"Lists/people", false, `; the nearest there is "Lists/People.csv", "Lists/people.csv.gz"`},
		{"x.csv", false, `; the nearest there is "x.CSV", "x.csv.part"`},
		{"a/ä.csv", false, `; the nearest there is "a/Ä.csv"`},
		{"lists", true, `; the nearest there is "Lists"`},
		{"LISTS/2026", true, `; the nearest there is "Lists/2026"`},
		{"LISTS2", true, `; the nearest there is "lists2"`},
		{"nothing.csv", false, ""},
		{"nothing", true, ""},
		{"../a/Ä.csv", false, ""},
	} {
		if got := source.Nearest(t.Context(), s, c.path, c.folder); got != c.want {
			t.Errorf("%s: %q, want %q", c.path, got, c.want)
		}
	}
}
