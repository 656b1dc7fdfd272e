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

// auditedChange is a requested change with its entry in the audit log. Every use case that changes something begins one
// with the required permission, makes its changes by update, and ends it. So the entry is written in the transaction of
// the change; a change without a transaction also has an entry.
type auditedChange struct {
	s     *Service
	actor audience.Actor
	entry audience.AuditEntry
	kept  bool // the entry is in the log
}

// begin begins an audited change. may is the reason why the actor is not allowed to make it; then the refusal is logged
// and returned. object is the object of the change, as far as it is known.
func (s *Service) begin(ctx context.Context, a audience.Actor, may error, action audience.Action, object string) (*auditedChange, error) {
	d := &auditedChange{s: s, actor: a, entry: audience.NewAuditEntry(a, action, object)}
	if may != nil {
		d.end(ctx, &may)
		return nil, may
	}
	return d, nil
}

// update runs fn in a transaction of the metadata store and adds the entry.
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

// record adds the entry of a completed change.
func (d *auditedChange) record(ctx context.Context, tx meta.AuditLogTx) error {
	e := d.entry
	e.Outcome = audience.Done
	return meta.Record(ctx, tx, e, d.s.now())
}

// decisions are the codes of refusals that are logged. Requests that are not understood and failures of the server are
// not decisions.
var decisions = []audience.Code{audience.Forbidden, audience.NotFound, audience.Duplicate, audience.Stale, audience.Impossible, audience.TooMany}

// unfinished ends an audited change that is only a part of the change in its entry.
func (d *auditedChange) unfinished() { d.kept = true }

// recordWithin limits the time for an entry after the change, or after a refusal.
const recordWithin = 10 * time.Second

// end ends an audited change with the error that its use case returns. It writes the entry unless update has written
// it. A failure to write the entry of a change is an error; a refusal stays a refusal.
// entry cannot be written is an error; a refusal stays what it is.
func (d *auditedChange) end(ctx context.Context, failed *error) {
	if d.kept {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin) // the caller may be gone
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

// about sets the audience of the change.
func (d *auditedChange) about(a *audience.Audience) {
	d.entry.Object = string(a.ID)
	d.entry.Label(a)
}

// maxAudit is the largest number of entries in one request of the audit log.
const maxAudit = 10_000

// Audit lists entries of the audit log, newest first. An administrator of the whole organization sees all of them, one
// of a sandbox those of that sandbox. Entries about objects that the actor does not see omit names and changes.
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
		return nil, fmt.Errorf("look up the labels of the audit log's objects: %w", err)
	}
	if q.Object != "" { // an entry for a name would reveal the name
		list = slices.DeleteFunc(list, func(e audience.AuditEntry) bool { return e.Object == "" })
	}
	return list, nil
}
