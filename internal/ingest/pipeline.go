// Package ingest is the pipeline from a run's files to the lake and the profile store: plan, read, resolve,
// commit, project. It knows neither database nor queue. A run is all or nothing: the snapshot that the commit
// step makes is the only point at which the audience changes, it carries the run's id, and every step before
// it leaves nothing that a reader can see. A run that was interrupted anywhere is run again from its start and
// finds its own snapshot when it had got that far.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/lake"
	"roster/internal/memory"
	"roster/internal/pgp"
	"roster/internal/profile"
	"roster/internal/source"
)

// Pipeline runs ingestions. Its fields are set once.
type Pipeline struct {
	Lake    *lake.Lake
	Profile profile.Store
	Scratch string         // directory for scratch files, which have no names and go with the process
	Memory  *memory.Budget // of all runs together; nil means DefaultMemory for each
	Workers int            // goroutines of one run; 0 means one per processor
	Clock   func() time.Time
	// ClockTrusted reports whether the clock may be believed. While it may not, nobody's time is over; nil is for a clock that always may.
	ClockTrusted func() bool
	// Sleep waits for as long as the clock takes to advance by d; nil is for a clock that is the machine's.
	Sleep func(ctx context.Context, d time.Duration) error
	Log   *slog.Logger
	// RefuseForeign has a run fail when another program changed the dataset since the last run. Otherwise the run adopts the changes first.
	RefuseForeign bool

	projecting sync.Map // profile.Ref → *sync.Mutex, held while an audience is projected

	rowsRead, bytesRead atomic.Int64
}

// Read returns how many rows, and bytes as they are stored, all attempts at runs have read from files since the process
// began.
func (p *Pipeline) Read() (rows, bytes int64) { return p.rowsRead.Load(), p.bytesRead.Load() }

// logOf is the log for lines about a run in a sandbox.
func (p *Pipeline) logOf(scope audience.Scope) *slog.Logger {
	return p.Log.With("organization", scope.Org, "sandbox", scope.Sandbox)
}

// DefaultMemory is the memory budget of a pipeline that is given none.
const DefaultMemory = 512 << 20

