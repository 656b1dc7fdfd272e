package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/prometheus/client_golang/prometheus"

	contract "roster/api"
	"roster/internal/audience"
	"roster/internal/auth"
	"roster/internal/control"
	"roster/internal/members"
	"roster/internal/meta"
)

var update = flag.Bool("update", false, "write the golden files")

// Ids in the world of the tests.
const (
	clientID   = "8f3b8f0e-5b9c-4a57-9b53-6f6e2f2a7e11"
	otherID    = "11111111-2222-4333-8444-555566667777"
	secret     = "open sesame"
	org        = "0123456789ABCDEF@RosterOrg"
	taskID     = "df8cd82f-a214-4b72-b549-d6ee23f1ff1a"
	audienceID = "60ccea95-1435-4180-97a5-58af4aa285ab"
	runID      = "fb342311-725d-4b48-ab7d-c6105fbc2b8b"
	connID     = "1d1d4bc5-b527-46a3-9863-530246a61b2b"
	absentID   = "0b6f3a57-1111-4222-8333-444455556666"
	flowID     = "0f7e9a0a-3f0e-5a55-8f6a-6f1f0f2d0a01"
)

var (
	testScope = audience.Scope{Org: org, Sandbox: "prod"}
	testNow   = time.Unix(1749624273, 500).UTC()
)

// world is a handler over a fake of the use cases, with the real token issuer.
type world struct {
	t       *testing.T
	service *fake
	issuer  *auth.Issuer
	handler http.Handler
	metrics *prometheus.Registry
	log     *bytes.Buffer
	token   string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	issuer, err := auth.NewIssuer(filepath.Join(t.TempDir(), "token.jwk"), tenants{}, func() time.Time { return testNow })
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, service: newFake(), issuer: issuer, metrics: prometheus.NewRegistry(), log: &bytes.Buffer{}}
	log := slog.New(slog.NewTextHandler(&syncWriter{w: w.log}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.handler = New(Config{Service: w.service, Issuer: issuer, Log: log, Registerer: w.metrics, Version: "v1.2.3-<test>"})
	if w.token, _, err = issuer.Token(t.Context(), "192.0.2.1:1", clientID, secret); err != nil {
		t.Fatal(err)
	}
	return w
}

type syncWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *syncWriter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}

// tenants has one organization with the sandboxes prod and secret, and two clients without a role in secret.
type tenants struct{}

func (tenants) Client(_ context.Context, id string) (audience.Client, error) {
	if id != clientID && id != otherID {
		return audience.Client{}, meta.ErrNotFound
	}
	return audience.Client{ID: id, Org: org, SecretHash: auth.HashSecret(secret), Roles: map[string]audience.ClientRole{"prod": audience.Editor}}, nil
}

func (tenants) Sandbox(_ context.Context, scope audience.Scope) (audience.Sandbox, error) {
	if scope.Org != org || scope.Sandbox != "prod" && scope.Sandbox != "secret" {
		return audience.Sandbox{}, meta.ErrNotFound
	}
	return audience.Sandbox{Name: scope.Sandbox}, nil
}

func (tenants) Sandboxes(context.Context, string) ([]audience.Sandbox, error) {
	return []audience.Sandbox{{Name: "prod"}, {Name: "secret"}}, nil
}

// do sends a request with all headers, changed by headers ("" removes one). A request with a body is a JSON request.
// The response must conform to openapi.yaml.
func (w *world) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, path, reader)
	all := []string{"Authorization", "Bearer " + w.token, "x-api-key", clientID, "x-gw-ims-org-id", org, "x-sandbox-name", "prod", "x-request-id", "test"}
	if body != "" {
		all = append(all, "Content-Type", "application/json")
	}
	all = append(all, headers...)
	for i := 0; i < len(all); i += 2 {
		if r.Header.Del(all[i]); all[i+1] != "" {
			r.Header.Set(all[i], all[i+1])
		}
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	w.described(r, rec)
	return rec
}

// specification is openapi.yaml after validation.
var specification = sync.OnceValues(func() (routers.Router, error) {
	openapi3filter.RegisterBodyDecoder("application/x-ndjson", func(body io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
		text, err := io.ReadAll(body)
		return string(text), err
	})
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(contract.OpenAPI)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(loader.Context, openapi3.IsOpenAPI31OrLater()); err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(doc)
})

