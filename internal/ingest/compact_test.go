package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/ingest"
)

// wear creates an audience whose files exceed the limits of Compact.
func wear(w *world) (last audience.Run) {
	w.t.Helper()
	for i := range 10 {
		w.now = w.now.Add(time.Hour)
		w.put(fmt.Sprintf("%d.csv", i), fmt.Sprintf("mail,city\na@example.com,c%d\nb%d@example.com,c\n", i, i))
		last = w.mustRun(false)
	}
	return last
}

func idle(context.Context) error { return nil }

// testRuns is the answer of InProgress for each run. The audience is idle.
type testRuns bool

const noRuns, allRuns = testRuns(false), testRuns(true)

func (testRuns) Idle(context.Context) error { return nil }

func (r testRuns) InProgress(context.Context, audience.RunID) bool { return bool(r) }

func TestCompact(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.put("a.csv", "mail,city\nz@example.com,A\n")
	w.mustRun(true)
	never := func(context.Context) error { return errors.New("a dataset that is not worn was rewritten") }
	if done, err := w.pipeline.Compact(t.Context(), w.table, never); done || err != nil {
		t.Fatal(done, err)
	}
	last := wear(w)
	before := rowsOf(t, w.dataset())
	if done, err := w.pipeline.Compact(t.Context(), w.table, idle); !done || err != nil {
		t.Fatal(done, err)
	}
	d := w.dataset()
	if l, err := d.Layout(t.Context()); err != nil || l.Files != 1 || l.DeleteFiles != 0 || l.Rows != 12 {
		t.Errorf("the layout is %+v: %v", l, err)
	}
	if got := rowsOf(t, d); !slices.Equal(got, before) {
		t.Errorf("the rows are\n%q\nand were\n%q", got, before)
	}
	if _, ok := d.FindRun(last.ID); !ok {
		t.Error("the last run is not found any more")
	}
	w.reopen()
	w.put("z.csv", "mail,city\na@example.com,new\n")
	w.wantRows(w.mustRun(false), audience.Rows{Read: 1, Updated: 1})
	if done, err := w.pipeline.Compact(t.Context(), w.table, never); done || err != nil {
		t.Fatal(done, err)
	}
}

func TestCompactGivesWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	wear(w)
	busy := func(context.Context) error { return ingest.ErrBusy }
	if done, err := w.pipeline.Compact(t.Context(), w.table, busy); done || !errors.Is(err, ingest.ErrBusy) {
		t.Fatal(done, err)
	}
	run := func(context.Context) error {
		w.put("late.csv", "mail,city\nlate@example.com,c\na@example.com,late\n")
		w.mustRun(false)
		return nil
	}
	if done, err := w.pipeline.Compact(t.Context(), w.table, run); !done || err != nil {
		t.Fatal(done, err)
	}
	if l, err := w.dataset().Layout(t.Context()); err != nil || l.Files != 2 || l.DeleteFiles != 1 || l.Rows != 13 {
		t.Errorf("the layout is %+v: %v", l, err)
	}
	if w.rows() != 12 || w.status("Email", "late@example.com") != "realized" {
		t.Error("the run is lost")
	}
}

// A version from before a compaction is kept like any other, and can be restored.
func TestMaintainThenRollback(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	last := wear(w)
	rows := rowsOf(t, w.dataset())
	keep := ingest.Upkeep{Table: w.table, Audience: &w.aud, Keep: 7 * 24 * time.Hour, Runs: noRuns}
	maintain := func() ingest.Maintained {
		t.Helper()
		m, err := w.pipeline.Maintain(t.Context(), keep)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	if m := maintain(); !m.Compacted || m.Versions != 0 || m.Orphans != 0 {
		t.Errorf("maintained: %+v", m)
	}
	w.now = time.Now().Add(8 * 24 * time.Hour)
	if m := maintain(); m.Compacted || m.Versions != 10 || m.Orphans == 0 {
		t.Errorf("maintained: %+v", m)
	}
	if v := w.dataset().Versions(); len(v) != 1 || v[0].Version != last.ID || v[0].Run != "" {
		t.Errorf("versions: %+v", v)
	}
	w.put("bad.csv", "mail\nbad@example.com\n")
	w.mustRun(true)
	keep.Keep = 9 * 24 * time.Hour // snapshots have the machine's time, 8 days ago
	if m := maintain(); m.Versions != 0 {
		t.Errorf("maintained: %+v", m)
	}
	w.reopen()
	r := w.rollback(last.ID)
	if got := rowsOf(t, w.dataset()); !slices.Equal(got, rows) || r.Result.Files[0].Path != "version of run "+string(last.ID) {
		t.Errorf("the rows are\n%q\nand were\n%q", got, rows)
	}
	if w.status("Email", "b3@example.com") != "realized" || w.status("Email", "bad@example.com") != "exited" {
		t.Error("the profile store is not rolled back")
	}
}

// A run succeeds although the files of an earlier run were removed with its snapshot.
func TestRunAfterExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	wear(w)
	w.put("bad.csv", "mail,points\nx@example.com,many\n")
	w.put("c.csv", "mail\nc@example.com\n")
	withRejects := w.mustRun(false)
	w.now = time.Now().Add(8 * 24 * time.Hour)
	keep := ingest.Upkeep{Table: w.table, Audience: &w.aud, Keep: time.Hour, Runs: noRuns}
	for range 2 {
		if _, err := w.pipeline.Maintain(t.Context(), keep); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(w.dataset().Snapshots()); n != 1 {
		t.Fatalf("%d snapshots", n)
	}
	f, err := w.dataset().OpenFile(withRejects.Result.RejectsPath)
	if err != nil {
		t.Fatalf("the rejects went with the version: %v", err)
	}
	f.Close()
	w.put("d.csv", "mail\nd@example.com\n")
	w.wantRows(w.mustRun(false), audience.Rows{Read: 1, Added: 1})
	w.put("a.csv", "mail,city\na@example.com,new\n")
	w.mustRun(true)
	w.now = w.now.Add(31 * 24 * time.Hour)
	if _, err := w.pipeline.Maintain(t.Context(), keep); err != nil {
		t.Fatal(err)
	}
	if _, err := w.dataset().OpenFile(withRejects.Result.RejectsPath); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the rejects are kept for ever: %v", err)
	}
}
