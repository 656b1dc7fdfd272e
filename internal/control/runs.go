package control

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"roster/internal/audience"
	"roster/internal/job"
	"roster/internal/launch"
	"roster/internal/meta"
)

// Limits of a list of runs (contract, section 2, runs query).
const (
	defaultRuns = 20
	maxRuns     = 40
)

// StartRun records a run of an audience and enqueues it. Only one run of an audience can be in progress at a time.
func (s *Service) StartRun(ctx context.Context, a audience.Actor, id audience.ID, req audience.RunRequest) (run audience.Run, err error) {
	d, err := s.begin(ctx, a, allow(a, toWrite), audience.RunStart, string(id))
	if err != nil {
		return audience.Run{}, err
	}
	defer d.end(ctx, &err)
	return s.startRun(ctx, d, id, req)
}

// startRun starts the run of a change.
func (s *Service) startRun(ctx context.Context, d *auditedChange, id audience.ID, req audience.RunRequest) (audience.Run, error) {
	now := s.now()
	if err := checkRequest(&req, now); err != nil {
		return audience.Run{}, err
	}
	scope := d.actor.Scope
	admitted, err := s.admitWork(ctx, scope, limitedRuns)
	if err != nil {
		return audience.Run{}, err
	}
	defer admitted()
	run, err := s.createRun(ctx, d, id, req, now)
	for waited := time.Duration(0); errors.Is(err, meta.ErrRunInProgress) && waited < expiryWait && s.expiring(ctx, scope, run.AudienceID); waited += expiryPoll {
		select {
		case <-ctx.Done():
			return audience.Run{}, ctx.Err()
		case <-time.After(expiryPoll):
		}
		run, err = s.createRun(ctx, d, id, req, now)
	}
	if errors.Is(err, meta.ErrRunInProgress) {
		return audience.Run{}, s.runInProgress(ctx, scope, run)
	}
	if err != nil {
		return audience.Run{}, err
	}
	return run, nil
}

// The start of a run waits for a run that Roster began itself: the longest wait, and the interval of checks.
const (
	expiryWait = 20 * time.Second
	expiryPoll = 100 * time.Millisecond
)

// expiring reports whether the run in progress removes expired members. Such a run is short, and no client started it,
// so a client that starts another run does not need to know about it.
func (s *Service) expiring(ctx context.Context, scope audience.Scope, id audience.ID) bool {
	running, _, err := s.cfg.Store.Runs(ctx, scope, id, audience.InProgress)
	return err == nil && (len(running) == 0 || running[0].Request.Traits().Automatic)
}

// noErasures refuses a rollback while erasures are in progress in the sandbox: until an erasure has removed the versions
// that contain the person, a rollback would bring the person back. An erasure that begins later waits for the rollback.
func noErasures(ctx context.Context, tx meta.Tx, scope audience.Scope) error {
	leaving, err := tx.LeavingIdentities(ctx, scope)
	if err != nil || len(leaving) == 0 {
		return err
	}
	return audience.Errorf(audience.Impossible, "%d identities are being erased from the sandbox, and an earlier version of the audience may contain them; start the rollback again when the erasures have ended", len(leaving))
}

// createRun records a run and enqueues it. It also returns the run with meta.ErrRunInProgress.
func (s *Service) createRun(ctx context.Context, d *auditedChange, id audience.ID, req audience.RunRequest, now time.Time) (run audience.Run, err error) {
	err = d.update(ctx, func(tx meta.Tx) error {
		aud, err := s.audience(ctx, tx, d.actor, id)
		if err != nil {
			return err
		}
		d.about(&aud)
		if !aud.State.TakesRuns() {
			return audience.Errorf(audience.Impossible, "audience %s is %s and takes no runs; set its lifecycleState to %s first", aud.ID, aud.State, audience.StatePublished)
		}
		if req.Kind == audience.RunRollback && !req.DryRun {
			if err := noErasures(ctx, tx, aud.Scope); err != nil {
				return err
			}
		}
		run = launch.NewRun(&aud, d.actor.ClientID, req, now)
		if s.cfg.Guardrails {
			if err := launch.WithinGuardrails(ctx, tx, aud.Scope, aud.ID, run.Request, now); err != nil {
				return err
			}
		}
		if err := tx.CreateRun(ctx, &run); err != nil {
			return absent(err, "audience", id)
		}
		d.entry.Changes(nil, audience.RunFacts(&run))
		return s.cfg.Jobs.Enqueue(ctx, tx, job.Job{Kind: job.Run, ID: string(run.ID)})
	})
	return run, err
}

