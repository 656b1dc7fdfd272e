package api

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
)

// sample is the seed's audience in a response, without the parts that differ between responses.
const sample = `"description":"A sample version of an external audience","fields":[{"name":"ppid","type":"string","identityNs":"Email"},` +
	`{"name":"list_id","type":"string","labels":["core/C2","custom/deep"]},{"name":"delete","type":"number"},{"name":"process_consent","type":"string"}],` +
	`"sourceSpec":{"path":"activation/sample-source/example.csv","type":"file","sourceType":"Cloud Storage","baseConnectionId":"1d1d4bc5-b527-46a3-9863-530246a61b2b"},` +
	`"ttlInDays":40,"labels":["core/C1"],"audienceType":"people","originName":"CUSTOM_UPLOAD","namespace":"CustomerAudienceUpload",` +
	`"createdBy":"` + clientID + `","createdAt":1749624273,"updatedBy":"` + clientID + `","updatedAt":1749624273}`

func TestSubmit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.do("POST", "/data/core/ais/external-audience/submit", validSubmit)
	want := `{"taskId":"` + taskID + `","name":"Sample external audience",` + sample + "\n"
	if rec.Code != http.StatusOK || rec.Body.String() != want {
		t.Errorf("submit: %d\n got %s\nwant %s", rec.Code, rec.Body, want)
	}
	rec = w.do("POST", "/data/core/ais/external-audience/", validSubmit)
	want = `{"operationId":"` + taskID + `","operationDetails":{"name":"Sample external audience",` + sample + "}\n"
	if rec.Code != http.StatusAccepted || rec.Body.String() != want {
		t.Errorf("create: %d\n got %s\nwant %s", rec.Code, rec.Body, want)
	}

	nested := submitWith(`"sourceSpec": {`, `"profileIngestion": false, "expressActivation": false, "customAudienceId": "x1", "sourceSpec": {"params": {`)
	nested = strings.Replace(nested, `"1d1d4bc5-b527-46a3-9863-530246a61b2b"`, `"1d1d4bc5-b527-46a3-9863-530246a61b2b"}`, 1)
	a := ok[client.Audience](t, w.do("POST", external+"/submit", nested, "Content-Type", "application/vnd.adobe+json; charset=utf-8"), 200)
	if a.SourceSpec.Params == nil || a.SourceSpec.Path != "" || a.SourceSpec.Where().Path != "activation/sample-source/example.csv" {
		t.Errorf("the source was given inside params, but is %+v", a.SourceSpec)
	}
	if a.ProfileIngestion == nil || *a.ProfileIngestion || a.CustomAudienceID != "x1" {
		t.Errorf("%+v", a)
	}
	if d := last[control.Draft](t, w.service); !d.Source.OtherForm || d.ProfileIngestion || d.TTLDays != 40 {
		t.Errorf("%+v", d)
	}

	w.do("POST", external+"/submit", submitWith(`"ttlInDays": "40",`, ``), "Content-Type", "")
	if d := last[control.Draft](t, w.service); d.Source.OtherForm || !d.ProfileIngestion || d.TTLDays != 30 {
		t.Errorf("defaults: %+v", d)
	}
}

// TestSourceInParams checks that errors and warnings about a source inside params use the property names of the
// request.
func TestSourceInParams(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.task.Status, w.service.task.Error = audience.Failed, audience.InvalidField("sourceSpec.path", "the file does not exist")
	w.service.task.Warnings = []audience.Warning{{Code: audience.WarnPathAbsent, Detail: "sourceSpec.path: no file yet"}}
	w.service.task.Draft.Source.OtherForm = true
	task := ok[client.Task](t, w.do("GET", external+"/task/"+taskID, ""), 200)
	if task.Error.Detail != "sourceSpec.params.path: the file does not exist" || task.Error.Problems[0].Path != "sourceSpec.params.path" {
		t.Errorf("the task failed with %+v", task.Error)
	}
	if task.Warnings[0].Detail != "sourceSpec.params.path: no file yet" {
		t.Errorf("warnings %+v", task.Warnings)
	}
	twice := `{"sourceSpec": {"params": {"path": "a.csv", "type": "file", "cloudType": "DLZ", "encryption": {"publicKeyId": "a", "signVerificationId": "b", "signVerificationKeyId": "c"}}}}`
	rec := w.do("PUT", external+"/"+audienceID+"/source", twice)
	if body := rec.Body.String(); rec.Code != 400 || strings.Count(body, "sourceSpec.params.encryption.signVerificationId") != 2 {
		t.Errorf("%d %s", rec.Code, body)
	}
}

