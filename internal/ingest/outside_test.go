package ingest_test

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"roster/internal/audience"
	"roster/internal/ingest"
	"roster/tests/icebergtest"
)

// engine is another program that changes the world's table.
func (w *world) engine() icebergtest.Engine {
	return icebergtest.Engine{T: w.t, Catalog: w.catalog, Namespace: w.table.Namespace, Name: w.table.Name}
}

// files lists all files of the lake and all scratch files.
func (w *world) files() (list []string) {
	w.t.Helper()
	for _, dir := range []string{w.pipeline.Lake.Warehouse(), w.pipeline.Scratch} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				list = append(list, path)
			}
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return list
}

// wantStatus compares the results of look-ups.
func (w *world) wantStatus(want map[string]string) {
	w.t.Helper()
	for id, status := range want {
		if got := w.status("Email", id); got != status {
			w.t.Errorf("%s is %q, want %q", id, got, status)
		}
	}
}

// TestAdoption lets another program update, insert and delete rows. It does not update Roster's columns.
func TestAdoption(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.put("1.csv", "mail,city\na@x.org,A\nb@x.org,B\nc@x.org,C\n")
	w.mustRun(true)
	w.now = w.now.Add(time.Hour)
	w.engine().Rewrite(func(rows []map[string]any) []map[string]any {
		var out []map[string]any
		for _, r := range rows {
			switch r["mail"] {
			case "a@x.org":
				out = append(out, icebergtest.Changed(r, map[string]any{"city": "Ulm", "_roster_seen": "2001-01-01T00:00:00Z"}),
					icebergtest.Changed(r, map[string]any{"mail": "d@x.org"}), icebergtest.Changed(r, map[string]any{"mail": nil}), icebergtest.Changed(r, map[string]any{"mail": "e@x.org", "gone": true}))
			case "c@x.org":
				out = append(out, r, r)
			}
		}
		return out
	})
	keep := ingest.Upkeep{Table: w.table, Audience: &w.aud, Keep: time.Hour, Runs: noRuns}
	if m, err := w.pipeline.Maintain(t.Context(), keep); err != nil || len(m.Outside) != 1 || !m.Adopt {
		t.Errorf("maintenance: %+v %v", m, err)
	}
	want := audience.Rows{Read: 6, Rejected: 1, Duplicates: 1, Added: 1, Updated: 1, Unchanged: 1, DeletedNotMember: 1}
	files := w.files()
	if c, err := w.pipeline.CompareOutside(t.Context(), w.dataset(), &w.aud); err != nil || c.Rows != want || c.Members != (audience.Members{Before: 3, After: 3, Removed: 1}) {
		t.Errorf("compared: %+v %+v %v", c.Rows, c.Members, err)
	}
	if now := w.files(); !reflect.DeepEqual(now, files) {
		t.Errorf("the comparison left %q, there were %q", now, files)
	}
	w.put("2.csv", "mail\nf@x.org\n")
	s := w.spec(false)
	s.Run.Request.DryRun = true
	if r, err := w.pipeline.Run(t.Context(), s); err != nil || r.Status != audience.Failed || !strings.Contains(r.Error.Message, "added 1, updated 1, removed 1 members") {
		t.Errorf("a dry run: %v %s %v", err, r.Status, r.Error)
	}
	if now := w.files(); !reflect.DeepEqual(now, files) || len(w.adopted) != 0 {
		t.Errorf("the dry run left %q and %d adoptions, there were %q", now, len(w.adopted), files)
	}
	s = w.spec(false)
	lost := errors.New("the connection is lost")
	s.Host = testHost{w: w, unrecorded: lost}
	if _, err := w.pipeline.Run(t.Context(), s); !errors.Is(err, lost) {
		t.Fatalf("an adoption that could not be recorded: %v", err)
	}
	s.Host = testHost{w: w}
	r, err := w.pipeline.Run(t.Context(), s)
	if err != nil || r.Status != audience.Success {
		t.Fatalf("%v %+v", err, r.Error)
	}
	if len(w.adopted) != 1 {
		t.Fatalf("%d adoptions", len(w.adopted))
	}
	x := w.adopted[0]
	if x.Result.Rows != want || x.Status != audience.Success ||
		x.Result.Members != (audience.Members{Before: 3, After: 3, Removed: 1}) || x.Seq != 3 || r.Seq != 4 {
		t.Errorf("adopted %s as run %d before %d: %+v %+v", x.Status, x.Seq, r.Seq, x.Result.Rows, x.Result.Members)
	}
	if o := x.Result.Outside; len(o) != 1 || o[0].Engine != "other 1" || o[0].Operation == "" || len(r.Result.Outside) != 1 {
		t.Errorf("outside: %+v and %+v", o, r.Result.Outside)
	}
	if len(x.Result.Rejects) != 1 || x.Result.Rejects[0].Code != "IDENTITY" {
		t.Errorf("rejects: %+v", x.Result.Rejects)
	}
	if w.rows() != 4 || r.Result.Members != (audience.Members{Before: 3, After: 4}) || r.Result.ContentSum != w.contentSum() {
		t.Errorf("%d rows, %+v", w.rows(), r.Result.Members)
	}
	w.wantStatus(map[string]string{"a@x.org": "realized", "b@x.org": "exited", "c@x.org": "realized", "d@x.org": "realized", "e@x.org": "", "f@x.org": "realized"})

	w.now = w.now.Add(time.Hour) // adopted members behave like any other
	w.put("3.csv", "mail,city\na@x.org,Ulm\nd@x.org,A\n")
	if r := w.mustRun(false); r.Result.Rows.Unchanged != 3 || r.Result.Outside != nil || len(w.adopted) != 1 {
		t.Errorf("afterwards: %+v %+v", r.Result.Rows, r.Result.Outside)
	}
}

