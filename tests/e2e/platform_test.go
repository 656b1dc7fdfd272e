package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"roster/client"
	"roster/internal/app"
)

// runOf polls the run until it has ended SUCCESS.
func (s *server) runOf(audience, run string) map[string]any {
	s.t.Helper()
	v := s.poll(ais+"/"+audience+"/runs/"+run, ended)
	if v["status"] != "SUCCESS" {
		s.t.Fatalf("the run ended so: %v", v)
	}
	return v
}

// TestExtendTTL extends the memberships shortly before they end. The extension survives a restart, and ends later.
func TestExtendTTL(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("in.csv", "mail,points\nada@example.com,1\n")
	id := s.submit(submitBody("list", "in.csv"))
	s.call("POST", ais+"/extend-ttl/"+id, "").refused(422, "100960-422", "no run")
	s.ingest(id, "")
	ttl := 24 * time.Hour * time.Duration(s.call("GET", ais+"/"+id, "").ok(200)["ttlInDays"].(float64))

	s.clock.advance(ttl - time.Hour)
	s.token = s.newToken()
	c, err := client.LoadCredentials(app.CredentialsPath(s.dir))
	if err != nil {
		t.Fatal(err)
	}
	started, err := c.ExtendTTL(t.Context(), id)
	if err != nil || started.AudienceID != id || started.Name != "list" {
		t.Fatalf("%+v, %v", started, err)
	}
	run := s.runOf(id, started.RunID)
	if run["kind"] != "extend" || run["members"].(map[string]any)["after"] != 1.0 {
		t.Errorf("%v", run)
	}
	expires := s.call("GET", ais+"/"+id, "").ok(200)["audienceMeta"].(map[string]any)["expiresAt"].(float64)
	if want := run["createdAt"].(float64) + ttl.Seconds(); expires != want {
		t.Errorf("the audience expires at %.0f, want %.0f", expires, want)
	}

	s.stop()
	s.clock.advance(ttl - time.Hour)
	s.open()
	if got := s.lookup("email", "ada@example.com", id); got != "realized" {
		t.Errorf("an hour before the new end ada is %q", got)
	}
	s.clock.advance(2 * time.Hour)
	s.token = s.newToken()
	if got := s.lookup("email", "ada@example.com", id); got != "exited" {
		t.Errorf("after the new end ada is %q", got)
	}
	s.call("POST", ais+"/extend-ttl/"+id, "").refused(422, "100960-422", "expired")
}

// TestFlows follows the ids in a run's details.
func TestFlows(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("in.csv", "mail,points\nada@example.com,1\nbob@example.com,x\n")
	id := s.submit(submitBody("list", "in.csv"))
	const flows = "/data/foundation/flowservice"
	details := s.ingest(id, `{"force": true}`)["details"].([]any)
	for _, d := range details {
		stage := d.(map[string]any)
		item := s.call("GET", flows+"/runs/"+stage["flowRunId"].(string), "").ok(200)["items"].([]any)[0].(map[string]any)
		metrics := item["metrics"].(map[string]any)
		if item["flowId"] != stage["flowId"] || metrics["statusSummary"].(map[string]any)["status"] != "success" {
			t.Errorf("%v", item)
		}
		if stage["stage"] == "DATASET_INGEST" {
			sameJSON(t, "recordSummary", metrics["recordSummary"], `{"inputRecordCount": 2, "outputRecordCount": 1, "failedRecordCount": 1}`)
		}
	}
	flow := details[0].(map[string]any)["flowId"].(string)
	if item := s.call("GET", "/flowservice/flows/"+flow, "").ok(200)["items"].([]any)[0].(map[string]any); item["audienceId"] != id || item["id"] != flow {
		t.Errorf("%v", item)
	}
	if items := s.call("GET", flows+"/runs?property=flowId=="+flow, "").ok(200)["items"].([]any); len(items) != 2 {
		t.Errorf("%v", items)
	}
}

