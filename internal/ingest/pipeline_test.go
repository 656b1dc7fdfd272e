package ingest_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "modernc.org/sqlite"

	"roster/internal/audience"
	"roster/internal/blob/local"
	"roster/internal/identity"
	"roster/internal/ingest"
	"roster/internal/lake"
	"roster/internal/memory"
	"roster/internal/profile"
	"roster/internal/profile/pebble"
	"roster/internal/source"
)

// world is a pipeline on real engines in a temporary directory, with one audience and a manual clock.
type world struct {
	catalog  *sql.DB
	t        *testing.T
	root     string
	pipeline *ingest.Pipeline
	store    profile.Store
	aud      audience.Audience
	table    lake.TableID
	src      source.Store
	now      time.Time
	seq      int64
	read     map[string]bool
	adopted  []audience.Run
}

var defaultFields = []audience.Field{
	{Name: "mail", Type: audience.String, IdentityNs: "Email"},
	{Name: "city", Type: audience.String},
	{Name: "points", Type: audience.Long},
	{Name: "gone", Type: audience.Boolean, Role: audience.RoleDelete},
}

// open returns guards that never trip.
func open() audience.Guards {
	return audience.Guards{MaxRejectedPercent: new(100.0), MaxRemovedPercent: new(100.0), AllowMissingColumns: true}
}

