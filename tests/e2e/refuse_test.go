package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// state is everything that a refused call must leave unchanged.
func (s *server) state() string {
	s.t.Helper()
	var all []string
	for _, path := range []string{ais + "/", "/data/foundation/flowservice/connections", "/data/core/idnamespace/identities"} {
		all = append(all, compact(s.call("GET", path, "").anyJSON()))
	}
	return strings.Join(all, "\n")
}

// anyJSON returns the decoded body of a successful call, whatever its JSON type is.
func (a answer) anyJSON() any {
	a.t.Helper()
	if a.status != http.StatusOK {
		a.t.Fatalf("%s: status %d: %s", a.call, a.status, a.body)
	}
	return string(a.body)
}

// submitBody is a valid submit of a file in the landing zone, with one text replaced.
func submitBody(name, path string, replace ...string) string {
	body := fmt.Sprintf(`{"name": %q, "fields": [{"name": "mail", "type": "string", "identityNs": "Email"}, {"name": "points", "type": "long"}],
	  "sourceSpec": {"path": %q, "type": "file", "sourceType": "Cloud Storage", "cloudType": "DLZ"}, "ttlInDays": 30, "originName": "CUSTOM_UPLOAD"}`, name, path)
	return strings.NewReplacer(replace...).Replace(body)
}

func TestRefusedHeaders(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, path := range []string{ais + "/", ais + "/0b6f3a57-1111-4222-8333-444455556666", "/core/ups/access/entities?entityId=a@example.com&entityIdNS=email"} {
		for _, header := range []string{"Authorization", "x-api-key", "x-gw-ims-org-id", "x-sandbox-name"} {
			s.callWith("GET", path, "", map[string]string{header: ""}).refused(401, "100920-401", header)
		}
		s.callWith("GET", path, "", map[string]string{"x-gw-ims-org-id": "0000000000000000@RosterOrg"}).refused(401, "100921-401")
		s.callWith("GET", path, "", map[string]string{"x-sandbox-name": "nowhere"}).refused(400, "100910-400", "nowhere")
		s.callWith("GET", path, "", map[string]string{"x-api-key": "somebody-else"}).refused(401, "100922-401")
		parts := strings.Split(s.token, ".")
		forged := parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2]))
		for _, token := range []string{"rubbish", forged, parts[0] + "." + parts[1] + "."} {
			s.callWith("GET", path, "", map[string]string{"Authorization": "Bearer " + token}).refused(400, "100911-400")
		}
	}
	s.callWith("GET", ais+"/", "", map[string]string{"Authorization": "bearer " + s.token}).ok(200)
	s.clock.advance(25 * time.Hour)
	s.call("GET", ais+"/", "").refused(400, "100911-400")
}