// TestAdoptionAlone adopts the changes of another program in a run that was started for this, as maintenance does.
func TestAdoptionAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.put("1.csv", "mail,city\na@x.org,A\n")
	w.mustRun(true)
	w.now = w.now.Add(time.Hour)
	w.engine().Rewrite(func(rows []map[string]any) []map[string]any {
		return append(rows, icebergtest.Changed(rows[0], map[string]any{"mail": "b@x.org"}))
	})
	before := len(w.dataset().Snapshots())
	s := w.spec(false)
	s.Run.Request.Kind = audience.RunAdopt
	r, err := w.pipeline.Run(t.Context(), s)
	if err != nil || r.Status != audience.Success || r.Result.Rows.Added != 1 || r.Result.Members != (audience.Members{Before: 1, After: 2}) {
		t.Fatalf("%v %s %+v %+v", err, r.Status, r.Result.Rows, r.Result.Members)
	}
	if n := len(w.dataset().Snapshots()) - before; n != 1 {
		t.Errorf("%d snapshots", n)
	}
	w.wantStatus(map[string]string{"a@x.org": "realized", "b@x.org": "realized"})
}

// TestRewriteElsewhere lets another program rewrite all rows without changes. No member changes, and no run is
// recorded.
func TestRewriteElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.put("1.csv", "mail,city\na@x.org,A\nb@x.org,B\nc@x.org,C\n")
	w.mustRun(true)
	w.engine().Rewrite(func(rows []map[string]any) []map[string]any { return rows })
	w.put("2.csv", "mail\nf@x.org\n")
	snapshots := len(w.dataset().Snapshots())
	dry := w.spec(false)
	dry.Run.Request.DryRun = true
	if r, err := w.pipeline.Run(t.Context(), dry); err != nil || r.Status != audience.Success || r.Result.Members != (audience.Members{Before: 3, After: 4}) || len(w.dataset().Snapshots()) != snapshots {
		t.Errorf("a dry run: %v %s %v %+v", err, r.Status, r.Error, r.Result)
	}
	r := w.mustRun(false)
	if len(w.adopted) != 0 || len(r.Result.Outside) != 1 || r.Result.Members != (audience.Members{Before: 3, After: 4}) || r.Result.ContentSum != w.contentSum() {
		t.Errorf("%d adoptions, %+v %+v", len(w.adopted), r.Result.Outside, r.Result.Members)
	}
	w.wantStatus(map[string]string{"a@x.org": "realized", "f@x.org": "realized"})
}

