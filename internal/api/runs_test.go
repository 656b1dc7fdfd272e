package api

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"roster/client"
	"roster/internal/audience"
)

const runPath = external + "/" + audienceID + "/runs/" + runID

func TestRejects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.rejects = []audience.RejectedRow{
		{File: "a.csv", Version: "v", Line: 2, Lines: 2, Offset: 0, Column: "points", Code: "TYPE", Reason: "the value is not a number", Raw: []byte("a,\"x\r\ny\"")},
		{File: "b.parquet", Version: "w", Line: 9, Lines: 1, Offset: -1, Code: "IDENTITY", Reason: "empty"},
		{File: "c.csv", Version: "x", Line: 3, Lines: 1, Offset: 7, Code: "ENCODING", Reason: "no text", Raw: []byte("\xff")},
	}
	page := ok[client.RejectList](t, w.do("GET", runPath+"/rejects?limit=2", ""), 200)
	if len(page.Rejects) != 2 || page.Page != (client.Page{Limit: 2, Count: 2, TotalCount: 3, Next: "2"}) {
		t.Fatalf("%+v", page)
	}
	if r := page.Rejects[0]; r.ByteOffset == nil || *r.ByteOffset != 0 || r.Raw != "a,\"x\r\ny\"" || page.Rejects[1].ByteOffset != nil {
		t.Errorf("%+v", page.Rejects)
	}
	page = ok[client.RejectList](t, w.do("GET", runPath+"/rejects?limit=2&start=2", ""), 200)
	if len(page.Rejects) != 1 || page.Page.Next != "" || page.Rejects[0].Raw != "\uFFFD" {
		t.Fatalf("%+v", page)
	}
	rec := w.do("GET", runPath+"/rejects?format=csv", "")
	rows, err := csv.NewReader(strings.NewReader(rec.Body.String())).ReadAll()
	if err != nil || rec.Code != http.StatusOK || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/csv") || len(rows) != 4 {
		t.Fatalf("%d %v %q", rec.Code, err, rec.Body)
	}
	if !slices.Equal(rows[1], []string{"a.csv", "v", "2", "2", "0", "points", "TYPE", "the value is not a number", "a,\"x\ny\""}) || rows[2][4] != "" {
		t.Errorf("%q", rows)
	}
	if !strings.Contains(rec.Header().Get("Content-Disposition"), runID) {
		t.Errorf("%v", rec.Header())
	}
	rec = w.do("GET", runPath+"/rejects", "", "Accept", "application/x-ndjson")
	var list []client.RejectedRow
	for line := range strings.Lines(rec.Body.String()) {
		var r client.RejectedRow
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	if rec.Header().Get("Content-Type") != "application/x-ndjson" || len(list) != 3 || list[0].Raw != "a,\"x\r\ny\"" || list[1].ByteOffset != nil {
		t.Errorf("%v %+v", rec.Header(), list)
	}
	w.service.err = audience.Errorf(audience.NotFound, "kept no longer")
	if rec := w.do("GET", runPath+"/rejects?format=csv", ""); rec.Code != http.StatusNotFound || rec.Header().Get("Content-Type") != problemType {
		t.Errorf("%d %q %q", rec.Code, rec.Header().Get("Content-Type"), rec.Body)
	}
}

func TestUndo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := ok[client.VersionList](t, w.do("GET", external+"/"+audienceID+"/versions", ""), 200)
	if len(list.Versions) != 1 || !list.Versions[0].Current || list.Versions[0].SnapshotID != "7" || list.Versions[0].RunID != runID {
		t.Fatalf("%+v", list)
	}
	started := ok[client.StartedRun](t, w.do("POST", runPath+"/rollback", ""), 200)
	if started.Kind != "rollback" || started.Of != runID || started.DryRun {
		t.Errorf("%+v", started)
	}
	started = ok[client.StartedRun](t, w.do("POST", runPath+"/rollback", `{"dryRun": true, "reason": "the file was cut off"}`), 200)
	if !started.DryRun {
		t.Errorf("%+v", started)
	}
	if got := w.service.calls[len(w.service.calls)-1]; got != any(audience.RunRequest{DryRun: true, Reason: "the file was cut off"}) {
		t.Errorf("%+v", got)
	}
}

func TestResubmit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	started := ok[client.StartedRun](t, w.do("POST", runPath+"/rejects/resubmit?name=fixed.csv", "mail\na@example.com\n"), 200)
	if started.Kind != "resubmit" || started.Of != runID {
		t.Errorf("%+v", started)
	}
	if got := w.service.calls[len(w.service.calls)-2:]; !slices.Equal(got, []any{"fixed.csv", "mail\na@example.com\n"}) {
		t.Errorf("%+v", got)
	}
}
