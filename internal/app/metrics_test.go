package app

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"roster/internal/audience"
)

// Who has no token learns nothing of any sandbox; who has it, how much each one did.
func TestMetricsOfSandboxes(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("a token of the operator's\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(tokenFile, authorization string) (int, string) {
		a := &App{metrics: newRegistry(), tenants: newTenantMetrics(), cfg: Config{MetricsTokenFile: tokenFile}}
		scope := audience.Scope{Org: "org", Sandbox: "prod"}
		a.tenants.served(scope, 200)
		a.tenants.ended(&audience.Run{Scope: scope, Status: audience.Success, Request: audience.RunRequest{Kind: audience.RunIngest},
			Result: audience.RunResult{Rows: audience.Rows{Read: 7, Added: 5, Rejected: 2}}})
		a.tenants.ended(&audience.Run{Scope: scope, Status: audience.Failed, Request: audience.RunRequest{Kind: audience.RunIngest, DryRun: true},
			Result: audience.RunResult{Rows: audience.Rows{Read: 100}}})
		h, err := a.metricsHandler()
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Header.Set("Authorization", authorization)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		return rec.Code, rec.Body.String()
	}
	if status, text := ask("", ""); status != 200 || !strings.Contains(text, "roster_build_info") || strings.Contains(text, "prod") {
		t.Errorf("without a token: %d %s", status, text)
	}
	for _, wrong := range []string{"", "Bearer", "Bearer another token of somebody's", "Basic a token of the operator's"} {
		if status, text := ask(file, wrong); status != 401 || strings.Contains(text, "roster_") {
			t.Errorf("%q: %d %s", wrong, status, text)
		}
	}
	status, text := ask(file, "Bearer a token of the operator's")
	for _, want := range []string{
		"roster_build_info", `roster_tenant_requests_total{organization="org",sandbox="prod",status="200"} 1`,
		`roster_tenant_runs_total{kind="ingest",organization="org",sandbox="prod",status="SUCCESS"} 1`,
		`roster_tenant_runs_total{kind="ingest (dry run)",organization="org",sandbox="prod",status="FAILED"} 1`,
		`roster_tenant_rows_total{organization="org",outcome="read",sandbox="prod"} 7`,
		`roster_tenant_rows_total{organization="org",outcome="rejected",sandbox="prod"} 2`,
	} {
		if status != 200 || !strings.Contains(text, want) {
			t.Errorf("%d, no %s in %s", status, want, text)
		}
	}
}

func TestMetricsTokenIsUsable(t *testing.T) {
	t.Parallel()
	short := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(short, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{short, filepath.Join(t.TempDir(), "absent")} {
		a := &App{metrics: newRegistry(), tenants: newTenantMetrics(), cfg: Config{MetricsTokenFile: file}}
		if _, err := a.metricsHandler(); err == nil || !strings.Contains(err.Error(), "--metrics-token-file") {
			t.Errorf("%s: %v", file, err)
		}
	}
}
