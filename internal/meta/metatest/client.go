package metatest

import (
	"fmt"

	"roster/internal/audience"
	"roster/internal/meta"
)

func (w *world) client(id string) audience.Client {
	w.Helper()
	c := audience.Client{ID: id, Org: w.scope.Org, Name: "loader", SecretHash: []byte{0, 1, 255},
		OldSecrets: []audience.OldSecret{{Hash: []byte{7}, ValidUntil: at(60)}},
		Roles:      map[string]audience.ClientRole{"*": audience.Viewer, "prod": audience.Admin}, Grants: audience.NewGrants([]string{"custom/a", "core/C1"}),
		CreatedBy: "c0", CreatedAt: at(0), UpdatedAt: at(1)}
	w.update(func(tx meta.Tx) error { return tx.CreateClient(w.Context(), c) })
	return c
}

func testClients(w *world) {
	_, err := w.s.Client(w.Context(), "c1")
	w.want(err, meta.ErrNotFound)
	c := w.client("c1")
	got, err := w.s.Client(w.Context(), "c1")
	w.must(err)
	equal(w, "client", got, c)
	w.refused(meta.ErrDuplicate, func(tx meta.Tx) error { return tx.CreateClient(w.Context(), c) })
	w.refused(meta.ErrNotFound, func(tx meta.Tx) error { return tx.DeleteClient(w.Context(), "other", "c1") })
	w.update(func(tx meta.Tx) error { return tx.DeleteClient(w.Context(), c.Org, "c1") })
	_, err = w.s.Client(w.Context(), "c1")
	w.want(err, meta.ErrNotFound)
}

func testClientUpdate(w *world) {
	c := w.client("c1")
	want := c
	want.Name, want.SecretHash, want.OldSecrets, want.UpdatedAt = "other", []byte{9}, nil, at(9)
	want.Roles, want.Grants = map[string]audience.ClientRole{}, audience.Grants{audience.AllLabels}
	changed := want
	changed.CreatedBy, changed.CreatedAt = "x", at(5) // not to be stored
	w.update(func(tx meta.Tx) error { return tx.UpdateClient(w.Context(), changed) })
	got, err := w.s.Client(w.Context(), "c1")
	w.must(err)
	equal(w, "client", got, want)
	elsewhere := want
	elsewhere.Org = "other"
	w.refused(meta.ErrNotFound, func(tx meta.Tx) error { return tx.UpdateClient(w.Context(), elsewhere) })
}

func testClientPages(w *world) {
	for i := range 5 {
		w.client(fmt.Sprint("c", i))
	}
	other := &world{T: w.T, s: w.s, scope: audience.Scope{Org: "other"}}
	other.client("c2a")
	var got []string
	for after := ""; ; {
		page, err := w.s.Clients(w.Context(), w.scope.Org, after, 2)
		w.must(err)
		if len(page) == 0 {
			break
		}
		for _, c := range page {
			got = append(got, c.ID)
		}
		after = page[len(page)-1].ID
	}
	equal(w, "all pages", got, []string{"c0", "c1", "c2", "c3", "c4"})
}
