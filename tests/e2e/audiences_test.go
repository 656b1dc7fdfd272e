package e2e

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"roster/client"
)

const upsAudiences = "/data/core/ups/audiences"

// TestAudiencesOfAllServices takes an audience through its life cycle at /core/ups/audiences.
func TestAudiencesOfAllServices(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("in.csv", "mail,points\nada@example.com,1\nbob@example.com,2\n")
	id := s.submit(submitBody("Spring sale", "in.csv", `"ttlInDays"`, `"customAudienceId": "spring", "ttlInDays"`))
	run := s.ingest(id, "")
	path := upsAudiences + "/" + id
	first := s.call("GET", path, "")
	v := first.ok(200)
	sameJSON(t, "the audience", v, fmt.Sprintf(`{"id": %[1]q, "audienceId": "spring", "name": "Spring sale", "namespace": "CustomerAudienceUpload",
		"type": "ExternalSegment", "originName": "CUSTOM_UPLOAD", "lifecycleState": "published", "imsOrgId": %[2]q,
		"sandbox": {"sandboxId": "<uuid>", "sandboxName": "prod", "type": "production", "default": true}, "isSystem": false, "datasetId": %[1]q,
		"labels": [], "tags": [], "ttlInDays": 30, "linkedAudienceRef": {"flowId": %[3]q}, "creationTime": "<any>", "updateTime": "<any>",
		"createEpoch": "<any>", "updateEpoch": "<any>", "createdBy": %[4]q, "_etag": "<any>", "dependents": [], "dependencies": [],
		"audienceMeta": {"members": 2, "lastRunId": %[5]q, "expiresAt": "<any>"}, "recordMetrics": {"data": {"recordCount": 2}},
		"metrics": {"type": "export", "jobId": %[5]q, "id": %[1]q, "createEpoch": "<any>", "updateEpoch": "<any>",
			"data": {"totalProfiles": 2, "totalProfilesByNamespace": {"email": 2}, "totalProfilesByStatus": {"realized": 2}}}}`, id, s.creds.OrgID, flowOf(run), s.creds.ClientID, run["runId"]))
	etag := first.header.Get("ETag")
	if v["_etag"] != etag || v["creationTime"].(float64)/1000 < v["createEpoch"].(float64) || v["creationTime"].(float64)/1000 >= v["createEpoch"].(float64)+1 {
		t.Errorf("ETag %s of %v", etag, v)
	}
	if a := s.callWith("GET", path, "", map[string]string{"If-None-Match": etag}); a.status != 304 || len(a.body) > 0 {
		t.Errorf("%d %s", a.status, a.body)
	}

	patch := func(state string) string {
		return fmt.Sprintf(`[{"op": "add", "path": "/lifecycleState", "value": %q}, {"op": "replace", "path": "/tags", "value": ["sale"]}]`, state)
	}
	changed := s.callWith("PATCH", path, patch("inactive"), map[string]string{"If-Match": etag}).ok(200)
	if changed["lifecycleState"] != "inactive" || changed["_etag"] == etag {
		t.Errorf("%v", changed)
	}
	s.callWith("PATCH", path, patch("published"), map[string]string{"If-Match": etag}).refused(412, "100910-412", "errorMessage", id)
	s.callWith("DELETE", path, "", map[string]string{"If-Match": etag}).refused(412, "100910-412", id)
	s.call("POST", ais+"/"+id+"/run", "").refused(422, "100960-422", "inactive", "lifecycleState")
	if got := s.lookup("email", "ada@example.com", id); got != "" {
		t.Errorf("of an inactive audience ada is %q", got)
	}
	s.call("PATCH", path, patch("draft")).refused(422, "100960-422", "draft", id)
	s.call("PATCH", path, patch("published")).ok(200)
	s.land("in.csv", "mail,points\ncyd@example.com,1\n")
	if run := s.ingest(id, ""); run["status"] != "SUCCESS" {
		t.Errorf("the run of an audience that is published again: %v", run)
	}
	for _, who := range []string{"ada", "cyd"} {
		if got := s.lookup("email", who+"@example.com", id); got != "realized" {
			t.Errorf("once it is published %s is %q", who, got)
		}
	}
	s.call("PATCH", path, patch("deleted")).refused(400, "100910-400", "lifecycleState", "DELETE")

	bulk := s.call("POST", upsAudiences+"/bulk-get", fmt.Sprintf(`{"ids": [{"id": %q}, {"id": "0b6f3a57-1111-4222-8333-444455556666"}]}`, id)).ok(207)["results"].(map[string]any)
	if bulk[id].(map[string]any)["name"] != "Spring sale" || bulk["0b6f3a57-1111-4222-8333-444455556666"].(map[string]any)["errorCode"] != "100940-404" {
		t.Errorf("%v", bulk)
	}
	// Profiles do not show a draft before it is published; a search by tag or label finds it.
	early := s.call("POST", upsAudiences, submitBody("Early", "in.csv", `"ttlInDays"`, `"lifecycleState": "draft", "tags": ["Soon"], "labels": ["core/C1"], "ttlInDays"`)).ok(200)["id"].(string)
	s.ingest(early, "")
	if got := s.lookup("email", "cyd@example.com", early); got != "" {
		t.Errorf("of a draft cyd is %q", got)
	}
	for _, found := range []string{upsAudiences + "?property=tags==Soon", upsAudiences + "?property=labels==core/C1", ais + "?tag=Soon&label=core/C1&status=draft&name=EAR"} {
		if text := string(s.call("GET", found, "").body); !strings.Contains(text, early) || strings.Contains(text, id) {
			t.Errorf("%s: %s", found, text)
		}
	}
	// A query may have as many labels and tags as fit, and the last one counts too. More are refused.
	for _, by := range []string{"&tag=Soon", "&label=core/C1"} {
		if text := string(s.call("GET", ais+"?"+strings.Repeat(by, 200), "").body); !strings.Contains(text, early) {
			t.Errorf("by %q, 200 times: %s", by, text)
		}
		if list := s.call("GET", ais+"?"+strings.Repeat(by, 199)+by+"-not", "").ok(200)["audiences"].([]any); len(list) != 0 {
			t.Errorf("by %q, 199 times, and one that no audience has: %v", by, list)
		}
		s.call("GET", ais+"?"+strings.Repeat(by, 201), "").refused(400, "100910-400", "201 parameters", "at most 200")
	}
	s.call("PUT", upsAudiences+"/"+early, `{"name": "Spring sale"}`).refused(409, "100950-409", "Spring sale")
	if v := s.call("PUT", upsAudiences+"/"+early, `{"name": "Late", "lifecycleState": "published"}`).ok(200); v["name"] != "Late" {
		t.Errorf("%v", v)
	}
	if got := s.lookup("email", "cyd@example.com", early); got != "realized" {
		t.Errorf("of a published audience cyd is %q", got)
	}
	s.call("DELETE", upsAudiences+"/"+early, "")
	if a := s.call("DELETE", path, ""); a.status != 204 || len(a.body) > 0 {
		t.Errorf("%d %s", a.status, a.body)
	}
	s.call("GET", path, "").refused(404, "100940-404", id)
	sameJSON(t, "the list", s.call("GET", upsAudiences, "").ok(200), `{"children": [], "_page": {"totalCount": 0, "pageSize": 0}, "_links": {}}`)
}

