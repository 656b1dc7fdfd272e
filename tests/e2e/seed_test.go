package e2e

import (
	"fmt"
	"strings"
	"testing"

	"roster/internal/app"
	"roster/internal/meta/metatest"
)

// seedSubmit is the request of the seed document with the id of a connection.
const seedSubmit = `{
  "name": "Sample external audience",
  "description": "A sample version of an external audience",
  "fields": [
    {"name": "ppid", "type": "string", "identityNs": "email"},
    {"name": "list_id", "type": "string", "labels": ["core/C2", "custom/deep"]},
    {"name": "delete", "type": "number"},
    {"name": "process_consent", "type": "string"}
  ],
  "sourceSpec": {
    "path": "activation/sample-source/example.csv", "type": "file", "sourceType": "Cloud Storage", "baseConnectionId": %q
  },
  "ttlInDays": "40",
  "labels": ["core/C1"],
  "audienceType": "people",
  "originName": "CUSTOM_UPLOAD"
}`

// seedAudience is the part of every response about that audience. profileIngestion and namespace are in the seed
// document's table of properties, but not in its sample.
const seedAudience = `
  "name": "Sample external audience",
  "description": %q,
  "fields": [
    {"name": "ppid", "type": "string", "identityNs": "Email"},
    {"name": "list_id", "type": "string", "labels": ["core/C2", "custom/deep"]},
    {"name": "delete", "type": "number"},
    {"name": "process_consent", "type": "string"}
  ],
  "sourceSpec": {
    "path": "activation/sample-source/example.csv", "type": "file", "sourceType": "Cloud Storage", "cloudType?": "<any>", "baseConnectionId": %q
  },
  "ttlInDays": %d,
  "labels": ["core/C1"],
  "audienceType": "people",
  "originName": "CUSTOM_UPLOAD",
  "namespace": "CustomerAudienceUpload",
  "profileIngestion?": true,
  "tags?": [],
  "createdBy": %q, "createdAt": "<epoch>", "updatedBy": %q, "updatedAt": "<epoch>"`

const seedFile = "ppid,list_id,delete,process_consent\r\n" +
	"ada@example.com,l-1,0,y\r\n" +
	" Grace@Example.com ,l-2,,n\r\n" +
	"\"alan@example.com\",\"l, \"\"3\"\"\",1,y\r\n"

// TestSeed runs the seed document call by call, on both engines of the metadata store.
func TestSeed(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		walkThroughSeed(t, start(t), local)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		url := metatest.PostgresURL(t)
		walkThroughSeed(t, start(t, func(c *app.Config) { c.DatabaseURL = url }), local)
	})
}

// local is a source of files in a folder of the server's machine.
func local(_ *testing.T, s *server) place { return place{put: s.put, connect: s.connect} }

