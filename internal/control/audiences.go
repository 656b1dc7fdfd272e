package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"roster/internal/audience"
	"roster/internal/job"
	"roster/internal/lake"
	"roster/internal/meta"
	"roster/internal/schedule"
)

// Patch changes an audience. Nil properties do not change; others are replaced as a whole.
type Patch struct {
	Name        *string
	Description *string
	Labels      *[]string
	Fields      []FieldPatch
	TTLDays     *int
	Guards      *audience.Guards
	Tags        *[]string
	State       *audience.State
	Schedule    *audience.Schedule
	// Source is the new location of the audience's files. It does not change while a run is in progress.
	Source *audience.SourceSpec
	// Encryption replaces the encryption of the source.
	Encryption *audience.Encryption

	KeepRejectedRows *bool
	Payload          *bool
	// ExpressActivation may be given with its current value.
	ExpressActivation *bool
	// AddLabels and AddTags are appended to the existing ones, or to those that replace them. Existing ones keep their
	// position.
	AddLabels, AddTags []string
	// IfMatch are etags. The audience must have one of them; none means that any is accepted.
	IfMatch []string
}

// FieldPatch replaces the labels of the field with that name.
type FieldPatch struct {
	Name   string
	Labels *[]string // nil: no change
	// The other properties may be given with their current values.
	Type, IdentityNs, Role *string
	ConsentValues          *[]string
	Proposed               *bool
}

// differs adds a problem for each given property that differs from the field's.
func (p *FieldPatch) differs(wrong *audience.Problems, path string, f *audience.Field) {
	for _, text := range []struct {
		name     string
		said     *string
		is       string
		likewise func(a, b string) bool
	}{
		{"type", p.Type, string(f.Type), func(a, b string) bool { return a == b }},
		{"identityNs", p.IdentityNs, f.IdentityNs, strings.EqualFold},
		{"role", p.Role, string(f.Role), func(a, b string) bool { return a == b }},
	} {
		if text.said != nil && !text.likewise(*text.said, text.is) {
			wrong.Add(path+"."+text.name, "is %q and cannot change, only the labels of a field can; another field needs another audience", text.is)
		}
	}
	if p.ConsentValues != nil && !slices.Equal(*p.ConsentValues, f.ConsentValues) {
		wrong.Add(path+".consentValues", "cannot change, only the labels of a field can")
	}
	if p.Proposed != nil && *p.Proposed != f.Proposed {
		wrong.Add(path+".proposed", "is %t and cannot change, only the labels of a field can", f.Proposed)
	}
}

// Audience returns one audience.
func (s *Service) Audience(ctx context.Context, a audience.Actor, id audience.ID) (audience.Audience, error) {
	if err := allow(a, toRead); err != nil {
		return audience.Audience{}, err
	}
	found, err := s.audience(ctx, s.cfg.Store, a, id)
	return found.SeenBy(a.Grants), err
}

// audience returns an audience that the actor sees, including the fields that the actor does not see.
func (s *Service) audience(ctx context.Context, r meta.Audiences, a audience.Actor, id audience.ID) (audience.Audience, error) {
	key, ok := audience.Canonical(id)
	if !ok {
		return audience.Audience{}, notFound("audience", id)
	}
	found, err := r.Audience(ctx, a.Scope, key)
	if err == nil {
		err = seen(a, found.Labels, "audience", id)
	}
	if err != nil {
		return audience.Audience{}, absent(err, "audience", id)
	}
	return found, nil
}

// UpdateAudience changes an audience. A new TTL applies to current members at once, counted from the run that last
// brought them.
func (s *Service) UpdateAudience(ctx context.Context, a audience.Actor, id audience.ID, p Patch) (changed audience.Audience, err error) {
	d, err := s.begin(ctx, a, allow(a, toWrite), audience.AudienceUpdate, string(id))
	if err != nil {
		return audience.Audience{}, err
	}
	defer d.end(ctx, &err)
	err = d.update(ctx, func(tx meta.Tx) (err error) {
		if changed, err = s.audience(ctx, tx, a, id); err != nil {
			return err
		}
		d.about(&changed)
		was := audienceFacts(&changed)
		if err := unchanged(a, &changed, p.IfMatch); err != nil {
			return err
		}
		if err := p.apply(a, &changed, s.now()); err != nil {
			return err
		}
		if p.Source != nil {
			if err := s.checkNewSource(ctx, tx, &changed); err != nil {
				return err
			}
		}
		if p.Encryption != nil {
			changed.Source.Encryption = p.Encryption
		}
		if p.Source != nil || p.Encryption != nil {
			if err := s.checkEncryption(ctx, tx, a.Scope, &changed.Source); err != nil {
				return err
			}
		}
		changed.UpdatedBy, changed.UpdatedAt = a.ClientID, s.now()
		d.entry.Label(&changed)
		d.entry.Changes(was, audienceFacts(&changed))
		return absent(tx.UpdateAudience(ctx, changed), "audience", id)
	})
	s.audiences.Clear()
	var taken *meta.DuplicateError
	if errors.As(err, &taken) {
		err = nameTaken(changed, taken.Field)
	}
	if err != nil {
		return audience.Audience{}, err
	}
	if p.Name != nil {
		if err := s.cfg.Lake.Describe(ctx, lake.TableOf(changed.Scope, changed.ID), changed.Name); err != nil && !errors.Is(err, lake.ErrNotExist) {
			s.logOf(a.Scope).Warn("the audience's table keeps the audience's former name until the next run", "audience", changed.ID, "error", err)
		}
	}
	return changed.SeenBy(a.Grants), nil
}

