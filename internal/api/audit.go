package api

import (
	"context"
	"net/http"
	"time"

	"roster/client"
	"roster/internal/audience"
)

// AuditLog reads the audit log.
type AuditLog interface {
	Audit(ctx context.Context, a audience.Actor, q audience.AuditQuery) ([]audience.AuditEntry, error)
}

// Pages of the audit log.
const (
	defaultAudit = 100
	maxAudit     = 1000
)

// auditPages are the pages of the audit log.
var auditPages = pages{"start", []string{"sandbox", "clientId", "requestId", "object", "action", "outcome", "since", "until"}}

// audit answers a page of the audit log.
func (s *server) audit(c *call) (answer, error) {
	q := c.query()
	after := auditPages.after(q)
	want := audience.AuditQuery{Sandbox: q.Get("sandbox"), ClientID: q.Get("clientId"), RequestID: q.Get("requestId"), Object: q.Get("object"),
		Action: audience.Action(q.Get("action")), Outcome: q.outcome(), Since: q.instant("since"), Until: q.instant("until"), After: after}
	limit := q.limit(defaultAudit, maxAudit)
	for _, name := range []string{"sandbox", "clientId", "requestId", "object", "action"} {
		q.problems.OptionalText(name, q.Get(name))
	}
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	want.Limit = limit + 1 // one more: is there another page?
	list, err := s.Service.Audit(c.Context(), c.actor, want)
	if err != nil {
		return answer{}, err
	}
	body := client.AuditLog{Entries: []client.AuditEntry{}, Page: client.CursorPage{Limit: limit}}
	list, last := page(list, limit)
	if last != nil {
		body.Page.Next = auditPages.next(q, last.At, last.ID)
	}
	for i := range list {
		body.Entries = append(body.Entries, auditBody(&list[i]))
	}
	body.Page.Count = len(list)
	return answer{http.StatusOK, body}, nil
}

func (q *query) outcome() audience.Outcome {
	o := audience.Outcome(q.Get("outcome"))
	if q.Has("outcome") && o != audience.Done && o != audience.Refused {
		q.problems.Add("outcome", "must be %s or %s", audience.Done, audience.Refused)
	}
	return o
}

// instant reads a time; the zero time if the parameter is absent.
func (q *query) instant(name string) time.Time {
	if !q.Has(name) {
		return time.Time{}
	}
	n, err := wholeNumber(q.Get(name))
	t, ok := instant(n)
	if err != nil || !ok {
		q.problems.Add(name, "must be a time in epoch seconds or milliseconds")
	}
	return t
}

func auditBody(e *audience.AuditEntry) client.AuditEntry {
	return client.AuditEntry{ID: e.ID, At: epoch(e.At), ClientID: e.ClientID, RequestID: e.RequestID, Sandbox: e.Sandbox, Action: string(e.Action),
		Object: e.Object, Outcome: string(e.Outcome), ErrorCode: string(e.Code), MissingLabels: e.Missing, Before: e.Before, After: e.After}
}