// described checks a response against openapi.yaml.
func (w *world) described(r *http.Request, rec *httptest.ResponseRecorder) {
	w.t.Helper()
	router, err := specification()
	if err != nil {
		w.t.Fatal("openapi.yaml:", err)
	}
	find := r.Clone(r.Context())
	find.URL.Path = cmp.Or(strings.TrimSuffix(find.URL.Path, "/"), "/")
	if rest, found := strings.CutPrefix(find.URL.Path, "/data"); found && slices.ContainsFunc(services, func(s string) bool { return strings.HasPrefix(rest, s) }) {
		find.URL.Path = rest
	}
	if strings.HasPrefix(r.URL.EscapedPath(), inLanding) {
		find.URL.Path, find.URL.RawPath = inLanding+"file", "" // OpenAPI has no parameters that contain slashes
	}
	find.URL.Scheme, find.URL.Host = "", ""
	rt, params, err := router.FindRoute(find)
	if err != nil {
		if rec.Code != http.StatusNotFound && rec.Code != http.StatusMethodNotAllowed {
			w.t.Errorf("%s %s answers %d but is not described: %v", r.Method, r.URL.Path, rec.Code, err)
		}
		return
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: find, PathParams: params, Route: rt},
		Status:                 rec.Code, Header: rec.Header(), Body: io.NopCloser(bytes.NewReader(rec.Body.Bytes())),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		w.t.Errorf("%s %s: the answer is not as described: %v\n%s", r.Method, r.URL.Path, err, rec.Body)
	}
}

// ok requires a status and decodes the body.
func ok[T any](t *testing.T, rec *httptest.ResponseRecorder, status int) T {
	t.Helper()
	var v T
	if rec.Code != status {
		t.Fatalf("status %d, want %d: %s", rec.Code, status, rec.Body)
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		var g, wl string
		if i < len(gotLines) {
			g = gotLines[i]
		}
		if i < len(wantLines) {
			wl = wantLines[i]
		}
		if g != wl {
			t.Fatalf("%s, line %d (-update writes it):\n got %s\nwant %s", path, i+1, g, wl)
		}
	}
}

// fake replaces the use cases. It validates as they do and returns the values that tests set.
type fake struct {
	mu       sync.Mutex
	calls    []any // arguments of the calls
	task     audience.Task
	audience audience.Audience
	// audiences are the audiences of a list. The first one is the audience.
	audiences []audience.Audience
	run       audience.Run
	conns     []audience.Connection
	profiles  []control.Profile
	values    control.ValuesWanted
	rejects   []audience.RejectedRow
	member    control.Member
	next      *members.Position // after a list of members
	err       error             // of every call
	panics    any
	answers   map[string]audience.Answer // by Idempotency-Key

	validation control.Validation
}

func newFake() *fake {
	a := audience.Audience{
		ID: audienceID, Scope: testScope, TaskID: taskID, Name: "Sample external audience", Description: "A sample version of an external audience",
		Fields:  []audience.Field{{Name: "ppid", Type: audience.String, IdentityNs: "Email"}, {Name: "list_id", Type: audience.String, Labels: []string{"core/C2", "custom/deep"}}},
		Source:  audience.SourceSpec{Path: "activation/sample-source/example.csv", Type: audience.PathFile, SourceType: "Cloud Storage", BaseConnectionID: connID},
		TTLDays: 40, Labels: []string{"core/C1"}, AudienceType: "people", OriginName: "CUSTOM_UPLOAD", Namespace: "CustomerAudienceUpload",
		ProfileIngestion: true, State: audience.StatePublished, CreatedBy: clientID, CreatedAt: time.Unix(1749324248, 0), UpdatedBy: clientID, UpdatedAt: time.Unix(1749624273, 0),
		LastRun: runID, Members: 3, LastIngestedAt: time.Unix(1749624273, 0),
	}
	return &fake{
		audiences: []audience.Audience{a},
		answers:   map[string]audience.Answer{},
		member: control.Member{Audience: audienceID, Identity: control.IdentityRef{ID: "ada@example.com", Namespace: "Email"}, Status: control.Realized,
			Since: testNow, LastQualification: testNow, ValidUntil: testNow.Add(a.TTL()), Origin: &control.MemberOrigin{Run: runID, RunCreatedAt: testNow,
				File: audience.PlannedFile{Path: "example.csv", Version: "v1"}, Line: 2}},
		task:     audience.Task{ID: taskID, Scope: testScope, Status: audience.Success, AudienceID: audienceID, Draft: a, CreatedAt: a.CreatedAt, UpdatedAt: a.UpdatedAt},
		audience: a,
		run: audience.Run{ID: runID, Scope: testScope, AudienceID: audienceID, AudienceName: a.Name, Seq: 1,
			Request: audience.RunRequest{Differential: true, WindowStart: time.Unix(764245635, 0), WindowEnd: testNow},
			Status:  audience.Processing, CreatedBy: clientID, CreatedAt: testNow, UpdatedAt: testNow, FlowID: flowID},
		conns: []audience.Connection{{ID: connID, Scope: testScope, Name: "files", SpecID: audience.SpecLocal, SpecVersion: "1.0", AuthSpec: "none",
			Params: map[string]string{"root": "/srv/files", "hidden": "secret"}, Etag: `"e"`, Version: 1, State: "enabled", CreatedBy: clientID, UpdatedBy: clientID,
			CreatedAt: testNow, UpdatedAt: testNow}},
	}
}

