package e2e

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"roster/internal/app"
)

// scrape reads /metrics as Prometheus does, with a token or "" for none.
func (s *server) scrape(token string) map[string]*dto.MetricFamily {
	s.t.Helper()
	headers := map[string]string{"Authorization": "", "x-api-key": "", "x-gw-ims-org-id": "", "x-sandbox-name": ""}
	if token != "" {
		headers["Authorization"] = "Bearer " + token
	}
	a := s.callWith("GET", "/metrics", "", headers)
	if a.status != http.StatusOK {
		s.t.Fatalf("%d %s", a.status, a.body)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(a.body))
	if err != nil {
		s.t.Fatal(err)
	}
	return families
}

// valueOf returns the value of a counter or gauge with labels such as `kind="run"`, in this order; false if there is
// none.
func valueOf(families map[string]*dto.MetricFamily, series string) (float64, bool) {
	name, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
	for _, m := range families[name].GetMetric() {
		var list []string
		for _, l := range m.GetLabel() {
			list = append(list, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
		}
		if strings.Join(list, ",") == labels {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue(), true
		}
	}
	return 0, false
}

const loyalty = `{"name": "loyalty-club", "fields": [{"name": "mail", "type": "string", "identityNs": "email"}, {"name": "points", "type": "long"}],
	"originName": "CUSTOM_UPLOAD", "sourceSpec": {"path": "people.csv", "type": "file", "cloudType": "DLZ"}}`

// TestMetrics compares the metrics with the requests that a server got.
func TestMetrics(t *testing.T) {
	t.Parallel()
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer endpoint.Close()
	s := start(t, allowLoopback)
	hook := s.call("POST", "/roster/webhooks", `{"url": "`+endpoint.URL+`", "events": ["roster.task.ended"]}`).ok(201)["id"].(string)
	before := s.scrape("")
	for _, series := range []string{`roster_runs_total{kind="ingest",status="SUCCESS"}`, `roster_runs_total{kind="erase",status="FAILED"}`, "roster_runs_in_progress",
		"roster_rows_read_total", "roster_bytes_read_total", "roster_last_successful_run_timestamp_seconds", `roster_queue_waiting_jobs{kind="run"}`,
		`roster_queue_oldest_waiting_seconds{kind="run"}`, `roster_lookups_total{outcome="found"}`, `roster_webhook_deliveries_total{outcome="failed"}`} {
		if got, ok := valueOf(before, series); !ok || got != 0 {
			t.Errorf("%s is %v, %v on a new server", series, got, ok)
		}
	}

	content := "mail,points\nada@example.com,1\ngrace@example.com,2\nlinus@example.com,3\n"
	s.land("people.csv", content)
	id := s.submit(loyalty)
	if run := s.ingest(id, ""); run["status"] != "SUCCESS" {
		t.Fatal(run)
	}
	if run := s.ingest(id, `{"dryRun": true, "differentialIngestion": false}`); run["status"] != "SUCCESS" {
		t.Fatal(run)
	}
	bad := "mail,points\nada@example.com,many\n"
	s.land("people.csv", bad)
	if run := s.ingest(id, ""); run["status"] != "FAILED" {
		t.Fatal(run)
	}
	for who, want := range map[string]string{"ada@example.com": "realized", "nobody@example.com": ""} {
		if got := s.lookup("email", who, id); got != want {
			t.Errorf("%s is %q", who, got)
		}
	}
	s.call("POST", "/core/ups/access/entities", `{"identities": [{"entityId": "ada@example.com", "entityIdNS": {"code": "email"}},
		{"entityId": "x@example.com", "entityIdNS": {"code": "email"}}, {"entityId": "y@example.com", "entityIdNS": {"code": "email"}}]}`).ok(200)
	s.call("GET", "/core/ups/access/entities?schema.name=_xdm.context.profile&entityId=a&entityIdNS=nonsense", "").refused(400, "100910-400")
	s.poll("/roster/webhooks/"+hook+"/deliveries", func(v map[string]any) bool {
		list := v["deliveries"].([]any)
		return len(list) > 0 && len(list[0].(map[string]any)["attempts"].([]any)) > 0
	})

	// A metric counts an end shortly after the API shows it.
	after := s.scrape("")
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); after = s.scrape("") {
		running, _ := valueOf(after, "roster_runs_in_progress")
		attempts, _ := valueOf(after, `roster_webhook_attempts_total{outcome="failed"}`)
		if running == 0 && attempts > 0 {
			break
		}
	}
	read := float64(2*len(content) + len(bad))
	for series, want := range map[string]float64{
		`roster_runs_total{kind="ingest",status="SUCCESS"}`: 1, `roster_runs_total{kind="ingest",status="FAILED"}`: 1,
		`roster_runs_total{kind="ingest (dry run)",status="SUCCESS"}`: 1,
		"roster_runs_in_progress":                                     0, "roster_rows_read_total": 7, "roster_bytes_read_total": read,
		`roster_queue_waiting_jobs{kind="run"}`: 0, `roster_queue_waiting_jobs{kind="webhook"}`: 0,
		`roster_lookups_total{outcome="found"}`: 2, `roster_lookups_total{outcome="unknown"}`: 3, `roster_lookups_total{outcome="refused"}`: 1,
		`roster_lookups_total{outcome="failed"}`: 0, `roster_webhook_attempts_total{outcome="delivered"}`: 0, `roster_webhook_deliveries_total{outcome="failed"}`: 0,
	} {
		if got, _ := valueOf(after, series); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	if n, _ := valueOf(after, `roster_webhook_attempts_total{outcome="failed"}`); n < 1 {
		t.Errorf("%v failed attempts", n)
	}
	if free, _ := valueOf(after, `roster_disk_free_bytes{volume="data"}`); free <= 0 {
		t.Error("no room is left")
	}
	succeeded, _ := valueOf(after, "roster_last_successful_run_timestamp_seconds")
	if age := time.Since(time.Unix(int64(succeeded), 0)); age < 0 || age > 10*time.Minute {
		t.Errorf("the last run succeeded %s ago", age)
	}

	s.stop()
	s.open()
	if again, _ := valueOf(s.scrape(""), "roster_last_successful_run_timestamp_seconds"); again != succeeded {
		t.Errorf("after a restart the last run succeeded at %v, before at %v", again, succeeded)
	}
	text := string(s.callWith("GET", "/metrics", "", map[string]string{"Authorization": ""}).body)
	for _, private := range []string{s.creds.OrgID, `"prod"`, "loyalty-club", id, s.creds.ClientID, hook} {
		if strings.Contains(text, private) {
			t.Errorf("/metrics tells %q to everybody", private)
		}
	}
}

// TestDiskMetrics waits for the first measurement of the disk.
func TestDiskMetrics(t *testing.T) {
	t.Parallel()
	elsewhere := t.TempDir()
	s := start(t, func(c *app.Config) { c.LakeURL = "file://" + elsewhere })
	var families map[string]*dto.MetricFamily
	for deadline := time.Now().Add(time.Minute); ; <-time.After(20 * time.Millisecond) {
		families = s.scrape("")
		if _, ok := valueOf(families, "roster_disk_measured_timestamp_seconds"); ok {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the disk was not looked at")
		}
	}
	for _, part := range []string{"lake", "landing", "profile", "metadata", "cache", "scratch", "other"} {
		used, ok := valueOf(families, fmt.Sprintf("roster_disk_used_bytes{part=%q}", part))
		if !ok || used < 0 || used == 0 && (part == "profile" || part == "metadata") {
			t.Errorf("%s takes %v, %v", part, used, ok)
		}
	}
	for _, volume := range []string{"data", "lake"} {
		free, _ := valueOf(families, fmt.Sprintf("roster_disk_free_bytes{volume=%q}", volume))
		size, _ := valueOf(families, fmt.Sprintf("roster_disk_size_bytes{volume=%q}", volume))
		if free <= 0 || size < free {
			t.Errorf("%s has %v of %v bytes free", volume, free, size)
		}
	}
}

// documentedMetric is a row of the table in docs/MONITORING.md.
var documentedMetric = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([a-z]+) \\| ([^|]*) \\| (.+) \\|$")

// TestMetricsAreDocumented compares the metrics of a server after some work with the table, in both directions.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	token := filepath.Join(t.TempDir(), "token")
	writeFile(t, token, "a token of the operator's\n")
	s := start(t, func(c *app.Config) { c.MetricsTokenFile = token })
	s.land("people.csv", "mail,points\nada@example.com,1\n")
	if run := s.ingest(s.submit(loyalty), ""); run["status"] != "SUCCESS" {
		t.Fatal(run)
	}
	gone, err := http.Get(s.app.URL() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	gone.Body.Close()
	document, err := os.ReadFile("../../docs/MONITORING.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, m := range documentedMetric.FindAllStringSubmatch(string(document), -1) {
		documented[m[1]] = fmt.Sprintf("| `%s` | %s | %s | %s |", m[1], m[2], strings.TrimSpace(m[3]), m[4])
	}
	// These metrics have no series until a connection has ended or the disk has been measured.
	late := map[string]bool{"roster_connections_ended_total": true, "roster_disk_used_bytes": true, "roster_disk_measured_timestamp_seconds": true}
	served := map[string]bool{}
	for name, f := range s.scrape("a token of the operator's") {
		if !strings.HasPrefix(name, "roster_") {
			continue
		}
		served[name] = true
		var labels []string
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if label := "`" + l.GetName() + "`"; !slices.Contains(labels, label) {
					labels = append(labels, label)
				}
			}
		}
		want := fmt.Sprintf("| `%s` | %s | %s | %s |", name, strings.ToLower(f.GetType().String()), strings.Join(labels, ", "), f.GetHelp())
		if documented[name] != want {
			t.Errorf("docs/MONITORING.md has\n%s\nbut the server\n%s", documented[name], want)
		}
	}
	for name := range documented {
		if !served[name] && !late[name] {
			t.Errorf("docs/MONITORING.md describes %s, which the server does not have", name)
		}
	}
}