func newWorld(t *testing.T, fields []audience.Field) *world {
	t.Helper()
	dir := t.TempDir()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	disk, err := local.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	lk, err := lake.Open(t.Context(), lake.Config{Store: disk, Warehouse: filepath.Join(dir, "lake"), Catalog: db, Dialect: "sqlite"})
	if err != nil {
		t.Fatal(err)
	}
	store, err := pebble.Open(filepath.Join(dir, "profile"), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	w := &world{t: t, catalog: db, root: filepath.Join(dir, "in"), store: store, now: time.Now().Truncate(time.Second).Add(time.Hour), read: map[string]bool{}}
	for _, d := range []string{w.root, filepath.Join(dir, "scratch")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if w.src, err = local.OpenConfined(w.root, nil); err != nil {
		t.Fatal(err)
	}
	w.aud = audience.Audience{ID: audience.ID(uuid.NewString()), Num: 7, Name: "people", Fields: fields, TTLDays: 30,
		ProfileIngestion: true, Source: audience.SourceSpec{Path: "", Type: audience.PathFolder}, Guards: open()}
	w.table = lake.TableID{Namespace: "org_prod", Name: string(w.aud.ID)}
	if err := lk.Create(t.Context(), w.table, "people", fields); err != nil {
		t.Fatal(err)
	}
	w.pipeline = &ingest.Pipeline{Lake: lk, Profile: store, Scratch: filepath.Join(dir, "scratch"), Workers: 2,
		Clock: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler)}
	return w
}

func (w *world) put(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.root, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) clear() {
	files, _ := os.ReadDir(w.root)
	for _, f := range files {
		os.Remove(filepath.Join(w.root, f.Name()))
	}
}

// spec returns the spec of the next run.
func (w *world) spec(full bool) ingest.Spec {
	w.seq++
	return ingest.Spec{
		Run: audience.Run{ID: audience.RunID(uuid.NewString()), AudienceID: w.aud.ID, Seq: w.seq, Status: audience.Processing,
			CreatedAt: w.now, Request: audience.RunRequest{Differential: !full, WindowEnd: w.now.Add(time.Hour)},
			Stages: []audience.StageResult{{Stage: audience.StageDataset, Status: audience.Processing}, {Stage: audience.StageProfile, Status: audience.Processing}}},
		Audience: w.aud, SandboxNum: 3, Table: w.table, Source: w.src,
		Host: testHost{w: w},
	}
}

// testHost is the host of a test's runs. Each checkpoint calls save with the stored run.
type testHost struct {
	w    *world
	save func(r audience.Run) error // nil accepts all

	fresh      int64 // result of Fresh
	unrecorded error // error of Adopted; nil records the adoption
}

func (h testHost) ReadBefore(context.Context, []audience.PlannedFile) (map[string]bool, error) {
	return h.w.read, nil
}

func (h testHost) Fresh(context.Context, time.Time) (int64, error) { return h.fresh, nil }

func (h testHost) Adopted(_ context.Context, adoption audience.Run) (int64, error) {
	if h.unrecorded != nil {
		return 0, h.unrecorded
	}
	h.w.finish(adoption)
	h.w.adopted = append(h.w.adopted, adoption)
	h.w.seq++
	return h.w.seq, nil
}

func (testHost) Erased(context.Context) (ingest.Erased, error) { return ingest.Erased{}, nil }

func (testHost) Reading(string) (done func()) { return func() {} }

func (h testHost) Save(_ context.Context, r audience.Run) error {
	if h.save == nil {
		return nil
	}
	return h.save(r)
}

func (h testHost) SaveProgress(ctx context.Context, id audience.RunID, p audience.Progress) error {
	return h.Save(ctx, audience.Run{ID: id, Progress: p})
}

// checkpoints calls fn at every checkpoint of a run. The run is stored if fn returns nil. The result is the stored run.
func checkpoints(s *ingest.Spec, fn func() error) *audience.Run {
	stored := s.Run
	host := s.Host.(testHost)
	host.save = func(r audience.Run) error {
		if err := fn(); err != nil {
			return err
		}
		if stored.Progress = r.Progress; r.Stages != nil {
			stored.Stages = slices.Clone(r.Stages)
		}
		if r.Planned != nil {
			stored.Planned = r.Planned
		}
		return nil
	}
	s.Host = host
	return &stored
}

// stopAt has the run fail at the given checkpoint. The results are the run as the metadata store has it, and whether the
// run reached the checkpoint.
func stopAt(s *ingest.Spec, stop int) (saved *audience.Run, stopped *bool) {
	calls, stopped := 0, new(bool)
	saved = checkpoints(s, func() error {
		if calls++; calls == stop {
			*stopped = true
			return fmt.Errorf("lost at checkpoint %d", stop)
		}
		return nil
	})
	return saved, stopped
}

func (w *world) run(full bool) audience.Run {
	w.t.Helper()
	r, err := w.pipeline.Run(w.t.Context(), w.spec(full))
	if err != nil {
		w.t.Fatal(err)
	}
	if r.Status == audience.Success {
		w.finish(r)
		for _, f := range r.Result.Files {
			if f.Status == audience.FileRead {
				w.read[f.Path+"\x00"+f.Version] = true
			}
		}
	}
	return r
}

// finish copies the results of a run with status SUCCESS to the audience, like the metadata store.
func (w *world) finish(r audience.Run) {
	w.aud.Members = r.Result.Members.After
	if at, changed := r.RenewedAt(); changed {
		w.aud.RefreshedAt = at
	}
	if r.Request.Traits().BringsMembers() {
		w.aud.LastRun, w.aud.LastIngestedAt = r.ID, r.CreatedAt
	}
}

func (w *world) mustRun(full bool) audience.Run {
	w.t.Helper()
	r := w.run(full)
	if r.Status != audience.Success {
		w.t.Fatalf("run ended %s: %v", r.Status, r.Error)
	}
	if !r.Result.Rows.Balanced() || !r.Result.Members.Balanced(r.Result.Rows) {
		w.t.Fatalf("the ledger does not balance: %+v %+v", r.Result.Rows, r.Result.Members)
	}
	return r
}

// status looks up an identity: "realized", "exited" or "".
func (w *world) status(namespace, id string) string {
	w.t.Helper()
	key := identity.KeyOf(namespace, identity.Normalise(namespace, []byte(id), nil))
	found, err := w.store.Lookup(w.t.Context(), 3, []identity.Key{key})
	if err != nil {
		w.t.Fatal(err)
	}
	if len(found[0]) == 0 {
		return ""
	}
	if m := found[0][0]; m.Exited || !m.Expiry(w.aud.TTL()).After(w.now) {
		return "exited"
	}
	return "realized"
}

// rows counts the live rows of the dataset.
func (w *world) rows() int64 {
	w.t.Helper()
	d, err := w.pipeline.Lake.Load(w.t.Context(), w.table)
	if err != nil {
		w.t.Fatal(err)
	}
	return d.Rows()
}

func (w *world) wantRows(r audience.Run, want audience.Rows) {
	w.t.Helper()
	if r.Result.Rows != want {
		w.t.Fatalf("rows:\n got %+v\nwant %+v", r.Result.Rows, want)
	}
	if w.rows() != r.Result.Members.After {
		w.t.Fatalf("the dataset has %d rows, the ledger says %d", w.rows(), r.Result.Members.After)
	}
}

func TestFirstRunThenChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.put("a.csv", "mail,city,points,gone\nAda@Example.com ,London,1,\nbob@example.com,Paris,2,0\nbob@example.com,Rome,3,\nx@example.com,Oslo,many,\n ,Nowhere,1,\nghost@example.com,Ys,1,true\n")
	r := w.mustRun(false)
	w.wantRows(r, audience.Rows{Read: 6, Rejected: 2, Duplicates: 1, Added: 2, DeletedNotMember: 1})
	if len(r.Result.Rejects) != 2 || r.Result.Rejects[0].Line != 5 || r.Result.Rejects[0].Column != "points" || r.Result.Rejects[1].Code != "IDENTITY" {
		t.Fatalf("rejects: %+v", r.Result.Rejects)
	}
	w.now = w.now.Add(24 * time.Hour)
	w.put("b.csv", "city,mail,gone,points,more\nLondon,ada@example.com,,1,x\nMilan,bob@example.com,,4,x\nBonn,carl@example.com,no,5,x\n")
	r = w.mustRun(false)
	w.wantRows(r, audience.Rows{Read: 3, Added: 1, Updated: 2})
	if got := r.Result.Files[1].ExtraColumns; !slices.Equal(got, []string{"more"}) {
		t.Fatalf("extra columns %q", got)
	}
	w.now = w.now.Add(time.Hour)
	w.clear()
	w.put("c.csv", "mail,gone\nBOB@example.com,1\nnobody@example.com,yes\n")
	r = w.mustRun(false)
	w.wantRows(r, audience.Rows{Read: 2, Deleted: 1, DeletedNotMember: 1})
	for id, want := range map[string]string{"ada@example.com": "realized", "bob@example.com": "exited", "carl@example.com": "realized", "ghost@example.com": ""} {
		if got := w.status("Email", id); got != want {
			t.Errorf("%s is %q, want %q", id, got, want)
		}
	}
}

func TestFullRunReplaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.put("a.csv", "mail,city,points,gone\na@example.com,A,1,\nb@example.com,B,2,\nc@example.com,C,3,\n")
	w.mustRun(true)
	w.now = w.now.Add(24 * time.Hour)
	w.put("a.csv", "mail,city,points,gone\na@example.com,A,1,\nb@example.com,B,20,\nd@example.com,D,4,\n")
	r := w.mustRun(true)
	w.wantRows(r, audience.Rows{Read: 3, Added: 1, Updated: 1, Unchanged: 1})
	if r.Result.Members != (audience.Members{Before: 3, After: 3, Removed: 1}) {
		t.Fatalf("members %+v", r.Result.Members)
	}
	if w.status("Email", "c@example.com") != "exited" {
		t.Error("c stayed")
	}
	r = w.mustRun(true)
	w.wantRows(r, audience.Rows{Read: 3, Unchanged: 3})
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.put("a.csv", "mail\na@example.com\nb@example.com\n")
	w.mustRun(false)
	w.now = w.now.Add(20 * 24 * time.Hour)
	w.put("b.csv", "mail\nb@example.com\n")
	r := w.mustRun(false)
	w.wantRows(r, audience.Rows{Read: 1, Unchanged: 1})
	w.now = w.now.Add(15 * 24 * time.Hour) // a expired 5 days ago
	if w.status("Email", "a@example.com") != "exited" || w.status("Email", "b@example.com") != "realized" {
		t.Fatal("the look-up does not see the expiry")
	}
	w.put("c.csv", "mail\nc@example.com\n")
	r = w.mustRun(false)
	w.wantRows(r, audience.Rows{Read: 1, Added: 1})
	if r.Result.Members != (audience.Members{Before: 2, After: 2, Expired: 1}) {
		t.Fatalf("members %+v", r.Result.Members)
	}
	w.put("d.csv", "mail\na@example.com\n")
	r = w.mustRun(true)
	w.wantRows(r, audience.Rows{Read: 5, Duplicates: 2, Added: 1, Unchanged: 2})
	w.now = w.now.Add(29 * 24 * time.Hour) // the full run renewed every member
	for _, id := range []string{"a@example.com", "b@example.com", "c@example.com"} {
		if w.status("Email", id) != "realized" {
			t.Errorf("%s is %q", id, w.status("Email", id))
		}
	}
}

