// Package metamorphic imports the same people in ways that must give the same result: as CSV, JSON or Parquet, plain or
// compressed, in one file or forty, with few or many workers and little or much memory, in one full run or as a series
// of changes, with maintenance and rollbacks in between. Members, datasets and ledgers must be equal.
package metamorphic

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/memory"
	"roster/tests/ingesttest"
)

var (
	seed     = flag.Uint64("seed", 1, "seed of the people and the variants")
	people   = flag.Int("people", 1000, "number of people")
	variants = flag.Int("variants", 36, "number of variants to try")
)

const rounds = 4

// variant is a way to import people.
type variant struct {
	layout
	compression string
	files       int // per round
	workers     int
	memory      int64
	mode        mode
	undo        bool // roll a round back and import it again
}

// mode says which runs import the rounds.
type mode string

const (
	oneRun       mode = "one full run"
	fullRuns     mode = "a full run of everything so far after each round"
	differential mode = "a differential run of each round"
	anyRuns      mode = "a run of either kind after each round"
)

func (v variant) String() string {
	return fmt.Sprintf("%s, %s, %d files a round, %d workers, %d MiB, %s, undo %v", v.name, v.compression, v.files, v.workers, v.memory>>20, v.mode, v.undo)
}

// pick returns the i-th variant: the layouts take turns, the rest is random.
func pick(rnd *rand.Rand, i int) variant {
	all := layouts()
	modes := []mode{oneRun, fullRuns, differential, anyRuns}
	names := slices.Sorted(maps.Keys(compressions))
	return variant{
		layout: all[i%len(all)], compression: names[rnd.IntN(len(names))], files: []int{1, 40 / rounds}[rnd.IntN(2)], workers: []int{1, 8}[rnd.IntN(2)],
		memory: []int64{16 << 20, 256 << 20, 4 << 30}[rnd.IntN(3)], mode: modes[rnd.IntN(len(modes))], undo: rnd.IntN(3) == 0,
	}
}

// TestSamePeople imports the same people in many ways.
func TestSamePeople(t *testing.T) {
	t.Parallel()
	samePeople(t, *variants, false)
}

// TestSamePairs does the same with expressActivation.
func TestSamePairs(t *testing.T) {
	t.Parallel()
	samePeople(t, *variants/2, true)
}

func samePeople(t *testing.T, variants int, pairs bool) {
	engines := ingesttest.Open(t)
	arriving := history(rand.New(rand.NewPCG(*seed, 0)), *people, rounds, pairs)
	want := newModel(pairs)
	want.ingest(slices.Concat(arriving...), true)
	for i := range variants {
		rnd := rand.New(rand.NewPCG(*seed, uint64(i)+1))
		v := pick(rnd, i)
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			t.Logf("-seed %d: %s", *seed, v)
			w := newWorld(t, engines, v, rnd, pairs)
			w.bring(arriving)
			w.same(want)
			w.lookUp(arriving, want)
		})
	}
}

// world is an audience and its model.
type world struct {
	*ingesttest.Audience
	t       *testing.T
	rnd     *rand.Rand
	variant variant
	folder  string
	model   model
}

func newWorld(t *testing.T, engines *ingesttest.Engines, v variant, rnd *rand.Rand, pairs bool) *world {
	t.Helper()
	all := 100.0
	a := engines.Audience(t, audience.Audience{Fields: fields, ExpressActivation: pairs, Source: audience.SourceSpec{Path: "in", Type: audience.PathFolder, Format: v.format},
		Guards: audience.Guards{MaxRejectedPercent: &all, MaxRemovedPercent: &all, AllowMissingColumns: true}})
	a.Pipeline.Workers, a.Pipeline.Memory = v.workers, memory.New(v.memory)
	return &world{Audience: a, t: t, rnd: rnd, variant: v, folder: t.TempDir(), model: newModel(pairs)}
}

