package ingest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/lake"
	"roster/internal/memory"
	"roster/internal/reject"
	"roster/internal/tabular"
)

// attempt is one execution of the steps before the commit. It writes its files to its own directories. They are removed
// unless this attempt commits.
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

	share   *memory.Share
	large   sync.Mutex // held while a worker merges a part with rows of several megabytes
	spill   *spill
	rejects *rejects
	reads   []fileRead

	guards  []audience.GuardResult
	scratch int64 // size of the scratch file

	// salvaged contains the readable members if files of the dataset are damaged and the run replaces the dataset, or if
	// another program dropped the table. Otherwise nil.
	salvaged *lake.Salvaged
	adoption *adoption // nil unless the run is an adoption

	step      atomic.Pointer[string]
	bytesRead atomic.Int64
	rowsRead  atomic.Int64
	merged    atomic.Int64 // number of merged buckets
	seconds   map[string]float64
}

// repair repeats the steps up to the commit with the readable members. Repair is possible for a full run, because its
// files contain all members.
func (p *Pipeline) repair(ctx context.Context, dataset *lake.Dataset, s *Spec, cause error) (*committedRun, error) {
	columns := append(newRowCodec(&s.Audience).secondaryNames(), dataset.AddedColumns()...)
	salvaged, err := dataset.Salvage(ctx, lake.StateOptions{Identities: columns})
	if err != nil {
		return nil, err
	}
	p.logOf(s.Run.Scope).Error("files of the dataset are damaged; the full run replaces them", "run", s.Run.ID, "audience", s.Audience.ID,
		"files", salvaged.Damaged, "members in them", salvaged.Lost, "error", cause)
	return p.ingest(ctx, dataset, s, salvaged)
}

func (p *Pipeline) newAttempt(dataset *lake.Dataset, s *Spec) *attempt {
	a := &attempt{p: p, spec: s, dataset: dataset, seq: s.Run.Seq, codec: newRowCodec(&s.Audience), seconds: map[string]float64{}}
	a.dir = fmt.Sprintf("%s-%s", s.Run.ID, uuid.NewString()[:8])
	a.rejects = &rejects{run: a}
	a.columns = tabular.ColumnsOf(s.Audience.Fields)
	if s.Audience.ExpressActivation {
		a.columns = tabular.Paired(a.columns)
	}
	if s.Audience.Guards.AllowAnyIdentity {
		a.columns = tabular.AnyIdentity(a.columns)
	}
	return a
}

// ingest executes the steps up to the commit. On an error, nothing is visible to readers. If files of the dataset are
// damaged or gone, salvaged contains the readable members; otherwise nil.
func (p *Pipeline) ingest(ctx context.Context, dataset *lake.Dataset, s *Spec, salvaged *lake.Salvaged) (*committedRun, error) {
	a := p.newAttempt(dataset, s)
	a.salvaged = salvaged
	if s.Run.Request.Traits().Input == audience.FromVersion {
		var err error
		if a.dataset, err = dataset.WithHistory(ctx); err != nil {
			return nil, err
		}
	}
	stage := s.stage(audience.StageDataset)
	stage.StartedAt = p.Clock()
	if err := a.plan(ctx); err != nil {
		return nil, err
	}
	done, err := a.readAndCommit(ctx)
	switch {
	case salvaged == nil && errors.Is(err, lake.ErrDamaged) && s.Run.Request.Replaces() && ctx.Err() == nil:
		a.rejects.abort()
		a.discard(err)
		return p.repair(ctx, dataset, s, err)
	case err == nil && !s.Run.Request.DryRun:
		p.cleanUp(dataset, &s.Run, a.dir)
		done.apply(&s.Run)
	case err == nil:
		p.cleanUp(dataset, &s.Run, a.dir, reject.FileName)
		done.apply(&s.Run)
	case retry(ctx, err): // the next attempt may be in progress already, and cleans up at its end
		a.rejects.abort()
		a.discard(err)
	default:
		a.failedLedger()
		p.cleanUp(dataset, &s.Run, a.dir, reject.FileName)
	}
	return done, err
}