func TestFurtherIdentities(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []audience.Field{{Name: "mail", Type: audience.String, IdentityNs: "Email"}, {Name: "tel", Type: audience.String, IdentityNs: "Phone"}, {Name: "no", Type: audience.Long, IdentityNs: "crm"}})
	w.put("a.csv", "mail,tel,no\na@example.com,111,1\nb@example.com,222,2\nc@example.com,222,\n")
	w.mustRun(true)
	w.put("a.csv", "mail,tel,no\na@example.com,333,1\nc@example.com,222,9\n")
	w.now = w.now.Add(time.Hour)
	w.mustRun(true)
	for id, want := range map[[2]string]string{{"Phone", "111"}: "exited", {"Phone", "333"}: "realized", {"Phone", "222"}: "realized",
		{"crm", "1"}: "realized", {"crm", "2"}: "exited", {"crm", "9"}: "realized", {"Email", "b@example.com"}: "exited"} {
		if got := w.status(id[0], id[1]); got != want {
			t.Errorf("%v is %q, want %q", id, got, want)
		}
	}
	w.put("b.csv", "mail,tel,no\na@example.com,,1\n")
	w.now = w.now.Add(time.Hour)
	w.mustRun(false)
	if w.status("Phone", "333") != "exited" || w.status("crm", "1") != "realized" {
		t.Error("a differential run left a stale identity")
	}
}

func TestBadFilesChangeNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"empty":       {"", "people.csv"},
		"no header":   {"a@example.com,1\nb@example.com,2\n", "people.csv"},
		"no identity": {"city,points\nA,1\n", "mail"},
		"all rejects": {"mail,points\na@example.com,x\nb@example.com,y\n", "line 2"},
		"twice":       {"mail,mail\na@example.com,a@example.com\n", "mail"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, defaultFields)
			w.aud.Source = audience.SourceSpec{Path: "people.csv", Type: audience.PathFile}
			w.put("people.csv", "mail\nold@example.com\n")
			w.mustRun(true)
			w.put("people.csv", c.text)
			r := w.run(true)
			if r.Status != audience.Failed || r.Error == nil || !strings.Contains(r.Error.Message, c.want) {
				t.Fatalf("the run ended %s: %v", r.Status, r.Error)
			}
			if strings.Contains(r.Error.Message, "@") {
				t.Errorf("personal data in %q", r.Error.Message)
			}
			if w.rows() != 1 || w.status("Email", "old@example.com") != "realized" {
				t.Error("the audience changed")
			}
		})
	}
}

func TestChangedObjectFailsTheRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.put("a.csv", "mail\na@example.com\n")
	s := w.spec(true)
	s.Host = testHost{w: w, save: func(audience.Run) error {
		w.put("a.csv", "mail\nb@example.com\nc@example.com\n")
		return nil
	}}
	r, err := w.pipeline.Run(t.Context(), s)
	if err != nil || r.Status != audience.Failed || !strings.Contains(r.Error.Message, "a.csv") {
		t.Fatalf("%s %v %v", r.Status, r.Error, err)
	}
}

