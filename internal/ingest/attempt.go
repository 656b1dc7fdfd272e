package ingest

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"roster/internal/audience"
	"roster/internal/lake"
	"roster/internal/tabular"
)

// attempt is one try at the steps before the commit. What it writes lies in directories of its own, which are
// removed unless it is the attempt that commits.
type attempt struct {
	p       *Pipeline
	spec    *Spec
	dataset *lake.Dataset
	dir     string
	seq     int64
	codec   *rowCodec
	columns []tabular.Column
	files   []audience.PlannedFile
	inBytes int64

	spill   *spill
	rejects *rejects
	reads   []fileRead

	step      atomic.Pointer[string]
	bytesRead atomic.Int64
	rowsRead  atomic.Int64
	merged    atomic.Int64 // buckets
	seconds   map[string]float64
}

// ingest does the steps up to the commit. On an error nothing of it can be seen.
func (p *Pipeline) ingest(ctx context.Context, dataset *lake.Dataset, s *Spec) (*committedRun, error) {
	a := &attempt{p: p, spec: s, dataset: dataset, seq: s.Run.Seq, codec: newRowCodec(s.Audience.Fields), seconds: map[string]float64{}}
	a.dir = fmt.Sprintf("%s-%s", s.Run.ID, uuid.NewString()[:8])
	a.rejects = &rejects{run: a}
	a.columns = wantedColumns(s.Audience.Fields, a.codec)
	stage := s.stage(audience.StageDataset)
	stage.StartedAt = p.Clock()
	if err := a.plan(ctx); err != nil {
		return nil, err
	}
	done, err := a.readAndCommit(ctx)
	if err != nil {
		a.rejects.abort()
		if !retry(ctx, err) { // otherwise the next attempt may be at work already, and clears up at its end
			a.failedLedger()
			p.cleanUp(dataset, s.Run.ID, "")
		}
		return nil, err
	}
	p.cleanUp(dataset, s.Run.ID, a.dir)
	done.apply(&s.Run)
	return done, nil
}

// wantedColumns returns the columns that the audience's fields want of a file. The primary identity and a
// consent field must be there: a file without them says nothing of anybody.
func wantedColumns(fields []audience.Field, codec *rowCodec) []tabular.Column {
	columns := make([]tabular.Column, len(fields))
	for i, f := range fields {
		primary := i == codec.primary.field
		columns[i] = tabular.Column{Name: f.Name, Type: f.Type, Required: primary || f.Role == audience.RoleConsent, Primary: primary}
	}
	return columns
}

// plan pins the manifest, unless an earlier attempt did, and saves it before anything is read.
func (a *attempt) plan(ctx context.Context) error {
	run := &a.spec.Run
	if run.Planned == nil {
		files, err := a.manifest(ctx)
		if err != nil {
			return err
		}
		run.Planned = append([]audience.PlannedFile{}, files...)
	}
	a.files = run.Planned
	for _, f := range a.files {
		if f.Status == audience.FileRead {
			a.inBytes += f.Size
		}
	}
	run.Progress = audience.Progress{Step: "plan", BytesTotal: a.inBytes}
	return a.spec.save(ctx)
}

// manifest finds what the run reads.
func (a *attempt) manifest(ctx context.Context) ([]audience.PlannedFile, error) {
	if a.spec.Run.Request.Kind == audience.RunRollback {
		return a.planRollback()
	}
	return plan(ctx, *a.spec)
}

func (a *attempt) readAndCommit(ctx context.Context) (done *committedRun, err error) {
	workers := int64(a.p.workers())
	target := min(max(a.p.memory()/(workers*10), 1<<20), 4<<20)
	// A record is about as large as its line of CSV; the state's narrow columns take about 64 bytes a row.
	logBuckets := logBucketsFor(max(a.textBytes(ctx)*5/4, a.dataset.Rows()*64), target)
	if a.spill, err = newSpill(a.p.Scratch, logBuckets, a.p.memory()/2); err != nil {
		return nil, err
	}
	defer a.spill.close()
	watched, stop := a.watch(ctx)
	commit, result, err := a.readAndMerge(watched)
	if lost := stop(); lost != nil {
		return nil, lost
	}
	if err != nil {
		return nil, err
	}
	return a.commit(ctx, commit, result)
}