func TestRefusedSubmits(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("in.csv", "mail,points\nada@example.com,1\n")
	s.submit(submitBody("taken", "in.csv"))
	before := s.state()
	for _, c := range []struct {
		name, body string
		status     int
		code       string
		mention    string
	}{
		{"not JSON", `{"name": `, 400, "100910-400", "JSON"},
		{"no body", ``, 400, "100910-400", ""},
		{"two documents", submitBody("a", "in.csv") + "{}", 400, "100910-400", ""},
		{"unknown type", submitBody("a", "in.csv", `"long"`, `"decimal"`), 400, "100910-400", "fields[1].type"},
		{"no identity field", submitBody("a", "in.csv", `, "identityNs": "Email"`, ``), 400, "100910-400", "identity"},
		{"one name twice", submitBody("a", "in.csv", `"points"`, `"Mail"`), 400, "100910-400", "fields[1].name"},
		{"ttl 0", submitBody("a", "in.csv", `"ttlInDays": 30`, `"ttlInDays": 0`), 400, "100910-400", "ttlInDays"},
		{"ttl 91", submitBody("a", "in.csv", `"ttlInDays": 30`, `"ttlInDays": 91`), 400, "100910-400", "ttlInDays"},
		{"ttl text", submitBody("a", "in.csv", `"ttlInDays": 30`, `"ttlInDays": "x"`), 400, "100910-400", "ttlInDays"},
		{"unknown namespace", submitBody("a", "in.csv", `"Email"`, `"Emial"`), 400, "100910-400", "Email"},
		{"unknown property", submitBody("a", "in.csv", `"ttlInDays"`, `"ttlInWeeks"`), 400, "100910-400", "ttlInWeeks"},
		{"no name", submitBody("", "in.csv"), 400, "100910-400", "name"},
		{"another origin", submitBody("a", "in.csv", `"CUSTOM_UPLOAD"`, `"DATA_DISTILLER"`), 400, "100910-400", "originName"},
		{"encryption", submitBody("a", "in.csv", `"originName"`, `"encryption": {"publicKeyId": "k"}, "originName"`), 400, "100910-400", "encryption"},
		{"name taken", submitBody("taken", "in.csv"), 409, "100950-409", "taken"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.call("POST", ais+"/submit", c.body)
			a.t = t
			a.refused(c.status, c.code, c.mention)
		})
	}
	s.unusable(submitBody("no connection", "in.csv", `"cloudType": "DLZ"`, `"baseConnectionId": "1d1d4bc5-b527-46a3-9863-530246a61b2b"`), "1d1d4bc5-b527-46a3-9863-530246a61b2b")
	if after := s.state(); after != before {
		t.Errorf("refused calls changed something:\n%s\nwas\n%s", after, before)
	}
}

// TestCreatedBeforeItsFile creates an audience, starts a run that fails, and then uploads the file.
func TestCreatedBeforeItsFile(t *testing.T) {
	t.Parallel()
	s := start(t)
	task := s.call("POST", ais+"/submit", submitBody("later", "lists/later.csv")).ok(200)["taskId"].(string)
	v := s.poll(ais+"/task/"+task, ended)
	if v["status"] != "SUCCESS" || !strings.Contains(compact(v["warnings"]), "PATH_DOES_NOT_EXIST") || !strings.Contains(compact(v["warnings"]), "lists/later.csv") {
		t.Fatalf("%v", v)
	}
	if op := s.call("GET", ais+"/operations/"+task, "").ok(200); compact(op["warnings"]) != compact(v["warnings"]) {
		t.Errorf("%v", op)
	}
	id := v["audienceId"].(string)
	run := s.ingest(id, "")
	if text := compact(run["error"]); run["status"] != "FAILED" || !strings.Contains(text, "100910-400") || !strings.Contains(text, "lists/later.csv") {
		t.Errorf("a run without a file: %v", run)
	}
	s.land("lists/later.csv", "mail,points\nada@example.com,1\n")
	if run := s.ingest(id, ""); run["status"] != "SUCCESS" {
		t.Errorf("%v", run)
	}
}

// unusable requires that a submit is refused, or accepted with a task that fails, with a message that states the
// reason.
func (s *server) unusable(body, mention string) {
	s.t.Helper()
	a := s.call("POST", ais+"/submit", body)
	if a.status >= 400 {
		if a.status >= 500 {
			s.t.Errorf("status %d: %s", a.status, a.body)
		}
		if !strings.Contains(string(a.body), mention) {
			s.t.Errorf("the refusal does not name %q: %s", mention, a.body)
		}
		return
	}
	v := s.poll(ais+"/task/"+a.ok(200)["taskId"].(string), ended)
	if v["status"] != "FAILED" || v["audienceId"] != nil || !strings.Contains(compact(v["error"]), mention) {
		s.t.Errorf("the task should have failed and named %q: %v", mention, v)
	}
}