// checkRequest checks a client's request for a run. A window without an end extends to now.
func checkRequest(req *audience.RunRequest, now time.Time) error {
	var wrong audience.Problems
	wrong.OptionalText("reason", req.Reason)
	if req.WindowEnd.IsZero() {
		req.WindowEnd = now
		if now.Before(req.WindowStart) {
			wrong.Add("dataFilterStartTime", "is in the future, but there is no dataFilterEndTime")
		}
	} else if req.WindowEnd.Before(req.WindowStart) {
		wrong.Add("dataFilterEndTime", "must not be before dataFilterStartTime")
	}
	return wrong.Err()
}

// runInProgress returns the error about a second run; it names the first if that can be found.
func (s *Service) runInProgress(ctx context.Context, scope audience.Scope, refused audience.Run) error {
	running, _, err := s.cfg.Store.Runs(ctx, scope, refused.AudienceID, audience.InProgress)
	if err != nil || len(running) == 0 {
		return audience.Errorf(audience.Impossible, "a run of audience %s is in progress; start another one when it has ended", refused.AudienceID)
	}
	return audience.Errorf(audience.Impossible, "run %s of audience %s is in progress; start another one when it has ended", running[0].ID, refused.AudienceID)
}

// Run returns one run of an audience.
func (s *Service) Run(ctx context.Context, a audience.Actor, id audience.ID, run audience.RunID) (audience.Run, error) {
	_, r, err := s.runOf(ctx, a, id, run)
	return r, err
}

// runOf returns a run as the actor sees it, and its audience including the fields that the actor does not see.
func (s *Service) runOf(ctx context.Context, a audience.Actor, id audience.ID, run audience.RunID) (aud audience.Audience, r audience.Run, err error) {
	if err := allow(a, toRead); err != nil {
		return aud, r, err
	}
	if aud, err = s.audience(ctx, s.cfg.Store, a, id); err != nil {
		return aud, r, err
	}
	key, ok := audience.Canonical(run)
	if !ok {
		return aud, r, notFound("run", run)
	}
	r, err = s.cfg.Store.Run(ctx, a.Scope, aud.ID, key)
	return aud, aud.Hidden(a.Grants).Run(r), absent(err, "run", run)
}

// Runs lists runs of an audience and returns the total number that the query matches. The zero query selects the newest
// 20.
func (s *Service) Runs(ctx context.Context, a audience.Actor, id audience.ID, q audience.RunQuery) ([]audience.Run, int, error) {
	if err := allow(a, toRead); err != nil {
		return nil, 0, err
	}
	if err := checkQuery(&q); err != nil {
		return nil, 0, err
	}
	aud, err := s.audience(ctx, s.cfg.Store, a, id)
	if err != nil {
		return nil, 0, err
	}
	list, total, err := s.cfg.Store.Runs(ctx, a.Scope, aud.ID, q)
	return aud.Hidden(a.Grants).Runs(list), total, err
}

// textOps and timeOps are the operators of filters.
var (
	textOps = []string{"=", "!=", "=contains", "!=contains"}
	timeOps = []string{">=", "<=", ">", "<"}
)

// checkQuery checks a query and sets its defaults.
func checkQuery(q *audience.RunQuery) error {
	if q.Limit == 0 {
		q.Limit = defaultRuns
	}
	if q.SortBy == "" {
		q.SortBy, q.Descending = "createdAt", true
	}
	var wrong audience.Problems
	if q.Limit < 1 || q.Limit > maxRuns {
		wrong.Add("limit", "must be from 1 to %d", maxRuns)
	}
	if q.Offset < 0 {
		wrong.Add("start", "must not be negative")
	}
	if q.SortBy != "createdAt" && q.SortBy != "name" {
		wrong.Add("sortBy", "%.64q is not one of name, createdAt, ingestionTime", q.SortBy)
	}
	for _, f := range q.Filters {
		switch f.Property {
		case "name", "status":
			if !slices.Contains(textOps, f.Op) {
				wrong.Add("property", "%s allows the operators =, !=, =contains and !=contains", f.Property)
			}
			wrong.OptionalText("property", f.Value)
		case "createdAt":
			if _, err := strconv.ParseInt(f.Value, 10, 64); err != nil || !slices.Contains(timeOps, f.Op) {
				wrong.Add("property", "createdAt allows the operators >=, <=, > and < with epoch seconds")
			}
		default:
			wrong.Add("property", "%.64q is not one of name, status, createdAt, ingestionTime", f.Property)
		}
	}
	return wrong.Err()
}