func (f *fake) called(args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.panics != nil {
		panic(f.panics)
	}
	f.calls = append(f.calls, args...)
	return f.err
}

// last returns the argument of the last call.
func last[T any](t *testing.T, f *fake) T {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.calls) == 0 {
		t.Fatal("no use case was called")
	}
	v, is := f.calls[len(f.calls)-1].(T)
	if !is {
		t.Fatalf("the last call had %#v", f.calls[len(f.calls)-1])
	}
	return v
}

func (f *fake) Submit(_ context.Context, a audience.Actor, d control.Draft) (audience.Task, error) {
	if err := f.called(d); err != nil {
		return audience.Task{}, err
	}
	d.Fields = slices.Clone(d.Fields)
	if err := audience.Validate(&d, audience.Rules{}); err != nil {
		return audience.Task{}, err
	}
	switch {
	case d.Name == "taken":
		return audience.Task{}, audience.Errorf(audience.Duplicate, "an audience named %q already exists in sandbox %q", d.Name, a.Scope.Sandbox)
	case d.Source.BaseConnectionID == absentID:
		return audience.Task{}, audience.InvalidField("sourceSpec.baseConnectionId", "base connection %q does not exist", d.Source.BaseConnectionID)
	}
	d.CreatedBy, d.CreatedAt, d.UpdatedBy, d.UpdatedAt = a.ClientID, testNow, a.ClientID, testNow
	return audience.Task{ID: taskID, AudienceID: audienceID, Status: audience.Processing, Draft: d, CreatedAt: testNow, UpdatedAt: testNow}, nil
}

func absent[ID ~string](what string, id ID) error {
	if id == absentID {
		return audience.Errorf(audience.NotFound, "%s %q does not exist", what, id)
	}
	return nil
}

func (f *fake) Task(_ context.Context, _ audience.Actor, id audience.TaskID) (audience.Task, error) {
	if err := f.called(id); err != nil {
		return audience.Task{}, err
	}
	return f.task, absent("task", id)
}

func (f *fake) Audience(_ context.Context, _ audience.Actor, id audience.ID) (audience.Audience, error) {
	if err := f.called(id); err != nil {
		return audience.Audience{}, err
	}
	return f.audience, absent("audience", id)
}

func (f *fake) Audiences(_ context.Context, _ audience.Actor, q audience.AudienceQuery) ([]audience.Audience, int, error) {
	return f.audiences[:min(q.Limit, len(f.audiences))], 3, f.called(q)
}

func (f *fake) Labels(context.Context, audience.Actor) ([]string, error) {
	return []string{"core/C1", "custom/deep"}, f.called()
}

func (f *fake) AudiencesByID(_ context.Context, _ audience.Actor, ids []audience.ID) (map[audience.ID]audience.Audience, error) {
	return map[audience.ID]audience.Audience{audienceID: f.audience}, f.called(ids)
}

func (f *fake) UpdateAudience(_ context.Context, _ audience.Actor, id audience.ID, p control.Patch) (audience.Audience, error) {
	if err := f.called(p); err != nil {
		return audience.Audience{}, err
	}
	if len(p.IfMatch) > 0 && !slices.Contains(p.IfMatch, f.audience.Etag()) {
		return audience.Audience{}, audience.Errorf(audience.Stale, "audience %s has changed", id)
	}
	if p.Description != nil {
		f.audience.Description = *p.Description
	}
	if p.State != nil {
		f.audience.State = *p.State
	}
	return f.audience, absent("audience", id)
}

