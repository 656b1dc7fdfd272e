//go:build fault

package fault

import (
	"context"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/job"
	"roster/internal/lake"
	"roster/internal/launch"
	"roster/internal/meta"
	"roster/tests/icebergtest"
)

// These efforts have more places than the tests can visit each time, so the tests choose some of them at random.
var (
	seed   = flag.Uint64("seed", rand.Uint64(), "choose the places of the tests that visit some of them")
	places = flag.Int("places", 4, "how many places of each effort these tests visit")
)

// besideOthers are runs of a dataset that other programs or maintenance change, too, by their names.
var besideOthers = map[string]effort{
	// Another program updates, inserts and deletes rows.
	"adoption": {prepare: (*world).changeElsewhere, begin: (*world).adopt, goOn: (*world).work},
	"adoption-before-a-run": {prepare: (*world).changeElsewhere, begin: (*world).differential, goOn: (*world).work, between: func(w *world) {
		w.must(w.adopt())
		w.drain()
	}},
	// Another program rewrites the rows in another order. The run reads them from a sorted copy.
	"sorted-copy": {prepare: (*world).rewriteElsewhere, begin: (*world).differential, goOn: (*world).work},
	"dropped":     {prepare: func(w *world) { w.engine().Drop() }, begin: func(w *world) error { return w.start(audience.RunRequest{}) }, goOn: (*world).work},
	// The version to restore is in the history file.
	"rollback-in-history": {prepare: (*world).archive, begin: (*world).rollBack, goOn: (*world).work},
	// A run commits during a compaction, which then also writes the history file.
	"run-in-compaction": {prepare: (*world).wearLong, begin: (*world).differential, goOn: func(w *world) error {
		return w.compact(func(context.Context) error { return w.work() })
	}},
	// A compaction commits while a run reads its file.
	"compaction-in-run": {prepare: (*world).wearLong, begin: (*world).differential, goOn: func(w *world) error {
		w.beside = func() { _ = w.compact(func(context.Context) error { return nil }) } // the next compaction makes up for a failed one
		return w.work()
	}},
}

const thirdFile = "mail,phone,points\nbob@x.org,+22,21\neve@x.org,+6,6\n"

func (w *world) differential() error { return w.start(audience.RunRequest{Differential: true}) }

// engine is another program that changes the audience's table.
func (w *world) engine() icebergtest.Engine {
	w.t.Helper()
	id := lake.TableOf(scope, w.audience().ID)
	return icebergtest.Engine{T: w.t, Catalog: w.catalog, Namespace: id.Namespace, Name: id.Name}
}

// changeElsewhere lets another program change all members of the first file: Ada gets other points, Bob leaves, and Eve
// joins.
func (w *world) changeElsewhere() {
	w.t.Helper()
	w.engine().Rewrite(func(rows []map[string]any) (out []map[string]any) {
		for _, r := range rows {
			switch r["mail"] {
			case "ada@x.org":
				out = append(out, icebergtest.Changed(r, map[string]any{"points": 7}), icebergtest.Changed(r, map[string]any{"mail": "eve@x.org", "phone": "+6"}))
			case "cy@x.org":
				out = append(out, r)
			}
		}
		return out
	})
	w.upload(thirdFile)
}

// rewriteElsewhere lets another program write the rows in the reverse order.
func (w *world) rewriteElsewhere() {
	w.t.Helper()
	w.engine().Rewrite(func(rows []map[string]any) []map[string]any {
		slices.SortFunc(rows, func(a, b map[string]any) int {
			if a["_roster_id"].(string) > b["_roster_id"].(string) {
				return -1
			}
			return 1
		})
		return rows
	})
	w.upload(thirdFile)
}

// adopt starts a run that adopts the changes, as maintenance does.
func (w *world) adopt() error {
	a, now := w.audience(), time.Now()
	run := launch.NewRun(&a, audience.SystemUser, audience.RunRequest{Kind: audience.RunAdopt, Differential: true, WindowEnd: now}, now)
	if err := w.meta.Update(w.t.Context(), func(tx meta.Tx) error { return tx.CreateRun(w.t.Context(), &run) }); err != nil {
		return err
	}
	return w.jobs.Enqueue(w.t.Context(), nil, job.Job{Kind: job.Run, ID: string(run.ID)})
}

// lengthen makes so many snapshots of maintenance that the older ones do not fit the metadata.
func (w *world) lengthen() {
	w.t.Helper()
	for i := range 34 {
		d, err := w.lake.Load(w.t.Context(), lake.TableOf(scope, w.audience().ID))
		w.must(err)
		now, _ := d.Current()
		_, err = d.Commit(w.t.Context(), lake.Commit{Dir: lake.MaintenanceDir(fmt.Sprint(i)), Props: now.Props})
		w.must(err)
	}
}

// archive moves the snapshots of the first two runs to the history file.
func (w *world) archive() {
	w.t.Helper()
	w.importSecond()
	w.lengthen()
	w.must(w.compact(func(context.Context) error { return nil }))
}

// wearLong leaves a dataset that needs compaction, with many snapshots.
func (w *world) wearLong() {
	w.t.Helper()
	w.wear()
	w.lengthen()
	w.upload(thirdFile)
}

// compact compacts the audience's files. The function before is called right before the commit.
func (w *world) compact(before func(context.Context) error) error {
	_, err := w.pipeline.Compact(w.t.Context(), lake.TableOf(scope, w.audience().ID), before)
	return err
}

// some chooses some of the numbers from 1 to n.
func some(t *testing.T, n int) []int {
	t.Helper()
	t.Logf("-seed %d chooses among %d places", *seed, n)
	h := fnv.New64()
	h.Write([]byte(t.Name()))
	chosen := rand.New(rand.NewPCG(*seed, h.Sum64())).Perm(n)[:min(n, *places)]
	for i := range chosen {
		chosen[i]++
	}
	slices.Sort(chosen)
	return chosen
}

// TestOthers disturbs each of the efforts at some places: first by an I/O call that fails, then by a kill.
func TestOthers(t *testing.T) {
	for name, do := range besideOthers {
		t.Run(name, func(t *testing.T) {
			tp := newTemplate(t, do)
			for _, k := range some(t, len(tp.places)) {
				t.Run(fmt.Sprintf("fail-%d", k), func(t *testing.T) { ioFails(t, tp, do, k) })
			}
			kills := killings(tp.places)
			for _, k := range some(t, len(kills))[:min(*places/2, len(kills))] {
				c := kills[k-1]
				t.Run(fmt.Sprintf("kill-%s-%d", c.place, c.pass), func(t *testing.T) { killAt(t, tp, name, c) })
			}
		})
	}
}