// TestEscapes tries to read a file outside of a connection's root and outside of the landing zone.
func TestEscapes(t *testing.T) {
	t.Parallel()
	s := start(t)
	outside := filepath.Join(t.TempDir(), "secret.csv")
	writeFile(t, outside, "mail,points\nsecret@example.com,1\n")
	s.put("folder/in.csv", "mail,points\nada@example.com,1\n")
	s.land("in.csv", "mail,points\nada@example.com,1\n")
	for _, dir := range []string{s.root, filepath.Join(s.dir, "landing", "prod")} {
		for link, target := range map[string]string{"link.csv": outside, "link": filepath.Dir(outside)} {
			if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
				t.Fatal(err)
			}
		}
	}
	conn := s.connect()
	rel, err := filepath.Rel(s.root, outside)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, path := range []string{outside, rel, "folder/../" + rel, "../../../../../../../.." + outside, "link.csv", "link/secret.csv", "/etc/passwd", "folder\\..\\.."} {
		below, absolute := strings.CutPrefix(path, "/")
		for _, cloud := range []string{`"cloudType": "DLZ"`, fmt.Sprintf(`"baseConnectionId": %q`, conn)} {
			n++
			body := submitBody(fmt.Sprintf("escape %d", n), path, `"cloudType": "DLZ"`, cloud)
			if !absolute {
				s.unusable(body, "path")
				continue
			}
			// A leading slash is the root of the connection, which contains no such name.
			task := s.poll(ais+"/task/"+s.call("POST", ais+"/submit", body).ok(200)["taskId"].(string), ended)
			if !strings.Contains(compact(task["warnings"]), fmt.Sprintf("file \\\"%s\\\" does not exist", below)) {
				t.Errorf("%s: %s", path, compact(task))
			} else if run := s.ingest(task["audienceId"].(string), "{}"); run["status"] != "FAILED" {
				t.Errorf("%s: a run read it: %s", path, compact(run))
			}
		}
	}
	for _, root := range []string{"/", "/etc", filepath.Dir(outside), filepath.Join(s.root, ".."), filepath.Join(s.root, "link"), "relative", ""} {
		body := strings.ReplaceAll(`{"name": "escape", "connectionSpec": {"id": "6c1f0c0e-5d0a-4f0e-9a57-0d6f7c1b2a10", "version": "1.0"}, "auth": {"specName": "none", "params": {"root": ROOT}}}`,
			"ROOT", compact(root))
		s.call("POST", "/data/foundation/flowservice/connections", body).refused(400, "100910-400", "root")
	}
	// A link that replaces a file after the audience was created is not followed either.
	id := s.submit(submitBody("swapped", "folder/in.csv", `"cloudType": "DLZ"`, fmt.Sprintf(`"baseConnectionId": %q`, conn)))
	inside := filepath.Join(s.root, "folder", "in.csv")
	if err := os.Remove(inside); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, inside); err != nil {
		t.Fatal(err)
	}
	if run := s.ingest(id, "{}"); run["status"] != "FAILED" {
		t.Errorf("a run followed a symbolic link: %v", run)
	}
	if got := s.lookup("email", "secret@example.com", id); got != "" {
		t.Errorf("a person from outside is %q", got)
	}
	for _, path := range []string{"/landing/../../escape.csv", "/landing/%2e%2e/%2e%2e/escape.csv", "/landing/link/escape.csv", "/landing/a/%2e%2e/%2e%2e/x.csv"} {
		if a := s.callWith("PUT", path, "mail\n", map[string]string{"Content-Type": "text/csv"}); a.status < 400 || a.status >= 500 {
			t.Errorf("upload to %s: %d", path, a.status)
		}
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(outside), "escape.csv")); err == nil {
		t.Error("an upload went through a symbolic link")
	}
}