// TestConnectionStory explores, changes and tests a connection.
func TestConnectionStory(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.put("in/a.csv", "mail;points\nada@example.com;12\n")
	path := "/data/foundation/flowservice/connections/" + s.connect()
	s.call("GET", path+"/test", "").ok(200)
	if a := s.call("GET", path+"/explore?objectType=folder&object=in", ""); string(a.body) !=
		`[{"type":"file","name":"a.csv","path":"in/a.csv","canPreview":true,"canFetchSchema":true}]`+"\n" {
		t.Errorf("%d %s", a.status, a.body)
	}
	sameJSON(t, "file", s.call("GET", path+"/explore?objectType=file&object=in/a.csv&preview=true&determineProperties=true", "").ok(200), `{"format": "flat",
		"schema": {"columns": [{"name": "mail", "type": "string", "xdm": {"type": "string"}}, {"name": "points", "type": "long", "xdm": {"type": "long"}}]},
		"data": [{"mail": "ada@example.com", "points": 12}], "properties": {"fileType": "delimited", "columnDelimiter": ";"}}`)

	item := s.call("GET", path, "").ok(200)["items"].([]any)[0].(map[string]any)
	headers := map[string]string{"If-Match": item["etag"].(string)}
	patch := compact([]map[string]string{{"op": "replace", "path": "/auth/params/root", "value": filepath.Join(s.root, "in")}})
	changed := s.callWith("PATCH", path, patch, headers).ok(200)
	if changed["id"] != item["id"] || changed["etag"] == item["etag"] {
		t.Errorf("%v", changed)
	}
	s.callWith("PATCH", path, patch, headers).refused(http.StatusPreconditionFailed, "100910-412", "errorMessage")
	if a := s.call("GET", path+"/explore", ""); string(a.body) != `[{"type":"file","name":"a.csv","path":"a.csv","canPreview":true,"canFetchSchema":true}]`+"\n" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestSandboxes creates a sandbox, uses it, and deletes it with everything in it.
func TestSandboxes(t *testing.T) {
	t.Parallel()
	s := start(t)
	const sandboxes = "/data/foundation/sandbox-management/sandboxes"
	s.land("in.csv", "mail,points\nada@example.com,1\n")
	kept := s.submit(submitBody("list", "in.csv"))
	s.ingest(kept, "")

	s.call("POST", sandboxes, `{"name": "dev", "title": "Development"}`).ok(202)
	s.call("POST", sandboxes, `{"name": "dev", "title": "Development"}`).refused(409, "100950-409", "name")
	prod := s.creds.Sandbox
	s.creds.Sandbox = "dev"
	s.land("in.csv", "mail,points\nada@example.com,1\n")
	gone := s.submit(submitBody("list", "in.csv"))
	s.ingest(gone, "")
	s.call("GET", ais+"/"+kept, "").refused(404, "100940-404")
	s.creds.Sandbox = prod

	if v := s.call("DELETE", sandboxes+"/dev", "").ok(202); v["state"] != "deleting" {
		t.Errorf("%v", v)
	}
	s.stop() // the rest is done after a restart
	s.open()
	s.callWith("GET", ais+"/"+gone, "", map[string]string{"x-sandbox-name": "dev"}).refused(400, "100910-400", "deleting")
	for deadline := time.Now().Add(time.Minute); s.call("GET", sandboxes+"/dev", "").status != http.StatusNotFound; {
		if time.Now().After(deadline) {
			t.Fatal("the sandbox is there still")
		}
		s.clock.advance(10 * time.Second)
		<-time.After(100 * time.Millisecond)
	}
	s.callWith("GET", ais+"/"+gone, "", map[string]string{"x-sandbox-name": "dev"}).refused(400, "100910-400", "dev")
	if _, err := os.Stat(filepath.Join(s.dir, "landing", "dev")); !os.IsNotExist(err) {
		t.Errorf("its landing zone: %v", err)
	}
	if got := s.lookup("email", "ada@example.com", kept); got != "realized" {
		t.Errorf("in the other sandbox ada is %q", got)
	}
	s.call("DELETE", sandboxes+"/"+prod, "").refused(422, "100960-422", "default")
}
