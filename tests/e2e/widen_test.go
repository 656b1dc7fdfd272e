package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestImportWidens imports a file whose later rows do not fit the types that the first rows suggest. Before the command
// creates the audience, it reads the whole file and chooses wider types. In later files such rows are rejects.
func TestImportWidens(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, data := filepath.Join(dir, "people.csv"), filepath.Join(dir, "data")
	var rows strings.Builder
	rows.WriteString("mail,area,points,amount,kept\n")
	for i := range 12_000 {
		fmt.Fprintf(&rows, "u%d@example.com,90001,%d,%d.5,7\n", i, i, i)
	}
	writeFile(t, file, rows.String()+"z@example.com,02138,1.25,1234567890123456.78,007\n")
	args := []string{file, "--name", "people", "--identity", "mail=Email", "--field", "kept=integer", "--data-dir", data}

	code, out, errOut := finish(t, command(t, append([]string{"import", "--dry-run"}, args...)...))
	if code != 0 || !strings.Contains(out, "12,001 rows, of which 0 would be rejected") || !strings.Contains(out, "area: string instead of long, for line 12002") {
		t.Fatalf("a dry run: exit code %d\n%s\n%s", code, out, errOut)
	}
	code, done := runImport(t, args...)
	types := map[string]string{}
	for _, f := range done.Fields {
		types[f.Name] = f.Type
		if f.Proposed != (f.Name == "points") {
			t.Errorf("%s: proposed is %v", f.Name, f.Proposed)
		}
	}
	if want := "map[amount:string area:string kept:integer mail:string points:number]"; code != 0 || fmt.Sprint(types) != want || done.Run.Rows.Rejected != 0 {
		t.Errorf("exit code %d: %v, want %s; %+v", code, types, want, done.Run.Rows)
	}

	writeFile(t, file, "mail,area,points,amount,kept\na@example.com,1,007,1,007\nb@example.com,02138,7,1,7\n")
	code, done = runImport(t, append(args, "--changes", "--max-rejected", "60")...)
	if code != 0 || done.Run.Rows.Rejected != 1 || done.Run.Rows.Added != 1 || done.Run.Rejects[0].Code != "PROPOSED_TYPE" || done.Run.Rejects[0].Line != 2 {
		t.Errorf("exit code %d: %+v %+v", code, done.Run.Rows, done.Run.Rejects)
	}
}
