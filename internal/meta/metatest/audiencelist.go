package metatest

import (
	"fmt"
	"slices"
	"strings"

	"roster/internal/audience"
	"roster/internal/meta"
)

// names lists up to ten audiences that a query selects, by their names.
func (w *world) names(q audience.AudienceQuery) (names []string, total int) {
	w.Helper()
	q.Limit = 10
	list, total, err := w.s.Audiences(w.Context(), w.scope, q)
	w.must(err)
	names = []string{}
	for _, a := range list {
		names = append(names, a.Name)
	}
	return names, total
}

func testAudienceList(w *world) {
	got, total, err := w.s.Audiences(w.Context(), w.scope, audience.AudienceQuery{Limit: 10})
	w.must(err)
	equal(w, "an empty list", []int{len(got), total}, []int{0, 0})

	var all []audience.Audience
	for i := range 5 {
		all = append(all, w.audienceAt(numbered("a", i), at(i/2))) // pairs at one time
	}
	slices.SortFunc(all, func(a, b audience.Audience) int {
		if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
			return c
		}
		if a.ID > b.ID {
			return -1
		}
		return 1
	})
	for _, c := range []struct {
		name  string
		query audience.AudienceQuery
		want  []audience.Audience
		total int
	}{
		{"all", audience.AudienceQuery{Limit: 10, Descending: true}, all, 5},
		{"a page", audience.AudienceQuery{Limit: 2, Offset: 1, SortBy: audience.SortCreated, Descending: true}, all[1:3], 5},
		{"past the end", audience.AudienceQuery{Limit: 2, Offset: 5}, nil, 5},
		{"no total", audience.AudienceQuery{Limit: 1, Descending: true, NoTotal: true}, all[:1], 0},
		{"a page after a place", audience.AudienceQuery{Limit: 1, Offset: 1, Descending: true,
			After: &audience.Position{At: all[1].CreatedAt, ID: string(all[1].ID)}}, all[3:4], 5},
	} {
		got, total, err := w.s.Audiences(w.Context(), w.scope, c.query)
		w.must(err)
		equal(w, c.name, got, c.want)
		equal(w, c.name+": total", total, c.total)
	}
}

func testAudienceOrders(w *world) {
	w.audienceAt("Zoë", at(1))
	w.audienceAt("alpha 10", at(2))
	beta := w.audienceAt("Beta", at(3))
	w.audienceAt("alpha-2", at(4))
	w.audienceAt("ÉTÉ", at(5))
	beta.UpdatedAt = at(9)
	w.update(func(tx meta.Tx) error { return tx.UpdateAudience(w.Context(), beta) })

	for by, want := range map[string][]string{
		audience.SortCreated: {"Zoë", "alpha 10", "Beta", "alpha-2", "ÉTÉ"},
		audience.SortName:    {"alpha 10", "alpha-2", "Beta", "Zoë", "ÉTÉ"}, // by the bytes of what ignores case
	} {
		got, _ := w.names(audience.AudienceQuery{SortBy: by})
		equal(w, by, got, want)
		slices.Reverse(want)
		got, _ = w.names(audience.AudienceQuery{SortBy: by, Descending: true})
		equal(w, by+", descending", got, want)
	}
	got, _ := w.names(audience.AudienceQuery{SortBy: audience.SortUpdated, Descending: true})
	equal(w, "updated last", got[0], "Beta")
	if _, _, err := w.s.Audiences(w.Context(), w.scope, audience.AudienceQuery{Limit: 1, SortBy: "size"}); err == nil {
		w.Fatal("a list was sorted by size")
	}
}

// testAudiencePages reads lists from place to place while audiences come and go.
func testAudiencePages(w *world) {
	for _, q := range []audience.AudienceQuery{
		{Limit: 2, SortBy: audience.SortCreated}, {Limit: 2, SortBy: audience.SortCreated, Descending: true},
		{Limit: 2, SortBy: audience.SortUpdated}, {Limit: 2, SortBy: audience.SortName}, {Limit: 2, SortBy: audience.SortName, Descending: true},
	} {
		own := w.scope
		own.Sandbox = id()
		w := &world{T: w.T, s: w.s, scope: own}
		doomed := w.audienceAt("doomed", at(3))
		stay := map[string]bool{}
		for i := range 7 {
			a := w.audienceAt(numbered("a", i), at(i/3))
			stay[a.Name] = true
		}
		var seen []string
		for page := 0; ; page++ {
			list, _, err := w.s.Audiences(w.Context(), w.scope, q)
			w.must(err)
			if len(list) == 0 {
				break
			}
			for _, a := range list {
				seen = append(seen, a.Name)
			}
			last := list[len(list)-1]
			q.After = &audience.Position{At: last.CreatedAt, Name: last.Name, ID: string(last.ID)}
			if q.SortBy == audience.SortUpdated {
				q.After.At = last.UpdatedAt
			}
			if page == 0 {
				w.update(func(tx meta.Tx) error { return tx.DeleteAudience(w.Context(), w.scope, doomed.ID) })
			}
			if page < 3 { // at both ends of the list
				w.audienceAt(numbered("0", page), at(-page))
				w.audienceAt(numbered("z", page), at(9+page))
			}
		}
		for name := range stay {
			first := slices.Index(seen, name)
			if first < 0 || slices.Contains(seen[first+1:], name) {
				w.Fatalf("%+v: %s is not once in %q", q, name, seen)
			}
		}
	}
}

