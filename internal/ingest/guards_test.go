package ingest_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/lake"
	"roster/internal/profile"
)

// people returns n rows, beginning with the given person. The last bad rows are rejects.
func people(from, n, bad int) string {
	var b strings.Builder
	b.WriteString("mail,city,points,gone\n")
	for i := from; i < from+n; i++ {
		points := fmt.Sprint(i)
		if i >= from+n-bad {
			points = "many"
		}
		fmt.Fprintf(&b, "p%d@example.com,City,%s,\n", i, points)
	}
	return b.String()
}

// runAs executes a run with a modified request.
func (w *world) runAs(change func(*audience.RunRequest)) audience.Run {
	w.t.Helper()
	s := w.spec(false)
	change(&s.Run.Request)
	r, err := w.pipeline.Run(w.t.Context(), s)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// contentSum computes the sum of the dataset's content hashes independently.
func (w *world) contentSum() (sum uint64) {
	w.t.Helper()
	d, err := w.pipeline.Lake.Load(w.t.Context(), w.table)
	if err != nil {
		w.t.Fatal(err)
	}
	state, err := d.OpenState(w.t.Context(), lake.StateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	cursor := state.Cursor()
	defer cursor.Close()
	rows, err := cursor.Range(identity.Key{}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, content := range rows.Row {
		sum += uint64(content)
	}
	return sum
}

func TestGuards(t *testing.T) {
	t.Parallel()
	percent := func(p float64) *float64 { return &p }
	for _, c := range []struct {
		name   string
		guards audience.Guards
		first  string
		second string
		full   bool
		guard  string // the guard that trips; "" for none
		value  float64
	}{
		{"a tenth of rejects passes", audience.Guards{}, people(0, 20, 0), people(0, 20, 2), false, "", 0},
		{"more than a tenth does not", audience.Guards{}, people(0, 20, 0), people(0, 20, 3), false, audience.GuardRejected, 15},
		{"a budget of its own", audience.Guards{MaxRejectedPercent: percent(20)}, people(0, 20, 0), people(0, 20, 3), false, "", 0},
		{"no reject at all", audience.Guards{MaxRejectedPercent: percent(0)}, people(0, 20, 0), people(0, 20, 1), false, audience.GuardRejected, 5},
		{"a reject that hides lines", audience.Guards{}, people(0, 20, 0), people(0, 20, 0) + "\"x,1\n,\n,\n,\n", false, audience.GuardRejected, 100.0 * 4 / 24},
		{"half may leave", audience.Guards{}, people(0, 20, 0), people(10, 10, 0), true, "", 0},
		{"more than half may not", audience.Guards{}, people(0, 20, 0), people(11, 9, 0), true, audience.GuardRemoved, 55},
		{"more than half may not by their rows either", audience.Guards{}, people(0, 20, 0), strings.ReplaceAll(people(0, 15, 0), ",\n", ",true\n"), true, audience.GuardRemoved, 100},
		{"flags of a differential run are meant", audience.Guards{}, people(0, 20, 0), strings.ReplaceAll(people(0, 15, 0), ",\n", ",true\n"), false, "", 0},
		{"in a differential run nobody leaves", audience.Guards{}, people(0, 20, 0), people(11, 9, 0), false, "", 0},
		{"any growth", audience.Guards{}, people(0, 20, 0), people(0, 200, 0), true, "", 0},
		{"a bound of growth", audience.Guards{MaxGrowthPercent: percent(10)}, people(0, 20, 0), people(0, 25, 0), true, audience.GuardGrowth, 25},
		{"a missing column", audience.Guards{}, people(0, 20, 0), "mail,town,points,gone\np1@example.com,City,1,\n", false, audience.GuardColumns, 1},
		{"a missing column is allowed", audience.Guards{AllowMissingColumns: true}, people(0, 20, 0), "mail,points,gone\np1@example.com,1,\n", false, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, defaultFields)
			w.aud.Guards = c.guards
			w.put("a.csv", c.first)
			w.mustRun(true)
			before := w.contentSum()
			w.clear()
			w.now = w.now.Add(time.Hour)
			w.put("b.csv", c.second)
			r := w.run(c.full)
			tripped := slices.IndexFunc(r.Result.Guards, func(g audience.GuardResult) bool { return g.Tripped })
			if c.guard == "" {
				if r.Status != audience.Success || tripped >= 0 {
					t.Fatalf("%s %v %+v", r.Status, r.Error, r.Result.Guards)
				}
				return
			}
			if r.Status != audience.Failed || tripped < 0 || audience.CodeOf(r.Error) != audience.Impossible {
				t.Fatalf("%s %v %+v", r.Status, r.Error, r.Result.Guards)
			}
			if g := r.Result.Guards[tripped]; g.Guard != c.guard || g.Value < c.value-1e-9 || g.Value > c.value+1e-9 {
				t.Fatalf("%+v", g)
			}
			if !strings.Contains(r.Error.Message, `"force": true`) || w.contentSum() != before {
				t.Fatalf("%s", r.Error.Message)
			}
			forced := w.runAs(func(q *audience.RunRequest) { q.Force, q.Differential = true, !c.full })
			if forced.Status != audience.Success || !slices.ContainsFunc(forced.Result.Guards, func(g audience.GuardResult) bool { return g.Tripped }) {
				t.Fatalf("forced: %s %v %+v", forced.Status, forced.Error, forced.Result.Guards)
			}
		})
	}
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.aud.Guards = audience.Guards{}
	w.put("a.csv", people(0, 30, 0))
	w.mustRun(true)
	before, pointer := w.contentSum(), w.pointer()
	w.now = w.now.Add(time.Hour)
	w.put("a.csv", people(20, 30, 6)+"p20@example.com,Other,1,\np21@example.com,,,true\n")
	dry := w.runAs(func(q *audience.RunRequest) { q.DryRun, q.Differential = true, false })
	if dry.Status != audience.Success || dry.Result.SnapshotID != 0 || w.contentSum() != before || w.pointer() != pointer || w.rows() != 30 {
		t.Fatalf("a dry run changed something: %s %v", dry.Status, dry.Error)
	}
	for _, st := range dry.Stages {
		if st.Status != audience.Success {
			t.Errorf("stage %+v", st)
		}
	}
	if tripped := dry.Result.Guards; len(tripped) != 2 || !tripped[0].Tripped || !tripped[1].Tripped {
		t.Errorf("guards %+v", tripped)
	}
	kinds := map[string]int{}
	for _, c := range dry.Result.Changes {
		kinds[c.Change]++
		if c.File != "a.csv" || c.Line < 2 {
			t.Errorf("%+v", c)
		}
	}
	if kinds["added"] != 14 || kinds["updated"] != 1 || kinds["deleted"] != 1 {
		t.Errorf("changes %v", kinds)
	}
	if left := w.attemptFiles(dry.ID); !slices.Equal(left, []string{"rejects.parquet", "rejects.parquet.sum"}) {
		t.Errorf("a dry run leaves %v", left)
	}
	real := w.runAs(func(q *audience.RunRequest) { q.Force, q.Differential = true, false })
	if real.Result.Rows != dry.Result.Rows || real.Result.Members != dry.Result.Members || real.Result.ContentSum != dry.Result.ContentSum {
		t.Fatalf("the dry run said\n%+v %+v\nthe real one\n%+v %+v", dry.Result.Rows, dry.Result.Members, real.Result.Rows, real.Result.Members)
	}
	if w.contentSum() != real.Result.ContentSum {
		t.Fatalf("the dataset sums up to %d, the ledger says %d", w.contentSum(), real.Result.ContentSum)
	}
}

// TestDryRunOfNothingThatFits executes a dry run whose rows are all rejected. The run would fail even if forced, so the
// dry run reports no removed members.
func TestDryRunOfNothingThatFits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	all := 100.0
	w.aud.Guards = audience.Guards{MaxRejectedPercent: &all}
	w.put("a.csv", people(0, 30, 0))
	first := w.mustRun(true)
	w.now = w.now.Add(time.Hour)
	w.put("a.csv", people(0, 5, 5))
	dry := w.runAs(func(q *audience.RunRequest) { q.DryRun, q.Differential = true, false })
	if dry.Status != audience.Success || dry.Error != nil {
		t.Fatalf("%s %v", dry.Status, dry.Error)
	}
	if got := dry.Result.Rows; got != (audience.Rows{Read: 5, Rejected: 5}) {
		t.Errorf("rows %+v", got)
	}
	if got := dry.Result.Members; got != (audience.Members{Before: 30, After: 30}) {
		t.Errorf("members %+v", got)
	}
	if dry.Result.ContentSum != w.contentSum() {
		t.Errorf("sum %d of members that sum up to %d", dry.Result.ContentSum, w.contentSum())
	}
	if !dry.Result.RefreshedAt.Equal(first.Result.RefreshedAt) || len(dry.Result.Rejects) != 5 {
		t.Errorf("refreshed at %s, %d rejects", dry.Result.RefreshedAt, len(dry.Result.Rejects))
	}
	if g := dry.Result.Guards; len(g) != 1 || !g[0].Tripped || g[0].Guard != audience.GuardRejected || !strings.Contains(g[0].Detail, "would fail by this, forced or not") {
		t.Errorf("guards %+v", g)
	}
	forced := w.runAs(func(q *audience.RunRequest) { q.Force, q.Differential = true, false })
	if forced.Status != audience.Failed || !strings.Contains(forced.Error.Message, "all 5 rows were rejected") || w.rows() != 30 {
		t.Errorf("forced: %s %v", forced.Status, forced.Error)
	}
}

