package lake_test

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"roster/internal/identity"
	"roster/internal/lake"
)

func TestOpenKeys(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	var members []member
	var want []identity.Key
	for i := range uint64(1000) {
		members, want = append(members, named(i<<50, "somebody")), append(want, key(i<<50))
	}
	d := w.load(t)
	f := write(t, d, "r1-a", 300, members...)
	keys := func() (all []identity.Key, err error) {
		r, err := d.OpenKeys(f.Path)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		for {
			k, err := r.Next()
			if err != nil {
				return all, err
			}
			all = append(all, k)
		}
	}
	if got, err := keys(); err != io.EOF || !slices.Equal(got, want) {
		t.Errorf("%d of %d keys, %v", len(got), len(want), err)
	}
	path := strings.TrimPrefix(f.Path, "file://")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/3] ^= 1
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys(); !errors.Is(err, lake.ErrDamaged) {
		t.Errorf("a damaged file: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := keys(); !errors.Is(err, lake.ErrDamaged) {
		t.Errorf("a missing file: %v", err)
	}
}
