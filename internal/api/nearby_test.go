package api

import (
	"strings"
	"testing"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
)

// TestNearby reads the lists of other AEP services as clients do, to the end in each form of paging.
func TestNearby(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path := range emptyLists {
		for _, prefix := range []string{"", "/data"} {
			list := ok[map[string]any](t, w.do("GET", prefix+path+"?limit=100&start=", ""), 200)
			if len(list) == 0 {
				t.Errorf("%s is %v", path, list)
			}
		}
	}
	policies := ok[struct {
		Links struct{ Next *struct{ Href *string } } `json:"_links"`
	}](t, w.do("GET", "/data/core/ups/config/mergePolicies", ""), 200)
	if next := policies.Links.Next; next == nil || next.Href != nil {
		t.Errorf("a client reads on at %v", next)
	}
	labels := w.do("GET", "/foundation/dulepolicy/labels/custom", "").Body.String()
	if !strings.Contains(labels, `"name":"deep"`) || strings.Contains(labels, "C1") || !strings.Contains(labels, `"href":""`) {
		t.Errorf("custom labels: %s", labels)
	}
	specs := ok[struct{ Items []connectionSpec }](t, w.do("GET", flowservice+"/connectionSpecs", ""), 200).Items
	for _, spec := range specs {
		if spec.Name == "" || spec.ID == "" {
			t.Errorf("%+v has no name", spec)
		}
		one := ok[struct{ Items []connectionSpec }](t, w.do("GET", flowservice+"/connectionSpecs/"+strings.ToUpper(spec.ID), ""), 200).Items
		if len(one) != 1 || one[0].Name != spec.Name {
			t.Errorf("%s: %+v", spec.ID, one)
		}
	}
	if s3 := ok[struct{ Items []connectionSpec }](t, w.do("GET", flowservice+"/connectionSpecs?property=name==amazon-s3", ""), 200).Items; len(s3) != 1 || s3[0].ID != audience.SpecS3 {
		t.Errorf("by name: %+v", s3)
	}
	refused(t, w.do("GET", flowservice+"/connectionSpecs/"+absentID, ""), 404, "100940-404", absentID)
	zone := ok[client.LandingCredentials](t, w.do("GET", "/data/foundation/connectors/landingzone/credentials?type=user_drop_zone", ""), 200)
	if zone.ContainerName != audience.LandingContainer || zone.UploadURL != "/landing/" {
		t.Errorf("%+v", zone)
	}
	refused(t, w.do("GET", "/data/foundation/connectors/landingzone/credentials?type=dlz_destination", ""), 400, "100910-400", "type")
}

// TestCatalog reads datasets and runs in the form of AEP's catalog.
func TestCatalog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sets := ok[map[string]dataset](t, w.do("GET", "/data/foundation/catalog/dataSets?limit=5&start=1", ""), 200)
	if d := sets[audienceID]; d.Created != 1749324248000 || d.ObservableSchema.Properties["ppid"]["type"] != "string" || d.Classification["dataBehavior"] != "record" {
		t.Errorf("%+v", sets)
	}
	if one := ok[map[string]dataset](t, w.do("GET", "/data/foundation/catalog/dataSets/"+audienceID, ""), 200); one[audienceID].Name != sets[audienceID].Name {
		t.Errorf("%+v", one)
	}
	refused(t, w.do("GET", "/foundation/catalog/dataSets/"+absentID, ""), 404, "100940-404", absentID)

	batches := ok[map[string]batch](t, w.do("GET", "/data/foundation/catalog/batches?limit=10&status=processing&orderBy=desc:created", ""), 200)
	if len(batches) == 0 {
		t.Fatal("no batches")
	}
	for id, b := range batches {
		if b.ID != id || b.RelatedObjects[0].ID != audienceID || b.Status == "" || b.Created < 1e12 {
			t.Errorf("%s: %+v", id, b)
		}
	}
	if got := last[control.FlowRunQuery](t, w.service); len(got.Statuses) != 1 || got.Statuses[0] != audience.Processing {
		t.Errorf("asked for %+v", got)
	}
	if none := ok[map[string]batch](t, w.do("GET", "/foundation/catalog/batches?status=staged", ""), 200); len(none) != 0 {
		t.Errorf("batches in a state that none has: %v", none)
	}
	if behind := ok[map[string]batch](t, w.do("GET", "/foundation/catalog/batches?start=100", ""), 200); len(behind) != 0 {
		t.Errorf("batches behind the last: %v", behind)
	}
	refused(t, w.do("GET", "/foundation/catalog/batches?orderBy=asc:created", ""), 400, "100910-400", "orderBy")
	refused(t, w.do("GET", "/foundation/catalog/batches?start=100000", ""), 400, "100910-400", "start")
}