// plan pins the manifest, unless an earlier attempt did, and saves it before any file is read.
func (a *attempt) plan(ctx context.Context) error {
	run, save := &a.spec.Run, a.spec.save
	// There may be more changes than an earlier attempt found.
	outside := run.Request.Traits().Input == audience.FromOutside
	if run.Planned == nil || outside {
		files, err := a.manifest(ctx)
		if err != nil {
			return err
		}
		run.Planned, save = append([]audience.PlannedFile{}, files...), a.spec.pin
	}
	a.files = run.Planned
	for _, f := range a.files {
		if f.Status == audience.FileRead {
			a.inBytes += f.Size
		}
	}
	run.Progress = audience.Progress{Step: "plan", BytesTotal: a.inBytes}
	return save(ctx)
}

// manifest returns the objects that the run reads.
func (a *attempt) manifest(ctx context.Context) ([]audience.PlannedFile, error) {
	switch a.spec.Run.Request.Traits().Input {
	case audience.FromVersion:
		return a.planRollback(ctx)
	case audience.FromOutside:
		return a.planOutside(ctx)
	}
	return a.p.plan(ctx, a.spec)
}

// readAndCommit executes the steps after the plan within the run's share of memory: read, resolve, guard, and commit. A
// dry run ends with a report instead of a commit.
func (a *attempt) readAndCommit(ctx context.Context) (done *committedRun, err error) {
	if a.share, err = a.p.share(ctx); err != nil {
		return nil, err
	}
	defer a.share.End()
	if a.spill, err = a.newSpill(ctx); err != nil {
		return nil, err
	}
	defer func() { go a.spill.close() }() // the system needs a tenth of a second to release a gigabyte
	watched, stop := a.watch(ctx)
	commit, result, err := a.readAndMerge(watched)
	if lost := stop(); lost != nil {
		return nil, lost
	}
	if err != nil {
		return nil, err
	}
	a.scratch = a.spill.end.Load()
	if a.spec.Run.Request.DryRun {
		return a.endDryRun(commit, result)
	}
	return a.commit(ctx, commit, result)
}

// perWorker returns a fraction 1/n of the run's base memory, divided by the number of workers.
func (a *attempt) perWorker(n int) int { return int(a.share.Base) / (n * a.p.workers()) }

// newSpill returns the spill for the run's rows. A record is about as large as its line of CSV. The columns of the
// state that the merge reads need about 64 bytes a row. Buckets that fit the processor's caches are merged fastest, but
// each bucket needs memory for its open blocks. The records of a first run are
// packed if they probably do not fit in memory. Those of other runs are not, because most of their values are not needed.
func (a *attempt) newSpill(ctx context.Context) (*spill, error) {
	text := a.textBytes(ctx) * 5 / 4
	size, open := max(text, a.dataset.Rows()*64), a.share.Base/2
	target := min(max(size>>8, 4<<20), 16<<20, max(int64(a.wholeBucket())/2, 1<<20))
	var packing *packing
	if text > a.share.Room() && a.dataset.Rows() == 0 && a.spec.Run.Request.Traits().ReadsFiles() {
		dictionaries := open / 8
		open -= dictionaries
		packing = a.codec.packing(int(dictionaries) / a.p.workers())
	}
	return newSpill(a.p.Scratch, recordRows, packing, logBucketsFor(size, target), a.share, open, a.p.workers())
}

// wholeBucket is the maximum size, in bytes, of a bucket that each worker sorts in memory as a whole. A larger bucket
// is sorted in parts.
func (a *attempt) wholeBucket() int { return max(a.perWorker(2), leastPart) }

