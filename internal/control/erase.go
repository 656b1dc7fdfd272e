package control

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/meta"
	"roster/internal/profile"
	"roster/internal/queue"
)

// erasedAtOnce is how many audiences an erasure looks at between two notes of how far it has come.
const erasedAtOnce = 100

// MaxErasures is how many erasures can be asked for at once.
const MaxErasures = 100

// forgottenIdentity is what an erasure keeps sealed while it is under way.
type forgottenIdentity struct {
	Normal []byte `json:"normal"`
	Given  []byte `json:"given"`
}

// MaxOrdered is how many identities a work order may have.
const MaxOrdered = 100

// Erase begins to take an identity out of all audiences of the actor's sandbox. A look-up of it finds nothing when this
// returns; a job does the rest.
func (s *Service) Erase(ctx context.Context, a audience.Actor, who IdentityRef) (audience.Erasure, error) {
	return s.eraseAll(ctx, a, []IdentityRef{who}, nil)
}

// Order begins to take the identities of a work order out, and returns the first erasure, which knows of the order.
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
	sandbox, err := s.sandboxes.get(ctx, a.Scope)
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
	d.changes(nil, erasureFacts(list))
	err = d.update(ctx, func(tx meta.Tx) error {
		if err := openSandbox(ctx, tx, a.Scope); err != nil {
			return err
		}
		for _, e := range list {
			if err := tx.CreateErasure(ctx, e); err != nil {
				return err
			}
			if err := s.enqueue(ctx, tx, queue.Job{Kind: queue.EraseJob, ID: string(e.ID)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return audience.Erasure{}, err
	}
	for i := range keys {
		if err := s.forget(ctx, sandbox.Num, keys[i]); err != nil {
			return list[0], err
		}
	}
	return list[0], nil
}

// newErasure is the erasure of an identity that was found.
func (s *Service) newErasure(ctx context.Context, a audience.Actor, sandbox uint32, found *Profile, keys identityKeys, who IdentityRef) (audience.Erasure, error) {
	now := s.now()
	e := audience.Erasure{ID: audience.ErasureID(uuid.NewString()), Scope: a.Scope, Namespace: found.Identity.Namespace, XID: found.XID,
		Status: audience.Processing, CreatedBy: a.ClientID, CreatedAt: now, UpdatedAt: now, Version: 1}
	var err error
	if e.Progress.Members, err = s.membersFound(ctx, sandbox, keys); err != nil {
		return e, err
	}
	e.Sealed, err = s.sealIdentity(e.ID, forgottenIdentity{Normal: []byte(found.Identity.ID), Given: []byte(who.ID)})
	return e, err
}

// erasureFacts are what the audit log tells of new erasures.
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

// membersFound returns the members whom an identity finds that is not their primary one.
func (s *Service) membersFound(ctx context.Context, sandbox uint32, id identityKeys) (members []audience.ErasedMember, err error) {
	keys := []profile.Key{id.key}
	if id.former != id.key {
		keys = append(keys, id.former)
	}
	for _, k := range keys {
		err := s.cfg.Profile.Sharing(ctx, sandbox, k, func(m profile.Membership) error {
			if m.Member != id.key {
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

// forget makes look-ups of an identity find nothing.
func (s *Service) forget(ctx context.Context, sandbox uint32, id identityKeys) error {
	if err := s.cfg.Profile.Forget(ctx, sandbox, id.key); err != nil || id.former == id.key {
		return err
	}
	return s.cfg.Profile.Forget(ctx, sandbox, id.former)
}

func erasurePlace(id audience.ErasureID) string { return "erasure " + string(id) }

func (s *Service) sealIdentity(id audience.ErasureID, who forgottenIdentity) (string, error) {
	text, err := json.Marshal(who)
	if err != nil {
		return "", err
	}
	sealed, err := s.cfg.Sealer.Seal(text, erasurePlace(id))
	if err != nil {
		return "", fmt.Errorf("seal the identity of erasure %s: %w", id, err)
	}
	return sealed, nil
}

// openIdentity returns whom an erasure is of. The normal form is that of now, whatever Roster began the erasure.
func (s *Service) openIdentity(e *audience.Erasure) (who forgottenIdentity, err error) {
	text, err := s.cfg.Sealer.Open(e.Sealed, erasurePlace(e.ID))
	if err != nil {
		return who, err
	}
	if err := json.Unmarshal(text, &who); err != nil {
		return who, errors.New("its identity cannot be read")
	}
	who.Normal = identity.Normalise(e.Namespace, who.Given, nil)
	return who, nil
}

// Erasure returns an erasure of the actor's sandbox.
func (s *Service) Erasure(ctx context.Context, a audience.Actor, id audience.ErasureID) (audience.Erasure, error) {
	if err := allow(a, toAdminister); err != nil {
		return audience.Erasure{}, err
	}
	key, ok := canonical(id)
	if !ok {
		return audience.Erasure{}, notFound("erasure", id)
	}
	e, err := s.cfg.Store.Erasure(ctx, a.Scope, key)
	return e.SeenBy(a.Grants), absent(err, "erasure", id)
}

// Erasures lists the erasures of the actor's sandbox, the newest first, after a place in the list.
func (s *Service) Erasures(ctx context.Context, a audience.Actor, after *meta.ErasurePlace, limit int) ([]audience.Erasure, error) {
	if err := allow(a, toAdminister); err != nil {
		return nil, err
	}
	list, err := s.cfg.Store.Erasures(ctx, a.Scope, after, limit)
	for i := range list {
		list[i] = list[i].SeenBy(a.Grants)
	}
	return list, err
}