func TestTask(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	refused := audience.InvalidField("sourceSpec.path", "the file does not exist")
	for _, c := range []struct {
		status audience.Status
		err    *audience.Error
		want   string
	}{
		{audience.Success, nil, `{"taskId":"` + taskID + `","audienceId":"` + audienceID + `","status":"SUCCESS"}`},
		{audience.Processing, nil, `{"taskId":"` + taskID + `","status":"PROCESSING"}`},
		{audience.Failed, refused, `{"taskId":"` + taskID + `","status":"FAILED","error":{"code":"100910-400","message":"BAD_REQUEST",` +
			`"detail":"sourceSpec.path: the file does not exist","problems":[{"path":"sourceSpec.path","message":"the file does not exist"}]}}`},
	} {
		w.service.task.Status, w.service.task.Error = c.status, c.err
		for _, path := range []string{external, externals} {
			if rec := w.do("GET", path+"/task/"+taskID, ""); rec.Code != 200 || rec.Body.String() != c.want+"\n" {
				t.Errorf("%d\n got %s\nwant %s", rec.Code, rec.Body, c.want)
			}
			op := ok[client.Operation](t, w.do("GET", path+"/operations/"+strings.ToUpper(taskID), ""), 200)
			if op.OperationID != taskID || op.AudienceName != "Sample external audience" || op.Status != string(c.status) ||
				(op.AudienceID != "") != (c.status == audience.Success) || op.CreatedAt != 1749324248 || op.UpdatedAt != 1749624273 ||
				op.OperationDetails.TTLInDays != 40 || (op.Error != nil) != (c.err != nil) {
				t.Errorf("%+v", op)
			}
		}
	}
}

func TestUpdateAudience(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// curl sends a form content type by default.
	rec := w.do("PATCH", external+"/"+audienceID, `{"description": "New sample description"}`, "Content-Type", "application/x-www-form-urlencoded")
	a := ok[client.Audience](t, rec, 200)
	if a.AudienceID != audienceID || a.Name != a.AudienceName || a.Description != "New sample description" || a.AudienceMeta != nil {
		t.Errorf("%+v", a)
	}
	if !strings.HasPrefix(rec.Body.String(), `{"audienceId":"`+audienceID+`","name":"Sample external audience","audienceName":`) {
		t.Errorf("%s", rec.Body)
	}
	w.do("PATCH", external+"/"+audienceID, `{"labels": [], "fields": [{"name": "ppid", "labels": ["core/I1"]}], "ttlInDays": "20"}`)
	p := last[control.Patch](t, w.service)
	if p.Description != nil || p.Labels == nil || len(*p.Labels) != 0 || *p.TTLDays != 20 ||
		!reflect.DeepEqual(p.Fields, []control.FieldPatch{{Name: "ppid", Labels: &[]string{"core/I1"}}}) {
		t.Errorf("%+v", p)
	}
}