// readAndMerge reads the files, merges their rows with the members, and checks the guards. A rollback compares the
// members with a version instead.
func (a *attempt) readAndMerge(ctx context.Context) (*merged, *audience.RunResult, error) {
	switch a.spec.Run.Request.Traits().Input {
	case audience.FromVersion:
		return a.rollBack(ctx)
	case audience.FromOutside:
		return a.adopt(ctx)
	}
	if err := a.timed("read", func() error { return a.read(ctx) }); err != nil {
		return nil, nil, err
	}
	result := &audience.RunResult{}
	if err := a.rejects.close(result); err != nil {
		return nil, nil, err
	}
	if n := a.allRejected(); n > 0 {
		if a.spec.Run.Request.DryRun {
			return a.dryRunOfNothing(n, result)
		}
		return nil, nil, audience.Errorf(audience.Impossible, "%s. Correct the file or the audience's fields", allRejectedBut(n, result))
	}
	if err := a.guardFiles(); err != nil {
		return nil, nil, err
	}
	m, err := a.mergeStep(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := a.fillLedger(m, result); err != nil {
		return nil, nil, err
	}
	if a.spec.Run.Request.Traits().Renews && result.Members.After == 0 {
		return nil, nil, audience.Errorf(audience.Impossible, "there is nobody whose time could be extended: all %d members have expired; start a run that brings them again", result.Members.Before)
	}
	return m, result, a.guardMembers(ctx, result)
}

// allRejected returns the number of rows if all rows were rejected, otherwise 0. All rows are rejected if the fields do
// not match the files.
func (a *attempt) allRejected() int64 {
	read, rejected := int64(0), int64(0)
	for i := range a.reads {
		read += a.reads[i].rows.Load()
		rejected += a.reads[i].rejected.Load()
	}
	if rejected < read {
		return 0
	}
	return read
}

// allRejectedBut returns the message for a run whose rows were all rejected, with the reason of the first reject.
func allRejectedBut(rows int64, result *audience.RunResult) string {
	first := result.Rejects[0]
	return fmt.Sprintf("all %d rows were rejected; the first: %s line %d, column %q: %s (%s)", rows, first.File, first.Line, first.Column, first.Reason, first.Code)
}

// dryRunOfNothing returns the result of a dry run whose rows are all rejected. The real run would fail, even if forced,
// and change no member.
func (a *attempt) dryRunOfNothing(rows int64, result *audience.RunResult) (*merged, *audience.RunResult, error) {
	refreshed, err := a.dataset.RefreshedAt(&a.spec.Audience)
	if err != nil {
		return nil, nil, err
	}
	a.guards = append(a.guards, audience.GuardResult{Guard: audience.GuardRejected, Value: 100, Tripped: true,
		Limit:  limitOf(a.spec.Audience.Guards.MaxRejectedPercent, audience.DefaultMaxRejectedPercent),
		Detail: allRejectedBut(rows, result) + ". The run would fail by this, forced or not, and change nothing"})
	m := &merged{tally: newTally(len(a.files)), stateRows: a.dataset.Rows()}
	if snap, _ := a.dataset.Current(); snap.Version != "" { // snapshots of other programs have no content sum
		if m.content, err = strconv.ParseUint(snap.Props[propContent], 10, 64); err != nil {
			return nil, nil, fmt.Errorf("the sum of the members' contents: %w", err)
		}
	}
	if !refreshed.IsZero() {
		m.rules.expiry.Renewed = refreshed.UnixMicro()
	}
	return m, result, a.fillLedger(m, result)
}

// failedLedger stores the counts of a failed run: the rows that were read, the reasons of rejects, and the results of
// the guards. Nothing else of the run is stored.
func (a *attempt) failedLedger() {
	result := &a.spec.Run.Result
	*result = audience.RunResult{Guards: a.guards}
	for i, f := range a.files {
		fr := audience.FileResult{PlannedFile: f}
		a.readResult(i, &fr)
		result.Files = append(result.Files, fr)
		result.Rows = result.Rows.Plus(fr.Rows)
	}
	if err := a.rejects.close(result); err != nil {
		a.p.logOf(a.spec.Run.Scope).Warn("the rejects of a failed run are lost", "run", a.spec.Run.ID, "error", err)
		a.rejects.abort()
	}
}

// discard removes the files of an attempt that is repeated, because the files of many attempts would fill the disk.
// After a commit with unknown outcome the files stay, because the snapshot may name them.
func (a *attempt) discard(cause error) {
	if errors.Is(cause, lake.ErrUncertain) {
		return
	}
	discard(a.p.logOf(a.spec.Run.Scope), a.dataset, a.dir)
}

// cleanUp removes the files of all attempts of an ended run, except the directory keep, in which only the named files
// stay if any names are given. A file that cannot be removed becomes an orphan.
func (p *Pipeline) cleanUp(d *lake.Dataset, run *audience.Run, keep string, only ...string) {
	if err := d.RemoveAttempts(context.Background(), run.ID, keep, only...); err != nil {
		p.logOf(run.Scope).Warn("files of an attempt are left over", "run", run.ID, "error", err)
	}
}

// stepMerge is the step whose progress counts buckets.
const stepMerge = "merge"

// timed executes a step and records its duration.
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
	if p.Step == stepMerge { // the merge counts the same bytes again, by bucket
		p.BytesDone = a.inBytes * a.merged.Load() / int64(len(a.spill.buckets))
	}
	p.Rows = a.rowsRead.Load()
}