// flowOf returns the flow of a run.
func flowOf(run map[string]any) string {
	return run["details"].([]any)[0].(map[string]any)["flowId"].(string)
}

// TestAudiencePages reads lists by page while audiences are created.
func TestAudiencePages(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("in.csv", "mail,points\nada@example.com,1\n")
	names := []string{"delta", "Alpha", "charlie", "Bravo", "echo"}
	for _, name := range names {
		s.submit(submitBody(name, "in.csv"))
	}
	c := &client.Client{BaseURL: s.creds.BaseURL, Org: s.creds.OrgID, Sandbox: s.creds.Sandbox, ClientID: s.creds.ClientID, ClientSecret: s.creds.ClientSecret}
	read := func(query url.Values, between func()) (got []string) {
		for {
			page, err := c.UPSAudiences(t.Context(), query)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range page.Children {
				got = append(got, a.Name)
			}
			if (page.Page.Next == "") != (page.Links.Next == nil) || page.Page.PageSize != len(page.Children) {
				t.Errorf("%+v %+v", page.Page, page.Links)
			}
			if page.Page.Next == "" {
				return got
			}
			query.Set("start", page.Page.Next)
			between()
		}
	}
	added := 0
	add := func() { added++; s.submit(submitBody(fmt.Sprintf("new %d", added), "in.csv")) }
	if got := read(url.Values{"limit": {"2"}}, add); !slices.Equal(got, []string{"echo", "Bravo", "charlie", "Alpha", "delta"}) {
		t.Errorf("newest first: %q", got)
	}
	byName := url.Values{"limit": {"2"}, "sort": {"name:asc"}, "name": {"A"}, "entityType": {"_xdm.context.profile"}}
	if got := read(byName, func() {}); !slices.Equal(got, []string{"Alpha", "Bravo", "charlie", "delta"}) {
		t.Errorf("by name: %q", got)
	}
	if got := read(url.Values{"property": {"name==Bravo", "lifecycleState==published"}}, func() {}); !slices.Equal(got, []string{"Bravo"}) {
		t.Errorf("by property: %q", got)
	}
	third := s.call("GET", upsAudiences+"?limit=2&start=2&sort=createEpoch:asc", "").ok(200)
	if text := compact(third["children"]); !strings.Contains(text, `"echo"`) || third["_page"].(map[string]any)["totalCount"] != float64(len(names)+added) {
		t.Errorf("the third page: %v", third)
	}
}
