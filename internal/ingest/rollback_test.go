package ingest_test

import (
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"roster/internal/audience"
	"roster/internal/blob/local"
	"roster/internal/identity"
	"roster/internal/ingest"
	"roster/internal/lake"
	"roster/internal/profile"
	"roster/internal/profile/pebble"
)

// reopen simulates a restart of the process.
func (w *world) reopen() {
	w.t.Helper()
	dir := filepath.Dir(w.root)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "catalog.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	w.t.Cleanup(func() { db.Close() })
	disk, err := local.Open("/")
	if err != nil {
		w.t.Fatal(err)
	}
	lk, err := lake.Open(w.t.Context(), lake.Config{Store: disk, Warehouse: filepath.Join(dir, "lake"), Catalog: db, Dialect: "sqlite"})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.store.Close(); err != nil {
		w.t.Fatal(err)
	}
	store, err := pebble.Open(filepath.Join(dir, "profile"), pebble.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { store.Close() })
	p := w.pipeline
	w.store, w.pipeline = store, &ingest.Pipeline{Lake: lk, Profile: store, Scratch: p.Scratch, Memory: p.Memory, Workers: p.Workers,
		Clock: p.Clock, Sleep: p.Sleep, Log: slog.New(slog.DiscardHandler)}
}

func (w *world) dataset() *lake.Dataset {
	w.t.Helper()
	d, err := w.pipeline.Lake.Load(w.t.Context(), w.table)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// rowsOf returns the rows of a dataset as text, sorted.
func rowsOf(t *testing.T, d *lake.Dataset) []string {
	t.Helper()
	var out []string
	err := d.Scan(t.Context(), lake.ScanOptions{}, func(rec arrow.RecordBatch, _ lake.Position) error {
		for i := range int(rec.NumRows()) {
			var line []string
			for _, c := range rec.Columns() {
				line = append(line, c.ValueStr(i))
			}
			out = append(out, strings.Join(line, " "))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

func (w *world) rollbackSpec(of audience.RunID) ingest.Spec {
	s := w.spec(false)
	s.Run.Request = audience.RunRequest{Kind: audience.RunRollback, Of: of, WindowEnd: w.now}
	s.Keep = 7 * 24 * time.Hour
	s.Source = nil // a rollback reads only the dataset
	return s
}

func (w *world) rollback(of audience.RunID) audience.Run {
	w.t.Helper()
	r, err := w.pipeline.Run(w.t.Context(), w.rollbackSpec(of))
	if err != nil {
		w.t.Fatal(err)
	}
	if r.Status != audience.Success {
		w.t.Fatalf("the rollback ended %s: %v", r.Status, r.Error)
	}
	if !r.Result.Rows.Balanced() || !r.Result.Members.Balanced(r.Result.Rows) || w.rows() != r.Result.Members.After {
		w.t.Fatalf("the ledger does not balance: %+v %+v, %d rows", r.Result.Rows, r.Result.Members, w.rows())
	}
	return r
}

// memberships returns the look-up result of each identity.
func (w *world) memberships(namespace string, ids []string) map[string]profile.Membership {
	w.t.Helper()
	keys := make([]identity.Key, len(ids))
	for i, id := range ids {
		keys[i] = identity.KeyOf(namespace, identity.Normalise(namespace, []byte(id), nil))
	}
	found, err := w.store.Lookup(w.t.Context(), 3, keys)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]profile.Membership{}
	for i, list := range found {
		if len(list) > 0 {
			out[ids[i]] = list[0]
		}
	}
	return out
}

// realized reports whether a membership is active now.
func (w *world) realized(m profile.Membership) bool {
	return m != (profile.Membership{}) && !m.Exited && m.Expiry(w.aud.TTL()).After(w.now)
}

// wantAsBefore compares look-ups with earlier ones. The active memberships must be the same, except for those that have
// expired since.
func (w *world) wantAsBefore(namespace string, ids []string, before map[string]profile.Membership) {
	w.t.Helper()
	now := w.memberships(namespace, ids)
	for _, id := range ids {
		was, is := before[id], now[id]
		if w.realized(was) != w.realized(is) {
			w.t.Fatalf("%s %s: %+v became %+v at %d", namespace, id, was, is, w.now.Unix())
		}
		if w.realized(is) && (is.Since != was.Since || is.Expiry(w.aud.TTL()) != was.Expiry(w.aud.TTL()) || is.Primary != was.Primary) {
			w.t.Fatalf("%s %s: %+v became %+v", namespace, id, was, is)
		}
	}
}

func TestRollback(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	ids := []string{"a@example.com", "b@example.com", "c@example.com", "d@example.com"}
	w.put("a.csv", "mail,city,points\na@example.com,A,1\nb@example.com,B,2\nc@example.com,C,3\n")
	first := w.mustRun(true)
	rows, found := rowsOf(t, w.dataset()), w.memberships("Email", ids)
	w.now = w.now.Add(24 * time.Hour)
	w.put("a.csv", "mail,city,points\nb@example.com,B,20\nc@example.com,C,3\nd@example.com,D,4\n")
	second := w.mustRun(true)
	rows2, found2 := rowsOf(t, w.dataset()), w.memberships("Email", ids)
	w.now = w.now.Add(24 * time.Hour)
	w.reopen()

	dry := w.rollbackSpec(first.ID)
	dry.Run.Request.DryRun = true
	told, err := w.pipeline.Run(t.Context(), dry)
	if err != nil || told.Status != audience.Success {
		t.Fatal(told.Status, told.Error, err)
	}
	if want := []audience.ChangeSample{{Change: "added", File: "a.csv", Line: 2}, {Change: "updated", File: "a.csv", Line: 3}}; !slices.Equal(told.Result.Changes, want) {
		t.Errorf("a dry run shows %+v", told.Result.Changes)
	}
	if got := rowsOf(t, w.dataset()); !slices.Equal(got, rows2) {
		t.Error("a dry run changed the dataset")
	}

	r := w.rollback(first.ID)
	w.wantRows(r, audience.Rows{Read: 3, Added: 1, Updated: 1, Unchanged: 1})
	if r.Result.Members != (audience.Members{Before: 3, After: 3, Removed: 1}) {
		t.Errorf("members %+v", r.Result.Members)
	}
	if f := r.Result.Files; len(f) != 1 || f[0].Path != "version of run "+string(first.ID) || f[0].Status != audience.FileRead || f[0].Rows != r.Result.Rows {
		t.Errorf("files %+v", f)
	}
	if got := rowsOf(t, w.dataset()); !slices.Equal(got, rows) {
		t.Errorf("the rows are\n%s\nand were\n%s", strings.Join(got, "\n"), strings.Join(rows, "\n"))
	}
	w.wantAsBefore("Email", ids, found)
	snap, _ := w.dataset().FindRun(r.ID)
	if was, _ := w.dataset().FindRun(first.ID); snap.Props["roster.mode"] != "rollback" || snap.Props["roster.refreshed-at"] != was.Props["roster.refreshed-at"] {
		t.Errorf("the snapshot says %v", snap.Props)
	}

	// A rollback can be rolled back, and later runs succeed.
	w.now = w.now.Add(time.Hour)
	w.rollback(second.ID)
	if got := rowsOf(t, w.dataset()); !slices.Equal(got, rows2) {
		t.Error("the rollback of a rollback has other rows")
	}
	w.wantAsBefore("Email", ids, found2)
	w.put("e.csv", "mail\na@example.com\n")
	w.wantRows(w.mustRun(false), audience.Rows{Read: 1, Added: 1})
}

func TestRollbackImpossible(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.put("a.csv", "mail\na@example.com\n")
	first := w.mustRun(true)
	w.put("b.csv", "mail\nb@example.com\n")
	w.mustRun(false)
	if n, err := w.dataset().Expire(t.Context(), time.Now().Add(time.Minute)); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	for _, of := range []audience.RunID{first.ID, "unknown"} {
		r, err := w.pipeline.Run(t.Context(), w.rollbackSpec(of))
		if err != nil || r.Status != audience.Failed || r.Error.Code != audience.Impossible || !strings.Contains(r.Error.Message, "7 days") {
			t.Errorf("%s %v %v", r.Status, r.Error, err)
		}
	}
	if w.rows() != 2 {
		t.Error("the audience changed")
	}
}

// TestInterruptedRollback cancels a rollback at each of its checkpoints and executes it again, in a new process.
func TestInterruptedRollback(t *testing.T) {
	t.Parallel()
	for stop := 1; ; stop++ {
		w := newWorld(t, defaultFields)
		w.put("a.csv", "mail\na@example.com\nb@example.com\n")
		first := w.mustRun(true)
		w.put("a.csv", "mail\na@example.com\nc@example.com\n")
		w.mustRun(true)
		s := w.rollbackSpec(first.ID)
		calls, stopped := 0, false
		saved := checkpoints(&s, func() error {
			if calls++; calls == stop {
				stopped = true
				return errors.New("lost")
			}
			return nil
		})
		if _, err := w.pipeline.Run(t.Context(), s); !stopped {
			if stop < 3 || err != nil {
				t.Fatalf("%d checkpoints: %v", stop-1, err)
			}
			break
		}
		w.reopen()
		s.Run = *saved
		checkpoints(&s, func() error { return nil })
		r, err := w.pipeline.Run(t.Context(), s)
		if err != nil || r.Status != audience.Success {
			t.Fatalf("checkpoint %d: %s %v %v", stop, r.Status, r.Error, err)
		}
		w.wantRows(r, audience.Rows{Read: 2, Added: 1, Unchanged: 1})
		if w.status("Email", "b@example.com") != "realized" || w.status("Email", "c@example.com") != "exited" {
			t.Errorf("checkpoint %d: the profile store is not rolled back", stop)
		}
		if n := len(w.dataset().Snapshots()); n != 3 {
			t.Errorf("checkpoint %d: %d snapshots", stop, n)
		}
	}
}

// A rollback restores an expired member as an expired member.
func TestRollbackExpired(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.put("a.csv", "mail\na@example.com\nb@example.com\n")
	w.mustRun(false)
	w.now = w.now.Add(20 * 24 * time.Hour)
	w.put("b.csv", "mail\nb@example.com\nc@example.com\n")
	second := w.mustRun(false)
	w.now = w.now.Add(12 * 24 * time.Hour)
	w.put("c.csv", "mail,gone\nc@example.com,1\n")
	r := w.mustRun(false) // a expires
	if r.Result.Members.Expired != 1 {
		t.Fatalf("members %+v", r.Result.Members)
	}
	r = w.rollback(second.ID)
	w.wantRows(r, audience.Rows{Read: 3, Added: 2, Unchanged: 1})
	for id, want := range map[string]string{"a@example.com": "exited", "b@example.com": "realized", "c@example.com": "realized"} {
		if got := w.status("Email", id); got != want {
			t.Errorf("%s is %q", id, got)
		}
	}
	w.put("d.csv", "mail\nd@example.com\n")
	if r = w.mustRun(false); r.Result.Members.Expired != 1 || r.Result.Members.After != 3 {
		t.Errorf("members %+v", r.Result.Members)
	}
}

// A full run renews members without a change in the profile store. If the version's rows were seen in the same second
// as that run, the rollback must still write the times to the store.
func TestRollbackSameSecond(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	ids := []string{"a@example.com"}
	w.put("a.csv", "mail\na@example.com\nb@example.com\nc@example.com\n")
	first := w.mustRun(false)
	w.now = w.now.Add(10 * 24 * time.Hour)
	w.put("b.csv", "mail\na@example.com\n")
	second := w.mustRun(false)
	found := w.memberships("Email", ids)
	w.rollback(first.ID)
	w.clear()
	w.put("c.csv", "mail\na@example.com\n")
	w.wantRows(w.mustRun(true), audience.Rows{Read: 1, Unchanged: 1})
	w.rollback(second.ID)
	w.wantAsBefore("Email", ids, found)
}