// TestInterruptedRunCompletes cancels a run at each of its checkpoints and executes it again.
func TestInterruptedRunCompletes(t *testing.T) {
	t.Parallel()
	for stop := 1; ; stop++ {
		w := newWorld(t, defaultFields)
		w.put("a.csv", "mail,points\na@example.com,1\nb@example.com,2\n")
		w.mustRun(true)
		w.put("a.csv", "mail,points\na@example.com,1\nb@example.com,3\nc@example.com,4\n")
		s := w.spec(true)
		saved, stopped := stopAt(&s, stop)
		_, err := w.pipeline.Run(t.Context(), s)
		if !*stopped {
			break
		}
		if err == nil {
			t.Fatalf("checkpoint %d: no error", stop)
		}
		s.Run = *saved
		checkpoints(&s, func() error { return nil })
		r, err := w.pipeline.Run(t.Context(), s)
		if err != nil || r.Status != audience.Success {
			t.Fatalf("checkpoint %d: %s %v %v", stop, r.Status, r.Error, err)
		}
		w.wantRows(r, audience.Rows{Read: 3, Added: 1, Updated: 1, Unchanged: 1})
		if w.status("Email", "c@example.com") != "realized" {
			t.Errorf("checkpoint %d: c is missing", stop)
		}
	}
}

// TestAgainstModel executes random sequences of runs and compares the results with a map.
func TestAgainstModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, 1))
			w := newWorld(t, defaultFields)
			if seed%2 == 1 {
				w.pipeline.Memory = memory.New(12 << 20) // many buckets, and a spill to the scratch file
			}
			model := map[string]modelRow{}
			for round := range 6 {
				w.now = w.now.Add(time.Duration(rnd.IntN(20*24)+1) * time.Hour)
				full := rnd.IntN(3) == 0
				before := maps.Clone(model)
				want := modelRun(w, rnd, model, full, round)
				r := w.mustRun(full)
				if r.Result.Rows != want.rows {
					t.Fatalf("round %d full=%v:\n got %+v\nwant %+v", round, full, r.Result.Rows, want.rows)
				}
				if r.Result.Members.After != int64(len(model)) || w.rows() != int64(len(model)) {
					t.Fatalf("round %d: %d members, dataset %d, want %d", round, r.Result.Members.After, w.rows(), len(model))
				}
				for id := range before {
					want := "exited"
					if _, ok := model[id]; ok {
						want = "realized"
					}
					if got := w.status("Email", id); got != want {
						t.Fatalf("round %d full=%v: %s is %q, want %q", round, full, id, got, want)
					}
				}
			}
		})
	}
}

type modelRow struct {
	text string
	seen time.Time
}

type modelResult struct{ rows audience.Rows }

// modelRun writes the files of a round and applies them to the model.
func modelRun(w *world, rnd *rand.Rand, model map[string]modelRow, full bool, round int) (res modelResult) {
	w.clear()
	type line struct {
		text string
		del  bool
	}
	last := map[string]line{}
	pad := strings.Repeat("p", 200)
	for f := range rnd.IntN(3) + 1 {
		var b strings.Builder
		b.WriteString("mail,city,points,gone\n")
		for range rnd.IntN(8000) + 1 {
			id := fmt.Sprintf("p%d@example.com", rnd.IntN(9000))
			l := line{text: fmt.Sprintf("c%s%d,%d", pad, rnd.IntN(2), rnd.IntN(2)), del: rnd.IntN(10) == 0}
			fmt.Fprintf(&b, "%s,%s,%v\n", id, l.text, l.del)
			res.rows.Read++
			if _, ok := last[id]; ok {
				res.rows.Duplicates++
			}
			last[id] = l
		}
		w.put(fmt.Sprintf("r%d-%d.csv", round, f), b.String())
	}
	for id, m := range model {
		if !m.seen.Add(w.aud.TTL()).After(w.now) {
			delete(model, id)
		} else if _, ok := last[id]; full && !ok {
			delete(model, id)
		}
	}
	for id, l := range last {
		old, member := model[id]
		switch {
		case l.del && member:
			res.rows.Deleted++
			delete(model, id)
			continue
		case l.del:
			res.rows.DeletedNotMember++
			continue
		case !member:
			res.rows.Added++
		case old.text == l.text:
			res.rows.Unchanged++
		default:
			res.rows.Updated++
		}
		model[id] = modelRow{l.text, w.now}
	}
	return res
}
