package e2e

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roster/client"
	"roster/internal/app"
)

// TestFirstStart checks the content that the first start gives an empty data directory.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := app.CredentialsPath(s.dir)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("credentials: mode %v, %v", info.Mode(), err)
	}
	var keys map[string]any
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &keys); err != nil {
		t.Fatal(err)
	}
	sameJSON(t, "credentials.json", keys, fmt.Sprintf(`{"base_url": %q, "token_url": %q, "org_id": %q, "sandbox": "prod", "client_id": "<uuid>", "client_secret": "<any>"}`,
		s.app.URL(), s.app.URL()+"/ims/token/v3", s.creds.OrgID))
	for _, p := range []string{"/", "/healthz", "/readyz", "/metrics", "/openapi.yaml"} {
		if a := s.callWith("GET", p, "", map[string]string{"Authorization": "", "x-api-key": "", "x-gw-ims-org-id": "", "x-sandbox-name": ""}); a.status != 200 {
			t.Errorf("%s: %d %s", p, a.status, a.body)
		}
	}
	sandboxes := s.call("GET", "/data/foundation/sandbox-management/sandboxes", "").ok(200)["sandboxes"].([]any)
	if len(sandboxes) != 1 || sandboxes[0].(map[string]any)["name"] != "prod" {
		t.Errorf("sandboxes: %v", sandboxes)
	}
}

// TestRestart checks that a restart keeps everything and changes only the addresses in the credentials.
func TestRestart(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("in.csv", "mail,points\nada@example.com,1\n")
	id := s.submit(submitBody("list", "in.csv"))
	s.ingest(id, "")
	before, token, audience := s.creds, s.token, s.call("GET", ais+"/"+id, "").body
	s.stop()
	s.open()
	if s.creds.BaseURL != s.app.URL() || s.creds.TokenURL != s.app.URL()+"/ims/token/v3" {
		t.Errorf("the credentials have %s and %s, the server is at %s", s.creds.BaseURL, s.creds.TokenURL, s.app.URL())
	}
	before.BaseURL, before.TokenURL = s.creds.BaseURL, s.creds.TokenURL
	if s.creds != before {
		t.Errorf("the credentials changed")
	}
	s.token = token // tokens survive a restart
	if after := s.call("GET", ais+"/"+id, ""); string(after.body) != string(audience) {
		t.Errorf("the audience is %s, was %s", after.body, audience)
	}
	if got := s.lookup("email", "ada@example.com", id); got != "realized" {
		t.Errorf("ada is %q", got)
	}
}

// TestLock opens a data directory twice.
func TestLock(t *testing.T) {
	t.Parallel()
	s := start(t)
	_, err := app.New(t.Context(), app.Config{DataDir: s.dir})
	var locked *app.LockedError
	if !errors.As(err, &locked) || locked.Holder.PID != os.Getpid() || locked.Holder.URL != s.app.URL() {
		t.Fatalf("second process: %v", err)
	}
}

// TestStoppedRun stops the server during a run. After the next start the run ends with the same result.
func TestStoppedRun(t *testing.T) {
	t.Parallel()
	s := start(t)
	const people = 200_000
	s.land("big.csv", manyPeople(people))
	id := s.submit(submitBody("big", "big.csv"))
	run := s.call("POST", ais+"/"+id+"/run", "").ok(200)["runId"].(string)
	s.stop()
	s.open()
	v := s.poll(ais+"/"+id+"/run/"+run, ended)
	sameJSON(t, "rows", v["rows"], fmt.Sprintf(`{"rowsRead": %d, "rowsRejected": 0, "duplicates": 0, "added": %[1]d, "updated": 0, "unchanged": 0, "deleted": 0, "deletedNotMember": 0}`, people))
	if got := s.lookup("email", "person199999@example.com", id); got != "realized" {
		t.Errorf("the last person is %q", got)
	}
}

