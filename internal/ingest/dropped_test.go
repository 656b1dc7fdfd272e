package ingest_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/ingest"
	"roster/internal/lake"
)

// exec changes the catalog as another program does.
func (w *world) exec(statement string, args ...any) {
	w.t.Helper()
	if _, err := w.catalog.ExecContext(w.t.Context(), statement, args...); err != nil {
		w.t.Fatal(err)
	}
}

// holding lists the files of the lake whose path has the id of a run.
func (w *world) holding(run audience.RunID) []string {
	w.t.Helper()
	return slices.DeleteFunc(w.files(), func(path string) bool { return !strings.Contains(path, string(run)) })
}

// wantRefused requires that a run fails with the words in its error, and that the table counts as missing afterwards.
func (w *world) wantRefused(full bool, words ...string) {
	w.t.Helper()
	r := w.run(full)
	for _, word := range words {
		if r.Status != audience.Failed || r.Error.Code != audience.Impossible || !strings.Contains(r.Error.Message, word) {
			w.t.Errorf("a run, full %v, without %q: %s %+v", full, word, r.Status, r.Error)
		}
	}
	if _, err := w.pipeline.Lake.Load(w.t.Context(), w.table); !errors.Is(err, lake.ErrNotExist) {
		w.t.Errorf("the table: %v", err)
	}
}

// TestDroppedElsewhere drops the table in the catalog. Runs fail and change nothing, until a full run makes the table
// anew. The ledger and the guards of the full run start from the members of the last run.
func TestDroppedElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.aud.Guards.MaxRemovedPercent = new(50.0)
	w.put("1.csv", "mail,city\na@x.org,A\nb@x.org,B\nc@x.org,C\n")
	first := w.mustRun(true)
	w.now = w.now.Add(time.Hour)
	w.engine().Drop()

	w.wantRefused(false, "dropped", "full run")
	w.pipeline.RefuseForeign = true
	w.wantRefused(true, "dropped", "--foreign-writes adopt")
	w.pipeline.RefuseForeign = false
	w.put("1.csv", "mail,city\na@x.org,A\n") // two of three members would leave
	w.wantRefused(true, audience.GuardRemoved)
	w.wantRefused(false, "dropped", "full run")
	w.wantStatus(map[string]string{"a@x.org": "realized", "b@x.org": "realized", "c@x.org": "realized"})

	w.put("1.csv", "mail,city\na@x.org,A\nb@x.org,B\nd@x.org,D\n")
	want := audience.Members{Before: 3, Removed: 3, After: 3} // it is unknown who the members were
	s := w.spec(true)
	s.Run.Request.DryRun = true
	if r, err := w.pipeline.Run(t.Context(), s); err != nil || r.Status != audience.Success || r.Result.Members != want {
		t.Errorf("a dry run: %v %s %+v", err, r.Status, r.Result.Members)
	}
	s = w.spec(true)
	saved, stopped := stopAt(&s, 4)
	if _, err := w.pipeline.Run(t.Context(), s); err == nil || !*stopped {
		t.Fatalf("an attempt that loses its worker: %v", err)
	}
	s.Run, s.Host = *saved, testHost{w: w}
	r, err := w.pipeline.Run(t.Context(), s)
	if err != nil || r.Status != audience.Success {
		t.Fatalf("the full run: %v %+v", err, r.Error)
	}
	w.finish(r)
	w.wantRows(r, audience.Rows{Read: 3, Added: 3})
	if o := r.Result.Outside; r.Result.Members != want || r.Result.Unreadable != 3 || len(o) != 1 || o[0].Operation != "drop" || len(w.adopted) > 0 || r.Result.ContentSum != w.contentSum() {
		t.Errorf("%+v %d %+v", r.Result.Members, r.Result.Unreadable, o)
	}
	w.wantStatus(map[string]string{"a@x.org": "realized", "b@x.org": "realized", "c@x.org": "", "d@x.org": "realized"})

	if len(w.holding(first.ID)) == 0 {
		t.Error("the files of the dropped table are gone, although the catalog could be restored")
	}
	w.purge(ingest.Person{Key: identity.KeyOf("Email", []byte("c@x.org")), Values: [][]byte{[]byte("c@x.org")}})
	if left := w.holding(first.ID); len(left) > 0 || w.rows() != 3 {
		t.Errorf("after an erasure, files of the dropped table are left: %q; %d rows", left, w.rows())
	}

	w.now = w.now.Add(time.Hour)
	w.put("2.csv", "mail\ne@x.org\n")
	if r := w.mustRun(false); r.Result.Members.After != 4 || r.Result.Outside != nil {
		t.Errorf("the next run: %+v %+v", r.Result.Members, r.Result.Outside)
	}
}

// TestRenamedElsewhere renames the table in the catalog. A new table must not take its files.
func TestRenamedElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.put("1.csv", "mail\na@x.org\n")
	w.mustRun(true)
	w.exec(`UPDATE iceberg_tables SET table_name = 'people'`)
	for _, full := range []bool{true, false} {
		w.wantRefused(full, "renamed", w.table.Namespace+".people")
	}
	w.exec(`UPDATE iceberg_tables SET table_name = ?`, w.table.Name)
	w.put("2.csv", "mail\nb@x.org\n")
	if r := w.mustRun(false); r.Result.Members != (audience.Members{Before: 1, After: 2}) {
		t.Errorf("with the name back: %+v", r.Result.Members)
	}
}

// TestDroppedBeforeFirstRun drops a table that had no run, so nothing is lost.
func TestDroppedBeforeFirstRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.engine().Drop()
	w.put("1.csv", "mail\na@x.org\n")
	if r := w.mustRun(false); r.Result.Members != (audience.Members{After: 1}) || r.Result.Outside != nil {
		t.Errorf("%+v %+v", r.Result.Members, r.Result.Outside)
	}
}