// TestContentSum compares the stored sum of a run with the sum of the dataset, for runs of every kind.
func TestContentSum(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	check := func(r audience.Run) audience.Run {
		t.Helper()
		if r.Status != audience.Success || r.Result.ContentSum != w.contentSum() {
			t.Fatalf("%s %v: the dataset sums up to %d, the ledger says %d", r.Status, r.Error, w.contentSum(), r.Result.ContentSum)
		}
		w.now = w.now.Add(time.Hour)
		return r
	}
	w.put("a.csv", people(0, 500, 0))
	first := check(w.mustRun(true))
	w.put("b.csv", people(100, 50, 0)+"p3@example.com,Other,3,\np4@example.com,,,true\n")
	check(w.mustRun(false))
	check(w.mustRun(true)) // few changes: the run adds to the dataset
	w.clear()
	w.put("c.csv", people(250, 500, 0))
	check(w.mustRun(true)) // many changes: the run rewrites the dataset
	check(w.runAs(func(q *audience.RunRequest) {
		q.Kind, q.Of, q.Differential = audience.RunRollback, first.ID, false
	}))
	w.now = w.now.Add(31 * 24 * time.Hour)
	gone := check(w.runAs(func(q *audience.RunRequest) { q.Kind, q.Differential = audience.RunExpire, true }))
	if gone.Result.Members.Expired != 500 || gone.Result.ContentSum != 0 {
		t.Fatalf("%+v", gone.Result)
	}
}

func TestExpireRunTakesOutWhoseTimeIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.aud.Guards = audience.Guards{}
	w.put("a.csv", people(0, 3, 0))
	w.mustRun(false)
	w.now = w.now.Add(20 * 24 * time.Hour)
	w.put("b.csv", people(0, 1, 0))
	w.mustRun(false)
	w.now = w.now.Add(15 * 24 * time.Hour)
	r := w.runAs(func(q *audience.RunRequest) { q.Kind, q.Differential = audience.RunExpire, true })
	if r.Status != audience.Success || r.Result.Members != (audience.Members{Before: 3, After: 1, Expired: 2}) || len(r.Result.Files) != 0 {
		t.Fatalf("%s %v %+v", r.Status, r.Error, r.Result)
	}
	if w.status("Email", "p0@example.com") != "realized" || w.status("Email", "p1@example.com") != "exited" {
		t.Error("the profile store was not told")
	}
}

// TestDoubtedClockTakesNobodyOut uses a clock that is not trusted. In no kind of run does a member expire.
func TestDoubtedClockTakesNobodyOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.aud.Guards = audience.Guards{}
	w.put("a.csv", people(0, 3, 0))
	w.mustRun(false)
	w.now = w.now.Add(365 * 24 * time.Hour)
	doubted := true
	w.pipeline.ClockTrusted = func() bool { return !doubted }
	for _, kind := range []audience.RunKind{audience.RunExpire, audience.RunIngest} {
		w.put("b.csv", people(0, 1, 0))
		if r := w.runAs(func(q *audience.RunRequest) { q.Kind, q.Differential = kind, true }); r.Status != audience.Success || r.Result.Members.After != 3 || r.Result.Members.Expired != 0 {
			t.Fatalf("%s %v %+v", r.Status, r.Error, r.Result)
		}
	}
	doubted = false
	if r := w.runAs(func(q *audience.RunRequest) { q.Kind, q.Differential = audience.RunExpire, true }); r.Result.Members.Expired == 0 {
		t.Errorf("by a clock that is believed nobody left: %+v", r.Result)
	}
}

