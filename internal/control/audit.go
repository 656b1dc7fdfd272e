package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"roster/internal/audience"
	"roster/internal/meta"
)

// auditedChange is a change that somebody asks for, with its entry in the audit log. Every use case that changes something
// begins one with the permission that it needs, makes its changes by update, and ends it. So the entry is written in
// the transaction of the change, and a change without a transaction has one as well.
type auditedChange struct {
	s     *Service
	actor audience.Actor
	entry audience.AuditEntry
	kept  bool // the entry is in the log
}

// begin begins an audited change. may says why the actor must not do it; then the refusal goes into the log and is returned.
// object is what the change is about, as far as it is known.
func (s *Service) begin(ctx context.Context, a audience.Actor, may error, action audience.Action, object string) (*auditedChange, error) {
	d := &auditedChange{s: s, actor: a, entry: audience.NewAuditEntry(a, action, object)}
	if may != nil {
		d.end(ctx, &may)
		return nil, may
	}
	return d, nil
}

// update runs fn in a transaction of the metadata store, with the entry.
func (d *auditedChange) update(ctx context.Context, fn func(tx meta.Tx) error) error {
	err := d.s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return d.record(ctx, tx)
	})
	d.kept = err == nil
	return err
}

// record adds the entry of an audited change that is done.
func (d *auditedChange) record(ctx context.Context, tx meta.AuditLogTx) error {
	e := d.entry
	e.Outcome = audience.Done
	return meta.Record(ctx, tx, e, d.s.now())
}

// decisions are the codes of refusals that go into the log. Requests that are not understood and failures of the
// server decide nothing.
var decisions = []audience.Code{audience.Forbidden, audience.NotFound, audience.Duplicate, audience.Stale, audience.Impossible, audience.TooMany}

// unfinished ends an audited change that is only a part of what its entry will tell.
func (d *auditedChange) unfinished() { d.kept = true }

// recordWithin is how long an entry may take that is written after the change, or after a refusal.
const recordWithin = 10 * time.Second

// end ends an audited change with the error that its use case returns. It writes the entry unless update did. A change whose
// entry cannot be written is an error; a refusal stays what it is.
func (d *auditedChange) end(ctx context.Context, failed *error) {
	if d.kept {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin) // who asked may be gone
	defer cancel()
	switch code := audience.CodeOf(*failed); {
	case *failed == nil:
		*failed = d.s.cfg.Store.Update(ctx, func(tx meta.Tx) error { return d.record(ctx, tx) })
	case slices.Contains(decisions, code):
		e := d.entry
		e.Outcome, e.Code, e.Before, e.After = audience.Refused, code, nil, nil
		var want *lacking
		if errors.As(*failed, &want) {
			e.Missing = want.labels
		}
		if err := d.s.cfg.Store.Update(ctx, func(tx meta.Tx) error { return meta.Record(ctx, tx, e, d.s.now()) }); err != nil {
			d.s.logOf(d.actor.Scope).Error("a refusal is not in the audit log", "action", e.Action, "client", e.ClientID, "request", e.RequestID, "error", err)
		}
	}
}

// about says which audience the change is about.
func (d *auditedChange) about(a *audience.Audience) {
	d.entry.Object = string(a.ID)
	d.entry.Label(a)
}

// maxAudit is how many entries of the audit log can be asked for at once.
const maxAudit = 10_000

// Audit lists entries of the audit log, newest first. An administrator of the whole organization sees all of them,
// one of a sandbox those of that sandbox. Names and what changed are left out of entries about what the actor does not see.
func (s *Service) Audit(ctx context.Context, a audience.Actor, q audience.AuditQuery) ([]audience.AuditEntry, error) {
	if err := allow(a, toAdminister); err != nil {
		return nil, err
	}
	if q.Limit < 1 || q.Limit > maxAudit {
		return nil, audience.InvalidField("limit", "must be from 1 to %d", maxAudit)
	}
	if administers(a) != nil {
		if q.Sandbox != "" && q.Sandbox != a.Scope.Sandbox {
			return nil, audience.Errorf(audience.Forbidden, "the API client administers sandbox %q only", a.Scope.Sandbox)
		}
		q.Sandbox = a.Scope.Sandbox
	}
	list, err := s.cfg.Store.Audit(ctx, a.Scope.Org, q)
	if err != nil {
		return nil, err
	}
	if err := s.redact(ctx, a, list); err != nil {
		return nil, fmt.Errorf("look up the labels of what the audit log is about: %w", err)
	}
	if q.Object != "" { // that there is an entry about a name would tell the name
		list = slices.DeleteFunc(list, func(e audience.AuditEntry) bool { return e.Object == "" })
	}
	return list, nil
}