func (a *attempt) readAndMerge(ctx context.Context) (*merged, *audience.RunResult, error) {
	if a.spec.Run.Request.Kind == audience.RunRollback {
		return a.rollBack(ctx)
	}
	if err := a.timed("read", func() error { return a.read(ctx) }); err != nil {
		return nil, nil, err
	}
	result := &audience.RunResult{}
	if err := a.rejects.close(result); err != nil {
		return nil, nil, err
	}
	if err := a.allRejected(result); err != nil {
		return nil, nil, err
	}
	var m *merged
	err := a.timed(stepMerge, func() (err error) {
		m, err = a.merge(ctx)
		return err
	})
	return m, result, err
}

// allRejected is an error when there were rows and none of them fits: the fields do not describe the files.
func (a *attempt) allRejected(result *audience.RunResult) error {
	read, rejected := int64(0), int64(0)
	for i := range a.reads {
		read += a.reads[i].rows.Load()
		rejected += a.reads[i].rejected.Load()
	}
	if read == 0 || rejected < read {
		return nil
	}
	first := result.Rejects[0]
	return audience.Errorf(audience.Impossible, "all %d rows were rejected; the first: %s line %d, column %q: %s (%s). Correct the file or the audience's fields",
		read, first.File, first.Line, first.Column, first.Reason, first.Code)
}

// failedLedger leaves with a failed run what was read and why rows were rejected; nothing of it was stored.
func (a *attempt) failedLedger() {
	result := &a.spec.Run.Result
	*result = audience.RunResult{}
	for i, f := range a.files {
		fr := audience.FileResult{PlannedFile: f}
		if i < len(a.reads) {
			fr.Rows.Read = a.reads[i].rows.Load()
			fr.Rows.Rejected = a.reads[i].rejected.Load()
		}
		result.Files = append(result.Files, fr)
	}
	for _, s := range a.rejects.samples {
		result.Rejects = append(result.Rejects, s.RejectSample)
	}
}

// cleanUp removes what attempts of a run that ended wrote, except the directory keep. What cannot be removed now
// is an orphan that no snapshot names.
func (p *Pipeline) cleanUp(d *lake.Dataset, run audience.RunID, keep string) {
	if err := d.RemoveAttempts(context.Background(), run, keep); err != nil {
		p.Log.Warn("files of an attempt are left over", "run", run, "error", err)
	}
}

// stepMerge is the step in which the progress counts buckets.
const stepMerge = "merge"

// timed runs a step and keeps its wall time.
func (a *attempt) timed(step string, fn func() error) error {
	a.step.Store(&step)
	start := time.Now()
	defer func() { a.seconds[step] += time.Since(start).Seconds() }()
	return fn()
}

func (a *attempt) progress() {
	p := &a.spec.Run.Progress
	if s := a.step.Load(); s != nil {
		p.Step = *s
	}
	p.BytesDone = a.bytesRead.Load()
	if p.Step == stepMerge { // it goes over the same bytes again, bucket by bucket
		p.BytesDone = a.inBytes * a.merged.Load() / int64(len(a.spill.buckets))
	}
	p.Rows = a.rowsRead.Load()
}

// merged is what the merge wrote and counted.
type merged struct {
	rules     mergeRules
	tally     *tally
	files     []lake.DataFile
	retired   map[string][]int64
	nRetired  int64
	nWritten  int64
	delta     DeltaFiles
	stateRows int64
	restore   int64 // the snapshot that a rollback brings back
}

