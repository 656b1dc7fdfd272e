//go:build fault

// Package fault lets every single I/O call of a small import fail, and kills the process before and after each of them.
// Afterwards the state is that after an undisturbed import, or that before the import. The package needs the build tag
// of the same name.
package fault

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "modernc.org/sqlite"

	"roster/internal/audience"
	"roster/internal/blob/faulty"
	"roster/internal/blob/local"
	"roster/internal/connect"
	"roster/internal/control"
	"roster/internal/fault"
	"roster/internal/identity"
	"roster/internal/ingest"
	"roster/internal/job"
	"roster/internal/lake"
	"roster/internal/landing"
	"roster/internal/meta"
	"roster/internal/meta/sqlite"
	"roster/internal/profile/pebble"
	"roster/internal/secret"
	"roster/internal/source"
	"roster/internal/work"
)

var (
	scope  = audience.Scope{Org: "ABC@RosterOrg", Sandbox: "prod"}
	editor = audience.Actor{ClientID: "client", Scope: scope, Role: audience.Editor, Grants: audience.Grants{audience.AllLabels}}
	admin  = audience.Actor{ClientID: "client", Scope: scope, Role: audience.Admin, Grants: audience.Grants{audience.AllLabels}}
)

// The editions of the file. In the second one, Bob has changed, Cy has left, Dee and her second row are new, and two
// rows are rejects. The last one corrects the rejects.
const (
	firstFile  = "mail,phone,points\nada@x.org,+1,1\nbob@x.org,+2,2\ncy@x.org,+3,3\n"
	secondFile = "mail,phone,points\nada@x.org,+1,1\nbob@x.org,+22,20\ndee@x.org,+4,4\n,+5,5\ndee@x.org,+4,44\neve@x.org,+6,many\n"
	corrected  = "mail,phone,points\nada@x.org,+5,5\neve@x.org,+6,6\n"
)

var fields = []audience.Field{
	{Name: "mail", Type: audience.String, IdentityNs: "Email"},
	{Name: "phone", Type: audience.String, IdentityNs: "Phone"},
	{Name: "points", Type: audience.Long},
}

// world is a whole Roster in a directory, except for HTTP and the queue's workers.
type world struct {
	t        *testing.T
	dir      string
	meta     *sqlite.Store
	catalog  *sql.DB
	profile  *pebble.Store
	lake     *lake.Lake
	jobs     jobs
	later    time.Duration // offset of the clock
	beside   func()        // called once, when a run first reads its file; nil for nothing
	pipeline *ingest.Pipeline
	*control.Service
	*worker
}

// worker processes jobs.
type worker = work.Service

// jobs keeps the last jobs that were enqueued, committed or not. A job whose transaction did not commit finds nothing
// to do.
type jobs struct {
	mu   sync.Mutex
	list []job.Job
}

func (q *jobs) Enqueue(_ context.Context, _ *sql.Tx, j job.Job) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = append(q.list, j)
	return nil
}

func (q *jobs) Wake(job.Kind) {}

func (q *jobs) take() []job.Job {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := q.list
	q.list = nil
	return list
}

// open opens the world in a directory, and creates missing parts.
func open(t *testing.T, dir string) *world {
	t.Helper()
	w := &world{t: t, dir: dir}
	for _, d := range []string{w.path("scratch"), w.path("landing", "prod")} {
		w.must(os.MkdirAll(d, 0o700))
	}
	var err error
	w.meta, err = sqlite.Open(t.Context(), w.path("roster.db"))
	w.must(err)
	w.catalog, err = sql.Open("sqlite", "file:"+w.path("catalog.db")+"?_pragma=journal_mode(WAL)")
	w.must(err)
	w.catalog.SetMaxOpenConns(1)
	disk, err := local.Open("/")
	w.must(err)
	w.lake, err = lake.Open(t.Context(), lake.Config{Store: faulty.New(disk, "lake", fault.At), Warehouse: w.path("lake"), Catalog: w.catalog, Dialect: "sqlite"})
	w.must(err)
	w.profile, err = pebble.Open(w.path("profile"), pebble.Options{})
	w.must(err)
	w.must(ingest.ClearScratch(w.path("scratch")))
	clock := func() time.Time { return time.Now().Add(w.later) }
	w.pipeline = &ingest.Pipeline{Lake: w.lake, Profile: w.profile, Scratch: w.path("scratch"), Clock: clock, Workers: 2, Log: discard}
	master, err := secret.KeyFile(w.path("master.key"), true)
	w.must(err)
	ring, err := secret.Open(w.path("secrets.json"), master)
	w.must(err)
	files, err := local.Open(w.path("landing"))
	w.must(err)
	zones := landing.New(landing.Config{Files: faulty.New(files, "landing", fault.At), Store: w.meta, Dir: w.path("landing"), Clock: clock})
	outbox := job.NewOutbox(&w.jobs, clock)
	sources := connect.New(connect.Config{Store: w.meta, Secrets: ring, Landing: zones, Clock: clock,
		Open: func(context.Context, audience.Scope, *audience.Connection) (source.Store, error) {
			return faulty.New(files.Below("prod"), "source", w.atSource), nil
		}})
	w.Service = control.New(control.Config{Clock: clock, Sealer: ring, Store: w.meta, Jobs: outbox, Sources: sources, Surveyor: w.pipeline, Lake: w.lake,
		Profile: w.profile, Landing: zones})
	w.worker = work.New(work.Config{Clock: clock, Secrets: ring, Store: w.meta, Jobs: outbox, Sources: sources, Pipeline: w.pipeline, Lake: w.lake,
		Profile: w.profile, Landing: zones, Changed: w.Service.ClearCaches})
	return w
}

