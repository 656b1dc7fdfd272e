package api

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"roster/client"
	"roster/internal/audience"
)

// TestConditions filters by properties in the syntax of AEP. Unknown properties and meaningless comparisons are refused
// by name.
func TestConditions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.conns[0].SpecID, w.service.conns[0].AuthSpec = audience.SpecS3, ""
	w.service.conns[0].Params = map[string]string{"s3AccessKey": "AKIA", "s3SecretKey": "hush", "maxConcurrentConnections": "5"}
	count := func(list string, conditions ...string) int {
		t.Helper()
		rec := w.do("GET", flowservice+list+"?"+url.Values{"property": conditions}.Encode(), "")
		return strings.Count(rec.Body.String(), `"etag":`) + strings.Count(rec.Body.String(), `"stage":`) + 100*(rec.Code/http.StatusBadRequest)
	}
	all := len(ok[client.FlowRunList](t, w.do("GET", flowservice+"/runs", ""), 200).Items)
	for _, c := range []struct {
		list, conditions string
		want             int
	}{
		{"/flows", "state==enabled", 3}, {"/flows", "state==disabled", 0}, {"/flows", `state=="enabled"`, 3}, {"/flows", "state!=enabled", 0},
		{"/flows", "createdAt>=1749324248000", 1}, {"/flows", "createdAt<1749324248000", 2}, {"/flows", "createdAt>0 createdAt<=1", 0}, {"/flows", "createdAt>=1749324248000.9", 1}, {"/flows", "createdAt>=1.x", 100},
		{"/flows", "lastRunDetails.startedAtUTC>=1", 0}, {"/flows", "lastRunDetails.state!=failed", 3}, {"/flows", "flowSpec.id==" + specCloudFlow, 3},
		{"/flows", "inheritedAttributes.targetConnections[].connectionSpec.id==" + specDataLake, 3}, {"/flows", "inheritedAttributes.properties.isSourceFlow!=true", 0},
		{"/flows", "sourceConnectionIds[]==" + connID, 3},
		{"/connections", "state==enabled", 1}, {"/connections", "connectionSpec.id==" + audience.SpecS3, 1}, {"/connections", "connectionSpec.id==x", 0},
		{"/connections", "auth.params.s3AccessKey==AKIA", 1}, {"/connections", "auth.params.s3SecretKey==hush", 0}, {"/connections", "auth.params.maxConcurrentConnections==5", 1},
		{"/connections", "id==" + connID, 1}, {"/connections", "version>1", 0},
		{"/runs", "createdAt>0", all}, {"/runs", "metrics.recordSummary.failedRecordCount>=1", all / 2}, {"/runs", "metrics.statusSummary.status!=success", all / 2},
		{"/runs", "stage==DATASET_INGEST createdAt>0", all / 2},
		{"/flows", "nonsense==1", 100}, {"/flows", "state>enabled", 100}, {"/flows", "createdAt>=yesterday", 100}, {"/flows", "state", 100}, {"/flows", "state==", 100},
		{"/flows", "lastRunDetails==x", 100}, {"/flows", "lastRunDetails.nonsense==x", 100}, {"/connections", "auth==x", 100}, {"/connections", "params==x", 100},
		{"/runs", "state==enabled", 100}, {"/runs", "metrics.recordSummary.inputRecordCount>many", 100}, {"/flows", "inheritedAttributes.properties.isSourceFlow==yes", 100},
	} {
		if got := count(c.list, strings.Fields(c.conditions)...); got != c.want {
			t.Errorf("%s by %s: %d, want %d", c.list, c.conditions, got, c.want)
		}
	}
	rec := w.do("GET", flowservice+"/flows?property=nonsense==1", "")
	if !strings.Contains(rec.Body.String(), `\"nonsense\" is not a property`) || !strings.Contains(rec.Body.String(), "lastRunDetails.startedAtUTC") {
		t.Errorf("the unknown property is not named: %s", rec.Body)
	}
}
