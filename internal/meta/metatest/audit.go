package metatest

import (
	"errors"
	"fmt"

	"roster/internal/audience"
	"roster/internal/meta"
)

// entry adds an entry to the audit log of the test's organization.
func (w *world) entry(id string, seconds int) audience.AuditEntry {
	w.Helper()
	e := audience.AuditEntry{ID: id, Org: w.scope.Org, Sandbox: w.scope.Sandbox, At: at(seconds), ClientID: "c1", RequestID: "r-" + id,
		Action: audience.AudienceUpdate, Object: "object", Outcome: audience.Done, Labels: []string{"core/C1"},
		Before: map[string]any{"labels": []any{"core/C1"}, "ttlInDays": 30.0}, After: map[string]any{"labels": nil, "ttlInDays": 1.0}}
	w.update(func(tx meta.Tx) error { return tx.AppendAudit(w.Context(), e) })
	return e
}

func testAudit(w *world) {
	e := w.entry("a", 0)
	refused := audience.AuditEntry{ID: "b", Org: w.scope.Org, At: at(0), ClientID: "c2", Action: audience.ClientDelete, Object: "c1",
		Outcome: audience.Refused, Code: audience.Forbidden, Missing: []string{"custom/x"}}
	w.update(func(tx meta.Tx) error { return tx.AppendAudit(w.Context(), refused) })
	got, err := w.s.Audit(w.Context(), w.scope.Org, audience.AuditQuery{Limit: 10})
	w.must(err)
	equal(w, "entries, the newest first", got, []audience.AuditEntry{refused, e})
	w.refused(meta.ErrDuplicate, func(tx meta.Tx) error { return tx.AppendAudit(w.Context(), e) })
	stop := errors.New("stop")
	w.refused(stop, func(tx meta.Tx) error {
		lost := e
		lost.ID = "lost"
		w.must(tx.AppendAudit(w.Context(), lost))
		return stop
	})
	got, err = w.s.Audit(w.Context(), w.scope.Org, audience.AuditQuery{Limit: 10})
	w.must(err)
	equal(w, "entries after a transaction that was rolled back", len(got), 2)
	got, err = w.s.Audit(w.Context(), "other", audience.AuditQuery{Limit: 10})
	w.must(err)
	equal(w, "entries of another organization", got, nil)
}

func testAuditFilters(w *world) {
	var all []string
	for i := range 6 {
		w.entry(fmt.Sprint("e", i), i/2)
		all = append([]string{fmt.Sprint("e", i)}, all...)
	}
	(&world{T: w.T, s: w.s, scope: audience.Scope{Org: "other", Sandbox: "prod"}}).entry("x", 1)
	other := audience.AuditEntry{ID: "o", Org: w.scope.Org, Sandbox: "dev", At: at(9), ClientID: "c2", RequestID: "r", Action: audience.RunStart, Object: "p",
		Outcome: audience.Refused, Code: audience.NotFound}
	w.update(func(tx meta.Tx) error { return tx.AppendAudit(w.Context(), other) })

	ids := func(q audience.AuditQuery) (ids []string) {
		w.Helper()
		list, err := w.s.Audit(w.Context(), w.scope.Org, q)
		w.must(err)
		for _, e := range list {
			ids = append(ids, e.ID)
		}
		return ids
	}
	for _, c := range []struct {
		query audience.AuditQuery
		want  []string
	}{
		{audience.AuditQuery{Sandbox: "dev"}, []string{"o"}},
		{audience.AuditQuery{ClientID: "c2"}, []string{"o"}},
		{audience.AuditQuery{RequestID: "r-e3"}, []string{"e3"}},
		{audience.AuditQuery{Action: audience.RunStart}, []string{"o"}},
		{audience.AuditQuery{Object: "p"}, []string{"o"}},
		{audience.AuditQuery{Outcome: audience.Refused}, []string{"o"}},
		{audience.AuditQuery{Since: at(1), Until: at(2)}, []string{"e3", "e2"}},
		{audience.AuditQuery{Object: "object", ClientID: "c2"}, nil},
	} {
		c.query.Limit = 10
		equal(w, fmt.Sprintf("%+v", c.query), ids(c.query), c.want)
	}
	var paged []string
	for q := (audience.AuditQuery{Limit: 2, Object: "object"}); ; {
		list, err := w.s.Audit(w.Context(), w.scope.Org, q)
		w.must(err)
		if len(list) == 0 {
			break
		}
		for _, e := range list {
			paged = append(paged, e.ID)
		}
		q.After = &audience.Position{At: list[len(list)-1].At, ID: list[len(list)-1].ID}
	}
	equal(w, "all pages", paged, all)
}
