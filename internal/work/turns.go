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

// kind says how the jobs of a kind are done.
type kind struct {
	// limits say how many jobs of the kind go on at a time, and how many of them one sandbox has at most. A run holds a
	// budget of memory; so do maintenance and an erasure.
	limits fair.Limits
	// whose says whose the job of an id is; meta.ErrNotFound that there is nothing to do any more. nil is for jobs that
	// only Roster itself makes, which are nobody's.
	whose func(ctx context.Context, id string) (fair.Work, error)
	// do does the job of an id, as Service.Handle says.
	do func(ctx context.Context, id string) error

	gate *fair.Gate
}

// allKinds are all kinds of jobs.
func (s *Service) allKinds() map[job.Kind]*kind {
	one := fair.Limits{Places: 1}
	all := map[job.Kind]*kind{
		job.Run:      {limits: fair.Limits{Places: 3, Each: 2, Small: 1, SmallFor: 10 * time.Second}, whose: s.ownerOfRun, do: s.doRun},
		job.Task:     {limits: fair.Limits{Places: 8, Each: 3}, whose: s.ownerOfTask, do: s.doTask},
		job.Schedule: {limits: fair.Limits{Places: 6, Each: 2}, whose: s.ownerOfAudience, do: s.doSchedule},
		job.Webhook:  {limits: fair.Limits{Places: 12, Each: 4}, whose: s.ownerOfWebhook, do: s.doWebhook},
		job.Erase:    {limits: fair.Limits{Places: 2, Each: 1}, whose: s.ownerOfErasure, do: s.doErase},
		job.Maintain: {limits: one, whose: s.ownerOfAudience, do: s.doMaintain},
		job.Compact:  {limits: one, whose: s.ownerOfAudience, do: s.doCompact},
		job.Sweep:    {limits: one, do: s.doSweep},
		job.Sandbox:  {limits: one, do: s.doSandbox},
		job.Forget:   {limits: one, do: s.doForget},
		job.Project:  {limits: one, do: s.doProject},
		job.Verify:   {limits: one, do: s.doVerify},
	}
	for _, k := range all {
		k.gate = fair.New(k.limits)
	}
	return all
}

// sizesAtOnce says how many runs that wait are looked at, to find those that are small; sizeWithin is how long a look
// may take.
var sizesAtOnce = fair.Limits{Places: 8, Each: 2}

const sizeWithin = 5 * time.Second

// inTurn does a job when it is its sandbox's turn. One that had a place for small work, and is not small, is done again
// from where it has come. The lease of a job that failed ends before its place is free.
func (s *Service) inTurn(ctx context.Context, k *kind, j job.Job) (err error) {
	var w fair.Work
	if k.whose != nil {
		w, err = k.whose(ctx, j.ID)
	}
	if errors.Is(err, meta.ErrNotFound) {
		return nil // it has ended or was deleted
	}
	if err != nil {
		return fmt.Errorf("find out whose %s %s is: %w", j.Kind, j.ID, err)
	}
	for {
		waited := s.waiting.begin(j.Kind)
		inside, place, err := k.gate.Enter(ctx, w)
		waited()
		if err != nil {
			return err
		}
		err = func() error {
			defer place.Leave()
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

// ownerOfAudience says whose the audience of a number is.
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

func (s *Service) ownerOfErasure(ctx context.Context, id string) (fair.Work, error) {
	e, err := s.unfinishedErasure(ctx, audience.ErasureID(id))
	return fair.Work{Owner: ownerOf(e.Scope)}, err
}

func (s *Service) ownerOfWebhook(ctx context.Context, id string) (fair.Work, error) {
	w, _, err := s.cfg.Store.NextDelivery(ctx, audience.WebhookID(id), s.now())
	return fair.Work{Owner: ownerOf(w.Scope)}, err
}

func ownerOf(s audience.Scope) fair.Owner { return fair.Owner{Org: s.Org, Sandbox: s.Sandbox} }

// small reports whether a run that waits has little to read. Whatever keeps it from being found out makes it one that
// is not small.
func (s *Service) small(ctx context.Context, r audience.Run) bool {
	ctx, place, err := s.sizes.Enter(ctx, fair.Work{Owner: ownerOf(r.Scope)})
	if err != nil {
		return false
	}
	defer place.Leave()
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