// TestExpiry lets memberships expire.
func TestExpiry(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("in.csv", "mail,points\nada@example.com,1\nbob@example.com,2\n")
	id := s.submit(submitBody("list", "in.csv"))
	s.ingest(id, "")
	const day = 24 * time.Hour
	for _, step := range []struct {
		wait      time.Duration
		ada, bob  string
		more, run string // a new file, and a run that reads it
	}{
		{29 * day, "realized", "realized", "mail,points\nada@example.com,5\n", "{}"},
		{2 * day, "realized", "exited", "", ""},
		{28*day - time.Hour, "realized", "exited", "", ""},
		{2 * time.Hour, "exited", "exited", "", ""},
		{2 * day, "exited", "", "", ""},
		{30 * day, "", "", "", ""},
	} {
		s.clock.advance(step.wait)
		s.token = s.newToken()
		for mail, want := range map[string]string{"ada@example.com": step.ada, "bob@example.com": step.bob} {
			if got := s.lookup("email", mail, id); got != want {
				t.Errorf("after %v more: %s is %q, want %q", step.wait, mail, got, want)
			}
		}
		if step.more != "" {
			s.land("in.csv", step.more)
			if run := s.ingest(id, step.run); run["status"] != "SUCCESS" {
				t.Fatalf("run: %v", run)
			}
		}
	}
	s.believe()
	s.land("in.csv", "mail,points\ncleo@example.com,1\n")
	run := s.ingest(id, "")
	sameJSON(t, "members after everybody expired", run["members"], `{"before": 2, "after": 1, "removed": 0, "expired": 2}`)
}

// TestModes runs differential and full imports with deletes, duplicates and rejects, and checks the ledgers.
func TestModes(t *testing.T) {
	t.Parallel()
	s := start(t)
	body := `{"name": "list", "fields": [{"name": "Mail", "type": "string", "identityNs": "email"}, {"name": "born", "type": "date"},
	    {"name": "gone", "type": "boolean", "role": "delete"}, {"name": "missing", "type": "long"}],
	  "sourceSpec": {"path": "lists", "type": "folder", "sourceType": "Cloud Storage", "cloudType": "DLZ"}, "originName": "CUSTOM_UPLOAD"}`
	s.land("lists/1.csv", "\ufeffgone,extra,born,mail\n0,x,1990-01-01,a@example.com\n0,x,,b@example.com\n0,x,1990-02-30,c@example.com\n0,x,2000-01-01, A@EXAMPLE.COM\n")
	id := s.submit(body)
	for i, step := range []struct{ file, content, run, rows, members string }{
		{"", "", `{"force": true}`, `{"rowsRead": 4, "rowsRejected": 1, "duplicates": 1, "added": 2, "updated": 0, "unchanged": 0, "deleted": 0, "deletedNotMember": 0}`,
			`{"before": 0, "after": 2, "removed": 0, "expired": 0}`},
		{"lists/2.csv", "mail,born,gone\nb@example.com,,yes\nx@example.com,,1\nd@example.com,1970-01-01,no\na@example.com,2001-01-01,f\n", `{"force": true}`,
			`{"rowsRead": 4, "rowsRejected": 0, "duplicates": 0, "added": 1, "updated": 1, "unchanged": 0, "deleted": 1, "deletedNotMember": 1}`,
			`{"before": 2, "after": 2, "removed": 0, "expired": 0}`},
		{"", "", "{}", `{"rowsRead": 0, "rowsRejected": 0, "duplicates": 0, "added": 0, "updated": 0, "unchanged": 0, "deleted": 0, "deletedNotMember": 0}`,
			`{"before": 2, "after": 2, "removed": 0, "expired": 0}`},
	} {
		if step.file != "" {
			s.land(step.file, step.content)
		}
		run := s.ingest(id, step.run)
		if run["status"] != "SUCCESS" {
			t.Fatalf("run %d: %v", i+1, run)
		}
		sameJSON(t, fmt.Sprintf("rows of run %d", i+1), run["rows"], step.rows)
		sameJSON(t, fmt.Sprintf("members of run %d", i+1), run["members"], step.members)
	}
	for mail, want := range map[string]string{"a@example.com": "realized", "b@example.com": "exited", "c@example.com": "", "d@example.com": "realized", "x@example.com": ""} {
		if got := s.lookup("Email", mail, id); got != want {
			t.Errorf("%s is %q, want %q", mail, got, want)
		}
	}
	if err := os.Remove(filepath.Join(s.dir, "landing", "prod", "lists", "1.csv")); err != nil {
		t.Fatal(err)
	}
	full := s.ingest(id, `{"differentialIngestion": false, "dataFilterStartTime": 0, "force": true}`)
	sameJSON(t, "rows of the full run", full["rows"],
		`{"rowsRead": 4, "rowsRejected": 0, "duplicates": 0, "added": 0, "updated": 0, "unchanged": 2, "deleted": 0, "deletedNotMember": 2}`)
	sameJSON(t, "members of the full run", full["members"], `{"before": 2, "after": 2, "removed": 0, "expired": 0}`)
	s.land("lists/2.csv", "mail\na@example.com\n")
	full = s.ingest(id, `{"differentialIngestion": false, "force": true}`)
	sameJSON(t, "members of the last full run", full["members"], `{"before": 2, "after": 1, "removed": 1, "expired": 0}`)
	if got := s.lookup("Email", "d@example.com", id); got != "exited" {
		t.Errorf("d is %q after a full run without it", got)
	}
}

