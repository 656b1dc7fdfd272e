package metatest

import (
	"fmt"

	"roster/internal/audience"
	"roster/internal/meta"
)

// testAudiencesSeen lists audiences as clients with different labels see them.
func testAudiencesSeen(w *world) {
	create := func(w *world, name string, labels ...string) audience.Audience {
		d := w.draft(name)
		d.Labels = labels
		t := w.submit(d, at(0))
		w.finish(t, audience.Success)
		a, err := w.s.Audience(w.Context(), w.scope, t.AudienceID)
		w.must(err)
		return a
	}
	create(w, "both", "core/C1", "custom/x", "core/C1")
	create(w, "none")
	one := create(w, "one", "core/C1")
	gone := create(w, "gone", "core/C1")
	other := &world{T: w.T, s: w.s, scope: audience.Scope{Org: "other", Sandbox: "prod"}}
	create(other, "elsewhere", "core/C1")
	w.update(func(tx meta.Tx) error { return tx.DeleteAudience(w.Context(), w.scope, gone.ID) })

	check := func(want map[string][]string) {
		w.Helper()
		for grants, names := range want {
			g := audience.NewGrants(map[string][]string{"": nil, "C1": {"core/C1"}, "x": {"custom/x"}, "both": {"custom/x", "core/C1"}, "all": {audience.AllLabels}}[grants])
			for _, q := range []audience.AudienceQuery{{}, {NameContains: "o"}, {SortBy: audience.SortName}} {
				q.SeenBy, q.SortBy = &g, audience.SortName
				got, total := w.names(q)
				equal(w, fmt.Sprintf("seen with %q by %+v", grants, q), got, names)
				equal(w, fmt.Sprintf("total with %q by %+v", grants, q), total, len(names))
			}
		}
	}
	check(map[string][]string{"": {"none"}, "C1": {"none", "one"}, "x": {"none"}, "both": {"both", "none", "one"}, "all": {"both", "none", "one"}})
	one.Labels = []string{"custom/x"}
	w.update(func(tx meta.Tx) error { return tx.UpdateAudience(w.Context(), one) })
	check(map[string][]string{"C1": {"none"}, "x": {"none", "one"}, "both": {"both", "none", "one"}})
	one.Labels = nil
	w.update(func(tx meta.Tx) error { return tx.UpdateAudience(w.Context(), one) })
	check(map[string][]string{"": {"none", "one"}})
	got, total, err := other.s.Audiences(w.Context(), other.scope, audience.AudienceQuery{Limit: 9, SeenBy: new(audience.Grants)})
	w.must(err)
	equal(w, "another organization", []int{len(got), total}, []int{0, 0})
}