// merge resolves the spilled rows against the current state, bucket by bucket, in several ranges at once.
func (a *attempt) merge(ctx context.Context) (*merged, error) {
	m := &merged{tally: newTally(len(a.files)), retired: map[string][]int64{}, stateRows: a.dataset.Rows()}
	state, err := a.dataset.OpenState(ctx, lake.StateOptions{Identities: a.codec.secondaryNames()})
	if err != nil {
		return nil, fmt.Errorf("read the current members: %w", err)
	}
	if m.rules, err = a.rules(state); err != nil {
		return nil, err
	}
	nowSeconds := m.rules.now / 1e6
	changes, err := a.newChanges(nowSeconds)
	if err != nil {
		return nil, err
	}
	defer changes.release()
	ranges := splitRanges(len(a.spill.buckets), a.p.workers())
	outs := make([]*output, len(ranges))
	tallies := make([]*tally, len(ranges))
	g, gctx := errgroup.WithContext(ctx)
	for i, r := range ranges {
		g.Go(guard(func() error {
			w, err := changes.open(i)
			if err != nil {
				return err
			}
			tallies[i] = newTally(len(a.files))
			outs[i] = newOutput(a, m.rules, len(state.Files()), w)
			if err := a.mergeRange(gctx, r, state, tallies[i], outs[i]); err != nil {
				outs[i].abort()
				return err
			}
			return changes.end(i)
		}))
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, o := range outs {
		m.tally.plus(tallies[i])
		m.collect(o, state.Files())
	}
	if m.delta, err = changes.finish(ctx, ranges); err != nil {
		return nil, err
	}
	return m, nil
}

// rules decides how the run treats the state. A full run that changes a good part of it rewrites the dataset;
// one that changes little adds to it. Keys are hashes, so the first bucket tells which.
func (a *attempt) rules(state *lake.State) (mergeRules, error) {
	refreshed, err := refreshedAt(a.dataset)
	if err != nil {
		return mergeRules{}, err
	}
	rules := rulesOf(&a.spec.Run, a.spec.Audience.TTL(), refreshed)
	if !rules.full || a.dataset.Rows() == 0 {
		return rules, nil
	}
	t := newTally(len(a.files))
	cursor := state.Cursor()
	defer cursor.Close()
	st, err := a.mergeOne(0, cursor, &mergeBuffers{}, rules, t, rehearsal{}, false)
	if err != nil {
		return rules, err
	}
	sum := t.rows()
	changed := sum.Added + sum.Updated + sum.Deleted + t.removed + t.expired
	live, dead := a.dataset.Rows(), int64(0)
	for _, f := range state.Files() {
		dead += f.Rows
	}
	dead -= live
	rules.replace = changed*4 > int64(st) || dead*4 > live
	return rules, nil
}

// mergeBuffers are reused from bucket to bucket by one goroutine.
type mergeBuffers struct {
	buf    []byte
	sorter sorter
}

// mergeOne merges one bucket and returns how many members the state had in it.
func (a *attempt) mergeOne(bucket int, cursor *lake.StateCursor, b *mergeBuffers, rules mergeRules, t *tally, out sink, last bool) (int, error) {
	var err error
	if b.buf, err = a.spill.load(bucket, b.buf, last); err != nil {
		return 0, err
	}
	rows := lastWins(b.sorter.sort(b.buf, 64-a.spill.shift), t.files)
	lo, hi := a.spill.bounds(bucket)
	st, err := cursor.Range(lake.Key(lo), (*lake.Key)(hi))
	if err != nil {
		return 0, fmt.Errorf("read the current members: %w", err)
	}
	if o, ok := out.(*output); ok {
		o.bind(b.buf, st)
	}
	return len(st.IDs), mergeBucket(rules, b.buf, rows, st, t, out)
}

func (a *attempt) mergeRange(ctx context.Context, r [2]int, state *lake.State, t *tally, out *output) error {
	cursor := state.Cursor()
	defer cursor.Close()
	var b mergeBuffers
	for i := r[0]; i < r[1]; i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := a.mergeOne(i, cursor, &b, out.rules, t, out, true); err != nil {
			return err
		}
		if err := out.endBucket(); err != nil {
			return err
		}
		a.merged.Add(1)
	}
	return out.close()
}

func (m *merged) collect(o *output, stateFiles []lake.DataFile) {
	for _, f := range o.written {
		m.nWritten += f.Rows
	}
	m.files = append(m.files, o.written...)
	for i, positions := range o.retired {
		if len(positions) > 0 {
			path := stateFiles[i].Path
			m.retired[path] = append(m.retired[path], positions...)
			m.nRetired += int64(len(positions))
		}
	}
}

// splitRanges divides n buckets into up to parts contiguous ranges.
func splitRanges(n, parts int) [][2]int {
	parts = min(parts, n)
	ranges := make([][2]int, parts)
	for i := range ranges {
		ranges[i] = [2]int{i * n / parts, (i + 1) * n / parts}
	}
	return ranges
}