// bring imports everybody by the variant.
func (w *world) bring(arriving [][]row) {
	w.t.Helper()
	if err := os.Mkdir(filepath.Join(w.folder, "in"), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if w.variant.mode == oneRun {
		everything := slices.Concat(arriving...)
		w.put("all", everything, w.variant.files*rounds)
		w.ingest(everything, true)
		return
	}
	var soFar []row
	undone := w.rnd.IntN(rounds-1) + 1
	var last audience.Run
	for i, rows := range arriving {
		w.put(fmt.Sprintf("round%d", i), rows, w.variant.files)
		soFar = append(soFar, rows...)
		full, then := w.full(), w.model.clone()
		if full {
			rows = soFar
		}
		run := w.ingest(rows, full)
		if w.variant.undo && i == undone {
			w.rollBack(last, then)
			w.Forget()
			run = w.ingest(soFar, w.full())
		}
		if w.rnd.IntN(2) == 0 {
			w.Compact()
		}
		last = run
	}
}

// full decides whether the next run is a full run.
func (w *world) full() bool {
	return w.variant.mode == fullRuns || w.variant.mode == anyRuns && w.rnd.IntN(2) == 0
}

func (w *world) put(prefix string, rows []row, files int) {
	w.t.Helper()
	w.variant.write(w.t, w.rnd, filepath.Join(w.folder, "in"), prefix, rows, files, w.variant.compression)
}

// ingest runs the audience over rows and compares the ledger with the model's.
func (w *world) ingest(rows []row, full bool) audience.Run {
	w.t.Helper()
	run := w.run(audience.RunRequest{Differential: !full})
	wantRows, wantMembers := w.model.ingest(rows, full)
	w.sameLedger(run, wantRows, wantMembers)
	return run
}

// rollBack rolls the audience back to its state after a run, which the model then describes.
func (w *world) rollBack(to audience.Run, then model) {
	w.t.Helper()
	run := w.run(audience.RunRequest{Kind: audience.RunRollback, Of: to.ID})
	wantRows, wantMembers := w.model.rollBack(then)
	w.sameLedger(run, wantRows, wantMembers)
	w.same(then)
}

// run runs a request an hour after the last one.
func (w *world) run(request audience.RunRequest) audience.Run {
	w.t.Helper()
	w.Now = w.Now.Add(time.Hour)
	run := w.Run(w.folder, request)
	if run.Status != audience.Success {
		w.t.Fatalf("the run ended %s: %v", run.Status, run.Error)
	}
	return run
}

func (w *world) sameLedger(run audience.Run, rows audience.Rows, members audience.Members) {
	w.t.Helper()
	if run.Result.Rows != rows || run.Result.Members != members {
		w.t.Fatalf("the ledger is\n%+v %+v, should be\n%+v %+v; rejects %+v", run.Result.Rows, run.Result.Members, rows, members, run.Result.Rejects)
	}
}

// same compares the dataset with the model.
func (w *world) same(want model) {
	w.t.Helper()
	var got []string
	for _, r := range w.Rows() {
		got = append(got, fmt.Sprintf("%x %s", r.ID, strings.Join(r.Values, " ")))
	}
	slices.Sort(got)
	expected := want.members()
	if slices.Equal(got, expected) {
		return
	}
	for i := range min(len(got), len(expected)) {
		if got[i] != expected[i] {
			w.t.Fatalf("the dataset has %d rows, should have %d; the first that differs is\n%s, should be\n%s", len(got), len(expected), got[i], expected[i])
		}
	}
	w.t.Fatalf("the dataset has %d rows, should have %d", len(got), len(expected))
}

// lookUp looks up everybody who ever was in a file: exactly the members must be realized, by each of their identities.
func (w *world) lookUp(arriving [][]row, want model) {
	w.t.Helper()
	members := map[string]bool{}
	for _, r := range want.rows {
		members[r.identity()] = true
	}
	for _, r := range slices.Concat(arriving...) {
		if id := r.identity(); id != "" {
			if member := members[id]; member != (w.Status("Email", id) == "realized") {
				w.t.Errorf("%s is %q; member: %v", id, w.Status("Email", id), member)
			}
		}
	}
	for _, r := range want.rows {
		for i, f := range fields {
			if f.IdentityNs != "" && r[i] != nil && w.Status(f.IdentityNs, fmt.Sprint(r[i])) != "realized" {
				w.t.Errorf("%s is not found by %s", r.identity(), f.Name)
			}
		}
	}
}
