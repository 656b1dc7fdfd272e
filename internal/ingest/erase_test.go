package ingest_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/ingest"
	"roster/internal/lake"
)

// planned is the host of a purge in an audience without runs in progress.
type planned struct {
	testRuns
	plans []ingest.PurgePlan
}

// SavePurge implements ingest.PurgeHost.
func (p *planned) SavePurge(_ context.Context, plan ingest.PurgePlan) error {
	p.plans = append(p.plans, plan)
	return nil
}

// purge removes people from the files, and returns what was planned and the removed rejects.
func (w *world) purge(people ...ingest.Person) (plans []ingest.PurgePlan, rejects map[identity.Key]int) {
	w.t.Helper()
	host := &planned{testRuns: noRuns}
	rejects, err := w.pipeline.Purge(w.t.Context(), ingest.PurgeSpec{Table: w.table, Audience: &w.aud, People: people, Host: host})
	if err != nil {
		w.t.Fatal(err)
	}
	return host.plans, rejects
}

// TestEraseSeveral erases several people in one run and one purge. Versions whose files never contained them are kept,
// also between versions that are lost, and can be restored.
func TestEraseSeveral(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoIdentities)
	var runs []audience.Run
	for _, people := range []string{"ada@x.org,+1\nbob@x.org,+2\n", "bob@x.org,+2\ncyd@x.org,+3\n", "ada@x.org,+1\ncyd@x.org,+3\n", "cyd@x.org,+3\ndora@x.org,+4\neve@x.org,+4\n"} {
		w.clear()
		w.put("people.csv", "mail,phone\n"+people)
		runs = append(runs, w.mustRun(true))
	}
	ada, four, nobody := identity.KeyOf("Email", []byte("ada@x.org")), identity.KeyOf("Phone", []byte("+4")), identity.KeyOf("Phone", []byte("+9"))
	keys := map[identity.Key]bool{ada: true, four: true, nobody: true}
	if live, err := w.pipeline.Live(t.Context(), w.table, &w.aud, keys); err != nil || !live {
		t.Fatal(live, err)
	}
	spec := w.spec(false)
	spec.Run.Request.Kind, spec.Erase = audience.RunErase, keys
	r, err := w.pipeline.Run(t.Context(), spec)
	if err != nil || r.Status != audience.Success || r.Result.Members.Removed != 2 || r.Result.Members.After != 1 {
		t.Fatalf("%v %s %v %+v", err, r.Status, r.Error, r.Result.Members)
	}
	removed, err := w.pipeline.Erased(t.Context(), w.table, r.ID, keys)
	if err != nil || !maps.Equal(removed, map[identity.Key]int64{four: 2}) {
		t.Errorf("the run removed %v, %v", removed, err)
	}
	plans, _ := w.purge(ingest.Person{Key: ada, Values: [][]byte{[]byte("ada@x.org")}}, ingest.Person{Key: four, Values: [][]byte{[]byte("+4")}},
		ingest.Person{Key: nobody, Values: [][]byte{[]byte("+9")}})
	if len(plans) != 1 || !maps.Equal(plans[0].Found, map[identity.Key]bool{ada: true, four: true}) || len(plans[0].Doomed) == 0 {
		t.Fatalf("%+v", plans)
	}
	var lost []audience.RunID
	for _, v := range plans[0].Versions {
		lost = append(lost, v.Version)
	}
	if want := []audience.RunID{runs[0].ID, runs[2].ID, runs[3].ID}; !slices.Equal(lost, want) {
		t.Errorf("the versions %v are lost, want %v", lost, want)
	}
	for n, run := range runs {
		_, kept := w.dataset().FindVersion(run.ID)
		if kept != (n == 1) {
			t.Errorf("version %d is kept: %v", n, kept)
		}
	}
	back := w.rollback(runs[1].ID)
	if back.Status != audience.Success || back.Result.Members.After != 2 {
		t.Errorf("%s %v %+v", back.Status, back.Error, back.Result.Members)
	}
	if plans, _ := w.purge(ingest.Person{Key: ada}, ingest.Person{Key: four}); len(plans) != 0 {
		t.Errorf("the files still contain %+v", plans)
	}
}

