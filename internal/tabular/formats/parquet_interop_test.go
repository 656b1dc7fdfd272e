package formats

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/tabulartest"
)

// writtenByOthers returns a folder with what testdata/parquet_files.py writes.
func writtenByOthers(t *testing.T) string {
	t.Helper()
	python := os.Getenv("ROSTER_TEST_PYTHON")
	if python == "" {
		t.Skip("set ROSTER_TEST_PYTHON to a Python with tests/interop/requirements.txt to run this test")
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), python, "testdata/parquet_files.py", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// TestParquetOfOthers reads files of other writers, which must have the rows of the CSV file.
func TestParquetOfOthers(t *testing.T) {
	t.Parallel()
	dir := writtenByOthers(t)
	columns := []tabular.Column{{Name: "id", Type: audience.String, Primary: true}, {Name: "city", Type: audience.String}, {Name: "whole", Type: audience.Long},
		{Name: "small", Type: audience.Integer}, {Name: "score", Type: audience.Number}, {Name: "price", Type: audience.Number},
		{Name: "born", Type: audience.Date}, {Name: "seen", Type: audience.DateTime}, {Name: "ok", Type: audience.Boolean}}
	want := readFile(tabulartest.Stored(testFile(t, filepath.Join(dir, "people.csv"))), columns, tabular.Options{Workers: 2})
	if want.Err != "" || len(want.Rows) != 3000 {
		t.Fatalf("%d rows %s", len(want.Rows), want.Message)
	}
	for i := range want.Rows {
		want.Rows[i].Line = int64(i) + 1
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.parquet"))
	if err != nil || len(files) < 15 {
		t.Fatal(err, files)
	}
	for _, name := range files {
		if strings.Contains(name, "others") {
			continue
		}
		for workers := 1; workers <= 3; workers += 2 {
			got := readFile(tabulartest.Stored(testFile(t, name)), columns, tabular.Options{Workers: workers})
			if got.Err != "" || len(got.Rejects) > 0 {
				t.Errorf("%s: %s %s, rejects %.500v", filepath.Base(name), got.Err, got.Message, got.Rejects)
				continue
			}
			if !slices.EqualFunc(got.Rows, want.Rows, func(a, b tabulartest.Row) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
				t.Errorf("%s has other rows: %v, want %v", filepath.Base(name), got.Rows[:3], want.Rows[:3])
			}
		}
	}
}

// TestParquetOtherTypes reads types that not every writer has.
func TestParquetOtherTypes(t *testing.T) {
	t.Parallel()
	dir := writtenByOthers(t)
	for file, want := range map[string]string{
		"others": `half: "1.5" "0.099975586"
time: "01:02:03" "23:59:59.999999"
nanos: "1969-12-31T23:59:59.999999999" "2025-05-11T21:46:40.123456789"
date64: "1970-01-01" "1970-01-02"
huge: "18446744073709551615" "0"
uuid: "00000000-0000-0000-0000-000000000001" "12345678-9abc-def0-1234-56789abcdef0"
null: (null) (null)
`,
		"duckdb-others": `mood: "happy"
doc: "{\"a\":1}"
uuid: "12345678-9abc-def0-1234-56789abcdef0"
huge: "1.7014118346046923e+38"
zoned: "2025-05-13T08:00:00Z"
nanos: "2025-05-13T10:00:00.123456789"
time: "01:02:03"
price: "12.5"
tiny: "7"
bytes: "x"
`,
	} {
		b := tabulartest.Stored(testFile(t, filepath.Join(dir, file+".parquet")))
		var got strings.Builder
		for _, line := range strings.Split(strings.TrimSpace(want), "\n") {
			name, _, _ := strings.Cut(line, ":")
			fmt.Fprintf(&got, "%s: %s\n", name, readFile(b, tabulartest.Text(name), tabular.Options{}).Values())
		}
		if got.String() != want {
			t.Errorf("%s:\n%swant\n%s", file, &got, want)
		}
	}
	others := tabulartest.Stored(testFile(t, filepath.Join(dir, "others.parquet")))
	for _, nested := range []string{"many", "inner", "map"} {
		if got := readFile(others, tabulartest.Text("id", nested), tabular.Options{}); got.Err != "NESTED_COLUMN" || !strings.Contains(got.Message, nested) {
			t.Errorf("%s: %s %s", nested, got.Err, got.Message)
		}
	}
	if got := readFile(others, tabulartest.Text("id"), tabular.Options{}); len(got.Rows) != 2 || !slices.Contains(got.Header.Extra, "inner") {
		t.Errorf("with nested columns that are not wanted: %+v", got)
	}
	inferred, err := Infer(t.Context(), others, audience.Format{}, nil, tabulartest.WholeSample)
	if err != nil || fmt.Sprint(inferred.Nested) != "[many inner map]" || len(inferred.Columns) != 8 {
		t.Errorf("%+v %v", inferred, err)
	}
}