// adding returns the list that results from adding values to replacing, or to current if replacing is nil.
func adding(values []string, replacing *[]string, current []string) *[]string {
	if len(values) == 0 {
		return replacing
	}
	if replacing != nil {
		current = *replacing
	}
	all := slices.Clone(current)
	for _, v := range values {
		if !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return &all
}

// apply checks the patch and applies it to the audience, as far as the actor sees it.
func (p Patch) apply(actor audience.Actor, a *audience.Audience, now time.Time) error {
	var wrong audience.Problems
	labels := []string{}
	if p.Name != nil {
		wrong.Text("name", *p.Name)
		a.Name = *p.Name
	}
	if p.Description != nil {
		wrong.OptionalText("description", *p.Description)
		a.Description = *p.Description
	}
	p.Labels, p.Tags = adding(p.AddLabels, p.Labels, a.Labels), adding(p.AddTags, p.Tags, a.Tags)
	if p.Labels != nil {
		wrong.Labels("labels", *p.Labels)
		a.Labels = *p.Labels
		labels = append(labels, a.Labels...)
	}
	named, index := map[int]int{}, a.FieldIndex()
	for i, f := range p.Fields {
		path := fmt.Sprintf("fields[%d]", i)
		if f.Labels != nil {
			wrong.Labels(path+".labels", *f.Labels)
			labels = append(labels, *f.Labels...)
		}
		n, known := index[audience.NameKey(f.Name)]
		first, again := named[n]
		switch {
		case known && again:
			wrong.Add(path+".name", "is already the field of fields[%d]; give each field once", first)
		case known && actor.Grants.Covers(a.Fields[n].Labels):
			named[n] = i
			f.differs(&wrong, path, &a.Fields[n])
			if f.Labels != nil {
				a.Fields[n].Labels = *f.Labels
			}
		default:
			wrong.Add(path+".name", "the audience has no field %.64q", f.Name)
		}
	}
	if p.TTLDays != nil {
		wrong.TTL(*p.TTLDays)
		a.TTLDays = *p.TTLDays
	}
	if p.Guards != nil {
		wrong.Guards("guards", *p.Guards)
		a.Guards = *p.Guards
	}
	if p.Tags != nil {
		wrong.Tags("tags", *p.Tags)
		a.Tags = *p.Tags
	}
	if p.State != nil {
		if wrong.State("lifecycleState", *p.State); len(wrong) == 0 && !a.State.CanBecome(*p.State) {
			return audience.Errorf(audience.Impossible, "audience %s is %s and cannot become a %s again; make it %s to hide it", a.ID, a.State, *p.State, audience.StateInactive)
		}
		a.State = *p.State
	}
	if p.Source != nil {
		wrong.Source(p.Source)
		a.Source = *p.Source
	}
	if p.Schedule != nil {
		schedule.Check(&wrong, *p.Schedule)
		a.Schedule, a.NextRunAt, a.ScheduleTried = *p.Schedule, schedule.Next(*p.Schedule, now), ""
		a.ScheduleNote = ""
	}
	if p.Payload != nil {
		a.NoPayload = !*p.Payload
	}
	if p.ExpressActivation != nil && *p.ExpressActivation != a.ExpressActivation {
		wrong.Add("expressActivation", "is %t and cannot change; create another audience", a.ExpressActivation)
	}
	if p.KeepRejectedRows != nil {
		a.KeepRejectedRows = *p.KeepRejectedRows
	}
	if err := wrong.Err(); err != nil {
		return err
	}
	return holds(actor, labels)
}

// checkNewSource checks that the audience's source may change to the new one.
func (s *Service) checkNewSource(ctx context.Context, tx meta.Tx, a *audience.Audience) error {
	running, _, err := tx.Runs(ctx, a.Scope, a.ID, audience.InProgress)
	if err != nil {
		return err
	}
	if len(running) > 0 {
		return audience.Errorf(audience.Impossible, "run %s of audience %s is in progress; change the source when it has ended", running[0].ID, a.ID)
	}
	return checkConnection(ctx, tx, a)
}

// unchanged refuses a change if the audience, as the actor sees it, has none of the etags. No etags accept every
// version.
func unchanged(actor audience.Actor, a *audience.Audience, etags []string) error {
	if len(etags) == 0 {
		return nil
	}
	view := a.SeenBy(actor.Grants)
	if slices.Contains(etags, view.Etag()) {
		return nil
	}
	return audience.Errorf(audience.Stale, "audience %s has changed since it was read; read it again", a.ID)
}

// DeleteAudience hides an audience and its runs and enqueues the removal of its data. ifMatch is as in a Patch.
func (s *Service) DeleteAudience(ctx context.Context, a audience.Actor, id audience.ID, ifMatch ...string) (err error) {
	d, err := s.begin(ctx, a, allow(a, toWrite), audience.AudienceDelete, string(id))
	if err != nil {
		return err
	}
	defer d.end(ctx, &err)
	err = d.update(ctx, func(tx meta.Tx) error {
		found, err := s.audience(ctx, tx, a, id)
		if err != nil {
			return err
		}
		d.about(&found)
		d.entry.Changes(audienceFacts(&found), nil)
		if err := unchanged(a, &found, ifMatch); err != nil {
			return err
		}
		if err := tx.DeleteAudience(ctx, a.Scope, found.ID); err != nil {
			return absent(err, "audience", id)
		}
		return s.cfg.Jobs.Enqueue(ctx, tx, job.Job{Kind: job.Cleanup, ID: string(found.ID)})
	})
	s.audiences.Clear()
	return err
}
