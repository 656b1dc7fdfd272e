package api

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
)

// sampleUPSAudience is the world's audience in a response.
const sampleUPSAudience = `{"id":"` + audienceID + `","audienceId":"` + audienceID + `","name":"Sample external audience",` +
	`"description":"A sample version of an external audience","namespace":"CustomerAudienceUpload","type":"ExternalSegment","originName":"CUSTOM_UPLOAD",` +
	`"lifecycleState":"published","imsOrgId":"` + org + `","sandbox":{"sandboxId":"` + absentID + `","sandboxName":"prod","type":"production","default":true},` +
	`"isSystem":false,"datasetId":"` + audienceID + `","labels":["core/C1"],"tags":[],"ttlInDays":40,"linkedAudienceRef":{"flowId":"FLOW"},` +
	`"creationTime":1749324248000,"updateTime":1749624273000,"createEpoch":1749324248,"updateEpoch":1749624273,"createdBy":"` + clientID + `",` +
	`"_etag":ETAG,"dependents":[],"dependencies":[],"audienceMeta":{"members":3,"lastRunId":"` + runID + `","expiresAt":1753080273},` +
	`"metrics":{"type":"export","jobId":"` + runID + `","id":"` + audienceID + `","data":{"totalProfiles":3,"totalProfilesByNamespace":{"email":3},` +
	`"totalProfilesByStatus":{"realized":3}},"createEpoch":1749624273,"updateEpoch":1749624273},"recordMetrics":{"data":{"recordCount":3}}}`

// told is sampleUPSAudience with the computed properties.
func (w *world) told() string {
	etag, _ := json.Marshal(w.service.audience.Etag())
	return strings.NewReplacer("FLOW", audience.FlowID(audienceID), "ETAG", string(etag)).Replace(sampleUPSAudience)
}

func TestReadUPSAudience(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/data" + audiences + "/" + audienceID
	rec := w.do("GET", path, "")
	etag := rec.Header().Get("ETag")
	if rec.Code != 200 || rec.Body.String() != w.told()+"\n" || etag != w.service.audience.Etag() || rec.Header().Get("Cache-Control") != "private, no-cache" {
		t.Errorf("%d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	w.service.audience.CustomID = "shop"
	changed := ok[client.UPSAudience](t, w.do("GET", path, "", "If-None-Match", etag), 200)
	if changed.AudienceID != "shop" || changed.ID != audienceID || changed.Etag == etag {
		t.Errorf("%+v", changed)
	}
	for list, status := range map[string]int{changed.Etag: 304, "W/" + changed.Etag: 304, `"a", ` + changed.Etag: 304, "*": 304, `"a"`: 200, strings.Trim(changed.Etag, `"`): 200} {
		rec := w.do("GET", path, "", "If-None-Match", list)
		if rec.Code != status || rec.Header().Get("ETag") != changed.Etag || (rec.Body.Len() == 0) != (status == 304) {
			t.Errorf("If-None-Match %s: %d %v %s", list, rec.Code, rec.Header(), rec.Body)
		}
	}
	if rec := w.do("GET", audiences+"/"+absentID, "", "If-None-Match", "*"); rec.Code != 404 || rec.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("an absent audience: %d %v", rec.Code, rec.Header())
	}
}

func TestListUPSAudiences(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.do("GET", "/data"+audiences+"?limit=60&entityType=_xdm.context.profile", "") // as the client aepp does
	if want := `{"children":[` + w.told() + `],"_page":{"totalCount":3,"pageSize":1},"_links":{}}` + "\n"; rec.Code != 200 || rec.Body.String() != want {
		t.Errorf("%d\n got %s\nwant %s", rec.Code, rec.Body, want)
	}
	if got, want := last[audience.AudienceQuery](t, w.service), (audience.AudienceQuery{Limit: 61, SortBy: audience.SortCreated, Descending: true,
		Filters: []audience.AudienceFilter{{Property: "entityType", Value: "_xdm.context.profile"}}}); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	for query, want := range map[string]audience.AudienceQuery{
		"?start=0":                       {Limit: 21, SortBy: audience.SortCreated, Descending: true},
		"?start=3&limit=7&sort=name:asc": {Limit: 8, Offset: 21, SortBy: audience.SortName},
		"?sort=createEpoch:asc":          {Limit: 21, SortBy: audience.SortCreated},
		"?sort=updateTime:desc":          {Limit: 21, SortBy: audience.SortUpdated, Descending: true},
		"?name=Shop%20A&description=100%25&property=name==a==b&property=lifecycleState==draft": {Limit: 21, SortBy: audience.SortCreated, Descending: true,
			NameContains: "Shop A", DescriptionContains: "100%", Filters: []audience.AudienceFilter{{Property: "name", Value: "a==b"}, {Property: "lifecycleState", Value: "draft"}}},
	} {
		ok[client.UPSAudienceList](t, w.do("GET", audiences+query, ""), 200)
		if got := last[audience.AudienceQuery](t, w.service); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", query, got, want)
		}
	}
}

