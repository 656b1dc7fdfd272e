package control_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/blob/local"
	"roster/internal/connect"
	"roster/internal/control"
	"roster/internal/identity"
	"roster/internal/ingest"
	"roster/internal/job"
	"roster/internal/lake"
	"roster/internal/landing"
	"roster/internal/meta"
	"roster/internal/meta/sqlite"
	"roster/internal/profile"
	"roster/internal/source"
	"roster/internal/survey"
	"roster/internal/work"
)

// worker handles the jobs of a world.
type worker = work.Service

// world has the use cases and the worker of one process on a real metadata store, with test doubles for everything
// else.
type world struct {
	*control.Service
	*worker
	t        *testing.T
	store    *faultyStore
	jobs     *jobTable
	pipeline *fakePipeline
	lake     *fakeLake
	profile  *fakeProfile
	clock    *clock
	dir      string // the data directory
	root     string // the folder that local connections may use
	sandbox  audience.Sandbox
	editor   audience.Actor
}

// config is the configuration of a process. The part for the use cases is control.Config.
type config struct {
	control.Config
	Store    meta.Store
	Pipeline interface {
		survey.Surveyor
		work.Pipeline
	}
	Lake interface {
		control.Lake
		work.Lake
	}
	Profile       profile.Store
	Open          connect.SourceOpener
	WebhookSender work.WebhookSender
	Observer      interface {
		control.Observer
		work.Observer
	}
	ClockTrusted func() bool
	Worker       string
}

// zones are the landing zones in the data directory.
func (w *world) zones() *landing.Zones {
	w.t.Helper()
	dir := filepath.Join(w.dir, "landing")
	files, err := local.Open(dir)
	if err != nil {
		w.t.Fatal(err)
	}
	return landing.New(landing.Config{Files: files, Store: w.store, Dir: dir, Clock: w.clock.now})
}

// config returns the configuration of a process of the world.
func (w *world) config(worker string) config {
	return config{Store: w.store, Config: control.Config{Landing: w.zones(), Clock: w.clock.now},
		Pipeline: w.pipeline, Lake: w.lake, Profile: w.profile, Open: w.open, Worker: worker}
}

// start starts a process.
func (c config) start(jobs job.Queue) (*control.Service, *work.Service) {
	c.Jobs = job.NewOutbox(jobs, c.Clock)
	c.Sources = connect.New(connect.Config{Store: c.Store, Open: c.Open, Secrets: c.Sealer, Landing: c.Landing, Clock: c.Clock, Log: c.Log})
	cases := c.Config
	cases.Store = c.Store
	cases.Surveyor, cases.Lake, cases.Profile, cases.Observer = c.Pipeline, c.Lake, c.Profile, c.Observer
	s := control.New(cases)
	return s, work.New(work.Config{Store: c.Store, Jobs: c.Jobs, Pipeline: c.Pipeline, Lake: c.Lake, Profile: c.Profile, Sources: c.Sources, Landing: c.Landing,
		Secrets: c.Sealer, WebhookSender: c.WebhookSender, Clock: c.Clock, Log: c.Log, UndoWindow: c.UndoWindow, ClockTrusted: c.ClockTrusted, Observer: c.Observer, Changed: s.ClearCaches, Guardrails: c.Guardrails, Worker: c.Worker})
}

