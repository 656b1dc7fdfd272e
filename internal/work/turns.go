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

// atOnce says how many jobs of each kind go on at a time, and how many of them one sandbox has at most. A run holds a budget of memory;
// so do maintenance and an erasure.
var atOnce = map[job.Kind]fair.Limits{
	job.Run:      {Places: 3, Each: 2, Small: 1, SmallFor: 10 * time.Second},
	job.Task:     {Places: 8, Each: 3},
	job.Schedule: {Places: 6, Each: 2},
	job.Webhook:  {Places: 12, Each: 4},
	job.Erase:    {Places: 2, Each: 1},
	job.Maintain: {Places: 1},
	job.Sweep:    {Places: 1},
	job.Sandbox:  {Places: 1},
	job.Forget:   {Places: 1},
	job.Project:  {Places: 1},
	job.Verify:   {Places: 1},
}

// sizesAtOnce says how many runs that wait are looked at, to find those that are small; sizeWithin is how long a look may take.
var sizesAtOnce = fair.Limits{Places: 8, Each: 2}

const sizeWithin = 5 * time.Second

// turns says when a job may begin, so that no sandbox keeps others waiting.
type turns struct {
	jobs  map[job.Kind]*fair.Gate
	sizes *fair.Gate
}

func newTurns() turns {
	t := turns{jobs: map[job.Kind]*fair.Gate{}, sizes: fair.New(sizesAtOnce)}
	for kind, limits := range atOnce {
		t.jobs[kind] = fair.New(limits)
	}
	return t
}

// inTurn does a job when it is its sandbox's turn. One that had a place for small work, and is not small, is done again from where it
// has come.
func (s *Service) inTurn(ctx context.Context, j job.Job) error {
	gate := s.turns.jobs[j.Kind]
	if gate == nil {
		return fmt.Errorf("work: no job of kind %q", j.Kind)
	}
	w, err := s.workOf(ctx, j)
	if errors.Is(err, meta.ErrNotFound) {
		return nil // it has ended or was deleted
	}
	if err != nil {
		return fmt.Errorf("find out whose %s %s is: %w", j.Kind, j.ID, err)
	}
	for {
		waited := s.waiting.begin(j.Kind)
		inside, place, err := gate.Enter(ctx, w)
		waited()
		if err != nil {
			return err
		}
		err = s.inPlace(inside, place, j)
		if err == nil || !errors.Is(context.Cause(inside), fair.ErrOutgrown) {
			return err
		}
		w.Small = nil
	}
}

func (s *Service) inPlace(ctx context.Context, place *fair.Place, j job.Job) error {
	defer place.Leave()
	defer s.cfg.Observer.Working(j.Kind)()
	err := s.do(ctx, j)
	if err != nil {
		s.release(ctx, j)
	}
	return err
}

// workOf says whose a job is. The jobs that only Roster itself makes are nobody's.
func (s *Service) workOf(ctx context.Context, j job.Job) (fair.Work, error) {
	switch j.Kind {
	case job.Task:
		t, err := s.cfg.Store.UnfinishedTask(ctx, audience.TaskID(j.ID))
		return fair.Work{Owner: ownerOf(t.Scope)}, err
	case job.Run:
		r, err := s.cfg.Store.UnfinishedRun(ctx, audience.RunID(j.ID))
		return fair.Work{Owner: ownerOf(r.Scope), Urgent: r.Request.Traits().Urgent,
			Small: func(ctx context.Context) bool { return s.small(ctx, r) }}, err
	case job.Schedule, job.Maintain:
		num, err := strconv.ParseUint(j.ID, 10, 32)
		if err != nil {
			return fair.Work{}, err
		}
		a, err := s.cfg.Store.AudienceByNum(ctx, uint32(num))
		return fair.Work{Owner: ownerOf(a.Scope)}, err
	case job.Erase:
		e, err := s.unfinishedErasure(ctx, audience.ErasureID(j.ID))
		return fair.Work{Owner: ownerOf(e.Scope)}, err
	case job.Webhook:
		w, _, err := s.cfg.Store.NextDelivery(ctx, audience.WebhookID(j.ID), s.now())
		return fair.Work{Owner: ownerOf(w.Scope)}, err
	}
	return fair.Work{}, nil
}

func ownerOf(s audience.Scope) fair.Owner { return fair.Owner{Org: s.Org, Sandbox: s.Sandbox} }

// small reports whether a run that waits has little to read. Whatever keeps it from being found out makes it one that is not small.
func (s *Service) small(ctx context.Context, r audience.Run) bool {
	ctx, place, err := s.turns.sizes.Enter(ctx, fair.Work{Owner: ownerOf(r.Scope)})
	if err != nil {
		return false
	}
	defer place.Leave()
	ctx, done := context.WithTimeout(ctx, sizeWithin)
	defer done()
	spec := ingest.Spec{Run: r, ReadBefore: func(ctx context.Context, files []audience.PlannedFile) (map[string]bool, error) {
		return s.cfg.Store.ReadObjects(ctx, r.AudienceID, files)
	}}
	if spec.Audience, err = s.cfg.Store.Audience(ctx, r.Scope, r.AudienceID); err != nil {
		return false
	}
	src, err := s.openRun(ctx, &spec)
	if err != nil || src.Store == nil {
		return false
	}
	defer src.Close()
	spec.Source = src.Store
	is, err := ingest.Small(ctx, &spec)
	return err == nil && is
}
