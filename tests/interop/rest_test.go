package interop

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"roster/client"
	"roster/tests/rostertest"
)

// restAnswer is what rest.py prints.
type restAnswer struct {
	Listed  []string
	Rows    map[string]int
	Columns map[string][]string
}

// restCatalog opens tables of a server with an engine of rest.py.
func restCatalog(t *testing.T, python, url, id, secret, engine string, tables ...string) (a restAnswer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python, append([]string{"rest.py", url, id, secret, engine}, tables...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", engine, err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &a); err != nil {
		t.Fatalf("%s: %v\n%s", engine, err, out)
	}
	slices.Sort(a.Listed)
	return a
}

// serve starts a server on a data directory and ends it with the test.
func serve(t *testing.T, dataDir string) (url string) {
	t.Helper()
	url, stop := serveUntil(t, dataDir)
	t.Cleanup(stop)
	return url
}

// serveUntil starts a server on a data directory, which stop ends.
func serveUntil(t *testing.T, dataDir string) (url string, stop func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), rostertest.Binary(t), "serve", "--data-dir", dataDir, "--listen", "127.0.0.1:0", "--settle-age", "0s")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		t.Fatal(err)
	}
	words := strings.Fields(line)
	return words[len(words)-1], stop
}

// TestRESTCatalog opens audiences with three engines that know nothing but the server's address and an API client. A client without the
// label of a column does not see the column, nor audiences with a label.
func TestRESTCatalog(t *testing.T) {
	t.Parallel()
	engines := map[string]string{"pyiceberg": python(t), "duckdb": needSpark(t), "spark": needSpark(t)}
	data := filepath.Join(directory(t), "data")
	url := serve(t, data)
	admin, err := client.LoadCredentials(filepath.Join(data, "credentials.json"))
	if err != nil {
		t.Fatal(err)
	}
	admin.BaseURL = url
	fields := []client.Field{{Name: "mail", Type: "string", IdentityNs: "Email"}, {Name: "points", Type: "long", Labels: []string{"core/C1"}}, {Name: "City of birth", Type: "string"}}
	for _, name := range []string{"people", "Gold / silver", "secret"} {
		if _, err := admin.Upload(t.Context(), name+".csv", strings.NewReader("mail,points,City of birth\nada@example.com,1,London\nbob@example.com,2,\n")); err != nil {
			t.Fatal(err)
		}
		draft := client.NewAudience{Name: name, Fields: fields, OriginName: "CUSTOM_UPLOAD",
			SourceSpec: client.SourceSpec{SourceParams: client.SourceParams{Path: name + ".csv", Type: "file", SourceType: "Cloud Storage", CloudType: "DLZ"}}}
		if name == "secret" {
			draft.Labels = []string{"core/C2"}
		}
		task, err := admin.SubmitAudience(t.Context(), draft)
		if err != nil {
			t.Fatal(err)
		}
		done, err := admin.WaitTask(t.Context(), task.TaskID)
		if err != nil {
			t.Fatal(err)
		}
		run, err := admin.StartRun(t.Context(), done.AudienceID, client.RunRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if ended, err := admin.WaitRun(t.Context(), done.AudienceID, run.RunID, nil); err != nil || ended.Status != "SUCCESS" {
			t.Fatal(ended.Status, err)
		}
	}
	viewer, err := admin.CreateAPIClient(t.Context(), client.NewAPIClient{Name: "viewer", Roles: map[string]string{"prod": "viewer"}})
	if err != nil {
		t.Fatal(err)
	}
	for engine, python := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			all := restCatalog(t, python, url, admin.ClientID, admin.ClientSecret, engine, "people", "secret")
			if len(all.Listed) != 3 || all.Rows["people"] != 2 || all.Rows["secret"] != 2 || !slices.Contains(all.Columns["people"], "points") {
				t.Errorf("an administrator opens %+v", all)
			}
			gold := all.Listed[slices.IndexFunc(all.Listed, func(name string) bool { return strings.HasPrefix(name, "Gold") })]
			some := restCatalog(t, python, url, viewer.ClientID, viewer.ClientSecret, engine, "people", gold)
			if !reflect.DeepEqual(some.Listed, []string{gold, "people"}) || some.Rows["people"] != 2 || some.Rows[gold] != 2 {
				t.Errorf("a viewer opens %+v", some)
			}
			if columns := some.Columns["people"]; slices.Contains(columns, "points") || !slices.Contains(columns, "City of birth") {
				t.Errorf("a viewer without the label of points has the columns %q", columns)
			}
		})
	}
}