func testAudienceFilters(w *world) {
	create := func(name, custom, description, namespace, by string) audience.Audience {
		d := w.draft(name)
		d.CustomID, d.Description, d.Namespace, d.CreatedBy = custom, description, namespace, by
		if by == "bob" {
			d.AudienceType = "account"
		}
		t := w.submit(d, at(0))
		w.finish(t, audience.Success)
		a, err := w.s.Audience(w.Context(), w.scope, t.AudienceID)
		w.must(err)
		return a
	}
	a := create("100% Åsa_1", "", "First OF ~all~", "CustomerAudienceUpload", "ada")
	b := create("100x Äsa-1", "custom", "second", "Other", "bob")
	c := create("gone", "gone", "first", "Other", "bob")
	b.State, b.Tags, b.Labels = audience.StateDraft, []string{`x","Sale`, "a,", "100%"}, []string{"core/C1", "custom/x"}
	w.update(func(tx meta.Tx) error { return tx.UpdateAudience(w.Context(), b) })
	w.submit(w.draft("first in progress"), at(1))
	w.update(func(tx meta.Tx) error { return tx.DeleteAudience(w.Context(), w.scope, c.ID) })

	is := func(property, value string) audience.AudienceQuery {
		return audience.AudienceQuery{Filters: []audience.AudienceFilter{{Property: property, Value: value}}}
	}
	both, none := []string{a.Name, b.Name}, []string{}
	for _, c := range []struct {
		query audience.AudienceQuery
		want  []string
	}{
		{audience.AudienceQuery{NameContains: "100"}, both},
		{audience.AudienceQuery{NameContains: "åSA"}, both[:1]},
		{audience.AudienceQuery{NameContains: "0% "}, both[:1]},
		{audience.AudienceQuery{NameContains: "a_1"}, both[:1]},
		{audience.AudienceQuery{NameContains: "a%1"}, none},
		{audience.AudienceQuery{NameContains: "GONE"}, none},
		{audience.AudienceQuery{NameContains: "' OR 1=1 --"}, none},
		{audience.AudienceQuery{DescriptionContains: "first of ~ALL"}, both[:1]},
		{audience.AudienceQuery{DescriptionContains: "~~"}, none},
		{audience.AudienceQuery{NameContains: "100", DescriptionContains: "SECOND"}, both[1:]},
		{is("id", string(a.ID)), both[:1]},
		{is("audienceId", string(a.ID)), both[:1]},
		{is("audienceId", "custom"), both[1:]},
		{is("audienceId", string(b.ID)), none},
		{is("audienceId", "gone"), none},
		{is("name", a.Name), both[:1]},
		{is("name", "100% åsa_1"), none},
		{is("name", "first in progress"), none},
		{is("namespace", "Other"), both[1:]},
		{is("originName", audience.OriginUpload), both},
		{is("type", audience.TypeExternal), both},
		{is("type", "SegmentDefinition"), none},
		{is("audienceType", audience.TypePeople), both[:1]},
		{is("audienceType", "account"), both[1:]},
		{is("audienceType", "accounts"), none},
		{is("entityType", audience.EntityPeople), both[:1]},
		{is("entityType", audience.EntityAccounts), both[1:]},
		{audience.AudienceQuery{Filters: is("entityType", audience.EntityPeople).Filters, SeenBy: &audience.Grants{"core/C1"}}, both[:1]},
		{audience.AudienceQuery{Filters: is("entityType", audience.EntityAccounts).Filters, SeenBy: &audience.Grants{"core/C1"}}, none},
		{is("entityType", "profile"), none},
		{is("lifecycleState", "published"), both[:1]},
		{is("lifecycleState", "draft"), both[1:]},
		{is("lifecycleState", "deleted"), none},
		{is("createdBy", "bob"), both[1:]},
		{is("tags", "100%"), both[1:]},
		{is("tags", "a,"), both[1:]},
		{is("tags", `x","Sale`), both[1:]},
		{is("tags", "Sale"), none},
		{is("tags", "A,"), none},
		{is("tags", ""), none},
		{is("labels", "custom/x"), both[1:]},
		{is("labels", "custom"), none},
		{audience.AudienceQuery{Filters: []audience.AudienceFilter{{Property: "createdBy", Value: "bob"}, {Property: "namespace", Value: "CustomerAudienceUpload"}}}, none},
	} {
		c.query.SortBy = audience.SortName
		names, total := w.names(c.query)
		equal(w, fmt.Sprintf("%+v", c.query), names, c.want)
		equal(w, fmt.Sprintf("%+v: total", c.query), total, len(c.want))
	}
	labels, err := w.s.Labels(w.Context(), w.scope)
	w.must(err)
	equal(w, "labels in use", labels, []string{"core/C1", "custom/x"})
	if _, _, err := w.s.Audiences(w.Context(), w.scope, is("size", "1")); err == nil {
		w.Fatal("a list was filtered by size")
	}
}

func testAudiencesByID(w *world) {
	a, b, gone := w.audience("a"), w.audience("b"), w.audience("gone")
	w.update(func(tx meta.Tx) error { return tx.DeleteAudience(w.Context(), w.scope, gone.ID) })
	got, err := w.s.AudiencesByID(w.Context(), w.scope, []audience.ID{b.ID, gone.ID, "no", a.ID})
	w.must(err)
	slices.SortFunc(got, func(a, b audience.Audience) int { return strings.Compare(a.Name, b.Name) })
	equal(w, "audiences", got, []audience.Audience{a, b})
	got, err = w.s.AudiencesByID(w.Context(), audience.Scope{Org: w.scope.Org, Sandbox: "dev"}, []audience.ID{a.ID})
	w.must(err)
	equal(w, "audiences of another sandbox", got, nil)
	got, err = w.s.AudiencesByID(w.Context(), w.scope, nil)
	w.must(err)
	equal(w, "no audiences", got, nil)
}
