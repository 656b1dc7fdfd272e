package control

import (
	"context"
	"strings"

	"roster/internal/audience"
)

// redact removes names and changes from the entries about objects that the actor does not see. The labels at the time
// of the change decide, and for an audience also its current labels, or those at its deletion. The entry itself and the
// id in it stay.
func (s *Service) redact(ctx context.Context, a audience.Actor, list []audience.AuditEntry) error {
	if a.Grants.All() {
		return nil
	}
	later, err := s.labelsNow(ctx, list)
	if err != nil {
		return err
	}
	for i := range list {
		e := &list[i]
		if a.Grants.Covers(e.Labels) && a.Grants.Covers(later[e.Object]) {
			continue
		}
		e.Before, e.After = nil, nil
		if _, id := audience.Canonical(e.Object); !id { // the name of an object that could not be created
			e.Object = ""
		}
	}
	return nil
}

// labelsNow returns the current labels of the audiences in entries, by their ids.
func (s *Service) labelsNow(ctx context.Context, list []audience.AuditEntry) (map[string][]string, error) {
	asked := map[audience.Scope]map[audience.ID]bool{}
	for i := range list {
		e := &list[i]
		kind, _, _ := strings.Cut(string(e.Action), ".")
		id, ok := audience.Canonical(audience.ID(e.Object))
		if !ok || kind != "audience" && kind != "run" {
			continue
		}
		scope := audience.Scope{Org: e.Org, Sandbox: e.Sandbox}
		if asked[scope] == nil {
			asked[scope] = map[audience.ID]bool{}
		}
		asked[scope][id] = true
	}
	labels := map[string][]string{}
	for scope, ids := range asked {
		if err := s.labelsOf(ctx, scope, ids, labels); err != nil {
			return nil, err
		}
	}
	return labels, nil
}

// labelsOf adds the labels of audiences to labels. A deleted audience has the labels in the entry of its deletion.
func (s *Service) labelsOf(ctx context.Context, scope audience.Scope, ids map[audience.ID]bool, labels map[string][]string) error {
	wanted := make([]audience.ID, 0, len(ids))
	for id := range ids {
		wanted = append(wanted, id)
	}
	found, err := s.cfg.Store.AudiencesByID(ctx, scope, wanted)
	if err != nil {
		return err
	}
	for i := range found {
		labels[string(found[i].ID)] = found[i].EveryLabel()
		delete(ids, found[i].ID)
	}
	for id := range ids {
		end, err := s.cfg.Store.Audit(ctx, scope.Org, audience.AuditQuery{Sandbox: scope.Sandbox, Object: string(id), Action: audience.AudienceDelete, Outcome: audience.Done, Limit: 1})
		if err != nil {
			return err
		}
		for i := range end {
			labels[string(id)] = end[i].Labels
		}
	}
	return nil
}
