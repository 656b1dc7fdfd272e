// Package ingest is the pipeline from a run's files to the lake and the profile store: plan, read, resolve, commit,
// project. It does not depend on a database or a queue. A run changes everything or nothing: the snapshot of the commit
// step is the only point at which the audience changes, and contains the run's id. The steps before it leave nothing
// visible to readers. An interrupted run starts again from the beginning, and finds its own snapshot if it was already
// committed.
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

// Pipeline executes runs. Its fields are set once.
type Pipeline struct {
	Lake    *lake.Lake
	Profile profile.Store
	Scratch string         // directory for scratch files, which have no names and are removed when the process ends
	Memory  *memory.Budget // shared by all runs; nil means memory.Default for each run
	Workers int            // goroutines per run; 0 means one per processor
	Clock   func() time.Time
	// ClockTrusted reports whether the clock is trusted. While it is not, no member expires. Nil means always trusted.
	ClockTrusted func() bool
	// Sleep waits until the clock has advanced by d. Nil means that the clock is the machine's clock.
	Sleep func(ctx context.Context, d time.Duration) error
	Log   *slog.Logger
	// RefuseForeign lets a run fail if another program changed the dataset after the last run. Otherwise the run first
	// adopts the changes.
	RefuseForeign bool

	projecting sync.Map // profile.Ref → *sync.Mutex, held while an audience is projected

	rowsRead, bytesRead atomic.Int64
}

// Read returns the number of rows, and of stored bytes, that all attempts have read from files since the process
// started.
func (p *Pipeline) Read() (rows, bytes int64) { return p.rowsRead.Load(), p.bytesRead.Load() }

// logOf returns the log for messages about a run in a sandbox.
func (p *Pipeline) logOf(scope audience.Scope) *slog.Logger {
	return p.Log.With("organization", scope.Org, "sandbox", scope.Sandbox)
}

func (p *Pipeline) workers() int {
	if p.Workers > 0 {
		return p.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// share waits for a share of the process's memory budget, for a run or for maintenance.
func (p *Pipeline) share(ctx context.Context) (*memory.Share, error) {
	budget := p.Memory
	if budget == nil {
		budget = memory.New(memory.Default)
	}
	return budget.Begin(ctx)
}

// Spec describes a run to execute.
type Spec struct {
	Run        audience.Run // status PROCESSING; Planned is set if an earlier attempt pinned the manifest
	Audience   audience.Audience
	SandboxNum uint32
	Table      lake.TableID
	Source     source.Store
	// Keys loads the keys for the files, which must all be encrypted. Nil means that encrypted files are not allowed.
	Keys   pgp.KeyLoader
	Keep   time.Duration // retention period of the audience's versions, for messages
	Settle source.SettleRule
	Erase  map[identity.Key]bool // people that a run of kind RunErase removes, by any identity
	// Suppressed contains identities whose rows are rejected.
	Suppressed map[identity.Key]bool
	// Refused is the reason why the run must not be repeated, unless it was already committed. Optional.
	Refused *audience.Error
	// aside is set if the run is part of another run, which has the lease.
	aside bool
	// renewed is set if a run that renews every member follows at once.
	renewed bool
	Host    Host
}

// Run completes a run and returns it with its ledger, as SUCCESS or FAILED. If the run cannot be completed now, Run
// returns an error: the context was cancelled, Host.Save returned an error, or the profile store is down after the
// commit. A later call completes the run. Until then, the run's stage contains the reason.
func (p *Pipeline) Run(ctx context.Context, s Spec) (audience.Run, error) {
	for i := range s.Run.Stages {
		s.Run.Stages[i].Error = nil // from an earlier attempt
	}
	run, err := p.run(ctx, s)
	if err != nil && ctx.Err() == nil && !errors.Is(err, errNotMine) && !errors.Is(err, lake.ErrConflict) {
		s.Run = run
		p.tellWhy(ctx, &s, err)
	}
	return run, err
}

// tellWhy saves the reason why a run is not completed in the stage that has not ended.
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
	dataset, salvaged, err := p.open(ctx, &s)
	if refused, ok := errors.AsType[*audience.Error](err); ok && errors.Is(err, lake.ErrNotExist) {
		return p.failed(s.Run, refused), nil
	}
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
			done, err = p.ingest(ctx, dataset, &s, salvaged)
		}
		if err != nil {
			if retry(ctx, err) {
				return s.Run, err
			}
			return p.failed(s.Run, err), nil
		}
	}
	if s.Run.Request.DryRun {
		return p.endDryRun(s.Run), nil
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

// endDryRun ends a dry run. Its second stage has nothing to do.
func (p *Pipeline) endDryRun(r audience.Run) audience.Run {
	r.Status, r.EndedAt = audience.Success, p.Clock()
	for i := range r.Stages {
		if st := &r.Stages[i]; st.Status == audience.Processing {
			st.Status, st.StartedAt, st.EndedAt = audience.Success, r.EndedAt, r.EndedAt
		}
	}
	return r
}

// ErrNotSaved is the error of Host.Save if it is unknown which worker has the run, because the store cannot be reached
// or written. In this case, progress stays unsaved, but a run neither begins nor commits.
var ErrNotSaved = errors.New("ingest: the run could not be saved")

// errNotMine means that Save failed because another worker has the run, or because the run was deleted.
var errNotMine = errors.New("ingest: the run is not this worker's any more")

// retry reports whether a later attempt repeats the run after an error before the commit, so the run does not fail.
// After lake.ErrUncertain the snapshot may exist. Only the history of the table, read again, shows that.
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

// save saves the state of the run without the manifest, which pin has stored.
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

// stage returns the run's stage with that name. Every run has both stages unless its audience has no profile ingestion.
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
		whole, err = p.rebuild(ctx, Projection{Audience: &s.Audience, Table: s.Table, Ref: ref, Erasures: s.Host})
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

// watch saves the attempt's progress twice a second until stop is called, and cancels ctx if a save fails with an error
// other than ErrNotSaved. A full disk must not cancel ctx: the attempt then fails with its own write error, and its
// files are removed.
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
