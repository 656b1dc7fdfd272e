package api

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
)

func TestExtendTTL(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{external, externals} {
		for _, body := range []string{"", "{}"} {
			rec := w.do("POST", "/data"+path+"/extend-ttl/"+strings.ToUpper(audienceID), body)
			want := `{"audienceId":"` + audienceID + `","name":"Sample external audience","audienceName":"Sample external audience","runId":"` + runID + "\"}\n"
			if rec.Code != http.StatusOK || rec.Body.String() != want {
				t.Errorf("%d %s", rec.Code, rec.Body)
			}
		}
	}
	if rec := w.do("POST", external+"/extend-ttl/"+audienceID, `{"ttlInDays": 3}`); rec.Code != http.StatusBadRequest {
		t.Errorf("a body with something in it: %d %s", rec.Code, rec.Body)
	}
	if rec := w.do("POST", external+"/extend-ttl/"+absentID, ""); rec.Code != http.StatusNotFound {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	w.service.err = audience.Errorf(audience.Impossible, "all members have expired")
	if rec := w.do("POST", external+"/extend-ttl/"+audienceID, ""); rec.Code != http.StatusUnprocessableEntity {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

func TestFlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := ok[client.FlowList](t, w.do("GET", "/data"+flowservice+"/flows/"+flowID, ""), 200)
	want := client.Flow{ID: audience.FlowID(audienceID), Name: "Sample external audience", Description: "A sample version of an external audience", State: "enabled", Version: "1.0",
		Etag: w.service.audience.Etag(), AudienceID: audienceID, FlowSpec: client.ConnectionSpec{ID: specCloudFlow, Version: "1.0"},
		SourceConnectionIDs: []string{connID}, TargetConnectionIDs: []string{},
		InheritedAttributes: client.FlowInherited{Properties: client.FlowProperties{IsSourceFlow: true}, SourceConnections: []client.FlowSource{{ID: connID}},
			TargetConnections: []client.FlowTarget{{ConnectionSpec: client.ConnectionSpec{ID: specDataLake, Version: "1.0"}}, {ConnectionSpec: client.ConnectionSpec{ID: specProfileStore, Version: "1.0"}}}},
		LastRunDetails: &client.FlowLastRun{ID: profileRun, State: "inProgress", StartedAtUTC: testNow.UnixMilli()},
		CreatedAt:      1749324248000, UpdatedAt: 1749624273000, CreatedBy: clientID, UpdatedBy: clientID, SandboxName: "prod", ImsOrgID: org}
	if len(list.Items) != 1 || !reflect.DeepEqual(list.Items[0], want) {
		t.Errorf("\n got %+v\nwant %+v", list.Items, want)
	}
	w.service.audience.State, w.service.audience.Source.BaseConnectionID = audience.StateInactive, ""
	if f := ok[client.FlowList](t, w.do("GET", flowservice+"/flows/"+flowID, ""), 200).Items[0]; f.State != "disabled" || len(f.SourceConnectionIDs) != 0 {
		t.Errorf("%+v", f)
	}
	if rec := w.do("GET", flowservice+"/flows/"+absentID, ""); rec.Code != http.StatusNotFound {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

func TestFlowRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := ok[client.FlowRunList](t, w.do("GET", flowservice+"/runs/"+flowRunID, ""), 200)
	want := client.FlowMetrics{
		DurationSummary: client.FlowDuration{StartedAtUTC: testNow.UnixMilli(), CompletedAtUTC: testNow.UnixMilli()},
		SizeSummary:     client.FlowSize{InputBytes: 21, OutputBytes: 99},
		RecordSummary:   client.FlowRecords{InputRecordCount: 3, OutputRecordCount: 2, FailedRecordCount: 1},
		FileSummary:     client.FlowFiles{InputFileCount: 1, OutputFileCount: 1},
		StatusSummary:   client.FlowStatus{Status: "success", Errors: []client.FlowError{}},
	}
	if r := list.Items[0]; len(list.Items) != 1 || r.ID != flowRunID || r.FlowID != flowID || r.RunID != runID || r.Stage != "DATASET_INGEST" ||
		r.CreatedAt != testNow.UnixMilli() || !reflect.DeepEqual(r.Metrics, want) {
		t.Errorf("%+v", list.Items)
	}

	failed := audience.Run{Stages: []audience.StageResult{{Status: audience.Failed, Error: audience.Errorf(audience.BadGateway, "the source is down")}}}
	if got := flowRunBody(&failed, 0).Metrics.StatusSummary; got.Status != "failed" || !reflect.DeepEqual(got.Errors, []client.FlowError{{Code: "100970-502", Message: "the source is down"}}) {
		t.Errorf("%+v", got)
	}
}

// TestFlowRuns reads the runs of a flow page by page, as clients do that split the link at its first "=".
func TestFlowRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	query := "property=flowId==" + flowID + "&limit=4&count=False"
	var stages []string
	for pages := 0; ; pages++ {
		list := ok[client.FlowRunList](t, w.do("GET", flowservice+"/runs?"+query, ""), 200)
		for _, r := range list.Items {
			stages = append(stages, r.Stage[:7])
		}
		if list.Links.Next == nil {
			if want := "DATASET PROFILE DATASET PROFILE DATASET PROFILE"; strings.Join(stages, " ") != want || pages != 1 {
				t.Errorf("%v in %d pages, want %s", stages, pages+1, want)
			}
			break
		}
		parts := strings.Split(list.Links.Next.Href, "=")
		if len(parts) != 2 || parts[0] != "/runs?continuationToken" {
			t.Fatalf("the next page is %s", list.Links.Next.Href)
		}
		query = "limit=4&continuationToken=" + parts[1]
	}
	// A page may end between the stages of a run.
	var seqs int
	for query = "property=flowId==" + flowID + "&limit=1"; query != ""; seqs++ {
		list := ok[client.FlowRunList](t, w.do("GET", flowservice+"/runs?"+query, ""), 200)
		if len(list.Items) != 1 || seqs > 6 {
			t.Fatalf("page %d has %d runs", seqs, len(list.Items))
		}
		if query = ""; list.Links.Next != nil {
			_, query, _ = strings.Cut(list.Links.Next.Href, "?")
		}
	}
	if seqs != 6 {
		t.Errorf("%d pages of one run, want 6", seqs)
	}
	for first, want := range map[string]string{
		"?property=id==" + flowRunID + "," + profileRun + "," + absentID:                                    "DATASET PROFILE",
		"?limit=1&property=id==" + flowRunID + "," + profileRun:                                             "DATASET PROFILE",
		"?property=metrics.statusSummary.status==success":                                                   "DATASET DATASET DATASET",
		"?limit=1&property=metrics.statusSummary.status==success":                                           "DATASET DATASET DATASET",
		"?limit=2&property=metrics.statusSummary.status==IN_PROGRESS":                                       "PROFILE PROFILE PROFILE",
		"?property=metrics.statusSummary.status==failed":                                                    "",
		"?property=id==" + flowRunID + "," + profileRun + "&property=metrics.statusSummary.status==success": "DATASET",
		"?property=id==" + flowRunID + "&property=flowId==" + absentID:                                      "",
		"?property=name==x&property=id==" + flowRunID:                                                       "",
	} {
		var got []string
		for query, pages := first, 0; query != "" && pages < 9; pages++ {
			list := ok[client.FlowRunList](t, w.do("GET", flowservice+"/runs"+query, ""), 200)
			for _, r := range list.Items {
				got = append(got, r.Stage[:7])
			}
			if query = ""; list.Links.Next != nil {
				query = strings.TrimPrefix(list.Links.Next.Href, "/runs")
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", first, got, want)
		}
	}
	ok[client.FlowRunList](t, w.do("GET", flowservice+"/runs?property=name==Sample&property=flowId=="+flowID, ""), 200)
	if q := last[control.FlowRunQuery](t, w.service); q.FlowID != flowID || q.Name != "Sample" || q.Limit != 21 {
		t.Errorf("%+v", q)
	}
	for _, query := range []string{"?property=flowId==" + flowID + "&property=flowId==" + absentID, "?property=id==", "?property=flowId", "?property=state==enabled",
		"?property=metrics.statusSummary.status==great", "?continuationToken=rubbish",
		"?property=id==" + strings.Repeat("x,", 100), "?property=flowId==" + flowID + "&limit=101"} {
		if rec := w.do("GET", flowservice+"/runs"+query, ""); rec.Code != http.StatusBadRequest {
			t.Errorf("%q: %d %s", query, rec.Code, rec.Body)
		}
	}
}

// TestFlows reads the flows of a sandbox page by page, as clients do that split the link at its first "=".
func TestFlows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for query, want := range map[string]int{
		"limit=2&count=False": 3, "limit=3": 3, "": 3, "property=" + destinationFlows + "==true": 0, "property=" + sourceFlows + "==true&limit=1": 3,
		"property=" + sourceFlows + "==false": 0, "property=name==nobody": 0, "property=name==Sample+external+audience&limit=2": 3,
		"property=id==" + flowID + "," + absentID + "," + flowID + "&limit=1": 2, "property=id==" + flowID + "&property=name==x": 0,
	} {
		got := 0
		for next, pages := query, 0; pages == 0 || next != "" && pages < 9; pages++ {
			list := ok[client.FlowList](t, w.do("GET", flowservice+"/flows?"+next, ""), 200)
			got += len(list.Items)
			if next = ""; list.Links.Next != nil {
				next = "continuationToken=" + strings.Split(list.Links.Next.Href, "=")[1]
			}
		}
		if got != want {
			t.Errorf("%s: %d flows, want %d", query, got, want)
		}
	}
	for _, query := range []string{"limit=0", "limit=101", "property=name==", "property=name==a&property=name==b", "property=x==y", "property=" + sourceFlows + "==yes",
		"continuationToken=rubbish"} {
		if rec := w.do("GET", flowservice+"/flows?"+query, ""); rec.Code != http.StatusBadRequest {
			t.Errorf("%q: %d %s", query, rec.Code, rec.Body)
		}
	}
}

// TestFlowServiceSpelling calls the flow service by the paths in AEP's documents.
func TestFlowServiceSpelling(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/flowservice", "/data/flowservice", flowservice, "/data" + flowservice} {
		for _, rest := range []string{"/flows/" + flowID, "/runs/" + flowRunID + "/", "/runs?property=flowId==" + flowID, "/connections/" + connID} {
			r := httptest.NewRequest("GET", path+rest, nil)
			for name, value := range map[string]string{"Authorization": "Bearer " + w.token, "x-api-key": clientID, "x-gw-ims-org-id": org, "x-sandbox-name": "prod"} {
				r.Header.Set(name, value)
			}
			rec := httptest.NewRecorder()
			if w.handler.ServeHTTP(rec, r); rec.Code != http.StatusOK {
				t.Errorf("%s: %d %s", path+rest, rec.Code, rec.Body)
			}
		}
	}
}

func TestUpdateConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = connections + "/" + connID
	ref := ok[client.ConnectionRef](t, w.do("PATCH", path, `[{"op": "replace", "path": "/auth/params/root", "value": "/srv/new"},
		{"op": "remove", "path": "/description", "value": {"old": true}}, {"op": "add", "path": "/name", "value": "renamed"}]`, "If-Match", `"e"`), 200)
	if ref != (client.ConnectionRef{ID: connID, Etag: `"f"`}) {
		t.Errorf("%+v", ref)
	}
	if c := last[audience.Connection](t, w.service); c.Name != "renamed" || c.Description != "" || !reflect.DeepEqual(c.Params, map[string]string{"root": "/srv/new"}) {
		t.Errorf("%+v", c)
	}
	for patch, want := range map[string]map[string]string{
		`[{"op": "remove", "path": "/auth/params"}]`:                                                                              nil,
		`[{"op": "remove", "path": "/auth/params"}, {"op": "add", "path": "/auth/params/a~1b", "value": "x"}]`:                    {"a/b": "x"},
		`[{"op": "replace", "path": "/auth/params", "value": {"x": "1"}}, {"op": "add", "path": "/auth/params/y", "value": "2"}]`: {"x": "1", "y": "2"},
		`[{"op": "remove", "path": "/auth/params/root"}]`:                                                                         {},
	} {
		w.do("PATCH", path, patch, "If-Match", "*", "Content-Type", "application/json-patch+json")
		if c := last[audience.Connection](t, w.service); len(c.Params) != len(want) || len(want) > 0 && !reflect.DeepEqual(c.Params, want) {
			t.Errorf("%s: %v, want %v", patch, c.Params, want)
		}
	}
	stale := ok[client.ErrorBody](t, w.do("PATCH", path, `[{"op": "add", "path": "/name", "value": "n"}]`, "If-Match", `"old"`), http.StatusPreconditionFailed)
	if stale.ErrorMessage == "" || stale.ErrorMessage != stale.Detail {
		t.Errorf("%+v", stale)
	}
	if rec := w.do("PATCH", path, `[{"op": "add", "path": "/name", "value": "n"}]`); rec.Code != 400 || !strings.Contains(rec.Body.String(), "If-Match: is required") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	for _, patch := range []string{`[{"op": "add", "path": "/state", "value": "disabled"}]`, `[{"op": "add", "path": "/name", "value": 3}]`,
		`[{"op": "add", "path": "/auth/params/a/b", "value": "c"}]`, `{"name": "n"}`} {
		if rec := w.do("PATCH", path, patch, "If-Match", "*"); rec.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", patch, rec.Code, rec.Body)
		}
	}
}