// TestRollbackElsewhere lets another program restore an earlier version.
func TestRollbackElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.put("1.csv", "mail,city\na@x.org,A\nb@x.org,B\n")
	first := w.mustRun(true)
	w.now = w.now.Add(time.Hour)
	w.put("1.csv", "mail,city\nb@x.org,Ulm\nc@x.org,C\n")
	w.mustRun(true)
	w.wantStatus(map[string]string{"a@x.org": "exited", "c@x.org": "realized"})
	w.now = w.now.Add(time.Hour)
	w.engine().Rollback(first.Result.SnapshotID)
	w.put("2.csv", "mail\nd@x.org\n")
	r := w.mustRun(false)
	if len(w.adopted) != 1 {
		t.Fatalf("%d adoptions", len(w.adopted))
	}
	x := w.adopted[0].Result
	if x.Rows != (audience.Rows{Read: 2, Added: 1, Updated: 1}) || x.Members != (audience.Members{Before: 2, After: 2, Removed: 1}) || x.Outside[0].Operation != "rollback" ||
		!x.RefreshedAt.Equal(first.CreatedAt) {
		t.Errorf("%+v %+v %+v %s", x.Rows, x.Members, x.Outside, x.RefreshedAt)
	}
	if r.Result.Members != (audience.Members{Before: 2, After: 3}) || r.Result.ContentSum != w.contentSum() {
		t.Errorf("%+v", r.Result.Members)
	}
	w.wantStatus(map[string]string{"a@x.org": "realized", "b@x.org": "realized", "c@x.org": "exited", "d@x.org": "realized"})
}

// runAdopting makes a differential run with a new member, e@x.org, which adopts the changes of another program first. It
// returns the run and the result of the adoption.
func (w *world) runAdopting() (audience.Run, audience.RunResult) {
	w.t.Helper()
	w.now = w.now.Add(time.Hour)
	w.put("2.csv", "mail\ne@x.org\n")
	r := w.mustRun(false)
	if len(w.adopted) != 1 {
		w.t.Fatalf("%d adoptions", len(w.adopted))
	}
	return r, w.adopted[0].Result
}

// TestRollbackAndExpiryElsewhere lets another program restore an earlier version and remove the snapshot of the last run.
func TestRollbackAndExpiryElsewhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		last string // the second file
		want audience.Members
		rows audience.Rows
	}{
		"fewer members": {"mail,city\nb@x.org,Ulm\n", audience.Members{Before: 1, After: 2}, audience.Rows{Read: 2, Added: 1, Unchanged: 1}},
		"more members":  {"mail,city\nb@x.org,Ulm\nc@x.org,C\nd@x.org,D\n", audience.Members{Before: 3, After: 2, Removed: 1}, audience.Rows{Read: 2, Unchanged: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, defaultFields)
			w.put("1.csv", "mail,city\na@x.org,A\nb@x.org,B\n")
			first := w.mustRun(true)
			w.now = w.now.Add(time.Hour)
			w.put("1.csv", c.last)
			last := w.mustRun(true)
			if len(w.dataset().Foreign()) > 0 {
				t.Error("a run of Roster is foreign")
			}
			w.engine().Rollback(first.Result.SnapshotID)
			w.engine().Update(table.NewRemoveSnapshotsUpdate([]int64{last.Result.SnapshotID}, false))
			if err := w.pipeline.Lake.Describe(t.Context(), w.table, "renamed"); err != nil { // a commit without a snapshot
				t.Fatal(err)
			}
			if f := w.dataset().Foreign(); len(f) != 1 || f[0].Operation != "rollback" {
				t.Errorf("foreign: %+v", f)
			}
			r, x := w.runAdopting()
			if x.Members != c.want || x.Rows != c.rows || !x.RefreshedAt.Equal(first.CreatedAt) {
				t.Errorf("%+v %+v %s", x.Rows, x.Members, x.RefreshedAt)
			}
			if r.Result.Members != (audience.Members{Before: 2, After: 3}) || r.Result.ContentSum != w.contentSum() || len(w.dataset().Foreign()) > 0 {
				t.Errorf("%+v", r.Result.Members)
			}
			w.wantStatus(map[string]string{"a@x.org": "realized", "b@x.org": "realized", "e@x.org": "realized"})
			for _, gone := range []string{"c@x.org", "d@x.org"} {
				if got := w.status("Email", gone); got == "realized" {
					t.Errorf("%s is %s", gone, got)
				}
			}
		})
	}
}