// eraseAda erases a@example.com, the person of wear who is in every file, and returns the person.
func eraseAda(w *world) ingest.Person {
	w.t.Helper()
	key := identity.KeyOf("Email", []byte("a@example.com"))
	spec := w.spec(false)
	spec.Run.Request.Kind, spec.Erase = audience.RunErase, map[identity.Key]bool{key: true}
	if r, err := w.pipeline.Run(w.t.Context(), spec); err != nil || r.Status != audience.Success || r.Result.Members.Removed != 1 {
		w.t.Fatalf("%v %s %v %+v", err, r.Status, r.Error, r.Result.Members)
	}
	return ingest.Person{Key: key, Values: [][]byte{[]byte("a@example.com")}}
}

// TestEraseBesideCompaction purges while a compaction reads the same files. The compaction gives up without an error,
// because its files are gone.
func TestEraseBesideCompaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	wear(w)
	done, err := w.pipeline.Compact(t.Context(), w.table, func(context.Context) error {
		w.purge(eraseAda(w))
		return nil
	})
	if done || err != nil {
		t.Fatal(done, err)
	}
	if w.rows() != 10 {
		t.Errorf("%d members", w.rows())
	}
}

// overtaking is the host of a purge that is overtaken once, right before it commits.
type overtaking struct {
	planned
	by func()
}

// Idle implements ingest.AudienceRuns.
func (o *overtaking) Idle(context.Context) error {
	if o.by != nil {
		o.by()
		o.by = nil
	}
	return nil
}

// TestEraseAfterCompaction compacts the dataset right before the purge commits. The purge repeats its work at once.
func TestEraseAfterCompaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	wear(w)
	who := eraseAda(w)
	host := &overtaking{planned: planned{testRuns: noRuns}, by: func() {
		if done, err := w.pipeline.Compact(t.Context(), w.table, idle); !done || err != nil {
			t.Error(done, err)
		}
	}}
	if _, err := w.pipeline.Purge(t.Context(), ingest.PurgeSpec{Table: w.table, Audience: &w.aud, People: []ingest.Person{who}, Host: host}); err != nil {
		t.Fatal(err)
	}
	if plans, _ := w.purge(who); len(plans) != 0 || len(host.plans) == 0 {
		t.Errorf("the files still contain %+v", plans)
	}
}

// TestEraseWithoutOldFiles removes the versions that lack files, although nothing that is left contains the person: the
// files may come back.
func TestEraseWithoutOldFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoIdentities)
	var first audience.Run
	for n := range 34 {
		w.clear()
		w.put("people.csv", fmt.Sprintf("mail,phone\nbob%d@x.org,+2\n", n))
		if r := w.mustRun(true); n == 0 {
			first = r
		}
	}
	if err := w.dataset().Archive(t.Context()); err != nil {
		t.Fatal(err)
	}
	full, err := w.dataset().WithHistory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	old, ok := full.FindVersion(first.ID)
	if _, recent := w.dataset().FindVersion(first.ID); !ok || recent {
		t.Fatal("the first version is not in the history file")
	}
	then, err := full.At(old.ID)
	if err != nil {
		t.Fatal(err)
	}
	state, err := then.OpenState(t.Context(), lake.StateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(strings.TrimPrefix(state.Files()[0].Path, "file://")); err != nil {
		t.Fatal(err)
	}
	nobody := ingest.Person{Key: identity.KeyOf("Phone", []byte("+9"))}
	plans, _ := w.purge(nobody)
	if len(plans) != 1 || len(plans[0].Found) != 0 || len(plans[0].Versions) != 1 || plans[0].Versions[0].Version != first.ID {
		t.Errorf("the plans are %+v", plans)
	}
	if plans, _ := w.purge(nobody); len(plans) != 0 {
		t.Errorf("a second purge plans %+v", plans)
	}
}
