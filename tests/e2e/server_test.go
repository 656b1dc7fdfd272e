// Package e2e tests Roster from the outside: over HTTP, as clients do, and with the built binary.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"roster/internal/app"
)

// server is a Roster that belongs to one test, with the credentials of a client and a folder that local connections may
// use.
type server struct {
	t     *testing.T
	app   *app.App
	creds app.Credentials
	dir   string // the data directory
	root  string // the allowed local folder
	token string
	clock *clock
	tune  []func(*app.Config)
}

// clock is a time that tests can move.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// believe makes the server trust a clock that the test moved far ahead. The server distrusts such a clock for a day.
func (s *server) believe() {
	s.t.Helper()
	s.stop()
	s.open() // the server reads the clock
	s.clock.advance(25 * time.Hour)
	s.token = s.newToken()
}

// start starts a server on an empty data directory, with a configuration that tune may change.
func start(t *testing.T, tune ...func(*app.Config)) *server {
	t.Helper()
	s := &server{t: t, dir: filepath.Join(t.TempDir(), "data"), root: t.TempDir(), clock: &clock{}, tune: tune}
	s.open()
	t.Cleanup(s.stop)
	return s
}

// open starts the server on its data directory, which may contain data.
func (s *server) open() {
	s.t.Helper()
	cfg := app.Config{
		DataDir: s.dir, Listen: "127.0.0.1:0", LocalRoots: []string{s.root}, Memory: 64 << 20, SettleAge: new(time.Duration),
		Clock: s.clock.now, Logger: slog.New(slog.NewTextHandler(testLog{s.t}, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	for _, change := range s.tune {
		change(&cfg)
	}
	a, err := app.New(s.t.Context(), cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.app = a
	if err := a.Start(s.t.Context()); err != nil {
		s.t.Fatal(err, a.Stop(context.Background()))
	}
	if s.creds, err = app.ReadCredentials(app.CredentialsPath(s.dir)); err != nil {
		s.t.Fatal(err)
	}
	s.token = s.newToken()
}

func (s *server) stop() {
	if err := s.app.Stop(context.Background()); err != nil {
		s.t.Error("stop:", err)
	}
}

// testLog writes a server's log to the test's log.
type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func (s *server) newToken() string {
	s.t.Helper()
	resp, err := http.PostForm(s.creds.TokenURL, url.Values{
		"grant_type": {"client_credentials"}, "client_id": {s.creds.ClientID}, "client_secret": {s.creds.ClientSecret}, "scope": {"openid"},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var tok struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&tok); err != nil || resp.StatusCode != 200 {
		s.t.Fatalf("token: %d, %v", resp.StatusCode, err)
	}
	if tok.TokenType != "bearer" || tok.ExpiresIn < 3600 || tok.AccessToken == "" {
		s.t.Fatalf("token answer has type %q and expires_in %d", tok.TokenType, tok.ExpiresIn)
	}
	return tok.AccessToken
}

// answer is the response to a call.
type answer struct {
	t      *testing.T
	call   string
	status int
	header http.Header
	body   []byte
}

// call sends a request with all headers. body is JSON text, or "" for none.
func (s *server) call(method, path, body string) answer {
	s.t.Helper()
	return s.callWith(method, path, body, nil)
}

// callWith is call with some headers changed. An empty value removes a header.
func (s *server) callWith(method, path, body string, headers map[string]string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.creds.BaseURL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	all := map[string]string{
		"Authorization": "Bearer " + s.token, "x-api-key": s.creds.ClientID,
		"x-gw-ims-org-id": s.creds.OrgID, "x-sandbox-name": s.creds.Sandbox,
	}
	if body != "" {
		all["Content-Type"] = "application/json"
	}
	for k, v := range headers {
		all[k] = v
	}
	for k, v := range all {
		if v != "" {
			req.Header.Set(k, v)
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{t: s.t, call: method + " " + path, status: resp.StatusCode, header: resp.Header, body: data}
}

// ok requires a status and returns the decoded body.
func (a answer) ok(status int) map[string]any {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: status %d, want %d: %s", a.call, a.status, status, a.body)
	}
	if len(bytes.TrimSpace(a.body)) == 0 {
		return nil
	}
	var v map[string]any
	if err := json.Unmarshal(a.body, &v); err != nil {
		a.t.Fatalf("%s: body is not JSON: %v: %s", a.call, err, a.body)
	}
	return v
}

// refused requires an error of the contract: its status, code and shape, and texts that its message contains.
func (a answer) refused(status int, code string, mentions ...string) {
	a.t.Helper()
	if a.status != status {
		a.t.Errorf("%s: status %d, want %d: %s", a.call, a.status, status, a.body)
		return
	}
	if ct := a.header.Get("Content-Type"); !strings.HasPrefix(ct, "application/problem+json") {
		a.t.Errorf("%s: content type %q", a.call, ct)
	}
	var p struct {
		Type, Title, Detail, RequestID, ErrorCode, Message string
		Status                                             int
		Errors                                             map[string][]struct{ Code, Message, Path string }
		Report                                             any
	}
	if err := json.Unmarshal(a.body, &p); err != nil {
		a.t.Errorf("%s: the error body is not JSON: %v: %s", a.call, err, a.body)
		return
	}
	if p.ErrorCode != code || p.Status != status || p.Title == "" || p.RequestID == "" || p.Report != nil {
		a.t.Errorf("%s: want code %s: %s", a.call, code, a.body)
	}
	for _, entries := range p.Errors {
		for _, e := range entries {
			if e.Code != code {
				a.t.Errorf("%s: an entry of errors has code %q: %s", a.call, e.Code, a.body)
			}
		}
	}
	for _, m := range mentions {
		if !strings.Contains(string(a.body), m) {
			a.t.Errorf("%s: the error does not mention %q: %s", a.call, m, a.body)
		}
	}
}

// poll repeats a call until done returns true. It fails when the patience of the test ends.
func (s *server) poll(path string, done func(map[string]any) bool) map[string]any {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		v := s.call("GET", path, "").ok(200)
		if done(v) {
			return v
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s did not end: %v", path, v)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func ended(v map[string]any) bool { return v["status"] != "PROCESSING" }

// put writes a file into the allowed local folder.
func (s *server) put(name, content string) {
	s.t.Helper()
	writeFile(s.t, filepath.Join(s.root, name), content)
}

// land writes a file into the landing zone.
func (s *server) land(name, content string) {
	s.t.Helper()
	writeFile(s.t, filepath.Join(s.dir, "landing", s.creds.Sandbox, name), content)
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// connect creates a base connection to the allowed local folder and returns its id.
func (s *server) connect() string {
	s.t.Helper()
	body := compact(map[string]any{
		"name": "files", "connectionSpec": map[string]any{"id": "6c1f0c0e-5d0a-4f0e-9a57-0d6f7c1b2a10", "version": "1.0"},
		"auth": map[string]any{"specName": "none", "params": map[string]any{"root": s.root}},
	})
	return s.call("POST", "/data/foundation/flowservice/connections", body).ok(201)["id"].(string)
}

const ais = "/data/core/ais/external-audience"

// submit submits an audience and returns its id when the task has ended SUCCESS.
func (s *server) submit(body string) string {
	s.t.Helper()
	task := s.call("POST", ais+"/submit", body).ok(200)["taskId"].(string)
	v := s.poll(ais+"/task/"+task, ended)
	if v["status"] != "SUCCESS" {
		s.t.Fatalf("task: %v", v)
	}
	return v["audienceId"].(string)
}

// ingest runs an audience and returns the run when it has ended.
func (s *server) ingest(audience, body string) map[string]any {
	s.t.Helper()
	run := s.call("POST", ais+"/"+audience+"/run", body).ok(200)["runId"].(string)
	return s.poll(ais+"/"+audience+"/run/"+run, ended)
}

// lookup returns the status of an identity's membership in an audience, "" if there is none.
func (s *server) lookup(ns, id, audience string) string {
	s.t.Helper()
	a := s.call("GET", "/data/core/ups/access/entities?schema.name=_xdm.context.profile&entityId="+url.QueryEscape(id)+"&entityIdNS="+ns, "")
	if a.status == 404 {
		a.refused(404, "100940-404")
		return ""
	}
	for _, profile := range a.ok(200) {
		entity, _ := profile.(map[string]any)["entity"].(map[string]any)
		memberships, _ := entity["segmentMembership"].(map[string]any)
		for _, byID := range memberships {
			if m, ok := byID.(map[string]any)[audience].(map[string]any); ok {
				return m["status"].(string)
			}
		}
	}
	return ""
}

func compact(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