// TestNamespaces creates a namespace and finds members by it.
func TestNamespaces(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.call("POST", "/data/core/idnamespace/identities", `{"name": "Airport", "code": "IATA", "description": "airports", "idType": "Cross_device"}`).ok(201)
	s.call("POST", "/data/core/idnamespace/identities", `{"name": "Airport again", "code": "iata", "idType": "Cross_device"}`).refused(409, "100950-409")
	s.land("airports.csv", "iata,name\nOSL,Oslo\n ARN ,Arlanda\n")
	id := s.submit(`{"name": "airports", "fields": [{"name": "iata", "type": "string", "identityNs": "iata"}, {"name": "name", "type": "string"}],
	  "sourceSpec": {"path": "airports.csv", "type": "file", "sourceType": "Cloud Storage", "cloudType": "DLZ"}, "originName": "CUSTOM_UPLOAD"}`)
	s.ingest(id, "")
	for airport, want := range map[string]string{"OSL": "realized", "ARN": "realized", "osl": ""} {
		if got := s.lookup("IATA", airport, id); got != want {
			t.Errorf("%s is %q, want %q", airport, got, want)
		}
	}
}

// TestStopTwice stops a server twice, and stops a server that never started.
func TestStopTwice(t *testing.T) {
	t.Parallel()
	a, err := app.New(t.Context(), app.Config{DataDir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := a.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// TestTLS serves with a certificate. The server ends handshakes that stall.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	roots := selfSigned(t, cert, key)
	a, err := app.New(t.Context(), app.Config{DataDir: filepath.Join(dir, "data"), Listen: "127.0.0.1:0", TLSCert: cert, TLSKey: key, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Stop(context.Background())
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := client.LoadCredentials(app.CredentialsPath(a.DataDir()))
	if err != nil {
		t.Fatal(err)
	}
	c.HTTP = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	if list, err := c.Sandboxes(t.Context()); err != nil || len(list) != 1 || !strings.HasPrefix(c.BaseURL, "https://") {
		t.Errorf("at %s: %v, %v", c.BaseURL, list, err)
	}
	for _, hello := range []string{"", "\x16\x03\x01", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"} {
		stalled, err := net.Dial("tcp", strings.TrimPrefix(c.BaseURL, "https://"))
		if err != nil {
			t.Fatal(err)
		}
		defer stalled.Close()
		if _, err := io.WriteString(stalled, hello); err != nil {
			t.Fatal(err)
		}
		defer func() {
			stalled.SetReadDeadline(time.Now().Add(time.Minute))
			if _, err := stalled.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a handshake that stops after %d bytes: %v", len(hello), err)
			}
		}()
	}
}

// selfSigned writes a certificate for 127.0.0.1 and its key.
func selfSigned(t *testing.T, certFile, keyFile string) *x509.CertPool {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(nil, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	writeFile(t, certFile, string(certPEM))
	writeFile(t, keyFile, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return roots
}
