package control

import (
	"context"
	"fmt"

	"roster/internal/audience"
	"roster/internal/meta"
	"roster/internal/queue"
)

// Patch changes an audience; what is nil stays as it is, what is named is replaced whole.
type Patch struct {
	Description *string
	Labels      *[]string
	Fields      []FieldPatch
	TTLDays     *int
	Guards      *audience.Guards

	KeepRejectedRows *bool
}

// FieldPatch replaces the labels of the field with that name.
type FieldPatch struct {
	Name   string
	Labels []string
}

// Audience returns one audience.
func (s *Service) Audience(ctx context.Context, a audience.Actor, id audience.ID) (audience.Audience, error) {
	if err := allow(a, toRead); err != nil {
		return audience.Audience{}, err
	}
	return s.audience(ctx, s.cfg.Store, a.Scope, id)
}

func (s *Service) audience(ctx context.Context, r meta.Reader, scope audience.Scope, id audience.ID) (audience.Audience, error) {
	key, ok := canonical(id)
	if !ok {
		return audience.Audience{}, notFound("audience", id)
	}
	found, err := r.Audience(ctx, scope, key)
	return found, absent(err, "audience", id)
}

// Audiences lists audiences, newest first, and says how many there are in all.
func (s *Service) Audiences(ctx context.Context, a audience.Actor, offset, limit int) ([]audience.Audience, int, error) {
	if err := allow(a, toRead); err != nil {
		return nil, 0, err
	}
	return s.cfg.Store.Audiences(ctx, a.Scope, offset, limit)
}

// UpdateAudience changes an audience. Current members expire by a new TTL at once, counted from the run that
// last brought them.
func (s *Service) UpdateAudience(ctx context.Context, a audience.Actor, id audience.ID, p Patch) (audience.Audience, error) {
	if err := allow(a, toWrite); err != nil {
		return audience.Audience{}, err
	}
	var changed audience.Audience
	err := s.cfg.Store.Update(ctx, func(tx meta.Tx) (err error) {
		if changed, err = s.audience(ctx, tx, a.Scope, id); err != nil {
			return err
		}
		if err := p.apply(&changed); err != nil {
			return err
		}
		changed.UpdatedBy, changed.UpdatedAt = a.ClientID, s.now()
		return absent(tx.UpdateAudience(ctx, changed), "audience", id)
	})
	s.audiences.forget()
	if err != nil {
		return audience.Audience{}, err
	}
	return changed, nil
}

// apply checks the patch and changes the audience by it.
func (p Patch) apply(a *audience.Audience) error {
	var wrong audience.Problems
	if p.Description != nil {
		wrong.OptionalText("description", *p.Description)
		a.Description = *p.Description
	}
	if p.Labels != nil {
		wrong.Labels("labels", *p.Labels)
		a.Labels = *p.Labels
	}
	for i, f := range p.Fields {
		path := fmt.Sprintf("fields[%d]", i)
		wrong.Labels(path+".labels", f.Labels)
		if n := a.FieldNamed(f.Name); n >= 0 {
			a.Fields[n].Labels = f.Labels
		} else {
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
	if p.KeepRejectedRows != nil {
		a.KeepRejectedRows = *p.KeepRejectedRows
	}
	return wrong.Err()
}

// DeleteAudience hides an audience and its runs from everybody and enqueues the removal of its data.
func (s *Service) DeleteAudience(ctx context.Context, a audience.Actor, id audience.ID) error {
	if err := allow(a, toWrite); err != nil {
		return err
	}
	key, ok := canonical(id)
	if !ok {
		return notFound("audience", id)
	}
	err := s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
		if err := tx.DeleteAudience(ctx, a.Scope, key); err != nil {
			return absent(err, "audience", id)
		}
		return s.enqueue(ctx, tx, queue.Job{Kind: queue.SweepJob, ID: string(key)})
	})
	s.audiences.forget()
	return err
}
