package metatest

import (
	"fmt"

	"roster/internal/audience"
	"roster/internal/meta"
)

func testOrganizations(w *world) {
	got, err := w.s.Organizations(w.Context())
	w.must(err)
	equal(w, "organizations of an empty store", got, nil)
	for _, org := range []string{"b", "B", "a"} {
		w.update(func(tx meta.Tx) error { return tx.CreateOrganization(w.Context(), org) })
	}
	got, err = w.s.Organizations(w.Context())
	w.must(err)
	equal(w, "organizations", got, []string{"B", "a", "b"})
	w.refused(meta.ErrDuplicate, func(tx meta.Tx) error { return tx.CreateOrganization(w.Context(), "a") })
}

func testNamespaces(w *world) {
	create := func(org, code string) audience.Namespace {
		n := audience.Namespace{Code: code, Name: code + " numbers", Description: "of the shop", IDType: "Cross_device"}
		w.update(func(tx meta.Tx) error { return tx.CreateNamespace(w.Context(), org, &n) })
		if n.ID < 10_000 || !n.Custom {
			w.Fatalf("a custom namespace became %+v", n)
		}
		return n
	}
	loyalty, airport := create("org", "Loyalty"), create("org", "Airport")
	elsewhere := create("other", "Loyalty")
	if loyalty.ID == airport.ID || loyalty.ID == elsewhere.ID {
		w.Fatal("ids are not unique")
	}
	got, err := w.s.Namespaces(w.Context(), "org")
	w.must(err)
	equal(w, "namespaces", got, []audience.Namespace{airport, loyalty})
	got, err = w.s.Namespaces(w.Context(), "nobody")
	w.must(err)
	equal(w, "namespaces of nobody", got, nil)
	w.refused(meta.ErrDuplicate, func(tx meta.Tx) error {
		return tx.CreateNamespace(w.Context(), "org", &audience.Namespace{Code: "LOYALTY"})
	})
}

func (w *world) connection(name string, created int) audience.Connection {
	w.Helper()
	c := audience.Connection{ID: audience.ConnectionID(id()), Scope: w.scope, Name: name, Description: "files", SpecID: audience.SpecLocal,
		SpecVersion: "1.0", AuthSpec: "none", Params: map[string]string{"root": "/data"}, Sealed: "sealed", Etag: id(), Version: 1, State: "enabled",
		CreatedBy: "client", CreatedAt: at(created), UpdatedBy: "client", UpdatedAt: at(created)}
	w.update(func(tx meta.Tx) error { return tx.CreateConnection(w.Context(), c) })
	return c
}

func testConnections(w *world) {
	_, err := w.s.Connection(w.Context(), w.scope, "no")
	w.want(err, meta.ErrNotFound)
	c := w.connection("Müller", 0)
	got, err := w.s.Connection(w.Context(), w.scope, c.ID)
	w.must(err)
	equal(w, "connection", got, c)

	same := c
	same.ID, same.Name = audience.ConnectionID(id()), "MÜLLER"
	w.refused(meta.ErrDuplicate, func(tx meta.Tx) error { return tx.CreateConnection(w.Context(), same) })
	same = c
	same.Name = "another name"
	w.refused(meta.ErrDuplicate, func(tx meta.Tx) error { return tx.CreateConnection(w.Context(), same) })

	w.update(func(tx meta.Tx) error { return tx.DeleteConnection(w.Context(), w.scope, c.ID) })
	_, err = w.s.Connection(w.Context(), w.scope, c.ID)
	w.want(err, meta.ErrNotFound)
	w.refused(meta.ErrNotFound, func(tx meta.Tx) error { return tx.DeleteConnection(w.Context(), w.scope, c.ID) })
	w.connection("müller", 1) // the name is free again
}

func testConnectionUpdate(w *world) {
	c := w.connection("a", 0)
	other := w.connection("b", 1)
	want := c
	want.Name, want.Description, want.AuthSpec, want.Params = "A", "more files", "", map[string]string{"root": "/srv"}
	want.Etag, want.Version, want.UpdatedBy, want.UpdatedAt = id(), 2, "somebody", at(5)
	changed := want
	changed.State, changed.SpecID, changed.CreatedBy, changed.CreatedAt = "disabled", "x", "x", at(9) // not to be stored
	w.update(func(tx meta.Tx) error { return tx.UpdateConnection(w.Context(), changed) })
	got, err := w.s.Connection(w.Context(), w.scope, c.ID)
	w.must(err)
	equal(w, "connection", got, want)

	taken := want
	taken.Name = "B"
	w.update(func(tx meta.Tx) error {
		w.want(tx.UpdateConnection(w.Context(), taken), meta.ErrDuplicate)
		return tx.UpdateConnection(w.Context(), want) // the transaction is usable
	})
	elsewhere := want
	elsewhere.Scope.Sandbox = "dev"
	w.refused(meta.ErrNotFound, func(tx meta.Tx) error { return tx.UpdateConnection(w.Context(), elsewhere) })
	named, err := w.s.Connections(w.Context(), w.scope, "b", "", 10)
	w.must(err)
	equal(w, "the other one", named, []audience.Connection{other})
}

func testConnectionPages(w *world) {
	var all []audience.Connection
	for i := range 5 {
		all = append(all, w.connection(fmt.Sprint("c", i), i))
	}
	var got []audience.Connection
	after := audience.ConnectionID("")
	for {
		page, err := w.s.Connections(w.Context(), w.scope, "", after, 2)
		w.must(err)
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
		after = page[len(page)-1].ID
	}
	equal(w, "all pages", got, all)
	named, err := w.s.Connections(w.Context(), w.scope, "C3", "", 10)
	w.must(err)
	equal(w, "by name", named, all[3:4])
	none, err := w.s.Connections(w.Context(), w.scope, "", "", 0)
	w.must(err)
	equal(w, "a limit of nothing", none, nil)
	_, err = w.s.Connections(w.Context(), w.scope, "", "gone", 2)
	w.want(err, meta.ErrNotFound)
}

func testConnectionInUse(w *world) {
	w.tenant()
	c := w.connection("c", 0)
	inUse := func() (used bool) {
		w.update(func(tx meta.Tx) (err error) {
			used, err = tx.ConnectionInUse(w.Context(), w.scope, c.ID)
			return err
		})
		return used
	}
	equal(w, "in use at first", inUse(), false)
	draft := w.draft("a")
	draft.Source.BaseConnectionID = c.ID
	failing := w.submit(draft, at(0))
	equal(w, "in use by a task", inUse(), true)
	w.finish(failing, audience.Failed)
	equal(w, "in use by a failed task", inUse(), false)
	task := w.submit(draft, at(1))
	w.finish(task, audience.Success)
	equal(w, "in use by an audience", inUse(), true)
	w.update(func(tx meta.Tx) error { return tx.DeleteAudience(w.Context(), w.scope, task.AudienceID) })
	equal(w, "in use by a deleted audience", inUse(), false)
}