// atSource is called at the calls of a run's source.
func (w *world) atSource(call string) error {
	if do := w.beside; do != nil && call == "source.open" {
		w.beside = nil
		do()
	}
	return fault.At(call)
}

func (w *world) close() {
	w.must(errors.Join(w.profile.Close(), w.catalog.Close(), w.meta.Close()))
}

func (w *world) path(elem ...string) string {
	return filepath.Join(append([]string{w.dir}, elem...)...)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// upload replaces the audience's file with one whose time is in the past, so that the file is settled.
func (w *world) upload(text string) {
	w.t.Helper()
	path := w.path("landing", "prod", "people.csv")
	w.must(os.WriteFile(path+".new", []byte(text), 0o600))
	at := time.Now().Add(-time.Hour)
	w.must(os.Chtimes(path+".new", at, at))
	w.must(os.Rename(path+".new", path))
}

// prepare creates the audience and imports the first file.
func (w *world) prepare() {
	w.t.Helper()
	sandbox := audience.Sandbox{ID: uuid.NewString(), Org: scope.Org, Name: scope.Sandbox, Type: "production", Default: true, CreatedAt: time.Now()}
	w.must(w.meta.Update(w.t.Context(), func(tx meta.Tx) error {
		return errors.Join(tx.CreateOrganization(w.t.Context(), scope.Org), tx.CreateSandbox(w.t.Context(), &sandbox))
	}))
	w.upload(firstFile)
	percent := 100.0
	_, err := w.Submit(w.t.Context(), editor, audience.Audience{Name: "people", Fields: slices.Clone(fields), TTLDays: audience.DefaultTTLDays, ProfileIngestion: true,
		Source:     audience.SourceSpec{Path: "people.csv", Type: audience.PathFile, CloudType: audience.CloudLanding},
		OriginName: audience.OriginUpload, Guards: audience.Guards{MaxRejectedPercent: &percent}})
	w.must(err)
	w.drain()
	w.run(audience.RunRequest{})
	w.upload(secondFile)
}

// effort is the work that the tests disturb.
type effort struct {
	prepare func(w *world)       // establishes the state before; nil for the first import alone
	begin   func(w *world) error // until it is acknowledged
	goOn    func(w *world) error
	unseen  bool           // people see no change
	between func(w *world) // leads from the state before to a state that a run may leave behind although it fails; optional
}

// runs are efforts that consist of one run, by their names.
var runs = map[string]effort{
	"full":         {begin: func(w *world) error { return w.start(audience.RunRequest{}) }, goOn: (*world).work},
	"differential": {begin: func(w *world) error { return w.start(audience.RunRequest{Differential: true}) }, goOn: (*world).work},
	"rollback":     {prepare: (*world).importSecond, begin: (*world).rollBack, goOn: (*world).work},
	"resubmit":     {prepare: (*world).importSecond, begin: (*world).resubmit, goOn: (*world).work},
}

// importSecond imports the second file.
func (w *world) importSecond() { w.run(audience.RunRequest{}) }

// run runs the file and waits for the end.
func (w *world) run(req audience.RunRequest) {
	w.t.Helper()
	w.must(w.start(req))
	w.drain()
}

// takesAnother requires that the audience can be imported into once more.
func (w *world) takesAnother(what string) {
	w.t.Helper()
	w.upload(firstFile)
	w.run(audience.RunRequest{})
	if a := w.audience(); a.Members != 3 || w.runs()[0].Status != audience.Success {
		w.t.Fatalf("%s, and another import: %d members", what, a.Members)
	}
}

// rollBack starts a run that undoes the import of the second file.
func (w *world) rollBack() error {
	id, list, err := w.history()
	if err != nil {
		return err
	}
	_, err = w.Rollback(w.t.Context(), editor, id, list[len(list)-1].ID, audience.RunRequest{})
	return err
}

// resubmit starts a run with the corrected rejects of the second file.
func (w *world) resubmit() error {
	id, list, err := w.history()
	if err != nil {
		return err
	}
	_, err = w.Resubmit(w.t.Context(), editor, id, list[len(list)-2].ID, "corrected.csv", false, strings.NewReader(corrected))
	return err
}

// history returns the audience and its runs, the newest first.
func (w *world) history() (audience.ID, []audience.Run, error) {
	audiences, _, err := w.Audiences(w.t.Context(), editor, audience.AudienceQuery{})
	if err != nil {
		return "", nil, err
	}
	id := audiences[0].ID
	list, _, err := w.Runs(w.t.Context(), editor, id, audience.RunQuery{})
	return id, list, err
}

func (w *world) audience() audience.Audience {
	w.t.Helper()
	list, _, err := w.Audiences(w.t.Context(), editor, audience.AudienceQuery{})
	w.must(err)
	if len(list) != 1 {
		w.t.Fatalf("%d audiences", len(list))
	}
	return list[0]
}

// start starts a run of the file.
func (w *world) start(req audience.RunRequest) error {
	id, _, err := w.history()
	if err != nil {
		return err
	}
	_, err = w.StartRun(w.t.Context(), editor, id, req)
	return err
}

// work does the enqueued jobs once and returns their errors. It enqueues failed jobs again, as the queue does.
func (w *world) work() (err error) {
	for _, j := range w.jobs.take() {
		if failed := w.Handle(w.t.Context(), j); failed != nil {
			err = errors.Join(err, failed)
			w.must(w.jobs.Enqueue(w.t.Context(), nil, j))
		}
	}
	return err
}

// drain does all jobs until none is left, as a process after its start does.
func (w *world) drain() {
	w.t.Helper()
	w.must(w.meta.Update(w.t.Context(), func(tx meta.Tx) error { return tx.EndLeases(w.t.Context()) }))
	for range 10 {
		w.must(w.Recover(w.t.Context()))
		w.must(w.work())
		tasks, runs, err := w.meta.Unfinished(w.t.Context(), time.Now().Add(time.Hour))
		w.must(err)
		erasures, err := w.meta.ErasingSandboxes(w.t.Context())
		w.must(err)
		if len(tasks)+len(runs)+len(erasures) == 0 {
			return
		}
	}
	w.t.Fatal("the jobs do not end")
}

// state describes everything that people can see of the audience, except ids and times.
func (w *world) state() string {
	w.t.Helper()
	a := w.audience()
	var b strings.Builder
	runs, _, err := w.Runs(w.t.Context(), editor, a.ID, audience.RunQuery{})
	w.must(err)
	for _, r := range runs { // the newest that succeeded
		if r.Status == audience.Success {
			fmt.Fprintf(&b, "rows %+v members %+v sum %d rejects %d\n", r.Result.Rows, r.Result.Members, r.Result.ContentSum, len(r.Result.Rejects))
			break
		}
	}
	fmt.Fprintf(&b, "audience: %d members\n", a.Members)
	w.dataset(&b, a)
	w.lookups(&b)
	return b.String()
}

// lookups describes the profile store's answers about everybody.
func (w *world) lookups(b *strings.Builder) {
	w.t.Helper()
	var ids []control.IdentityRef
	for _, mail := range []string{"ada", "bob", "cy", "dee", "eve"} {
		ids = append(ids, control.IdentityRef{ID: mail + "@x.org", Namespace: "Email"})
	}
	for _, phone := range []string{"+1", "+2", "+22", "+3", "+4", "+5", "+6"} {
		ids = append(ids, control.IdentityRef{ID: phone, Namespace: "Phone"})
	}
	found, err := w.Lookup(w.t.Context(), editor, ids, control.LookupOptions{})
	w.must(err)
	for i, p := range found {
		fmt.Fprintf(b, "%s:", ids[i].ID)
		for _, m := range p.Memberships {
			fmt.Fprintf(b, " %s", m.Status)
		}
		fmt.Fprintln(b)
	}
}

// dataset describes the keys and contents in the dataset.
func (w *world) dataset(b *strings.Builder, a audience.Audience) {
	w.t.Helper()
	d, err := w.lake.Load(w.t.Context(), lake.TableOf(scope, a.ID))
	if errors.Is(err, lake.ErrNotExist) {
		fmt.Fprintln(b, "no dataset")
		return
	}
	w.must(err)
	state, err := d.OpenState(w.t.Context(), lake.StateOptions{})
	w.must(err)
	cursor := state.Cursor()
	defer cursor.Close()
	rows, err := cursor.Range(identity.Key{}, nil)
	w.must(err)
	for i, id := range rows.IDs {
		fmt.Fprintf(b, "%x %d\n", id, rows.Row[i])
	}
}

// leftovers lists the files of uncommitted attempts, and scratch files.
func (w *world) leftovers() (left []string) {
	w.t.Helper()
	scratch, err := os.ReadDir(w.path("scratch"))
	w.must(err)
	for _, e := range scratch {
		left = append(left, "scratch/"+e.Name())
	}
	return left
}