// lines returns the log lines with a message.
func (e *everything) lines(message string) (found []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for line := range strings.Lines(e.text.String()) {
		if strings.Contains(line, `msg="`+message+`"`) || strings.Contains(line, "msg="+message+" ") {
			found = append(found, line)
		}
	}
	return found
}

// TestLogOfWork reads the log of a server as its operator: one line for each ended piece of work, and nothing
// irrelevant to the operator.
func TestLogOfWork(t *testing.T) {
	t.Parallel()
	log := &everything{}
	s := start(t, func(c *app.Config) {
		c.Logger = slog.New(slog.NewTextHandler(log, nil))
		c.MasterKey.Text = "c2VjcmV0LW1hc3Rlci1rZXktb2YtMzItYnl0ZXMhISE="
	})
	s.land("people.csv", "mail,points\nada@example.com,1\ngrace@example.com,2\n")
	open := s.submit(loyalty)
	hidden := s.submit(strings.Replace(strings.Replace(loyalty, "loyalty-club", "secret-club", 1), `"originName"`, `"labels": ["core/C2"], "originName"`, 1))
	if run := s.ingest(open, ""); run["status"] != "SUCCESS" {
		t.Fatal(run)
	}
	if run := s.ingest(hidden, `{"dryRun": true}`); run["status"] != "SUCCESS" {
		t.Fatal(run)
	}
	s.land("people.csv", "mail,points\nada@example.com,many\n")
	if run := s.ingest(open, ""); run["status"] != "FAILED" {
		t.Fatal(run)
	}
	connection := s.connect()
	if err := os.Remove(s.root); err != nil {
		t.Fatal(err)
	}
	failing := strings.NewReplacer("loyalty-club", "no-club", `"cloudType": "DLZ"`, `"baseConnectionId": "`+connection+`"`).Replace(loyalty)
	failed := s.call("POST", ais+"/submit", failing).ok(200)["taskId"].(string)
	if task := s.poll(ais+"/task/"+failed, ended); task["status"] != "FAILED" {
		t.Fatal(task)
	}
	job := s.call("DELETE", "/core/ups/access/entities?entityId=ada@example.com&entityIdNS=email", "").ok(202)["jobId"].(string)
	s.poll("/roster/erasures/"+job, ended)
	s.stop()

	whose := "organization=" + s.creds.OrgID + " sandbox=prod"
	for message, want := range map[string][]string{
		"run ended": {
			"level=INFO.*" + whose + " run=[0-9a-f-]+ audience=" + open + ` name=loyalty-club kind=ingest dryRun=false rowsRead=2 rowsRejected=0 membersBefore=0 membersAfter=2 seconds=[0-9.]+ status=SUCCESS`,
			"level=INFO.*" + whose + " run=[0-9a-f-]+ audience=" + hidden + ` kind=ingest dryRun=true rowsRead=2 rowsRejected=0 membersBefore=0 membersAfter=2 seconds=[0-9.]+ status=SUCCESS`,
			"level=WARN.*" + whose + " run=[0-9a-f-]+ audience=" + open + ` name=loyalty-club kind=ingest dryRun=false rowsRead=1 rowsRejected=1 seconds=[0-9.]+ status=FAILED error=".*reject.*"`,
			"level=INFO.*" + whose + " run=[0-9a-f-]+ audience=" + open + ` name=loyalty-club kind=erase dryRun=false rowsRead=0 rowsRejected=0 membersBefore=2 membersAfter=1 seconds=[0-9.]+ status=SUCCESS`,
		},
		"task ended": {
			"level=INFO.*" + whose + " task=[0-9a-f-]+ audience=" + open + " name=loyalty-club warnings=0 seconds=[0-9.]+ status=SUCCESS",
			"level=INFO.*" + whose + " task=[0-9a-f-]+ audience=" + hidden + " warnings=0 seconds=[0-9.]+ status=SUCCESS",
			"level=WARN.*" + whose + " task=" + failed + ` name=no-club warnings=0 seconds=[0-9.]+ status=FAILED error=".+"`,
		},
		"erasure ended": {"level=INFO.*" + whose + " erasure=" + job + " audiences=1 members=1 versions=[0-9]+ files=[0-9]+ rejects=[0-9]+ seconds=[0-9.]+ status=SUCCESS"},
		"serving": {"level=INFO.* version=.+ url=" + regexp.QuoteMeta(s.app.URL()) + " data=" + regexp.QuoteMeta(s.dir) +
			` database=sqlite memory="64 MiB" undoWindow=168h0m0s foreignWrites=adopt tls=false masterKey=environment metricsToken=false localRoots=`},
		"stopped": {"level=INFO.* url=" + regexp.QuoteMeta(s.app.URL()) + " data=" + regexp.QuoteMeta(s.dir) + " seconds=[0-9.]+"},
	} {
		lines := log.lines(message)
		for _, pattern := range want {
			if n := len(slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return !regexp.MustCompile(pattern).MatchString(l) })); n != 1 {
				t.Errorf("%d lines are like\n%s\nthe lines of %q are\n%s", n, pattern, message, strings.Join(lines, ""))
			}
		}
		if message != "run ended" && message != "task ended" && len(lines) != len(want) {
			t.Errorf("%d lines of %q:\n%s", len(lines), message, strings.Join(lines, ""))
		}
	}
	for _, private := range []string{"secret-club", "ada@", "grace@", "c2VjcmV0", s.creds.ClientSecret} {
		if strings.Contains(log.text.String(), private) {
			t.Errorf("the log tells %q", private)
		}
	}
	if err := os.Mkdir(s.root, 0o700); err != nil {
		t.Fatal(err)
	}
	s.open() // so that the test can stop it
}