func TestExplore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path, zone = connections + "/" + connID + "/explore", flowservice + "/connectionSpecs/" + audience.SpecLandingZone + "/explore"
	const entries = `[{"type":"folder","name":"2026","path":"in/2026","canPreview":false,"canFetchSchema":false},` +
		`{"type":"file","name":"a.csv","path":"in/a.csv","canPreview":true,"canFetchSchema":true},` +
		`{"type":"file","name":"b.tmp","path":"in/b.tmp","canPreview":false,"canFetchSchema":false}]`
	for query, folder := range map[string]string{"": "", "?objectType=root&object=in": "", "?objectType=folder&object=in": "in"} {
		if rec := w.do("GET", path+query, ""); rec.Code != 200 || rec.Body.String() != entries+"\n" {
			t.Errorf("%q: %d %s", query, rec.Code, rec.Body)
		}
		if got := last[string](t, w.service); got != folder {
			t.Errorf("%q looks at folder %q, want %q", query, got, folder)
		}
	}
	if rec := w.do("GET", zone, ""); rec.Code != 200 || rec.Body.String() != strings.ReplaceAll(entries, `"path":"in`, `"path":"dlz-user-container/in`)+"\n" {
		t.Errorf("the landing zone: %d %s", rec.Code, rec.Body)
	}

	const file = `{"format":"flat","schema":{"columns":[{"name":"mail","type":"string","xdm":{"type":"string"}},{"name":"points","type":"long","xdm":{"type":"long"}},` +
		`{"name":"vip","type":"boolean","xdm":{"type":"boolean"}},{"name":"share","type":"number","xdm":{"type":"double"}},{"name":"born","type":"date","xdm":{"type":"date"}}]},"data":[`
	const row = `{"mail":"ada@example.com","points":12,"share":"NaN","vip":true}`
	const properties = `,"properties":{"fileType":"delimited","compressionType":"zipDeflate","columnDelimiter":";"}`
	for query, want := range map[string]string{
		"":               file + "]}",
		"&preview=true":  file + row + "]}",
		"&preview=False": file + "]}",
		"&preview=True&determineProperties=True&fileType=delimited": file + row + "]" + properties + "}",
	} {
		if rec := w.do("GET", path+"?objectType=file&object=in/a.csv"+query, ""); rec.Code != 200 || rec.Body.String() != want+"\n" {
			t.Errorf("%q: %d\n got %s\nwant %s", query, rec.Code, rec.Body, want)
		}
	}
	for query, status := range map[string]int{
		path + "?objectType=shelf": 400, path + "?objectType=file": 400, path + "?objectType=folder": 400, path + "?objectType=file&object=a&fileType=avro": 400,
		path + "?preview=perhaps": 400, connections + "/" + absentID + "/explore": 404,
		flowservice + "/connectionSpecs/" + absentID + "/explore": 404, flowservice + "/connectionSpecs/ecadc60c-7455-4d87-84dc-2a0e293d997b/explore": 422,
	} {
		if rec := w.do("GET", query, ""); rec.Code != status {
			t.Errorf("%s: %d %s", query, rec.Code, rec.Body)
		}
	}

	if rec := w.do("GET", "/data/foundation/connectors/landingzone?type=user_drop_zone", ""); rec.Code != 200 ||
		rec.Body.String() != `{"containerName":"dlz-user-container","containerTTL":"7"}`+"\n" {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if rec := w.do("GET", "/foundation/connectors/landingzone?type=dlz_destination", ""); rec.Code != 400 {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	for _, method := range []string{"GET", "POST"} {
		if rec := w.do(method, connections+"/"+connID+"/test", ""); rec.Code != 200 || rec.Body.String() != `{"id":"`+connID+`","status":"success"}`+"\n" {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	}
}

func TestSandboxes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const body = `{"id":"` + absentID + `","name":"dev","title":"Development","state":"%","type":"development","region":"local","isDefault":false}` + "\n"
	for _, c := range []struct {
		method, path, body string
		status             int
		state              string
	}{
		{"POST", sandboxes, `{"name": "dev", "title": "Development"}`, 202, "active"},
		{"GET", sandboxes + "/dev", "", 200, "active"},
		{"PUT", sandboxes + "/dev", `{"action": "reset"}`, 202, "resetting"},
		{"DELETE", sandboxes + "/dev", "", 202, "deleting"},
	} {
		rec := w.do(c.method, c.path, c.body)
		if want := strings.Replace(body, "%", c.state, 1); rec.Code != c.status || rec.Body.String() != want {
			t.Errorf("%s %s: %d\n got %s\nwant %s", c.method, c.path, rec.Code, rec.Body, want)
		}
	}
	for body, what := range map[string]string{
		`{"title": "T"}`: "name: is required", `{"name": "d", "title": "T"}`: "name: must have", `{"name": "Dev", "title": "T"}`: "name: must have",
		`{"name": "../dev", "title": "T"}`: "name: must have", `{"name": "dev"}`: "title: is required", `{"name": "dev", "title": "T", "type": "x"}`: "type:",
	} {
		if rec := w.do("POST", sandboxes, body); rec.Code != 400 || !strings.Contains(rec.Body.String(), what) {
			t.Errorf("%s: %d %s", body, rec.Code, rec.Body)
		}
	}
	for _, body := range []string{"", `{"action": "burn"}`, `{}`} {
		if rec := w.do("PUT", sandboxes+"/dev", body); rec.Code != 400 {
			t.Errorf("%s: %d %s", body, rec.Code, rec.Body)
		}
	}
	if rec := w.do("GET", sandboxes+"/nowhere", ""); rec.Code != 404 {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}
