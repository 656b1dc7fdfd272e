package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// server is a stub of the API: it answers each "METHOD path" by the next of its answers, and keeps what it got.
type server struct {
	t       *testing.T
	client  *Client
	mu      sync.Mutex
	answers map[string][]string // "status body"
	got     []string            // "METHOD path?query body"
	tokens  int
	life    int // of a token in seconds
}

func newServer(t *testing.T, answers map[string][]string) *server {
	t.Helper()
	s := &server{t: t, answers: answers, life: 86399}
	hs := httptest.NewServer(s)
	t.Cleanup(hs.Close)
	s.client = &Client{BaseURL: hs.URL, Org: "org", Sandbox: "prod", ClientID: "id", ClientSecret: "s e c"}
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("x-request-id", "r1")
	if r.URL.Path == "/ims/token/v3" {
		s.tokens++
		if r.FormValue("grant_type") != "client_credentials" || r.FormValue("client_id") != "id" || r.FormValue("client_secret") != "s e c" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client","error_description":"wrong"}`)
			return
		}
		fmt.Fprintf(w, `{"access_token":"t%d","token_type":"bearer","expires_in":%d}`, s.tokens, s.life)
		return
	}
	for name, want := range map[string]string{"Authorization": fmt.Sprintf("Bearer t%d", s.tokens), "x-api-key": "id", "x-gw-ims-org-id": "org", "x-sandbox-name": "prod"} {
		if got := r.Header.Get(name); got != want {
			s.t.Errorf("%s %s: %s is %q, want %q", r.Method, r.URL.Path, name, got, want)
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	s.got = append(s.got, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
	call := r.Method + " " + r.URL.EscapedPath()
	list := s.answers[call]
	if len(list) == 0 {
		s.t.Errorf("unexpected %s", call)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	if len(list) > 1 {
		s.answers[call] = list[1:]
	}
	var status int
	text := list[0]
	if _, err := fmt.Sscanf(text, "%d", &status); err != nil {
		s.t.Error(err)
	}
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "0")
	}
	w.WriteHeader(status)
	_, body2, _ := strings.Cut(text, " ")
	fmt.Fprint(w, body2)
}

const notFound = `404 {"status":404,"detail":"nothing","requestId":"r1","errorCode":"100940-404","errors":{"404":[{"code":"100940-404","message":"nothing","path":"p"}]}}`

func TestCalls(t *testing.T) {
	t.Parallel()
	const ext = "/data/core/ais/external-audience"
	s := newServer(t, map[string][]string{
		"POST " + ext + "/submit":                           {`200 {"taskId":"t","name":"a","sourceSpec":{"params":{"path":"p"}}}`},
		"GET /data/core/ais/external-audiences/task/t":      {`200 {"taskId":"t","status":"PROCESSING"}`, `200 {"taskId":"t","status":"SUCCESS","audienceId":"x"}`},
		"GET " + ext + "/x":                                 {`200 {"audienceId":"x","audienceMeta":{"members":3}}`},
		"GET " + ext:                                        {`200 {"audiences":[{"audienceId":"x"}],"_page":{"limit":1,"count":1,"totalCount":2,"next":"1"}}`},
		"PATCH " + ext + "/x":                               {`200 {"audienceId":"x","ttlInDays":20}`},
		"POST " + ext + "/x/runs":                           {`200 {"runId":"r"}`},
		"GET " + ext + "/x/runs/r":                          {`200 {"status":"PROCESSING","progress":{"rows":5}}`, `200 {"status":"FAILED","error":{"code":"c"}}`},
		"GET " + ext + "/x/runs":                            {`200 {"runs":[{"runId":"r"}]}`},
		"DELETE " + ext + "/x":                              {`204 `},
		"POST /data/foundation/flowservice/connections":     {`201 {"id":"c","etag":"e"}`},
		"GET /data/foundation/flowservice/connections/c":    {`200 {"items":[{"id":"c"}]}`, `200 {"items":[]}`},
		"DELETE /data/foundation/flowservice/connections/c": {`204 `},
		"POST /data/core/idnamespace/identities":            {`201 {"id":10000,"code":"IATA"}`},
		"GET /data/core/idnamespace/identities":             {`200 [{"code":"Email"}]`},
		"GET /data/foundation/sandbox-management/sandboxes": {`200 {"sandboxes":[{"name":"prod"}]}`},
		"GET /data/core/ups/audiences":                      {`200 {"children":[{"id":"x","_etag":"\"e\""}],"_page":{"totalCount":2,"pageSize":1,"next":"n"},"_links":{"next":{"href":"@/audiences?start=n"}}}`},
		"GET /data/core/ups/audiences/x":                    {`200 {"id":"x","lifecycleState":"draft","sandbox":{"sandboxName":"prod"},"linkedAudienceRef":{"flowId":"f"}}`},
		"GET /data/core/ups/access/entities":                {`200 {"k":{"entityId":"k","entity":{"segmentMembership":{"n":{"x":{"status":"realized"}}}}}}`, notFound},
		"POST /data/core/ups/access/entities":               {`503 busy`, `200 {"k":{"entity":{}}}`},
		"PUT /landing/lists/new%20one.csv":                  {`200 {"path":"lists/new one.csv","size":4}`},
		"GET " + ext + "/" + "a%2Fb":                        {notFound},
	})
	c, ctx := s.client, t.Context()
	check := func(err error, ok bool) {
		t.Helper()
		if err != nil || !ok {
			t.Errorf("%v, %v", err, ok)
		}
	}
	a, err := c.SubmitAudience(ctx, NewAudience{Name: "a", Fields: []Field{{Name: "m", Type: "string", IdentityNs: "Email"}}, SourceSpec: SourceSpec{SourceParams: SourceParams{Path: "p"}},
		TTLInDays: new(30), OriginName: "CUSTOM_UPLOAD"})
	check(err, a.TaskID == "t" && a.SourceSpec.Where().Path == "p")
	task, err := c.WaitTask(ctx, a.TaskID)
	check(err, task.AudienceID == "x")
	a, err = c.Audience(ctx, "x")
	check(err, a.AudienceMeta.Members == 3)
	list, err := c.Audiences(ctx, "1", 1)
	check(err, list.Page.Next == "1" && len(list.Audiences) == 1)
	a, err = c.UpdateAudience(ctx, "x", AudiencePatch{Labels: &[]string{}, TTLInDays: new(20)})
	check(err, a.TTLInDays == 20)
	started, err := c.StartRun(ctx, "x", RunRequest{DifferentialIngestion: new(false)})
	check(err, started.RunID == "r")
	var seen []string
	run, err := c.WaitRun(ctx, "x", "r", func(r Run) { seen = append(seen, r.Status) })
	check(err, run.Status == Failed && run.Error.Code == "c" && reflect.DeepEqual(seen, []string{Processing, Failed}))
	runs, err := c.Runs(ctx, "x", nil)
	check(err, len(runs.Runs) == 1)
	check(c.DeleteAudience(ctx, "x"), true)
	ref, err := c.CreateConnection(ctx, NewConnection{Name: "n"})
	check(err, ref.ID == "c")
	conn, err := c.Connection(ctx, "c")
	check(err, conn.ID == "c")
	if _, err := c.Connection(ctx, "c"); err == nil {
		t.Error("no connection in the answer, no error")
	}
	check(c.DeleteConnection(ctx, "c"), true)
	ns, err := c.CreateNamespace(ctx, NewNamespace{Code: "IATA"})
	check(err, ns.ID == 10000)
	all, err := c.Namespaces(ctx)
	check(err, len(all) == 1)
	sandboxes, err := c.Sandboxes(ctx)
	check(err, len(sandboxes) == 1)
	p, found, err := c.Lookup(ctx, "email", "a@example.com")
	m, member := p.Membership("x")
	check(err, found && member && m.Status == "realized" && p.Found())
	_, found, err = c.Lookup(ctx, "email", "b@example.com")
	check(err, !found)
	profiles, err := c.LookupMany(ctx, []IdentityRef{{EntityID: "b", EntityIDNS: NamespaceRef{Code: "email"}}})
	check(err, len(profiles) == 1 && !profiles["k"].Found())
	others, err := c.UPSAudiences(ctx, url.Values{"sort": {"name:asc"}})
	check(err, others.Children[0].Etag == `"e"` && others.Page.Next == "n" && others.Links.Next.Href == "@/audiences?start=n")
	other, err := c.UPSAudience(ctx, "x")
	check(err, other.LifecycleState == "draft" && other.Sandbox.SandboxName == "prod" && other.LinkedAudienceRef.FlowID == "f")
	up, err := c.Upload(ctx, "lists/new one.csv", strings.NewReader("text"))
	check(err, up.Size == 4)
	var refused *APIError
	if _, err := c.Audience(ctx, "a/b"); !errors.As(err, &refused) || refused.Code != CodeNotFound || refused.Status != 404 || refused.Message != "nothing" ||
		!reflect.DeepEqual(refused.Problems, []Problem{{"p", "nothing"}}) || refused.RequestID != "r1" {
		t.Errorf("%+v", refused)
	}
	if s.tokens != 1 {
		t.Errorf("%d tokens", s.tokens)
	}
	sent := strings.Join(s.got, "\n")
	for _, want := range []string{
		`POST /data/core/ais/external-audience/submit {"name":"a","fields":[{"name":"m","type":"string","identityNs":"Email"}],"sourceSpec":{"path":"p"},"ttlInDays":30,"originName":"CUSTOM_UPLOAD"}`,
		`GET /data/core/ais/external-audience?limit=1&start=1`,
		`GET /data/core/ups/audiences?sort=name%3Aasc`,
		`PATCH /data/core/ais/external-audience/x {"labels":[],"ttlInDays":20}`,
		`POST /data/core/ais/external-audience/x/runs {"differentialIngestion":false}`,
		`GET /data/core/ups/access/entities?entityId=a%40example.com&entityIdNS=email&schema.name=_xdm.context.profile`,
		`PUT /landing/lists/new%20one.csv text`,
	} {
		if !strings.Contains(sent, want+"\n") {
			t.Errorf("not sent: %s\nin\n%s", want, sent)
		}
	}
}

func TestRetries(t *testing.T) {
	t.Parallel()
	const one, runs = "GET /data/core/ais/external-audience/x", "POST /data/core/ais/external-audience/x/runs"
	s := newServer(t, map[string][]string{
		one:  {`502 `, `429 `, `200 {"name":"a"}`, `500 {"errorCode":"100970-500","detail":"internal"}`},
		runs: {`503 {"errorCode":"100970-502","detail":"down"}`},
	})
	if a, err := s.client.Audience(t.Context(), "x"); err != nil || a.Name != "a" || len(s.got) != 3 {
		t.Errorf("%v, %v after %d calls", a, err, len(s.got))
	}
	var refused *APIError
	if _, err := s.client.Audience(t.Context(), "x"); !errors.As(err, &refused) || len(s.got) != 4 || !strings.Contains(err.Error(), "r1") {
		t.Errorf("%v after %d calls: a 500 is not repeated, and its request id is told", err, len(s.got))
	}
	if _, err := s.client.StartRun(t.Context(), "x", RunRequest{}); !errors.As(err, &refused) || len(s.got) != 5 {
		t.Errorf("%v after %d calls: a POST is not repeated", err, len(s.got))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.client.Audience(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestTokenRenewal(t *testing.T) {
	t.Parallel()
	const runs = "POST /data/core/ais/external-audience/x/runs"
	const bad = `400 {"errorCode":"100911-400","detail":"the token has expired"}`
	s := newServer(t, map[string][]string{runs: {bad, `200 {"runId":"r"}`, bad, bad, `200 {"runId":"r"}`}})
	if r, err := s.client.StartRun(t.Context(), "x", RunRequest{}); err != nil || r.RunID != "r" || s.tokens != 2 {
		t.Errorf("%v, %v, %d tokens", r, err, s.tokens)
	}
	var refused *APIError
	if _, err := s.client.StartRun(t.Context(), "x", RunRequest{}); !errors.As(err, &refused) || refused.Code != codeBadToken || s.tokens != 3 {
		t.Errorf("%v, %d tokens", err, s.tokens)
	}
	s.life = 0
	s.client.discardToken()
	for range 2 { // a token without a life is used once
		s.answers[runs] = []string{`200 {"runId":"r"}`}
		if _, err := s.client.StartRun(t.Context(), "x", RunRequest{}); err != nil {
			t.Error(err)
		}
	}
	if s.tokens != 5 {
		t.Errorf("%d tokens", s.tokens)
	}
	s.client.discardToken()
	s.client.ClientSecret = "wrong"
	if _, err := s.client.StartRun(t.Context(), "x", RunRequest{}); !errors.As(err, &refused) || refused.Status != 401 || refused.Message != "invalid_client: wrong" {
		t.Errorf("%v", err)
	}
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	hs := httptest.NewServer(http.NotFoundHandler())
	hs.Close()
	c := &Client{BaseURL: hs.URL}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var refused *APIError
	if err := c.DeleteAudience(ctx, "x"); err == nil || errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
}

func TestLoadCredentials(t *testing.T) {
	t.Parallel()
	good := map[string]string{"base_url": "http://127.0.0.1:8080/", "token_url": "http://127.0.0.1:8080/ims/token/v3", "org_id": "o", "sandbox": "prod", "client_id": "i", "client_secret": "s"}
	write := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "credentials.json")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	c, err := LoadCredentials(write(good))
	if err != nil || c.BaseURL != "http://127.0.0.1:8080" || c.TokenURL != good["token_url"] || c.Org != "o" || c.Sandbox != "prod" || c.ClientID != "i" || c.ClientSecret != "s" {
		t.Errorf("%v", err)
	}
	delete(good, "client_secret")
	for _, path := range []string{write(good), write([]int{1}), filepath.Join(t.TempDir(), "absent")} {
		if _, err := LoadCredentials(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
