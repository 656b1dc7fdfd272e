package api

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestRequestLinesHaveTenant checks that the line of a request says in which organization and sandbox it was, once its caller is
// known, and never by what an unknown caller says.
func TestRequestLinesHaveTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, known := range []bool{true, false} {
		var log bytes.Buffer
		w.handler.(*server).log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		r := httptest.NewRequest(http.MethodGet, "/core/ais/external-audience/", nil)
		for name, value := range map[string]string{"Authorization": "Bearer " + w.token, "x-api-key": clientID, "x-gw-ims-org-id": org, "x-sandbox-name": "prod"} {
			r.Header.Set(name, value)
		}
		if !known {
			r.Header.Set("Authorization", "Bearer x")
		}
		w.handler.ServeHTTP(httptest.NewRecorder(), r)
		line := log.String()
		if !strings.Contains(line, "msg=request") || strings.Contains(line, "organization="+org) != known || strings.Contains(line, "sandbox=prod") != known {
			t.Errorf("known %t: %s", known, line)
		}
	}
}