func (f *fake) DeleteAudience(_ context.Context, _ audience.Actor, id audience.ID, ifMatch ...string) error {
	if err := f.called(ifMatch, id); err != nil {
		return err
	}
	if len(ifMatch) > 0 && !slices.Contains(ifMatch, f.audience.Etag()) {
		return audience.Errorf(audience.Stale, "audience %s has changed", id)
	}
	return absent("audience", id)
}

func (f *fake) StartRun(_ context.Context, _ audience.Actor, id audience.ID, r audience.RunRequest) (audience.Run, error) {
	if err := f.called(r); err != nil {
		return audience.Run{}, err
	}
	run := f.run
	if run.Request = r; r.WindowEnd.IsZero() {
		run.Request.WindowEnd = testNow
	}
	return run, absent("audience", id)
}

func (f *fake) Run(_ context.Context, _ audience.Actor, _ audience.ID, id audience.RunID) (audience.Run, error) {
	if err := f.called(id); err != nil {
		return audience.Run{}, err
	}
	return f.run, absent("run", id)
}

func (f *fake) Runs(_ context.Context, _ audience.Actor, _ audience.ID, q audience.RunQuery) ([]audience.Run, int, error) {
	return []audience.Run{f.run}, 1, f.called(q)
}

func (f *fake) Rejects(_ context.Context, _ audience.Actor, _ audience.ID, id audience.RunID, from int64, fn func(audience.RejectedRow) error) (int64, error) {
	if err := f.called(from); err != nil {
		return 0, err
	}
	for i := from; i < int64(len(f.rejects)); i++ {
		if err := fn(f.rejects[i]); err != nil {
			return int64(len(f.rejects)), err
		}
	}
	return int64(len(f.rejects)), absent("run", id)
}

func (f *fake) Resubmit(_ context.Context, _ audience.Actor, _ audience.ID, id audience.RunID, name string, escaped bool, content io.Reader) (audience.Run, error) {
	text, err := io.ReadAll(content)
	if err != nil {
		return audience.Run{}, err
	}
	r := f.run
	r.Request.Kind, r.Request.Of, r.Request.Escaped = audience.RunResubmit, id, escaped
	return r, errors.Join(f.called(name, string(text)), absent("run", id))
}

func (f *fake) Rollback(_ context.Context, _ audience.Actor, _ audience.ID, id audience.RunID, req audience.RunRequest) (audience.Run, error) {
	r := f.run
	r.Request.Kind, r.Request.Of, r.Request.DryRun = audience.RunRollback, id, req.DryRun
	return r, errors.Join(f.called(req), absent("run", id))
}

func (f *fake) RemovedVersions(_ context.Context, _ audience.Actor, _ audience.ID) ([]audience.DroppedVersion, error) {
	return []audience.DroppedVersion{{Audience: audienceID, Run: runID, SnapshotID: 7, At: testNow, Erasure: otherID}}, nil
}

func (f *fake) Versions(_ context.Context, _ audience.Actor, _ audience.ID, offset, limit int) ([]control.Version, int, error) {
	return []control.Version{{Run: f.run, SnapshotID: 7, Current: true}}, 1, f.called(offset, limit)
}

func (f *fake) CreateConnection(_ context.Context, _ audience.Actor, c audience.Connection) (audience.Connection, error) {
	if err := f.called(c); err != nil {
		return c, err
	}
	c.ID, c.Etag = connID, `"e"`
	return c, nil
}

func (f *fake) Connection(_ context.Context, _ audience.Actor, id audience.ConnectionID) (audience.Connection, error) {
	if err := f.called(id); err != nil {
		return audience.Connection{}, err
	}
	return f.conns[0], absent("connection", id)
}

type connectionsArgs struct {
	name  string
	after audience.ConnectionID
	limit int
}

func (f *fake) Connections(_ context.Context, _ audience.Actor, name string, after audience.ConnectionID, limit int) ([]audience.Connection, error) {
	return f.conns[:min(limit, len(f.conns))], f.called(connectionsArgs{name, after, limit})
}

func (f *fake) DeleteConnection(_ context.Context, _ audience.Actor, id audience.ConnectionID) error {
	if err := f.called(id); err != nil {
		return err
	}
	return absent("connection", id)
}

func (f *fake) CreateKey(_ context.Context, _ audience.Actor, k audience.Key) (audience.Key, error) {
	k.ID, k.Public = keyID, "public"
	return k, f.called(k)
}