func TestReadAudiences(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := ok[client.Audience](t, w.do("GET", external+"/"+strings.ToUpper(audienceID)+"/", ""), 200)
	if want := (client.AudienceMeta{Members: 3, LastRunID: runID, ExpiresAt: 1749624273 + 40*24*3600}); *a.AudienceMeta != want {
		t.Errorf("%+v, want %+v", *a.AudienceMeta, want)
	}
	list := ok[client.AudienceList](t, w.do("GET", external+"?limit=1&start=1", ""), 200)
	if want := (client.Page{Limit: 1, Count: 1, TotalCount: 3, Next: "2"}); list.Page != want || list.Audiences[0].AudienceMeta == nil {
		t.Errorf("%+v", list)
	}
	if got := last[audience.AudienceQuery](t, w.service); !reflect.DeepEqual(got, audience.AudienceQuery{Limit: 1, Offset: 1}) {
		t.Errorf("%+v", got)
	}
	if page := ok[client.AudienceList](t, w.do("GET", external+"?limit=1&start=2", ""), 200).Page; page.Next != "" {
		t.Errorf("the last page has a next: %+v", page)
	}
	if rec := w.do("DELETE", external+"/"+audienceID, ""); rec.Code != 204 || rec.Body.Len() != 0 {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

func TestStartRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := external + "/" + audienceID + "/run"
	rec := w.do("POST", path, `{"dataFilterStartTime": 764245635}`, "Content-Type", "application/x-www-form-urlencoded")
	want := `{"name":"Sample external audience","audienceId":"` + audienceID + `","runId":"` + runID +
		`","differentialIngestion":true,"dataFilterStartTime":764245635,"dataFilterEndTime":1749624273}` + "\n"
	if rec.Code != 200 || rec.Body.String() != want {
		t.Errorf("%d\n got %s\nwant %s", rec.Code, rec.Body, want)
	}
	rec = w.do("POST", path+"s", "")
	want = `{"name":"Sample external audience","audienceName":"Sample external audience","audienceId":"` + audienceID + `","runId":"` + runID +
		`","differentialIngestion":true,"dataFilterStartTime":0,"dataFilterEndTime":1749624273,"createdAt":1749624273,"createdBy":"` + clientID + `"}` + "\n"
	if rec.Code != 200 || rec.Body.String() != want {
		t.Errorf("%d\n got %s\nwant %s", rec.Code, rec.Body, want)
	}
	for body, want := range map[string]audience.RunRequest{
		``:   {Differential: true},
		` `:  {Differential: true},
		`{}`: {Differential: true},
		`{"differentialIngestion": false, "reason": "r"}`:                       {Reason: "r"},
		`{"dataFilterStartTime": "0", "dataFilterEndTime": "1749624273123"}`:    {Differential: true, WindowEnd: time.UnixMilli(1749624273123).UTC()},
		`{"dataFilterStartTime": 100000000000, "dryRun": false, "force":false}`: {Differential: true, WindowStart: time.Unix(100000000000, 0).UTC()},
		`{"dataFilterStartTime": 100000000001}`:                                 {Differential: true, WindowStart: time.UnixMilli(100000000001).UTC()},
	} {
		ok[client.StartedRun](t, w.do("POST", path, body), 200)
		if got := last[audience.RunRequest](t, w.service); got != want {
			t.Errorf("%s: %+v, want %+v", body, got, want)
		}
	}
	started := ok[client.StartedRun](t, w.do("POST", path, `{"dataFilterStartTime": 764245635123}`), 200)
	if started.DataFilterStartTime != 764245635 {
		t.Errorf("milliseconds came back as %d", started.DataFilterStartTime)
	}
}

func TestFormatAndGuards(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const format = `"format":{"type":"csv","delimiter":";","header":false,"nullValues":["NULL"],"dateFormats":["dd/MM/yyyy"]}`
	const guards = `"guards":{"maxRejectedPercent":2.5,"maxRemovedPercent":0,"allowMissingColumns":true},"keepRejectedRows":true`
	body := strings.Replace(submitWith(`"type": "file"`, `"type": "file", `+format), `"ttlInDays"`, guards+`, "ttlInDays"`, 1)
	rec := w.do("POST", external+"/submit", body)
	if rec.Code != 200 || !strings.Contains(rec.Body.String(), format) || !strings.Contains(rec.Body.String(), guards) {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	rec = w.do("PATCH", external+"/"+audienceID, `{"guards": {"maxGrowthPercent": 250}, "keepRejectedRows": false}`)
	if rec.Code != 200 {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	p, ok := w.service.calls[len(w.service.calls)-1].(control.Patch)
	if !ok || p.Guards == nil || *p.Guards.MaxGrowthPercent != 250 || p.KeepRejectedRows == nil || *p.KeepRejectedRows {
		t.Fatalf("%+v", p)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := external + "/" + audienceID + "/run/" + runID
	w.service.run.Progress = audience.Progress{Step: "read", BytesDone: 1, BytesTotal: 2, Rows: 3}
	running := ok[client.Run](t, w.do("GET", path, ""), 200)
	if running.Progress == nil || *running.Progress != (client.RunProgress{Step: "read", BytesDone: 1, BytesTotal: 2, Rows: 3}) ||
		running.Rows != nil || running.Members != nil || running.Files != nil || running.Details == nil {
		t.Errorf("%+v", running)
	}

	rows := audience.Rows{Read: 3, Rejected: 1, Added: 2}
	r := &w.service.run
	r.Status = audience.Success
	r.Stages = []audience.StageResult{
		{Stage: audience.StageDataset, Status: audience.Success, FlowRunID: absentID, Metrics: audience.StageMetrics{InputFiles: 1, Seconds: map[string]float64{"read": 0.5}}},
		{Stage: audience.StageProfile, Status: audience.Success, FlowRunID: absentID},
	}
	r.Result = audience.RunResult{Rows: rows, Members: audience.Members{After: 2}, SnapshotID: 1<<62 + 1, ContentSum: 1<<63 + 5,
		Files: []audience.FileResult{{PlannedFile: audience.PlannedFile{Path: "in.csv", Size: 9, ModifiedAt: testNow, Version: "v", Status: audience.FileRead},
			Rows: rows, ExtraColumns: []string{"more"}}},
		Rejects: []audience.RejectSample{{File: "in.csv", Line: 3, Column: "ppid", Code: "EMPTY_IDENTITY", Reason: "is empty"}}}
	rec := w.do("GET", path, "")
	const metrics = `"inputBytes":0,"inputRecordCount":0,"outputFileCount":0,"outputBytes":0,"outputRecordCount":0,"failedRecordCount":0`
	const ledger = `"rows":{"rowsRead":3,"rowsRejected":1,"duplicates":0,"added":2,"updated":0,"unchanged":0,"deleted":0,"deletedNotMember":0}`
	const stage = `,"status":"SUCCESS","flowId":"` + flowID + `","flowRunId":"` + absentID + `","metrics":{"inputFileCount":`
	want := `{"name":"Sample external audience","audienceName":"Sample external audience","audienceId":"` + audienceID + `","runId":"` + runID +
		`","status":"SUCCESS","differentialIngestion":true,"dataFilterStartTime":764245635,"dataFilterEndTime":1749624273,"ingestionTime":1749624273,` +
		`"createdAt":1749624273,"createdBy":"` + clientID + `","details":[{"stage":"DATASET_INGEST"` + stage + `1,` + metrics + `,"seconds":{"read":0.5}}},` +
		`{"stage":"PROFILE_STORE_INGEST"` + stage + `0,` + metrics + `}}],` + ledger + `,"members":{"before":0,"after":2,"removed":0,"expired":0},` +
		`"files":[{"path":"in.csv","size":9,"modifiedAt":1749624273,"version":"v","status":"read",` + ledger + `,"extraColumns":["more"]}],` +
		`"rejects":[{"file":"in.csv","line":3,"column":"ppid","code":"EMPTY_IDENTITY","reason":"is empty"}],"contentSum":"9223372036854775813","snapshotId":"4611686018427387905"}` + "\n"
	if rec.Body.String() != want {
		t.Errorf("\n got %s\nwant %s", rec.Body, want)
	}

	r.Status, r.Result = audience.Failed, audience.RunResult{}
	r.Error = audience.Errorf(audience.Impossible, "in.csv: the file is empty: %w", errors.New("hidden"))
	failed := ok[client.Run](t, w.do("GET", path, ""), 200)
	if failed.Error == nil || failed.Error.Code != "100960-422" || failed.Error.Message != "UNPROCESSABLE_ENTITY" || failed.Rows != nil || failed.Progress != nil {
		t.Errorf("%+v %+v", failed, failed.Error)
	}
	r.Result.Files = []audience.FileResult{{PlannedFile: audience.PlannedFile{Path: "in.csv", Status: audience.FileRead}}}
	if failed := ok[client.Run](t, w.do("GET", path, ""), 200); failed.Rows == nil || failed.Members != nil || len(failed.Files) != 1 {
		t.Errorf("%+v", failed)
	}
}

func TestListRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := external + "/" + audienceID + "/runs"
	list := ok[client.RunList](t, w.do("GET", path, ""), 200)
	if len(list.Runs) != 1 || list.Page != (client.Page{Limit: 20, Count: 1, TotalCount: 1}) {
		t.Errorf("%+v", list)
	}
	for query, want := range map[string]audience.RunQuery{
		"":                           {Limit: 20, SortBy: "createdAt", Descending: true},
		"?limit=40&start=40":         {Limit: 40, Offset: 40, SortBy: "createdAt", Descending: true},
		"?sortBy=-ingestionTime":     {Limit: 20, SortBy: "createdAt", Descending: true},
		"?sortBy=createdAt":          {Limit: 20, SortBy: "createdAt"},
		"?sortBy=-name":              {Limit: 20, SortBy: "name", Descending: true},
		"?property=status%21=FAILED": {Limit: 20, SortBy: "createdAt", Descending: true, Filters: []audience.RunFilter{{Property: "status", Op: "!=", Value: "FAILED"}}},
		"?property=name=containsloyal%20list&property=name!=contains%20x": {Limit: 20, SortBy: "createdAt", Descending: true, Filters: []audience.RunFilter{
			{Property: "name", Op: "=contains", Value: "loyal list"}, {Property: "name", Op: "!=contains", Value: "x"}}},
		"?property=ingestionTime%3E=1749324248&property=createdAt%3C1749324249999": {Limit: 20, SortBy: "createdAt", Descending: true, Filters: []audience.RunFilter{
			{Property: "createdAt", Op: ">=", Value: "1749324248"}, {Property: "createdAt", Op: "<", Value: "1749324249"}}},
	} {
		ok[client.RunList](t, w.do("GET", path+query, ""), 200)
		if got := last[audience.RunQuery](t, w.service); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", query, got, want)
		}
	}
}

func TestConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/data/foundation/flowservice/connections"
	ref := ok[client.ConnectionRef](t, w.do("POST", path, `{"name": "files", "auth": {"specName": "none", "params": {"root": "/srv/files"}},
	  "connectionSpec": {"id": "6c1f0c0e-5d0a-4f0e-9a57-0d6f7c1b2a10", "version": "1.0"}}`), 201)
	if ref != (client.ConnectionRef{ID: connID, Etag: `"e"`}) {
		t.Errorf("%+v", ref)
	}
	if c := last[audience.Connection](t, w.service); c.SpecID != audience.SpecLocal || c.Params["root"] != "/srv/files" || c.AuthSpec != "none" {
		t.Errorf("%+v", c)
	}
	oneBody := w.do("GET", path+"/"+connID, "")
	items := ok[client.ConnectionList](t, oneBody, 200).Items
	if len(items) != 1 || items[0].ID != connID || items[0].SandboxName != "prod" || items[0].ImsOrgID != org || items[0].CreatedAt != 1749624273000 {
		t.Errorf("%+v", items)
	}
	if strings.Contains(oneBody.Body.String(), "secret") || items[0].Auth.Params["root"] != "/srv/files" {
		t.Errorf("the answer holds a secret: %s", oneBody.Body)
	}
	files := w.service.conns[0]
	w.service.conns[0].SpecID, w.service.conns[0].AuthSpec, w.service.conns[0].Params = audience.SpecLandingZone, "", nil
	if rec := w.do("GET", path+"/"+connID, ""); !strings.Contains(rec.Body.String(), `"auth":{"specName":"none","params":{}}`) {
		t.Errorf("a connection without parameters: %s", rec.Body)
	}
	w.service.conns[0] = files
	if rec := w.do("GET", path, ""); !strings.Contains(rec.Body.String(), `"_links":{}`) {
		t.Errorf("the last page's links: %s", rec.Body)
	}
	w.service.conns = append(w.service.conns, w.service.conns[0], w.service.conns[0])
	list := ok[client.ConnectionList](t, w.do("GET", path+"?limit=2&property=name==a%3Db", ""), 200)
	href := list.Links.Next.Href
	if len(list.Items) != 2 || strings.Count(href, "=") != 1 || !strings.HasPrefix(href, "/connections?continuationToken=") {
		t.Errorf("%d items, next %s", len(list.Items), href)
	}
	ok[client.ConnectionList](t, w.do("GET", "/data/foundation/flowservice"+href, ""), 200)
	if got, want := last[connectionsArgs](t, w.service), (connectionsArgs{"a=b", connID, 3}); got != want {
		t.Errorf("the next page asks for %+v, want %+v", got, want)
	}
	if rec := w.do("DELETE", path+"/"+connID, ""); rec.Code != 204 {
		t.Errorf("%d", rec.Code)
	}
}

func TestNamespacesAndSandboxes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := ok[[]client.Namespace](t, w.do("GET", "/data/core/idnamespace/identities", ""), 200)
	if len(list) != 16 || list[2] != (client.Namespace{ID: 6, Code: "Email", Name: "Email", Description: list[2].Description, IDType: "Email", Status: "ACTIVE"}) {
		t.Errorf("%+v", list)
	}
	for spelled, want := range map[string]string{"6": "Email", "email": "Email", "WAID": "WAID", "phone_sha256_e.164": "Phone_SHA256_E.164", "0": "CORE"} {
		if n := ok[client.Namespace](t, w.do("GET", "/data/core/idnamespace/identities/"+spelled, ""), 200); n.Code != want {
			t.Errorf("%s: %+v", spelled, n)
		}
	}
	for _, spelled := range []string{"06", "-6", "nobody", "6.0", "%00", "e-mail"} {
		if rec := w.do("GET", "/data/core/idnamespace/identities/"+spelled, ""); rec.Code != http.StatusNotFound {
			t.Errorf("%s: %d %s", spelled, rec.Code, rec.Body)
		}
	}
	n := ok[client.Namespace](t, w.do("POST", "/data/core/idnamespace/identities", `{"name": "Airport", "code": "IATA", "idType": "Cross_device"}`), 201)
	if n != (client.Namespace{ID: 10000, Code: "IATA", Name: "Airport", IDType: "Cross_device", Status: "ACTIVE", Custom: true}) {
		t.Errorf("%+v", n)
	}
	rec := w.do("GET", "/data/foundation/sandbox-management/sandboxes", "")
	want := `{"sandboxes":[{"id":"` + absentID + `","name":"prod","title":"Production","state":"active","type":"production","region":"local","isDefault":true}],"_page":{"limit":1,"count":1},"_links":{}}` + "\n"
	if rec.Body.String() != want {
		t.Errorf("%s", rec.Body)
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.profiles = []control.Profile{{XID: "x1", Found: true, Primary: true, Identity: control.IdentityRef{ID: "ada@example.com", Namespace: "Email"},
		ModifiedAt: testNow, Memberships: []control.Membership{
			{Audience: audienceID, Namespace: "CustomerAudienceUpload", Status: "realized", LastQualification: testNow, ValidUntil: testNow.AddDate(0, 0, 40)},
			{Audience: absentID, Namespace: "Other", Status: "exited", LastQualification: testNow}}}}
	path := "/data/core/ups/access/entities?schema.name=_xdm.context.profile&entityId=Ada@example.com&entityIdNS=email"
	rec := w.do("GET", path, "", "Accept", "application/vnd.adobe.xdm+json")
	want := `{"x1":{"entityId":"x1","sources":["` + absentID + `","` + audienceID + `"],"entity":{"identities":[{"id":"ada@example.com","namespace":{"code":"email"},"primary":true}],` +
		`"segmentMembership":{"CustomerAudienceUpload":{"` + audienceID + `":{"version":"1","lastQualificationTime":"2025-06-11T06:44:33Z","validUntil":"2025-07-21T06:44:33Z","status":"realized"}},` +
		`"Other":{"` + absentID + `":{"version":"1","lastQualificationTime":"2025-06-11T06:44:33Z","status":"exited"}}}},"lastModifiedAt":"2025-06-11T06:44:33Z"}}` + "\n"
	if rec.Code != 200 || rec.Body.String() != want {
		t.Errorf("%d\n got %s\nwant %s", rec.Code, rec.Body, want)
	}
	if got := last[[]control.IdentityRef](t, w.service); !reflect.DeepEqual(got, []control.IdentityRef{{ID: "Ada@example.com", Namespace: "email"}}) {
		t.Errorf("%+v", got)
	}
	p := ok[client.Profiles](t, w.do("GET", path+"&fields=identities", ""), 200)["x1"]
	if len(p.Entity.Identities) != 1 || p.Entity.SegmentMembership != nil {
		t.Errorf("%+v", p)
	}

	w.service.profiles = append(w.service.profiles, control.Profile{XID: "x2"})
	many := w.do("POST", "/core/ups/access/entities", `{"schema": {"name": "_xdm.context.profile"}, "fields": ["segmentMembership.CustomerAudienceUpload"], "limit": "100",
	  "identities": [{"entityId": "ada@example.com", "entityIdNS": {"code": "email"}}, {"entityId": "b", "entityIdNS": {"code": "ECID"}}]}`)
	profiles := ok[client.Profiles](t, many, 200)
	if m, is := profiles["x1"].Membership(audienceID); !is || m.Status != "realized" || profiles["x1"].Entity.Identities != nil || !profiles["x1"].Found() {
		t.Errorf("%+v", profiles["x1"])
	}
	if !strings.Contains(many.Body.String(), `"x2":{"entityId":"x2","sources":[""],"entity":{},"lastModifiedAt":"1970-01-01T00:00:00Z"}`) || profiles["x2"].Found() {
		t.Errorf("%s", many.Body)
	}

	ids := make([]client.IdentityRef, maxIdentities+1)
	for i := range ids {
		ids[i] = client.IdentityRef{EntityID: "a", EntityIDNS: client.NamespaceRef{Code: "email"}}
	}
	for n, status := range map[int]int{maxIdentities: 200, maxIdentities + 1: 400} {
		body, err := json.Marshal(client.LookupRequest{Identities: ids[:n]})
		if err != nil {
			t.Fatal(err)
		}
		if rec := w.do("POST", entities, string(body)); rec.Code != status {
			t.Errorf("%d identities: %d", n, rec.Code)
		}
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const form = "application/x-www-form-urlencoded"
	good := "grant_type=client_credentials&client_id=" + clientID + "&client_secret=open+sesame&scope=openid,session"
	for _, path := range []string{"/ims/token/v3", "/ims/token/v2", "/ims/token/v3/"} {
		tok := ok[client.Token](t, w.do("POST", path, good, "Content-Type", form, "Authorization", "", "x-api-key", ""), 200)
		if tok.TokenType != "bearer" || tok.ExpiresIn != 86399 {
			t.Errorf("%+v", tok)
		}
		if rec := w.do("GET", external, "", "Authorization", "bEARER "+tok.AccessToken); rec.Code != 200 {
			t.Errorf("the token is refused: %s", rec.Body)
		}
	}
	ok[client.Token](t, w.do("POST", "/ims/token/v2?"+good, ""), 200)
	basic := func(id, secret string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
	}
	ok[client.Token](t, w.do("POST", "/ims/token/v3", "grant_type=client_credentials", "Content-Type", form, "Authorization", basic(clientID, "open+sesame")), 200)
	ok[client.TokenFailure](t, w.do("POST", "/ims/token/v3", "grant_type=client_credentials", "Content-Type", form, "Authorization", basic(clientID, "open+barley")), 401)
	for _, c := range []struct {
		form   string
		status int
		want   string
	}{
		{strings.Replace(good, "sesame", "barley", 1), 401, "invalid_client"},
		{strings.Replace(good, clientID, absentID, 1), 401, "invalid_client"},
		{strings.Replace(good, "client_credentials", "password", 1), 400, "unsupported_grant_type"},
		{strings.Replace(good, "grant_type=client_credentials&", "", 1), 400, "invalid_request"},
		{strings.Replace(good, "client_id", "id", 1), 400, "invalid_request"},
		{"a=%zz", 400, "invalid_request"},
		{good + "&x=" + strings.Repeat("x", maxForm), 400, "invalid_request"},
	} {
		f := ok[client.TokenFailure](t, w.do("POST", "/ims/token/v3", c.form, "Content-Type", form), c.status)
		if f.Error != c.want {
			t.Errorf("%+v, want %s", f, c.want)
		}
	}
	if strings.Contains(w.log.String(), "sesame") {
		t.Error("the log holds a secret")
	}
}

func TestOpenCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	none := []string{"Authorization", "", "x-api-key", "", "x-gw-ims-org-id", "", "x-sandbox-name", ""}
	for _, path := range []string{"/healthz", "/readyz", "/openapi.yaml", "/.well-known/jwks.json"} {
		if rec := w.do("GET", path, "", none...); rec.Code != 200 || rec.Body.Len() == 0 {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
	h := New(Config{Service: w.service, Log: slog.New(slog.DiscardHandler), Ready: func() error { return errors.New("the database at db.internal is away") }})
	w.handler = h
	if rec := w.do("GET", "/readyz", ""); rec.Code != 503 || rec.Body.String() != `{"status":"unavailable"}`+"\n" {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.do("GET", "/data/core/ais/external-audience/"+audienceID, "")
	w.do("GET", external+"/"+absentID+"/", "")
	w.do("GET", "/nothing", "")
	w.do("BREW", "/nothing", "")
	got, err := testutil.GatherAndCount(w.metrics, "roster_api_request_duration_seconds")
	if err != nil || got != 4 {
		t.Errorf("%d series, %v", got, err)
	}
}