// attemptFiles lists the remaining files of a run's attempts.
func (w *world) attemptFiles(id audience.RunID) (names []string) {
	w.t.Helper()
	root := filepath.Join(filepath.Dir(w.root), "lake", w.table.Namespace, w.table.Name)
	for _, kind := range []string{"data", "roster"} {
		found, err := filepath.Glob(filepath.Join(root+"*", kind, string(id)+"-*", "*"))
		if err != nil {
			w.t.Fatal(err)
		}
		for _, f := range found {
			names = append(names, filepath.Base(f))
		}
	}
	return names
}

// pointer returns the sequence number of the profile store's pointer.
func (w *world) pointer() int64 {
	w.t.Helper()
	p, err := w.store.Pointer(w.t.Context(), profile.Ref{Sandbox: 3, Audience: w.aud.Num})
	if err != nil {
		w.t.Fatal(err)
	}
	return p.Seq
}

// TestGuardExpired executes runs that would expire members. According to the ledgers of earlier runs, fresh of them
// cannot have expired.
func TestGuardExpired(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		fresh   int64
		change  func(*audience.RunRequest)
		stopped bool
	}{
		{"a differential run", 20, func(*audience.RunRequest) {}, true},
		{"an expire run", 20, func(r *audience.RunRequest) { r.Kind = audience.RunExpire }, true},
		{"forced", 20, func(r *audience.RunRequest) { r.Force = true }, false},
		{"half of them", 10, func(*audience.RunRequest) {}, false},
		{"their time is over", 0, func(r *audience.RunRequest) { r.Kind = audience.RunExpire }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, defaultFields)
			w.aud.Guards = audience.Guards{}
			w.put("1.csv", people(0, 20, 0))
			w.mustRun(false)
			w.now = w.now.Add(w.aud.TTL())
			w.put("2.csv", people(20, 5, 0))
			s := w.spec(false)
			c.change(&s.Run.Request)
			s.Host = testHost{w: w, fresh: c.fresh}
			r, err := w.pipeline.Run(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			if c.stopped {
				if r.Status != audience.Failed || r.Error.Code != audience.Impossible || !strings.Contains(r.Error.Message, "20 of 20 members would expire") || w.rows() != 20 {
					t.Errorf("ended %s: %+v", r.Status, r.Error)
				}
				return
			}
			if r.Status != audience.Success || r.Result.Members.Expired != 20 {
				t.Errorf("ended %s: %+v %+v", r.Status, r.Error, r.Result.Members)
			}
		})
	}
}
