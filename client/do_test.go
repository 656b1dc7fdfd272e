package client

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// TestDo makes calls that have no methods, and is refused a path that would change the host.
func TestDo(t *testing.T) {
	t.Parallel()
	const flows = "/foundation/flowservice/flows"
	s := newServer(t, map[string][]string{
		"GET " + flows: {`503 {"status": 503}`, `200 {"items": [{"id": "f1"}], "_links": {}}`},
		"POST " + pathExternal + "/A/runs/R/rollback":         {`200 {"runId": "B"}`},
		"POST " + pathExternal + "/A/runs/R/rejects/resubmit": {`200 {"runId": "C"}`},
		"GET /openapi.yaml":              {"200 openapi: 3.1.0"},
		"DELETE " + pathAudiences + "/A": {`404 {"status": 404, "errorCode": "100940-404"}`},
	})
	var list FlowList
	if err := s.client.Do(t.Context(), http.MethodGet, flows, url.Values{"limit": {"5"}}, nil, &list); err != nil || len(list.Items) != 1 || list.Items[0].ID != "f1" {
		t.Errorf("%+v, %v", list, err)
	}
	var run StartedRun
	if err := s.client.Do(t.Context(), http.MethodPost, pathExternal+"/A/runs/R/rollback", nil, Rollback{Reason: "wrong file"}, &run); err != nil || run.RunID != "B" {
		t.Errorf("%+v, %v", run, err)
	}
	if err := s.client.Do(t.Context(), http.MethodPost, pathExternal+"/A/runs/R/rejects/resubmit", nil, strings.NewReader("mail\nada@example.com\n"), &run); err != nil || run.RunID != "C" {
		t.Errorf("%+v, %v", run, err)
	}
	var text strings.Builder
	if err := s.client.Do(t.Context(), http.MethodGet, "/openapi.yaml", nil, nil, &text); err != nil || text.String() != "openapi: 3.1.0" {
		t.Errorf("%q, %v", text.String(), err)
	}
	var refused *APIError
	if err := s.client.Do(t.Context(), http.MethodDelete, pathAudiences+"/A", nil, nil, nil); !errors.As(err, &refused) || refused.Status != http.StatusNotFound {
		t.Errorf("%v", err)
	}
	if err := s.client.Do(t.Context(), http.MethodGet, "@example.com/", nil, nil, nil); err == nil {
		t.Error("a path without a slash before it is taken")
	}
	want := []string{"GET " + flows + "?limit=5", "GET " + flows + "?limit=5", "POST " + pathExternal + `/A/runs/R/rollback {"reason":"wrong file"}`, "POST " + pathExternal + "/A/runs/R/rejects/resubmit mail\nada@example.com", "GET /openapi.yaml", "DELETE " + pathAudiences + "/A"}
	if !slices.Equal(s.got, want) {
		t.Errorf("%q", s.got)
	}
}