// use replaces the process by another one.
func (w *world) use(c config) { w.Service, w.worker = c.start(w.jobs) }

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w := &world{
		t: t, store: &faultyStore{Store: db}, jobs: &jobTable{t: t, db: db.DB()}, pipeline: &fakePipeline{},
		lake: &fakeLake{tables: map[lake.TableID][]audience.Field{}, names: map[lake.TableID]string{}}, profile: &fakeProfile{members: map[identity.Key][]profile.Membership{}},
		clock: &clock{at: time.Date(2026, 5, 13, 20, 19, 0, 0, time.UTC)}, dir: dir, root: filepath.Join(dir, "files"),
		editor: audience.Actor{ClientID: "client-1", Scope: audience.Scope{Org: "ABC@RosterOrg", Sandbox: "prod"}, Role: audience.Editor, Grants: audience.Grants{audience.AllLabels}},
	}
	w.jobs.create()
	w.sandbox = audience.Sandbox{ID: uuid.NewString(), Org: w.editor.Scope.Org, Name: w.editor.Scope.Sandbox, Type: "production", Default: true, CreatedAt: w.clock.now()}
	err = db.Update(t.Context(), func(tx meta.Tx) error {
		return errors.Join(tx.CreateOrganization(t.Context(), w.sandbox.Org), tx.CreateSandbox(t.Context(), &w.sandbox))
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{w.root, w.landing("")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.write(w.landing("in.csv"), "mail\nada@example.com\n")
	w.use(w.config("worker-1"))
	return w
}

// elsewhere returns the use cases of another process on the same stores.
func (w *world) elsewhere() *control.Service {
	s, _ := w.config("worker-2").start(w.jobs)
	return s
}

// other returns the worker of another process on the same stores.
func (w *world) other() *work.Service {
	_, other := w.config("worker-2").start(w.jobs)
	return other
}

func (w *world) landing(name string) string { return filepath.Join(w.dir, "landing", "prod", name) }

func (w *world) write(path, text string) {
	w.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		w.t.Fatal(err)
	}
}

// open is the world's connect.SourceOpener.
func (w *world) open(_ context.Context, scope audience.Scope, conn *audience.Connection) (source.Store, error) {
	if conn == nil || conn.SpecID == audience.SpecLandingZone {
		dir := filepath.Join(w.dir, "landing", scope.Sandbox)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		return local.OpenConfined(dir, nil)
	}
	if conn.SpecID != audience.SpecLocal {
		return local.OpenConfined(w.root, nil) // checks nothing outside the root
	}
	root := conn.Params["root"]
	if root != w.root && !strings.HasPrefix(root, w.root+"/") {
		return nil, audience.InvalidField("auth.params.root", "is not allowed")
	}
	return local.OpenConfined(root, nil)
}

// draft is a valid submit of a file in the landing zone.
func draft(name string) control.Draft {
	return control.Draft{
		Name: name, Fields: []audience.Field{{Name: "mail", Type: audience.String, IdentityNs: "email"}, {Name: "points", Type: audience.Long}},
		Source:     audience.SourceSpec{Path: "in.csv", Type: audience.PathFile, CloudType: "DLZ"},
		OriginName: audience.OriginUpload, ProfileIngestion: true, TTLDays: audience.DefaultTTLDays,
	}
}

// submit creates an audience.
func (w *world) submit(d control.Draft) audience.Audience {
	w.t.Helper()
	task, err := w.Submit(w.t.Context(), w.editor, d)
	if err != nil {
		w.t.Fatal(err)
	}
	w.handle(job.Job{Kind: job.Task, ID: string(task.ID)})
	a, err := w.Audience(w.t.Context(), w.editor, task.AudienceID)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *world) start(id audience.ID) audience.Run {
	w.t.Helper()
	run, err := w.StartRun(w.t.Context(), w.editor, id, audience.RunRequest{Differential: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

func runJob(r audience.Run) job.Job { return job.Job{Kind: job.Run, ID: string(r.ID)} }

// handle handles a job, which must not fail.
func (w *world) handle(j job.Job) {
	w.t.Helper()
	if err := w.Handle(w.t.Context(), j); err != nil {
		w.t.Fatalf("%v: %v", j, err)
	}
}

func (w *world) run(id audience.ID, run audience.RunID) audience.Run {
	w.t.Helper()
	r, err := w.Run(w.t.Context(), w.editor, id, run)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) update(fn func(tx meta.Tx) error) {
	w.t.Helper()
	if err := w.store.Store.Update(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
}

// wantCode requires an *audience.Error with the code, whose text contains the other texts.
func wantCode(t *testing.T, what string, err error, code audience.Code, mention ...string) {
	t.Helper()
	var e *audience.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
		return
	}
	for _, m := range mention {
		if !strings.Contains(e.Message, m) {
			t.Errorf("%s: %q does not mention %q", what, e.Message, m)
		}
	}
}

// clock is a time that tests can move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// jobTable is a queue in a table of the metadata database: a job exists when its transaction has committed.
type jobTable struct {
	t  *testing.T
	db *sql.DB
}

func (q *jobTable) create() {
	q.t.Helper()
	if _, err := q.db.Exec(`CREATE TABLE test_jobs (kind TEXT, id TEXT)`); err != nil {
		q.t.Fatal(err)
	}
}

func (q *jobTable) Enqueue(ctx context.Context, tx *sql.Tx, j job.Job) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO test_jobs VALUES (?, ?)`, string(j.Kind), j.ID)
	return err
}

func (q *jobTable) Wake(job.Kind) {}

// take returns the jobs enqueued since the last take.
func (q *jobTable) take() []job.Job {
	q.t.Helper()
	rows, err := q.db.Query(`DELETE FROM test_jobs RETURNING kind, id`)
	if err != nil {
		q.t.Fatal(err)
	}
	defer rows.Close()
	var jobs []job.Job
	for rows.Next() {
		var j job.Job
		if err := rows.Scan(&j.Kind, &j.ID); err != nil {
			q.t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// want requires exactly these jobs to have been enqueued since the last take.
func (q *jobTable) want(what string, want ...job.Job) {
	q.t.Helper()
	if got := q.take(); !slices.Equal(got, want) {
		q.t.Errorf("%s: the queue got %v, want %v", what, got, want)
	}
}

// faultyStore makes chosen updates fail.
type faultyStore struct {
	meta.Store
	mu   sync.Mutex
	fail func() error
}

var errDown = errors.New("test: the store is down")

// failing sets the function that decides whether an update fails; nil for never.
func (s *faultyStore) failing(fail func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

// failAfter lets n updates succeed and the next one fail.
func (s *faultyStore) failAfter(n int) {
	s.failing(func() error {
		if n--; n == -1 {
			return errDown
		}
		return nil
	})
}

func (s *faultyStore) Update(ctx context.Context, fn func(meta.Tx) error) error {
	s.mu.Lock()
	var err error
	if s.fail != nil {
		err = s.fail()
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, fn)
}

// fakePipeline calls the functions that the test sets. By default it pins a manifest, saves it and ends SUCCESS.
type fakePipeline struct {
	mu    sync.Mutex
	do    func(ctx context.Context, s ingest.Spec) (audience.Run, error)
	specs []ingest.Spec
	// maintain implements Maintain; with nil, Maintain does nothing.
	maintain func(ctx context.Context, u ingest.Upkeep) (ingest.Maintained, error)
	upkeeps  []ingest.Upkeep
	live     bool // the result of Live
	kept     bool // files contain identities that are searched
	purges   []ingest.PurgeSpec
	// surveyFails is the error of every Survey.
	surveyFails error
	worn        bool
	compactions int
}

// Live implements work.Pipeline. It returns the same for every dataset.
func (p *fakePipeline) Live(context.Context, lake.TableID, *audience.Audience, map[identity.Key]bool) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.live, nil
}

// Erased implements work.Pipeline. Each run removed one member with each identity.
func (p *fakePipeline) Erased(_ context.Context, _ lake.TableID, _ audience.RunID, keys map[identity.Key]bool) (map[identity.Key]int64, error) {
	removed := map[identity.Key]int64{}
	for key := range keys {
		removed[key] = 1
	}
	return removed, nil
}

// Purge implements work.Pipeline.
func (p *fakePipeline) Purge(ctx context.Context, s ingest.PurgeSpec) (map[identity.Key]int, error) {
	p.mu.Lock()
	p.purges = append(p.purges, s)
	kept := p.kept
	p.mu.Unlock()
	if !kept {
		return nil, nil // no version is removed, so that no run in progress is in the way
	}
	return map[identity.Key]int{s.People[0].Key: 1}, s.Host.Idle(ctx)
}

// NeedsCompaction implements work.Pipeline.
func (*fakePipeline) CompareOutside(context.Context, *lake.Dataset, *audience.Audience) (audience.RunResult, error) {
	return audience.RunResult{}, nil
}

func (p *fakePipeline) NeedsCompaction(context.Context, lake.TableID) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.worn, nil
}

// Compact implements work.Pipeline.
func (p *fakePipeline) Compact(context.Context, lake.TableID, func(context.Context) error) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.compactions++
	return true, nil
}

func (p *fakePipeline) Maintain(ctx context.Context, u ingest.Upkeep) (ingest.Maintained, error) {
	p.mu.Lock()
	p.upkeeps = append(p.upkeeps, u)
	maintain := p.maintain
	p.mu.Unlock()
	if maintain != nil {
		return maintain(ctx, u)
	}
	return ingest.Maintained{}, u.Runs.Idle(ctx)
}

// Survey returns the error that the test set, or calls the real Survey.
func (p *fakePipeline) Survey(ctx context.Context, r survey.Request) (survey.Result, error) {
	p.mu.Lock()
	err := p.surveyFails
	p.mu.Unlock()
	if err != nil {
		return survey.Result{}, err
	}
	return (&ingest.Pipeline{Clock: time.Now}).Survey(ctx, r)
}

var manifest = []audience.PlannedFile{{Path: "in.csv", Size: 21, Version: "v1", Status: audience.FileRead}}

func (p *fakePipeline) Run(ctx context.Context, s ingest.Spec) (audience.Run, error) {
	p.mu.Lock()
	p.specs = append(p.specs, s)
	do := p.do
	p.mu.Unlock()
	if do != nil {
		return do(ctx, s)
	}
	if s.Refused != nil {
		s.Run.Status, s.Run.Error, s.Run.EndedAt = audience.Failed, s.Refused, s.Run.CreatedAt
		for i := range s.Run.Stages {
			s.Run.Stages[i].Status = audience.Failed
		}
		s.Run.Stages[0].Error = s.Refused
		return s.Run, nil
	}
	return succeed(ctx, s)
}

func (p *fakePipeline) set(do func(ctx context.Context, s ingest.Spec) (audience.Run, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.do = do
}

func (p *fakePipeline) calls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.specs)
}

func succeed(ctx context.Context, s ingest.Spec) (audience.Run, error) {
	r := s.Run
	r.Planned = manifest
	if err := s.Host.Save(ctx, r); err != nil {
		return r, err
	}
	r.Status = audience.Success
	for i := range r.Stages {
		r.Stages[i].Status = audience.Success
	}
	r.Result = audience.RunResult{Rows: audience.Rows{Read: 1, Added: 1}, Members: audience.Members{After: 1},
		Files: []audience.FileResult{{PlannedFile: manifest[0], Rows: audience.Rows{Read: 1, Added: 1}}}}
	r.EndedAt = r.CreatedAt
	return r, nil
}

// fakeLake stores the names of tables.
type fakeLake struct {
	mu     sync.Mutex
	tables map[lake.TableID][]audience.Field
	names  map[lake.TableID]string // of the audiences
	err    error
}

func (l *fakeLake) Load(context.Context, lake.TableID) (*lake.Dataset, error) {
	return nil, lake.ErrNotExist
}

func (l *fakeLake) Names(context.Context) (map[lake.TableID]bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := map[lake.TableID]bool{}
	for id := range l.tables {
		names[id] = true
	}
	return names, l.err
}

func (l *fakeLake) Find(context.Context, lake.TableID, []identity.Key, lake.FindOptions) (lake.Found, error) {
	return lake.Found{}, lake.ErrNotExist
}

func (l *fakeLake) Create(_ context.Context, id lake.TableID, name string, fields []audience.Field) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.tables[id], l.names[id] = fields, name
	}
	return l.err
}

func (l *fakeLake) Describe(_ context.Context, id lake.TableID, name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.tables[id]; !ok {
		return lake.ErrNotExist
	}
	l.names[id] = name
	return l.err
}

func (l *fakeLake) Drop(_ context.Context, id lake.TableID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		delete(l.tables, id)
	}
	return l.err
}

func (l *fakeLake) down(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func (l *fakeLake) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.tables)
}

// fakeProfile is a profile store that the test fills.
type fakeProfile struct {
	profile.Store
	mu      sync.Mutex
	members map[identity.Key][]profile.Membership
	drops   []profile.Ref
	sweeps  []int64
	// forgotten are the calls of RemoveMembers, each with the identities themselves at the end.
	forgotten [][]profile.Member
}

func (p *fakePipeline) Rebuild(context.Context, ingest.Projection) (ingest.Projected, error) {
	return ingest.Projected{}, nil
}

func (p *fakePipeline) Digest(context.Context, lake.TableID, *audience.Audience, profile.Pointer) (profile.Digest, bool, error) {
	return profile.Digest{}, false, nil
}

func (p *fakeProfile) Distrusted() []profile.Ref { return nil }

func (p *fakeProfile) Digests(context.Context) (map[profile.Ref]profile.Digest, error) {
	return nil, nil
}

func (p *fakeProfile) RemoveExited(_ context.Context, before int64) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweeps = append(p.sweeps, before)
	return 0, nil
}

func (p *fakeProfile) Sharing(_ context.Context, _ uint32, key identity.Key, fn func(profile.Membership) error) error {
	p.mu.Lock()
	list := p.members[key]
	p.mu.Unlock()
	for _, m := range list {
		if err := fn(m); err != nil {
			return err
		}
	}
	return nil
}

func (p *fakeProfile) Lookup(_ context.Context, sandbox uint32, keys []identity.Key) ([][]profile.Membership, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([][]profile.Membership, len(keys))
	for i, k := range keys {
		out[i] = p.members[k]
	}
	return out, nil
}

func (p *fakeProfile) RemoveIdentities(_ context.Context, _ uint32, keys []identity.Key) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, key := range keys {
		delete(p.members, key)
	}
	return nil
}

func (p *fakeProfile) RemoveMembers(_ context.Context, _ uint32, keys []identity.Key, others []profile.Member) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, key := range keys {
		others = append(others, profile.Member{Key: key})
	}
	p.forgotten = append(p.forgotten, others)
	return nil
}

func (p *fakeProfile) RemoveAudience(_ context.Context, ref profile.Ref) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drops = append(p.drops, ref)
	return nil
}
