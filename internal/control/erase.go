package control

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/job"
	"roster/internal/meta"
	"roster/internal/profile"
)

// MaxErasures is the largest number of erasures in one request.
const MaxErasures = 100

// MaxOrdered is the largest number of identities of a work order.
const MaxOrdered = 100

// Erase begins to erase an identity from all audiences of the actor's sandbox. When it returns, look-ups no longer find
// the identity; a job does the rest.
func (s *Service) Erase(ctx context.Context, a audience.Actor, who IdentityRef) (audience.Erasure, error) {
	return s.eraseAll(ctx, a, []IdentityRef{who}, nil)
}

// Order begins to erase the identities of a work order, and returns the first erasure, which refers to the order.
func (s *Service) Order(ctx context.Context, a audience.Actor, who []IdentityRef, order audience.WorkOrder) (audience.Erasure, error) {
	return s.eraseAll(ctx, a, who, &order)
}

// eraseAll begins an erasure of each identity, of all or of none, and returns the first one.
func (s *Service) eraseAll(ctx context.Context, a audience.Actor, who []IdentityRef, order *audience.WorkOrder) (first audience.Erasure, err error) {
	d, err := s.begin(ctx, a, allow(a, toAdminister), audience.ErasureCreate, who[0].Namespace)
	if err != nil {
		return audience.Erasure{}, err
	}
	defer d.end(ctx, &err)
	found, keys, err := s.identify(ctx, a.Scope.Org, who)
	if err != nil {
		return audience.Erasure{}, err
	}
	sandbox, err := s.sandboxes.Get(ctx, a.Scope, s.cfg.Store.Sandbox)
	if err != nil {
		return audience.Erasure{}, fmt.Errorf("sandbox %q: %w", a.Scope.Sandbox, err)
	}
	list := make([]audience.Erasure, len(who))
	for i := range list {
		if list[i], err = s.newErasure(ctx, a, sandbox.Num, &found[i], keys[i], who[i]); err != nil {
			return audience.Erasure{}, err
		}
		if order != nil {
			order.Erasures = append(order.Erasures, list[i].ID)
		}
	}
	list[0].Progress.Order = order
	d.entry.Object = string(list[0].ID)
	d.entry.Changes(nil, erasureFacts(list))
	err = d.update(ctx, func(tx meta.Tx) error {
		if err := openSandbox(ctx, tx, a.Scope); err != nil {
			return err
		}
		for _, e := range list {
			if err := tx.CreateErasure(ctx, e); err != nil {
				return err
			}
			if err := s.cfg.Jobs.Enqueue(ctx, tx, job.Job{Kind: job.Erase, ID: string(e.ID)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return audience.Erasure{}, err
	}
	for i := range keys {
		for _, key := range keys[i].All() {
			if err := s.cfg.Profile.RemoveIdentity(ctx, sandbox.Num, key); err != nil {
				return list[0], err
			}
		}
	}
	return list[0], nil
}

// newErasure returns the erasure of a resolved identity.
func (s *Service) newErasure(ctx context.Context, a audience.Actor, sandbox uint32, found *Profile, keys identity.Keys, who IdentityRef) (audience.Erasure, error) {
	now := s.now()
	e := audience.Erasure{ID: audience.ErasureID(uuid.NewString()), Scope: a.Scope, Namespace: found.Identity.Namespace, XID: found.XID,
		Status: audience.Processing, CreatedBy: a.ClientID, CreatedAt: now, UpdatedAt: now, Version: 1}
	var err error
	if e.Progress.Members, err = s.membersFound(ctx, sandbox, keys); err != nil {
		return e, err
	}
	e.Sealed, err = s.sealIdentity(e.ID, audience.ErasedIdentity{Normal: []byte(found.Identity.ID), Given: []byte(who.ID)})
	return e, err
}

// erasureFacts returns the properties of new erasures for the audit log.
func erasureFacts(list []audience.Erasure) map[string]any {
	if len(list) == 1 {
		return map[string]any{"namespace": list[0].Namespace, "xid": list[0].XID}
	}
	xids := make([]string, len(list))
	for i, e := range list {
		xids[i] = e.Namespace + " " + e.XID
	}
	return map[string]any{"xids": xids}
}

// membersFound returns the members that an identity finds although it is not their primary one.
func (s *Service) membersFound(ctx context.Context, sandbox uint32, id identity.Keys) (members []audience.ErasedMember, err error) {
	for _, k := range id.All() {
		err := s.cfg.Profile.Sharing(ctx, sandbox, k, func(m profile.Membership) error {
			if m.Member != id.Key {
				members = append(members, audience.ErasedMember{Audience: m.Audience, Key: hex.EncodeToString(m.Member[:])})
			}
			return nil
		})
		if err := lookedUp(err); err != nil {
			return nil, err
		}
	}
	return members, nil
}

func (s *Service) sealIdentity(id audience.ErasureID, who audience.ErasedIdentity) (string, error) {
	text, err := json.Marshal(who)
	if err != nil {
		return "", err
	}
	sealed, err := s.cfg.Sealer.Seal(text, meta.SealedErasure.Place(string(id)))
	if err != nil {
		return "", fmt.Errorf("seal the identity of erasure %s: %w", id, err)
	}
	return sealed, nil
}

// Erasure returns an erasure of the actor's sandbox.
func (s *Service) Erasure(ctx context.Context, a audience.Actor, id audience.ErasureID) (audience.Erasure, error) {
	if err := allow(a, toAdminister); err != nil {
		return audience.Erasure{}, err
	}
	key, ok := audience.Canonical(id)
	if !ok {
		return audience.Erasure{}, notFound("erasure", id)
	}
	e, err := s.cfg.Store.Erasure(ctx, a.Scope, key)
	return e.SeenBy(a.Grants), absent(err, "erasure", id)
}

// Certificate returns the certificate of an erasure of the actor's sandbox.
func (s *Service) Certificate(ctx context.Context, a audience.Actor, id audience.ErasureID) (audience.Certificate, error) {
	e, err := s.Erasure(ctx, a, id)
	if err != nil {
		return audience.Certificate{}, err
	}
	return e.Certificate()
}

// Erasures lists the erasures of the actor's sandbox, the newest first, after a position in the list.
func (s *Service) Erasures(ctx context.Context, a audience.Actor, after *audience.Position, limit int) ([]audience.Erasure, error) {
	if err := allow(a, toAdminister); err != nil {
		return nil, err
	}
	list, err := s.cfg.Store.Erasures(ctx, a.Scope, after, limit)
	for i := range list {
		list[i] = list[i].SeenBy(a.Grants)
	}
	return list, err
}