// walkThroughSeed runs the calls of the seed document with a file in a place.
func walkThroughSeed(t *testing.T, s *server, where func(*testing.T, *server) place) {
	p := where(t, s)
	p.put("activation/sample-source/example.csv", seedFile)
	conn := p.connect()
	audienceJSON := func(description string, ttl int, more string) string {
		return "{" + more + fmt.Sprintf(seedAudience, description, conn, ttl, s.creds.ClientID, s.creds.ClientID) + "}"
	}
	const description = "A sample version of an external audience"

	got := s.call("POST", "/data/core/ais/external-audience/submit", fmt.Sprintf(seedSubmit, conn)).
		is(200, audienceJSON(description, 40, `"taskId": "<uuid>",`))
	task := got["taskId"].(string)

	var audience string
	for _, path := range []string{
		"/data/core/ais/external-audience/task/", "/data/core/ais/external-audiences/task/",
		"/core/ais/external-audience/task/", "/core/ais/external-audiences/task/",
	} {
		s.poll(path+task, ended)
		v := s.call("GET", path+task, "").is(200, fmt.Sprintf(`{"taskId": %q, "audienceId": "<uuid>", "status": "SUCCESS",
			"warnings": [{"code": "DELETE_WITHOUT_ROLE", "detail": "<any>"}, {"code": "CONSENT_WITHOUT_ROLE", "detail": "<any>"}]}`, task))
		audience = v["audienceId"].(string)
	}

	id := fmt.Sprintf(`"audienceId": %q, "audienceName": "Sample external audience", `, audience)
	s.call("PATCH", ais+"/"+audience, `{"description": "New sample description"}`).
		is(200, audienceJSON("New sample description", 40, id))
	s.call("PATCH", ais+"/"+audience, `{"ttlInDays": "20"}`).is(200, audienceJSON("New sample description", 20, id))

	v := s.call("POST", ais+"/"+audience+"/run", `{"dataFilterStartTime": 764245635}`).is(200, fmt.Sprintf(`{
	  "name": "Sample external audience", "audienceName?": "Sample external audience", "audienceId": %q, "runId": "<uuid>",
	  "differentialIngestion": true, "dataFilterStartTime": 764245635, "dataFilterEndTime": "<epoch>",
	  "createdAt?": "<epoch>", "createdBy?": %q}`, audience, s.creds.ClientID))
	run := v["runId"].(string)

	ran := s.poll(ais+"/"+audience+"/run/"+run, ended)
	sameJSON(t, "the run", ran, fmt.Sprintf(`{
	  "name": "Sample external audience", "audienceName": "Sample external audience",
	  "audienceId": %q, "runId": %q, "status": "SUCCESS", "differentialIngestion": true,
	  "dataFilterStartTime": 764245635, "dataFilterEndTime": "<epoch>",
	  "ingestionTime": "<epoch>", "createdAt": "<epoch>", "createdBy": %q,
	  "details": [
	    {"stage": "DATASET_INGEST", "status": "SUCCESS", "flowId": "<uuid>", "flowRunId": "<uuid>", "metrics": "<any>"},
	    {"stage": "PROFILE_STORE_INGEST", "status": "SUCCESS", "flowId": "<uuid>", "flowRunId": "<uuid>", "metrics": "<any>"}
	  ],
	  "rows": {"rowsRead": 3, "rowsRejected": 0, "duplicates": 0, "added": 3, "updated": 0, "unchanged": 0, "deleted": 0, "deletedNotMember": 0},
	  "members": {"before": 0, "after": 3, "removed": 0, "expired": 0},
	  "files": [{"path": "activation/sample-source/example.csv", "size": %d, "modifiedAt": "<epoch>", "version": "<any>", "status": "read",
	    "rows": {"rowsRead": 3, "rowsRejected": 0, "duplicates": 0, "added": 3, "updated": 0, "unchanged": 0, "deleted": 0, "deletedNotMember": 0}, "format": "<any>"}],
	  "guards": ["<any>"], "contentSum": "<any>", "progress?": "<any>", "snapshotId?": "<any>"}`,
		audience, run, s.creds.ClientID, len(seedFile)))
	s.call("GET", "/core/ais/external-audience/"+audience+"/runs/"+run, "").ok(200)

	list := s.call("GET", ais+"/"+audience+"/runs", "").is(200, `{"runs": ["<any>"], "_page": {"limit": 20, "count": 1, "totalCount": 1}}`)
	sameJSON(t, "the run in the list", list["runs"].([]any)[0], compact(ran))

	for _, person := range []string{"ada@example.com", "GRACE@example.com", "alan@example.com"} {
		if got := s.lookup("email", person, audience); got != "realized" {
			t.Errorf("%s is %q", person, got)
		}
	}
	if got := s.lookup("email", "nobody@example.com", audience); got != "" {
		t.Errorf("a stranger is %q", got)
	}

	if a := s.call("DELETE", ais+"/"+audience, ""); a.status != 204 || len(a.body) != 0 {
		t.Errorf("delete: %d %s", a.status, a.body)
	}
	s.call("GET", ais+"/"+audience, "").refused(404, "100940-404")
	s.call("POST", ais+"/"+audience+"/run", "{}").refused(404, "100940-404")
	s.call("GET", ais+"/"+audience+"/run/"+run, "").refused(404, "100940-404")
	if got := s.lookup("email", "ada@example.com", audience); got != "" {
		t.Errorf("after the audience was deleted ada is %q", got)
	}
}

// TestLaterGeneration creates the same audience with the calls of the later generation.
func TestLaterGeneration(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("vip/vip.csv", "mail,points\nada@example.com,1\n")
	body := `{"name": "VIP", "fields": [{"name": "mail", "type": "string", "identityNs": "EMAIL"}, {"name": "points", "type": "long"}],
	  "sourceSpec": {"params": {"path": "dlz-user-container/vip/vip.csv", "type": "file", "cloudType": "DLZ"}}, "originName": "CUSTOM_UPLOAD"}`
	v := s.call("POST", ais+"/", body).ok(202)
	op := v["operationId"].(string)
	if name := v["operationDetails"].(map[string]any)["name"]; name != "VIP" {
		t.Errorf("operationDetails: %v", v)
	}
	done := s.poll(ais+"/operations/"+op, ended)
	sameJSON(t, "the operation", done, fmt.Sprintf(`{"operationId": %q, "status": "SUCCESS", "operationDetails": "<any>", "audienceName": "VIP",
	  "audienceId": "<uuid>", "createdBy": %[2]q, "createdAt": "<epoch>", "updatedBy": %[2]q, "updatedAt": "<epoch>"}`, op, s.creds.ClientID))
	id := done["audienceId"].(string)
	s.call("GET", "/core/ais/external-audiences/operations/"+op, "").ok(200)

	run := s.call("POST", ais+"/"+id+"/runs", `{"dataFilterStartTime": "764245635000"}`).ok(200)
	if run["dataFilterStartTime"] != 764245635.0 {
		t.Errorf("milliseconds came back as %v", run["dataFilterStartTime"])
	}
	ran := s.poll(ais+"/"+id+"/runs/"+run["runId"].(string), ended)
	if ran["status"] != "SUCCESS" {
		t.Errorf("run: %v", ran)
	}
	one := s.call("GET", ais+"/"+id+"/", "").ok(200)
	if !strings.Contains(compact(one), run["runId"].(string)) {
		t.Errorf("the audience does not name its last run: %v", one)
	}
}