func (f *fake) AddCustomerKey(_ context.Context, _ audience.Actor, k audience.Key) (audience.Key, error) {
	k.ID, k.Kind = keyID, audience.CustomerKey
	return k, f.called(k)
}

func (f *fake) Keys(_ context.Context, _ audience.Actor, kind audience.KeyKind) ([]audience.Key, error) {
	return []audience.Key{{ID: keyID, Kind: kind, Algorithm: "GPG", Public: "public", ExpiresAt: time.Unix(1700000000, 0)}}, f.called(kind)
}

func (f *fake) Key(_ context.Context, _ audience.Actor, kind audience.KeyKind, id audience.KeyID) (k audience.Key, expired bool, err error) {
	if err := f.called(id); err != nil {
		return k, false, err
	}
	return audience.Key{ID: keyID, Kind: kind, Algorithm: "PGP", Public: "public"}, true, absent("key", id)
}

func (f *fake) DeleteKey(_ context.Context, _ audience.Actor, kind audience.KeyKind, id audience.KeyID) error {
	if err := f.called(id); err != nil {
		return err
	}
	return absent("key", id)
}

// keyID is the id of the existing keys.
const keyID = audience.KeyID("8f3f4f0a-0e5f-4b0c-9a51-2f8f4a1c9d10")

func (f *fake) Namespaces(context.Context, audience.Actor) ([]audience.Namespace, error) {
	return audience.AllNamespaces(nil), f.called("namespaces")
}

func (f *fake) CreateNamespace(_ context.Context, _ audience.Actor, n audience.Namespace) (audience.Namespace, error) {
	n.ID = 10000
	return n, f.called(n)
}

func (f *fake) Sandboxes(context.Context, audience.Actor) ([]audience.Sandbox, error) {
	return []audience.Sandbox{{ID: absentID, Name: "prod", Title: "Production", Type: "production", State: audience.SandboxActive, Default: true}}, f.called("sandboxes")
}

func (f *fake) Members(_ context.Context, _ audience.Actor, id audience.ID, q control.MemberQuery) (*members.List, error) {
	if err := f.called(q); err != nil {
		return nil, err
	}
	return &members.List{Fields: f.audience.Fields, Next: f.next}, absent("audience", id)
}

func (f *fake) Member(_ context.Context, _ audience.Actor, id audience.ID, who control.IdentityRef) (control.Member, error) {
	if err := f.called(who); err != nil {
		return control.Member{}, err
	}
	return f.member, absent("audience", id)
}

func (f *fake) Lookup(_ context.Context, _ audience.Actor, ids []control.IdentityRef, o control.LookupOptions) ([]control.Profile, error) {
	f.values = o.Values
	return f.profiles, f.called(ids)
}

type validateArgs struct {
	draft   control.Draft
	rows    int
	preview bool
}

func (f *fake) Validate(_ context.Context, _ audience.Actor, d control.Draft, rows int, preview bool) (control.Validation, error) {
	return f.validation, f.called(validateArgs{d, rows, preview})
}

func (f *fake) Receipt(_ context.Context, _ audience.Actor, _ audience.ID, id audience.RunID) (audience.Receipt, error) {
	if err := f.called(id); err != nil {
		return audience.Receipt{}, err
	}
	if err := absent("run", id); err != nil {
		return audience.Receipt{}, err
	}
	ended := f.run
	ended.Status = audience.Success
	r, err := ended.Receipt()
	r.Location = "file:///lake/a"
	return r, err
}

func (f *fake) Repeated(_ context.Context, _ audience.Actor, key, request string, _ audience.ID) (audience.Answer, bool, error) {
	a, known := f.answers[key]
	if begin, _, _ := strings.Cut(a.Request, control.WholeRequest); known && begin != request {
		return a, false, audience.InvalidField(repeatHeader, "was another request's")
	}
	return a, known, nil
}

func (f *fake) Answered(_ context.Context, _ audience.Actor, key, request string, status int, body string) error {
	f.answers[key] = audience.Answer{Request: request, Status: status, Body: body}
	return nil
}

func (f *fake) Refused(_ context.Context, _ audience.Actor, key string) error {
	delete(f.answers, key)
	return nil
}

func (f *fake) ActorSandbox(_ context.Context, a audience.Actor) (audience.Sandbox, error) {
	return audience.Sandbox{ID: absentID, Org: a.Scope.Org, Name: a.Scope.Sandbox, Title: "Production", Type: "production", Default: true}, nil
}
