package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"roster/tests/servertest"
)

// TestNamesThatAreNoPaths puts files with names that are not valid paths into a folder. The run reads the other files
// and reports each skipped one.
func TestNamesThatAreNoPaths(t *testing.T) {
	t.Parallel()
	store := s3At(t, servertest.Moto(t))
	for _, key := range []string{"exports/in/a.csv", "exports/in//b.csv", "exports/in/../c.csv", "exports//d.csv", "exports/in/"} {
		store.put(key, "mail,points\n"+filepath.Base(key)+"@example.com,1\n")
	}
	s := start(t, loopback)
	conn := s.call("POST", flow, store.connectionBody("bucket", s3Secret)).ok(201)["id"].(string)
	s.call("POST", flow+"/"+conn+"/test", "").ok(200)
	s.call("GET", flow+"/"+conn+"/explore?objectType=folder&object=in", "")
	run := s.ingest(s.audienceOf(conn, "in", "folder"), "{}")
	seen := map[string]string{}
	for _, f := range run["files"].([]any) {
		seen[f.(map[string]any)["path"].(string)] = f.(map[string]any)["status"].(string)
	}
	want := map[string]string{"in/a.csv": "read", "in//b.csv": "skipped", "in/../c.csv": "skipped"}
	if run["status"] != "SUCCESS" || fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("%v, want %v: %v", seen, want, run["error"])
	}
}

// TestNameOfBytes has a local file whose name is not valid text.
func TestNameOfBytes(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.put("in/a.csv", rowsOf(0, 3))
	if err := os.WriteFile(filepath.Join(s.root, "in", "\xff\xfe.csv"), []byte(rowsOf(3, 6)), 0o600); err != nil {
		t.Skip("this file system has no such names")
	}
	run := s.ingest(s.audienceOf(s.connect(), "in", "folder"), "{}")
	if rows := run["rows"].(map[string]any); run["status"] != "SUCCESS" || rows["added"] != 3.0 || len(run["files"].([]any)) != 2 {
		t.Errorf("%v", run)
	}
}