// TestPagesOfUPSAudiences reads the next pages as clients do: with next as the start of the same call, and through the
// link.
func TestPagesOfUPSAudiences(t *testing.T) {
	t.Parallel()
	for sort, place := range map[string]audience.Position{
		"createEpoch:desc": {At: time.UnixMicro(1749324248000000), ID: audienceID},
		"updateEpoch:asc":  {At: time.UnixMicro(1749624273000000), ID: audienceID},
		"name:desc":        {At: time.UnixMicro(0), Name: "Sample external audience", ID: audienceID},
	} {
		w := newWorld(t)
		w.service.audiences = append(w.service.audiences, audience.Audience{ID: absentID})
		query := url.Values{"limit": {"1"}, "sort": {sort}, "name": {"a&b"}, "property": {"type==ExternalSegment"}}
		first := ok[client.UPSAudienceList](t, w.do("GET", audiences+"?"+query.Encode(), ""), 200)
		if first.Page.PageSize != 1 || first.Page.TotalCount != 3 || first.Page.Next == "" || first.Links.Next == nil || len(first.Children) != 1 {
			t.Fatalf("%+v", first)
		}
		want := last[audience.AudienceQuery](t, w.service)
		want.After, want.NoTotal = &place, true
		query.Set("start", first.Page.Next)
		service, path, _ := strings.Cut(first.Links.Next.Href, "/audiences?start="+first.Page.Next+"&")
		bare := url.Values{"limit": {"1"}, "start": {first.Page.Next}, "name": {"a&b"}, "property": {"type==ExternalSegment"}}
		for _, next := range []string{query.Encode(), "start=" + first.Page.Next + "&" + path, bare.Encode()} {
			list := ok[client.UPSAudienceList](t, w.do("GET", audiences+"?"+next, ""), 200)
			if got := last[audience.AudienceQuery](t, w.service); !reflect.DeepEqual(got, want) || service != "@" {
				t.Errorf("%s: %+v at %+v, want %+v at %+v", next, got, got.After, want, place)
			}
			if list.Page.TotalCount != 3 {
				t.Errorf("%s: %+v", next, list.Page)
			}
		}
	}
}

func TestPatchUPSAudience(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := audiences + "/" + audienceID
	rec := w.do("PATCH", path, `[{"op": "add", "path": "/description", "value": "first"}, {"op": "replace", "path": "/labels", "value": ["core/C2"]},
		{"op": "remove", "path": "/tags"}, {"op": "replace", "path": "/lifecycleState", "value": "inactive"}, {"op": "replace", "path": "/description", "value": "new"}]`,
		"Content-Type", "application/json-patch+json", "If-Match", w.service.audience.Etag())
	got := ok[client.UPSAudience](t, rec, 200)
	if got.Description != "new" || got.LifecycleState != "inactive" || rec.Header().Get("ETag") != got.Etag {
		t.Errorf("%v %+v", rec.Header(), got)
	}
	p := last[control.Patch](t, w.service)
	if *p.Description != "new" || !reflect.DeepEqual(*p.Labels, []string{"core/C2"}) || *p.Tags != nil || *p.State != audience.StateInactive ||
		p.Fields != nil || p.TTLDays != nil || len(p.IfMatch) != 1 {
		t.Errorf("%+v", p)
	}
	w.do("PATCH", path, `[{"op": "add", "path": "/tags/-", "value": "gone"}, {"op": "replace", "path": "/tags", "value": ["a"]},
		{"op": "add", "path": "/tags/-", "value": "b"}, {"op": "add", "path": "/labels/-", "value": "core/C3"}, {"op": "add", "path": "/labels/-", "value": "core/C4"}]`)
	p = last[control.Patch](t, w.service)
	if !reflect.DeepEqual(*p.Tags, []string{"a"}) || !reflect.DeepEqual(p.AddTags, []string{"b"}) || p.Labels != nil || !reflect.DeepEqual(p.AddLabels, []string{"core/C3", "core/C4"}) {
		t.Errorf("%+v", p)
	}
	for match, status := range map[string]int{"": 200, "*": 200, `"a", ` + got.Etag: 200, `"a"`: 412, "W/" + got.Etag: 412, ",": 412} {
		rec := w.do("PATCH", path, `[{"op": "remove", "path": "/tags"}]`, "If-Match", match)
		if rec.Code != status || strings.Contains(rec.Body.String(), `"errorMessage":`) != (status == 412) {
			t.Errorf("If-Match %s: %d %s", match, rec.Code, rec.Body)
		}
	}
	if rec := w.do("DELETE", path, "", "If-Match", got.Etag); rec.Code != 204 || rec.Body.Len() != 0 {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

func TestBulkUPSAudiences(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.do("POST", "/data"+audiences+"/bulk-get", `{"ids": [{"id": "`+audienceID+`"}, {"id": "`+absentID+`"}, {"id": "no id"}]}`)
	results := ok[client.UPSBulkResult](t, rec, 207).Results
	if one, _ := json.Marshal(results[audienceID]); len(results) != 3 || !strings.Contains(string(one), `"lifecycleState":"published"`) {
		t.Errorf("%s", rec.Body)
	}
	for _, id := range []string{absentID, "no id"} {
		if text := fmt.Sprint(results[id]); !strings.Contains(text, "100940-404") || !strings.Contains(text, "requestId:test") {
			t.Errorf("%s: %s", id, text)
		}
	}
}