// TestEmptiedElsewhere replaces the table by one without a snapshot, as CREATE OR REPLACE TABLE does. The next run finds
// the members that are gone, also if the earlier snapshots were expired.
func TestEmptiedElsewhere(t *testing.T) {
	t.Parallel()
	for _, expired := range []bool{false, true} {
		t.Run(fmt.Sprintf("expired %v", expired), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, defaultFields)
			w.put("1.csv", "mail,city\na@x.org,A\nb@x.org,B\n")
			first := w.mustRun(true)
			w.engine().Update(table.NewRemoveSnapshotRefUpdate(table.MainBranch))
			if expired {
				w.engine().Update(table.NewRemoveSnapshotsUpdate([]int64{first.Result.SnapshotID}, false))
			}
			if f := w.dataset().Foreign(); len(f) != 1 || f[0].Operation != "replace" {
				t.Errorf("foreign: %+v", f)
			}
			r, x := w.runAdopting()
			if x.Members != (audience.Members{Before: 2, Removed: 2}) || x.Rows != (audience.Rows{}) || len(x.Outside) != 1 {
				t.Errorf("%+v %+v %+v", x.Rows, x.Members, x.Outside)
			}
			if r.Result.Members != (audience.Members{After: 1}) || r.Result.ContentSum != w.contentSum() || len(w.dataset().Foreign()) > 0 {
				t.Errorf("%+v", r.Result.Members)
			}
			w.wantStatus(map[string]string{"e@x.org": "realized"})
			for _, gone := range []string{"a@x.org", "b@x.org"} {
				if got := w.status("Email", gone); got == "realized" {
					t.Errorf("%s is %s", gone, got)
				}
			}
		})
	}
}

// TestTypesElsewhere lets another program promote a field to a type with more values, drop a system column, and rewrite
// all rows. A row with a value that does not fit the field is a reject, and the other rows get the system column again.
func TestTypesElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []audience.Field{{Name: "mail", Type: audience.String, IdentityNs: "Email"}, {Name: "points", Type: audience.Integer}})
	w.put("1.csv", "mail,points\na@x.org,1\nb@x.org,2\nc@x.org,\n")
	w.mustRun(true)
	e := w.engine()
	tx := e.Table().NewTransaction()
	err := tx.UpdateSchema(true, true).UpdateColumn([]string{"points"}, table.ColumnUpdate{FieldType: iceberg.Optional[iceberg.Type]{Val: iceberg.PrimitiveTypes.Int64, Valid: true}}).
		DeleteColumn([]string{"_roster_line"}).Commit()
	if err == nil {
		_, err = tx.Commit(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	e.Rewrite(func(rows []map[string]any) []map[string]any {
		for i, r := range rows {
			if r["mail"] == "a@x.org" {
				rows[i] = icebergtest.Changed(r, map[string]any{"points": 5_000_000_000})
			}
		}
		return rows
	})
	if got := w.rows(); got != 3 {
		t.Errorf("%d rows before the adoption", got)
	}
	r, x := w.runAdopting()
	if x.Rows != (audience.Rows{Read: 3, Rejected: 1, Unchanged: 2}) || x.Members != (audience.Members{Before: 3, After: 2, Removed: 1}) {
		t.Errorf("%+v %+v", x.Rows, x.Members)
	}
	if len(x.Rejects) != 1 || x.Rejects[0].Code != "TYPE" || x.Rejects[0].Column != "points" {
		t.Errorf("rejects %+v", x.Rejects)
	}
	if r.Result.Members != (audience.Members{Before: 2, After: 3}) || r.Result.ContentSum != w.contentSum() {
		t.Errorf("%+v", r.Result.Members)
	}
	w.put("3.csv", "mail,points\nb@x.org,2\n")
	if r := w.mustRun(false); r.Result.Rows != (audience.Rows{Read: 1, Unchanged: 1}) || w.rows() != 3 {
		t.Errorf("afterwards: %+v", r.Result.Rows)
	}
}

// TestRefusedWrites has a server that refuses the changes of other programs.
func TestRefusedWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.pipeline.RefuseForeign = true
	w.put("1.csv", "mail,city\na@x.org,A\nb@x.org,B\n")
	w.mustRun(true)
	w.engine().Rewrite(func(rows []map[string]any) []map[string]any { return rows[:1] })
	for _, full := range []bool{true, false} {
		w.put("2.csv", "mail\nd@x.org\n")
		if r := w.run(full); r.Status != audience.Failed || !strings.Contains(r.Error.Message, `by other 1`) || !strings.Contains(r.Error.Message, "--foreign-writes") {
			t.Errorf("ended %s: %+v", r.Status, r.Error)
		}
	}
	w.wantStatus(map[string]string{"a@x.org": "realized", "b@x.org": "realized"})
}
