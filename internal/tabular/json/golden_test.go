package json

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"roster/internal/tabular"
	"roster/internal/tabular/tabulartest"
)

// TestJSONGolden reads files as tools write them with the columns that are inferred from them.
func TestJSONGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.json*")
	if err != nil || len(files) == 0 {
		t.Fatal(err, len(files))
	}
	for _, name := range files {
		if filepath.Ext(name) == ".golden" {
			continue
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			file, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := jsonGolden(t, string(file))
			if *tabulartest.Update {
				if err := os.WriteFile(name+".golden", got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name + ".golden")
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func jsonGolden(t *testing.T, file string) []byte {
	found, err := Infer(t.Context(), strings.NewReader(file), tabular.Options{}, tabulartest.WholeSample)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "of %d objects\n", found.Rows)
	for _, c := range found.Columns {
		fmt.Fprintf(&b, "column %q %s\n", c.Name, c.Type)
	}
	r := readJSON(t, file, found.Columns)
	fmt.Fprintf(&b, "nested %q\nextra %q\n", found.Nested, r.Header.Extra)
	for _, x := range r.Rows {
		fmt.Fprintf(&b, "%d: %s\n", x.Line, strings.Join(x.Values, " "))
	}
	for _, x := range r.Rejects {
		fmt.Fprintf(&b, "%d: %s %q %s: %q\n", x.Line, x.Code, x.Column, x.Reason, x.Raw)
	}
	return b.Bytes()
}
