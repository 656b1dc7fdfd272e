package work

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"roster/internal/audience"
	"roster/internal/fair"
	"roster/internal/ingest"
	"roster/internal/job"
	"roster/internal/meta"
)

// kind describes how jobs of a kind are done.
type kind struct {
	// limits are the numbers of concurrent jobs of the kind, in total and per sandbox. Runs, maintenance and erasures
	// each use a memory budget.
	limits fair.Limits
	// whose returns the owner of the job with an id; meta.ErrNotFound if there is nothing left to do. It is nil for
	// jobs that only Roster itself creates, which have no owner.
	whose func(ctx context.Context, id string) (fair.Work, error)
	// do does the job with an id; see Service.Handle.
	do func(ctx context.Context, id string) error

	gate *fair.Gate
}

// allKinds are all kinds of jobs.
func (s *Service) allKinds() map[job.Kind]*kind {
	one := fair.Limits{Slots: 1}
	all := map[job.Kind]*kind{
		job.Run:       {limits: fair.Limits{Slots: 3, Each: 2, Small: 1, SmallFor: 10 * time.Second}, whose: s.ownerOfRun, do: s.doRun},
		job.Task:      {limits: fair.Limits{Slots: 8, Each: 3}, whose: s.ownerOfTask, do: s.doTask},
		job.Schedule:  {limits: fair.Limits{Slots: 6, Each: 2}, whose: s.ownerOfAudience, do: s.doSchedule},
		job.Webhook:   {limits: fair.Limits{Slots: 12, Each: 4}, whose: s.ownerOfWebhook, do: s.doWebhook},
		job.Erase:     {limits: fair.Limits{Slots: 2, Each: 1}, whose: s.ownerOfErasures, do: s.doErase},
		job.Maintain:  {limits: one, whose: s.ownerOfAudience, do: s.doMaintain},
		job.Compact:   {limits: one, whose: s.ownerOfAudience, do: s.doCompact},
		job.Cleanup:   {limits: one, do: s.doCleanup},
		job.Sandbox:   {limits: one, do: s.doSandbox},
		job.Retention: {limits: one, do: s.doRetention},
		job.Project:   {limits: one, do: s.doProject},
		job.Verify:    {limits: one, do: s.doVerify},
	}
	for _, k := range all {
		k.gate = fair.New(k.limits)
	}
	return all
}

// sizesAtOnce limits how many waiting runs are measured at a time, to find the small ones; sizeWithin limits the time
// of a measurement.
var sizesAtOnce = fair.Limits{Slots: 8, Each: 2}

const sizeWithin = 5 * time.Second

// inTurn does a job when it is its sandbox's turn. A job that took a slot for small work, and turns out not to be
// small, is done again and continues from its progress. The lease of a failed job ends before its slot is free.
func (s *Service) inTurn(ctx context.Context, k *kind, j job.Job) (err error) {
	var w fair.Work
	if k.whose != nil {
		w, err = k.whose(ctx, j.ID)
	}
	if errors.Is(err, meta.ErrNotFound) {
		return nil // the job has ended or was deleted
	}
	if err != nil {
		return fmt.Errorf("find the owner of %s %s: %w", j.Kind, j.ID, err)
	}
	for {
		waited := s.waiting.begin(j.Kind)
		inside, slot, err := k.gate.Enter(ctx, w)
		waited()
		if err != nil {
			return err
		}
		err = func() error {
			defer slot.Leave()
			defer s.cfg.Observer.Working(j.Kind)()
			err := k.do(inside, j.ID)
			if err != nil {
				s.release(inside, j)
			}
			return err
		}()
		if err == nil || !errors.Is(context.Cause(inside), fair.ErrOutgrown) {
			return err
		}
		w.Small = nil
	}
}

func (s *Service) ownerOfTask(ctx context.Context, id string) (fair.Work, error) {
	t, err := s.cfg.Store.UnfinishedTask(ctx, audience.TaskID(id))
	return fair.Work{Owner: ownerOf(t.Scope)}, err
}

func (s *Service) ownerOfRun(ctx context.Context, id string) (fair.Work, error) {
	r, err := s.cfg.Store.UnfinishedRun(ctx, audience.RunID(id))
	return fair.Work{Owner: ownerOf(r.Scope), Urgent: r.Request.Traits().Urgent, Small: func(ctx context.Context) bool { return s.small(ctx, r) }}, err
}

// ownerOfAudience returns the owner of the audience with a number.
func (s *Service) ownerOfAudience(ctx context.Context, number string) (fair.Work, error) {
	a, err := s.numbered(ctx, number)
	return fair.Work{Owner: ownerOf(a.Scope)}, err
}

// numbered returns the audience whose number is the id of a job; meta.ErrNotFound if it was deleted.
func (s *Service) numbered(ctx context.Context, number string) (audience.Audience, error) {
	num, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return audience.Audience{}, fmt.Errorf("audience number %q: %w", number, err)
	}
	return s.cfg.Store.AudienceByNum(ctx, uint32(num))
}

func (s *Service) ownerOfErasures(_ context.Context, id string) (fair.Work, error) {
	scope, ok := job.ErasingScope(id)
	if !ok { // the job of an earlier version of Roster
		return fair.Work{}, meta.ErrNotFound
	}
	return fair.Work{Owner: ownerOf(scope)}, nil
}

func (s *Service) ownerOfWebhook(ctx context.Context, id string) (fair.Work, error) {
	w, _, err := s.cfg.Store.NextDelivery(ctx, audience.WebhookID(id), s.now())
	return fair.Work{Owner: ownerOf(w.Scope)}, err
}

func ownerOf(s audience.Scope) fair.Owner { return fair.Owner{Org: s.Org, Sandbox: s.Sandbox} }

// small reports whether a waiting run has little to read. If that cannot be determined, the run is not small.
func (s *Service) small(ctx context.Context, r audience.Run) bool {
	ctx, slot, err := s.sizes.Enter(ctx, fair.Work{Owner: ownerOf(r.Scope)})
	if err != nil {
		return false
	}
	defer slot.Leave()
	ctx, done := context.WithTimeout(ctx, sizeWithin)
	defer done()
	spec := ingest.Spec{Run: r}
	if spec.Audience, err = s.cfg.Store.Audience(ctx, r.Scope, r.AudienceID); err != nil {
		return false
	}
	spec.Host = runHost{s: s, aud: &spec.Audience, run: r.ID}
	src, err := s.openRun(ctx, &spec)
	if err != nil || src.Store == nil {
		return false
	}
	defer src.Close()
	spec.Source = src.Store
	is, err := ingest.Small(ctx, &spec)
	return err == nil && is
}
