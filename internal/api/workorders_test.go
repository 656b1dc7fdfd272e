package api

import (
	"net/http"
	"strings"
	"testing"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
)

// TestWorkOrders creates erasures with a work order, reads the order and lists it. An order that would erase more than
// it names is refused.
func TestWorkOrders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sample := `{"displayName": "Loyalty", "description": "Delete all records", "action": "delete_identity", "datasetId": "ALL",
		"namespacesIdentities": [{"namespace": {"code": "email"}, "IDs": ["alice@example.com", "bob@example.com", "alice@example.com"]}],
		"identities": [{"namespace": {"code": "Phone"}, "id": "+1"}]}`
	o := ok[client.WorkOrder](t, w.do("POST", "/data"+workOrders, sample), 200)
	if o.WorkOrderID != "DI-"+taskID || o.Action != "identity-delete" || o.OperationCount != 3 || o.Status != "received" || o.DisplayName != "Loyalty" {
		t.Errorf("%+v", o)
	}
	if who := last[[]control.IdentityRef](t, w.service); len(who) != 3 || who[1] != (control.IdentityRef{ID: "bob@example.com", Namespace: "email"}) || who[2].Namespace != "Phone" {
		t.Errorf("%+v", who)
	}
	if o := ok[client.WorkOrder](t, w.do("GET", workOrders+"/DI-"+otherID, ""), 200); o.Status != "completed" || len(o.Erasures) != 2 {
		t.Errorf("%+v", o)
	}
	if list := ok[client.WorkOrderList](t, w.do("GET", workOrders+"?limit=2&orderBy=-createdAt", ""), 200); list.Count != 2 || list.Total != 3 || list.Links.Next == nil {
		t.Errorf("%+v", list)
	}
	calls := len(w.service.calls)
	for name, c := range map[string]struct {
		old, new string
		status   int
	}{
		"one dataset":       {`"ALL"`, `"` + audienceID + `"`, http.StatusUnprocessableEntity},
		"no dataset":        {`"ALL"`, `null`, http.StatusUnprocessableEntity},
		"another action":    {"delete_identity", "delete_dataset", http.StatusBadRequest},
		"nobody":            {"namespacesIdentities", "nobody", http.StatusBadRequest},
		"an empty identity": {`"+1"`, `""`, http.StatusBadRequest},
		"no code":           {`{"code": "Phone"}`, `{}`, http.StatusBadRequest},
		"too many":          {`"bob@example.com"`, manyIDs(control.MaxOrdered), http.StatusBadRequest},
	} {
		if rec := w.do("POST", workOrders, strings.Replace(sample, c.old, c.new, 1)); rec.Code != c.status {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
	}
	for _, id := range []string{otherID, "DI-" + absentID, "DI-" + taskID, "DI-", "x"} {
		if rec := w.do("GET", workOrders+"/"+id, ""); rec.Code != http.StatusNotFound {
			t.Errorf("%s: %d %s", id, rec.Code, rec.Body)
		}
	}
	if len(w.service.calls) > calls+3 {
		t.Errorf("refused orders reached the use cases: %v", w.service.calls[calls:])
	}
}

func manyIDs(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = `"` + strings.Repeat("x", i+1) + `"`
	}
	return strings.Join(list, ", ")
}

// TestConnectionConfigs reads the role for S3 without keys. Other kinds of connections have no such role.
func TestConnectionConfigs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := flowservice + "/connectionSpecs/"
	if rec := w.do("GET", path+audience.SpecS3+"/configs?authType=IamBasedAuthentication", ""); rec.Code != 200 || !strings.Contains(rec.Body.String(), `"IAMRole":"`) {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	for call, status := range map[string]int{audience.SpecS3 + "/configs": 400, audience.SpecS3 + "/configs?authType=x": 400, audience.SpecGCS + "/configs?authType=IamBasedAuthentication": 404} {
		if rec := w.do("GET", path+call, ""); rec.Code != status {
			t.Errorf("%s: %d %s", call, rec.Code, rec.Body)
		}
	}
}
