package control

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

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
const MaxOrdered = 10_000

// maxErasureFacts is the largest number of erasures whose identities an entry of the audit log names.
const maxErasureFacts = 100

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
			list[i].Leader = list[0].ID
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
		}
		return s.cfg.Jobs.Enqueue(ctx, tx, job.OfErasures(a.Scope))
	})
	if err != nil {
		return audience.Erasure{}, err
	}
	var hidden []identity.Key
	for i := range keys {
		hidden = append(hidden, keys[i].All()...)
	}
	return list[0], s.cfg.Profile.RemoveIdentities(ctx, sandbox.Num, hidden)
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
	if len(list) > maxErasureFacts {
		return map[string]any{"identities": len(list)}
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
	if err != nil {
		return e, absent(err, "erasure", id)
	}
	var dropped []audience.DroppedVersion
	for _, by := range leadersOf(e) {
		some, err := s.cfg.Store.VersionsDroppedBy(ctx, by)
		if err != nil {
			return audience.Erasure{}, err
		}
		dropped = append(dropped, some...)
	}
	leader, err := s.leaderOf(ctx, e)
	return e.With(leader, dropped).SeenBy(a.Grants), err
}

// leadersOf returns the leaders of the erasures that removed the versions of an erasure.
func leadersOf(e audience.Erasure) (leaders []audience.ErasureID) {
	for _, a := range e.Progress.Audiences {
		if a.By != "" && !slices.Contains(leaders, a.By) {
			leaders = append(leaders, a.By)
		}
	}
	return leaders
}

// leaderOf returns the leader of a PROCESSING erasure, nil if that is the erasure itself.
func (s *Service) leaderOf(ctx context.Context, e audience.Erasure) (*audience.Erasure, error) {
	if e.Leader == "" || e.Leader == e.ID || e.Status != audience.Processing {
		return nil, nil
	}
	leader, err := s.cfg.Store.Erasure(ctx, e.Scope, e.Leader)
	return &leader, err
}

// OrderState returns how many erasures of a work order are PROCESSING, and when one of them last changed.
func (s *Service) OrderState(ctx context.Context, a audience.Actor, order *audience.WorkOrder) (processing int, updated time.Time, err error) {
	if err := allow(a, toAdminister); err != nil {
		return 0, updated, err
	}
	return s.cfg.Store.ErasuresOf(ctx, a.Scope, order.Erasures)
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
	if err != nil {
		return nil, err
	}
	leaders := map[audience.ErasureID]*audience.Erasure{}
	for i, e := range list {
		leader, ok := leaders[e.Leader]
		if !ok {
			if leader, err = s.leaderOf(ctx, e); err != nil {
				return nil, err
			}
			if leader != nil {
				leaders[e.Leader] = leader
			}
		}
		if e.Status != audience.Processing || e.Leader == e.ID {
			leader = nil
		}
		list[i] = e.With(leader, nil).SeenBy(a.Grants)
	}
	return list, nil
}