func (p *Pipeline) workers() int {
	if p.Workers > 0 {
		return p.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// share waits for the share of a run, or of maintenance, in the memory of the process.
func (p *Pipeline) share(ctx context.Context) (*memory.Share, error) {
	budget := p.Memory
	if budget == nil {
		budget = memory.New(DefaultMemory)
	}
	return budget.Begin(ctx)
}

// Spec is a run to do.
type Spec struct {
	Run        audience.Run // PROCESSING; Planned is set when an earlier attempt pinned the manifest
	Audience   audience.Audience
	SandboxNum uint32
	Table      lake.TableID
	Source     source.Store
	// Keys returns the keys that open the files, each of which must be encrypted; nil when none may be.
	Keys   func(ctx context.Context) (*pgp.Keys, error)
	Keep   time.Duration // how long versions of the audience are kept, for messages
	Settle Settle
	Erase  identity.Key // whom a run of kind RunErase takes out, by any identity
	// Suppressed are identities whose rows are rejected.
	Suppressed map[identity.Key]bool
	// Refused is why the run is not to be tried again, unless it was committed before. Optional.
	Refused *audience.Error
	// aside says that the run is a part of another one, which has the lease.
	aside bool
	// renewed says that a run follows at once that renews every member.
	renewed bool
	Host    Host
}

// Run brings a run to its end and returns it, SUCCESS or FAILED, with its ledger. It returns an error instead
// when it could not end it now (the context was cancelled, Host.Save refused, the profile store is down after the
// commit): calling it again later completes the run. What keeps it from ending is told by its stage meanwhile.
func (p *Pipeline) Run(ctx context.Context, s Spec) (audience.Run, error) {
	for i := range s.Run.Stages {
		s.Run.Stages[i].Error = nil // of an earlier attempt
	}
	run, err := p.run(ctx, s)
	if err != nil && ctx.Err() == nil && !errors.Is(err, errNotMine) && !errors.Is(err, lake.ErrConflict) {
		s.Run = run
		p.tellWhy(ctx, &s, err)
	}
	return run, err
}

// tellWhy saves with the stage that has not ended why it has not.
func (p *Pipeline) tellWhy(ctx context.Context, s *Spec, cause error) {
	for i := range s.Run.Stages {
		st := &s.Run.Stages[i]
		if st.Status != audience.Processing {
			continue
		}
		what := "the dataset could not be read or committed"
		if st.Stage == audience.StageProfile {
			what = "the dataset has the run, the profile store has not taken it yet"
		}
		why := p.Reason(cause)
		st.Error = audience.Errorf(why.Code, "%s: %s; this is tried again until it succeeds", what, why.Message)
		if err := s.save(ctx); err != nil {
			p.logOf(s.Run.Scope).Warn("why a run has not ended could not be saved", "run", s.Run.ID, "error", err)
		}
		return
	}
}

func (p *Pipeline) run(ctx context.Context, s Spec) (audience.Run, error) {
	dataset, err := p.Lake.Load(ctx, s.Table)
	if err != nil {
		return s.Run, fmt.Errorf("open the dataset of audience %s: %w", s.Audience.ID, err)
	}
	snap, committed := dataset.FindRun(s.Run.ID)
	var done *committedRun
	if committed {
		if done, err = loadCommitted(dataset, snap); err != nil {
			return s.Run, err
		}
		done.apply(&s.Run)
		p.cleanUp(dataset, &s.Run, snap.Props[lake.PropDir])
	} else {
		if err := p.recordAdoption(ctx, dataset, &s); err != nil {
			return s.Run, err
		}
		if s.Refused != nil {
			return p.failed(s.Run, s.Refused), nil
		}
		if dataset, err = p.adoptOutside(ctx, dataset, &s); err == nil {
			dataset, err = p.rekey(ctx, dataset, &s)
		}
		if err == nil {
			done, err = p.ingest(ctx, dataset, &s, nil)
		}
		if err != nil {
			if retry(ctx, err) {
				return s.Run, err
			}
			return p.failed(s.Run, err), nil
		}
	}
	if s.Run.Request.DryRun {
		return p.rehearsed(s.Run), nil
	}
	if s.Audience.ProfileIngestion {
		if err := p.project(ctx, &s, done); err != nil {
			return s.Run, err
		}
	}
	s.Run.Status = audience.Success
	s.Run.EndedAt = p.Clock()
	return s.Run, nil
}

// rehearsed ends a dry run. Its second stage has nothing to do.
func (p *Pipeline) rehearsed(r audience.Run) audience.Run {
	r.Status, r.EndedAt = audience.Success, p.Clock()
	for i := range r.Stages {
		if st := &r.Stages[i]; st.Status == audience.Processing {
			st.Status, st.StartedAt, st.EndedAt = audience.Success, r.EndedAt, r.EndedAt
		}
	}
	return r
}

// ErrNotSaved is the error of Host.Save when nobody knows whose the run is: the store cannot be reached or written. What is only
// progress goes unsaved then; a run is neither begun nor committed.
var ErrNotSaved = errors.New("ingest: the run could not be saved")

// errNotMine means that Save refused: another worker has the run, or it was deleted.
var errNotMine = errors.New("ingest: the run is not this worker's any more")

// retry reports whether an error up to the commit leaves the run to a later attempt instead of failing it. After
// lake.ErrUncertain the snapshot may stand: only the next look at the history can tell.
func retry(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, errNotMine) || errors.Is(err, lake.ErrConflict) || errors.Is(err, lake.ErrUncertain)
}

func (p *Pipeline) failed(r audience.Run, err error) audience.Run {
	r.Status = audience.Failed
	r.Error = p.Reason(err)
	r.EndedAt = p.Clock()
	for i := range r.Stages {
		if r.Stages[i].Status == audience.Processing {
			r.Stages[i].Status = audience.Failed
			r.Stages[i].EndedAt = r.EndedAt
		}
	}
	if len(r.Stages) > 0 {
		r.Stages[0].Error = r.Error
	}
	return r
}

// pin saves the manifest.
func (s *Spec) pin(ctx context.Context) error { return notMine(s.Host.Save(ctx, s.Run)) }

// save saves where the run has come to. The manifest is stored since it was pinned.
func (s *Spec) save(ctx context.Context) error {
	run := s.Run
	run.Planned = nil
	return notMine(s.Host.Save(ctx, run))
}

func (s *Spec) saveProgress(ctx context.Context) error {
	return notMine(s.Host.SaveProgress(ctx, s.Run.ID, s.Run.Progress))
}

// notMine adds errNotMine to an error of a checkpoint.
func notMine(err error) error {
	if err != nil {
		return errors.Join(errNotMine, err)
	}
	return nil
}

// stage returns the run's stage of that name; every run has both unless its audience has no profile ingestion.
func (s *Spec) stage(name audience.StageName) *audience.StageResult {
	for i := range s.Run.Stages {
		if s.Run.Stages[i].Stage == name {
			return &s.Run.Stages[i]
		}
	}
	s.Run.Stages = append(s.Run.Stages, audience.StageResult{Stage: name, Status: audience.Processing})
	return &s.Run.Stages[len(s.Run.Stages)-1]
}

// project applies a committed run's delta to the profile store.
func (p *Pipeline) project(ctx context.Context, s *Spec, done *committedRun) error {
	st := s.stage(audience.StageProfile)
	start := p.Clock()
	st.StartedAt = start
	s.Run.Progress = audience.Progress{Step: "project", BytesTotal: s.Run.Progress.BytesTotal, BytesDone: s.Run.Progress.BytesTotal}
	if err := s.save(ctx); err != nil {
		return err
	}
	ref := profile.Ref{Sandbox: s.SandboxNum, Audience: s.Audience.Num}
	pointer := profile.Pointer{Seq: s.Run.Seq, RefreshedAt: done.refreshedAt, Run: s.Run.ID}
	defer p.alone(ref)()
	records := done.delta.Count()
	err := error(profile.ErrBase)
	if !done.delta.files.Incomplete {
		err = p.Profile.Apply(ctx, ref, pointer, done.delta)
	}
	if unprojectable(err) && ctx.Err() == nil {
		p.logOf(s.Run.Scope).Warn("a run's changes do not lead to its members; its dataset is projected", "run", s.Run.ID, "error", err)
		var whole Projected
		whole, err = p.rebuild(ctx, Projection{Audience: &s.Audience, Table: s.Table, Ref: ref, Gone: s.Host.Gone})
		records = whole.Members + whole.Exited
	}
	if err != nil {
		return fmt.Errorf("apply run %s to the profile store: %w", s.Run.ID, err)
	}
	st.Status = audience.Success
	st.EndedAt = p.Clock()
	st.Metrics.InputRecords = records
	st.Metrics.OutputRecords = records
	st.Metrics.Seconds = map[string]float64{"project": st.EndedAt.Sub(start).Seconds()}
	return nil
}

// watch saves the attempt's progress twice a second until stop is called, and cancels ctx when Save refuses. A full disk
// must not cancel it: the attempt ends by what it cannot write, and its files go.
func (a *attempt) watch(ctx context.Context) (watched context.Context, stop func() error) {
	watched, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-watched.Done():
				return
			case <-tick.C:
				a.progress()
				if err := a.spec.saveProgress(watched); err != nil && !errors.Is(err, ErrNotSaved) {
					cancel(err)
					return
				}
			}
		}
	})
	return watched, func() error {
		once.Do(func() { close(done) })
		wg.Wait()
		a.progress()
		cause := context.Cause(watched)
		cancel(nil)
		if errors.Is(cause, errNotMine) {
			return cause
		}
		return nil
	}
}
