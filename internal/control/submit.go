package control

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/connect"
	"roster/internal/job"
	"roster/internal/meta"
	"roster/internal/schedule"
)

// Draft is an audience as a client submits it.
type Draft = audience.Audience

// Submit accepts an audience and enqueues the task that creates it.
func (s *Service) Submit(ctx context.Context, a audience.Actor, d Draft) (t audience.Task, err error) {
	change, err := s.begin(ctx, a, allow(a, toWrite), audience.AudienceCreate, d.Name)
	if err != nil {
		return audience.Task{}, err
	}
	defer change.end(ctx, &err)
	custom, err := s.cfg.Store.Namespaces(ctx, a.Scope.Org)
	if err != nil {
		return audience.Task{}, err
	}
	d.Fields = slices.Clone(d.Fields)
	if err := audience.Validate(&d, audience.Rules{Namespaces: custom, AccountType: s.cfg.AccountType}); err != nil {
		return audience.Task{}, err
	}
	var wrong audience.Problems
	if schedule.Check(&wrong, d.Schedule); wrong.Err() != nil {
		return audience.Task{}, wrong.Err()
	}
	change.entry.Label(&d)
	if err := holds(a, d.EveryLabel()); err != nil {
		return audience.Task{}, err
	}
	admitted, err := s.admitWork(ctx, a.Scope, limitedSubmits)
	if err != nil {
		return audience.Task{}, err
	}
	defer admitted()
	now := s.now()
	d.NextRunAt = schedule.Next(d.Schedule, now)
	t = audience.Task{
		ID: audience.TaskID(uuid.NewString()), AudienceID: audience.ID(uuid.NewString()), Scope: a.Scope,
		Status: audience.Processing, CreatedAt: now, UpdatedAt: now,
	}
	d.ID, d.TaskID, d.Scope = t.AudienceID, t.ID, a.Scope
	d.CreatedBy, d.CreatedAt, d.UpdatedBy, d.UpdatedAt = a.ClientID, now, a.ClientID, now
	err = change.update(ctx, func(tx meta.Tx) error {
		t.Draft = d
		if err := openSandbox(ctx, tx, a.Scope); err != nil {
			return err
		}
		if err := checkConnection(ctx, tx, &t.Draft); err != nil {
			return err
		}
		if err := s.checkEncryption(ctx, tx, a.Scope, &t.Draft.Source); err != nil {
			return err
		}
		if err := tx.CreateTask(ctx, t); err != nil {
			return err
		}
		change.about(&d)
		change.entry.Changes(nil, audienceFacts(&d))
		return s.cfg.Jobs.Enqueue(ctx, tx, job.Job{Kind: job.Task, ID: string(t.ID)})
	})
	var taken *meta.DuplicateError
	if errors.As(err, &taken) {
		return audience.Task{}, nameTaken(d, taken.Field)
	}
	return t, err
}

// nameTaken returns the error about a name or customAudienceId of another audience.
func nameTaken(d Draft, field string) error {
	value := d.Name
	if field == meta.FieldCustomID {
		value = d.CustomID
	}
	err := audience.Errorf(audience.Duplicate, "an audience with the %s %q already exists in sandbox %q", field, value, d.Scope.Sandbox)
	err.Problems = []audience.Problem{{Path: field, Message: "is taken"}}
	return err
}

// checkConnection checks that the audience's connection exists and has the cloud type that the client named. A
// connection of the local kind can stand for any type except the landing zone.
func checkConnection(ctx context.Context, r meta.Connections, d *Draft) error {
	if d.Source.BaseConnectionID == "" {
		return nil
	}
	conn, err := connect.ConnectionOf(ctx, r, d)
	if errors.Is(err, meta.ErrNotFound) {
		return audience.InvalidField("sourceSpec.baseConnectionId", "base connection %.64q does not exist in sandbox %q", d.Source.BaseConnectionID, d.Scope.Sandbox)
	}
	if err != nil {
		return err
	}
	landing := conn.SpecID == audience.SpecLandingZone
	kind, _ := conn.Kind()
	if c := d.Source.CloudType; c != "" && c != kind.CloudType && (kind.CloudType != "" || c == audience.CloudLanding) {
		return audience.InvalidField("sourceSpec.cloudType", "is %q, but base connection %s is of another kind", c, conn.ID)
	}
	if landing {
		d.Source.Path = audience.LandingPath(d.Source.Path)
	}
	return nil
}

// Task returns a submit task.
func (s *Service) Task(ctx context.Context, a audience.Actor, id audience.TaskID) (audience.Task, error) {
	if err := allow(a, toRead); err != nil {
		return audience.Task{}, err
	}
	key, ok := audience.Canonical(id)
	if !ok {
		return audience.Task{}, notFound("task", id)
	}
	t, err := s.cfg.Store.Task(ctx, a.Scope, key)
	if err != nil {
		return audience.Task{}, absent(err, "task", id)
	}
	return s.taskSeen(ctx, a, t)
}

// taskSeen returns a task as the actor sees it, according to the current or last labels of its audience.
func (s *Service) taskSeen(ctx context.Context, a audience.Actor, t audience.Task) (audience.Task, error) {
	labelled := t.Draft
	if t.Status == audience.Success {
		now, err := s.cfg.Store.Audience(ctx, a.Scope, t.AudienceID)
		if err != nil && !errors.Is(err, meta.ErrNotFound) {
			return audience.Task{}, err
		}
		if err == nil {
			labelled = now
		}
	}
	if err := seen(a, labelled.Labels, "task", t.ID); err != nil {
		return audience.Task{}, err
	}
	hidden := labelled.Hidden(a.Grants)
	t.Draft.Fields, t.Error = hidden.Fields(t.Draft.Fields), hidden.Failure(t.Error)
	return t, nil
}