// TestFailedRuns runs over files that cannot be imported. Each run fails with a code and a message that names the file,
// and the audience does not change.
func TestFailedRuns(t *testing.T) {
	t.Parallel()
	s := start(t)
	const good = "mail,points\nada@example.com,1\n"
	for i, c := range []struct{ name, content, mention string }{
		{"empty", "", "empty"},
		{"no header", "ada@example.com,1\nbob@example.com,2\n", "header"},
		{"all rows fail", "mail,points\nada@example.com,x\n,2\n", "row"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := fmt.Sprintf("bad-%d.csv", i)
			s.land(file, good)
			id := s.submit(submitBody(c.name, file))
			if run := s.ingest(id, "{}"); run["status"] != "SUCCESS" {
				t.Fatalf("the good file: %v", run)
			}
			s.land(file, c.content)
			before := s.call("GET", ais+"/"+id, "").ok(200)
			run := s.ingest(id, `{"differentialIngestion": false}`)
			if run["status"] != "FAILED" {
				t.Fatalf("run: %v", run)
			}
			problem := compact(run["error"])
			if !strings.Contains(problem, file) || !strings.Contains(strings.ToLower(problem), c.mention) {
				t.Errorf("the error does not name %s and %q: %s", file, c.mention, problem)
			}
			if strings.Contains(problem, "ada@example.com") {
				t.Errorf("the error holds personal data: %s", problem)
			}
			after := s.call("GET", ais+"/"+id, "").ok(200)
			if compact(before) != compact(after) {
				t.Errorf("the failed run changed the audience:\n%v\nwas\n%v", after, before)
			}
			if got := s.lookup("email", "ada@example.com", id); got != "realized" {
				t.Errorf("ada is %q", got)
			}
		})
	}
}

// TestRunInProgress starts a second run during a run.
func TestRunInProgress(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("big.csv", manyPeople(300_000))
	id := s.submit(submitBody("big", "big.csv"))
	run := s.call("POST", ais+"/"+id+"/run", "").ok(200)["runId"].(string)
	s.call("POST", ais+"/"+id+"/run", "{}").refused(422, "100960-422", run)
	v := s.poll(ais+"/"+id+"/run/"+run, ended)
	if v["status"] != "SUCCESS" || v["members"].(map[string]any)["after"] != 300_000.0 {
		t.Errorf("the run: %v %v %v", v["status"], v["members"], v["error"])
	}
	if list := s.call("GET", ais+"/"+id+"/runs", "").ok(200); len(list["runs"].([]any)) != 1 {
		t.Errorf("the refused run is listed: %v", list)
	}
}

// TestRefusedChanges sends changes and runs that must be refused.
func TestRefusedChanges(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("in.csv", "mail,points\nada@example.com,1\n")
	id := s.submit(submitBody("list", "in.csv"))
	before := s.state()
	for _, c := range []struct{ method, path, body, mention string }{
		{"PATCH", ais + "/" + id, `{"name": "other"}`, "name"},
		{"PATCH", ais + "/" + id, `{"ttlInDays": 91}`, "ttlInDays"},
		{"PATCH", ais + "/" + id, `{"fields": [{"name": "nope", "labels": []}]}`, "nope"},
		{"PATCH", ais + "/" + id, `{"fields": [{"name": "mail", "type": "long"}]}`, "type"},
		{"PATCH", ais + "/" + id, `[]`, ""},
		{"POST", ais + "/" + id + "/run", `{"dataFilterStartTime": "soon"}`, "dataFilterStartTime"},
		{"POST", ais + "/" + id + "/run", `{"dataFilterStartTime": 20, "dataFilterEndTime": 10}`, "dataFilterEndTime"},
		{"POST", ais + "/" + id + "/run", `{"everything": true}`, "everything"},
	} {
		s.call(c.method, c.path, c.body).refused(400, "100910-400", c.mention)
	}
	const absent = "0b6f3a57-1111-4222-8333-444455556666"
	s.call("PATCH", ais+"/"+absent, `{"description": "x"}`).refused(404, "100940-404")
	s.call("DELETE", ais+"/"+absent, "").refused(404, "100940-404")
	s.call("POST", ais+"/"+absent+"/run", "").refused(404, "100940-404")
	s.call("GET", ais+"/task/"+absent, "").refused(404, "100940-404")
	s.call("GET", ais+"/"+id+"/run/"+absent, "").refused(404, "100940-404")
	s.call("GET", "/data/core/ais/nothing-here", "").refused(404, "100940-404")
	if after := s.state(); after != before {
		t.Errorf("refused calls changed something:\n%s\nwas\n%s", after, before)
	}
}

func manyPeople(n int) string {
	var b strings.Builder
	b.WriteString("mail,points\n")
	for i := range n {
		fmt.Fprintf(&b, "person%d@example.com,%d\n", i, i)
	}
	return b.String()
}
