package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"roster/client"
)

// TestImportWithoutHeader imports files without column names.
func TestImportWithoutHeader(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, data := filepath.Join(dir, "people.csv"), filepath.Join(dir, "data")
	writeFile(t, file, "1,ada@example.com,2026-01-31\n2,bob@example.com,\nx,cy@example.com,2026-02-01\n")
	show := func(fields []client.Field) string {
		var list []string
		for _, f := range fields {
			list = append(list, strings.TrimSpace(f.Name+" "+f.Type+" "+f.IdentityNs))
		}
		return strings.Join(list, ", ")
	}
	for i, c := range []struct {
		args, fields string
		rows         client.Rows
	}{
		{"--identity column2=Email", "column1 string, column2 string Email, column3 date", client.Rows{Read: 3, Added: 3}},
		{"--identity column2=Email --field column1=integer", "column1 integer, column2 string Email, column3 date", client.Rows{Read: 3, Rejected: 1, Added: 2}},
		{"--identity mail=Email --field points=long --field mail=string --field day=date", "points long, mail string Email, day date", client.Rows{Read: 3, Rejected: 1, Added: 2}},
	} {
		args := append([]string{file, "--data-dir", data, "--no-header", "--max-rejected", "50", "--name", fmt.Sprint("people ", i)}, strings.Fields(c.args)...)
		code, dry := runImport(t, append(args, "--dry-run")...)
		if code != 0 || dry.DryRun == nil || dry.DryRun.RowsRead != c.rows.Read || dry.DryRun.RowsRejected != c.rows.Rejected {
			t.Errorf("%s, dry: exit %d, %+v", c.args, code, dry.DryRun)
		}
		code, v := runImport(t, args...)
		if code != 0 || show(v.Fields) != c.fields || v.Run == nil || v.Run.Rows == nil || *v.Run.Rows != c.rows {
			t.Errorf("%s: exit %d, fields %s, want %s, run %+v", c.args, code, show(v.Fields), c.fields, v.Run)
		}
		if code, v = runImport(t, append(args, "--full")...); code != 0 || v.Created || v.Run.Rows.Unchanged != c.rows.Added {
			t.Errorf("%s, again: exit %d, %+v", c.args, code, v)
		}
	}
	for args, mention := range map[string]string{
		"--identity column4=Email":                         "column1, column2, column3",
		"--identity column2=Email --identity column1=CORE": "give --identity column1=CORE first",
		"--identity column2=Email --identity column2=CORE": "named before",
		"--identity column2=Email --field points=long":     "--field points",
	} {
		code, out, log := finish(t, command(t, append([]string{"import", file, "--data-dir", data, "--no-header", "--name", "other"}, strings.Fields(args)...)...))
		if code != 2 || !strings.Contains(log, mention) {
			t.Errorf("%s: exit %d, %s%s, want %q", args, code, out, log, mention)
		}
	}
	swapped := []string{"import", file, "--data-dir", data, "--no-header", "--name", "people 2", "--changes", "--identity", "mail=Email",
		"--field", "mail=string", "--field", "points=long", "--field", "day=date"}
	if code, _, log := finish(t, command(t, swapped...)); code != 2 || !strings.Contains(log, "points is column 2 of the file and field 1 of the audience") {
		t.Errorf("columns in another order: exit %d, %s", code, log)
	}
}
