package formats

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/csv"
	"roster/internal/tabular/tabulartest"
)

// TestGolden reads the odd files of testdata with the columns that are inferred from their first two rows, so that
// later rows may be rejects.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.csv")
	if err != nil || len(files) == 0 {
		t.Fatal(err, len(files))
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			file, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := golden(t, string(file))
			path := strings.TrimSuffix(name, ".csv") + ".golden"
			if *tabulartest.Update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func golden(t *testing.T, file string) []byte {
	inferred, err := Infer(t.Context(), tabulartest.Stored([]byte(file)), audience.Format{}, nil, tabular.Sample{Rows: 2, Bytes: tabulartest.WholeSample.Bytes})
	if err != nil {
		t.Fatal(err)
	}
	columns := inferred.Columns
	var b bytes.Buffer
	for _, c := range columns {
		fmt.Fprintf(&b, "column %q %s\n", c.Name, c.Type)
	}
	r := tabulartest.CollectAs(t, csv.Read, file, columns, audience.Format{})
	fmt.Fprintf(&b, "extra %q\n", r.Header.Extra)
	for _, x := range r.Rows {
		fmt.Fprintf(&b, "%d: %s\n", x.Line, strings.Join(x.Values, " "))
	}
	for _, x := range r.Rejects {
		fmt.Fprintf(&b, "%d: %s %q %s: %q\n", x.Line, x.Code, x.Column, x.Reason, x.Raw)
	}
	return b.Bytes()
}
