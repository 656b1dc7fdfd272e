package metatest

import (
	"slices"

	"roster/internal/audience"
	"roster/internal/meta"
)

func testUploads(w *world) {
	elsewhere := audience.Scope{Org: w.scope.Org, Sandbox: "dev"}
	read := func(want meta.Upload) {
		w.Helper()
		got, err := w.s.Upload(w.Context(), want.Scope, want.Name)
		w.must(err)
		equal(w, "upload", got, want)
	}
	_, err := w.s.Upload(w.Context(), w.scope, "a/b.csv")
	w.want(err, meta.ErrNotFound)
	u := meta.Upload{ID: id(), Scope: w.scope, Name: "a/b.csv", Size: 1 << 40, SHA256: []byte{0, 1, 255}, UpdatedAt: at(1)}
	other := meta.Upload{ID: id(), Scope: elsewhere, Name: "a/b.csv", Size: 7, Received: 7, UpdatedAt: at(2), Parts: []meta.UploadPart{{First: 0, Bytes: 3, Object: "o1"}, {First: 3, Bytes: 4, Object: "o2"}}}
	w.update(func(tx meta.Tx) error { return tx.CreateUpload(w.Context(), u) })
	w.update(func(tx meta.Tx) error { return tx.CreateUpload(w.Context(), other) })
	read(u)
	read(other)

	add := func(p meta.UploadPart, seconds int) {
		w.Helper()
		w.update(func(tx meta.Tx) error { return tx.AddUploadPart(w.Context(), u, p, at(seconds)) })
		u.Received, u.UpdatedAt = p.First+p.Bytes, at(seconds)
	}
	began := u
	add(meta.UploadPart{First: 0, Bytes: 5, Object: "p1"}, 3)
	add(meta.UploadPart{First: 5, Bytes: 1, Object: "p2"}, 4)
	add(meta.UploadPart{First: 5, Bytes: 9, Object: "p2"}, 5) // the last part grows
	u.Parts = []meta.UploadPart{{First: 0, Bytes: 5, Object: "p1"}, {First: 5, Bytes: 9, Object: "p2"}}
	read(u)
	w.refused(meta.ErrStale, func(tx meta.Tx) error {
		return tx.AddUploadPart(w.Context(), began, meta.UploadPart{First: 0, Bytes: 99, Object: "p3"}, at(9))
	})
	w.refused(meta.ErrStale, func(tx meta.Tx) error { return tx.DeleteUpload(w.Context(), began) })
	read(u)

	old, err := w.s.UploadsBefore(w.Context(), at(5))
	w.must(err)
	short := other
	short.Parts = nil
	equal(w, "uploads before a time", old, []meta.Upload{short})
	known, err := w.s.UploadObjects(w.Context(), []string{"p2", "absent", "o1", "p3", "a\x00"})
	w.must(err)
	slices.Sort(known)
	equal(w, "known objects", known, []string{"o1", "p2"})

	again := meta.Upload{ID: id(), Scope: w.scope, Name: u.Name, Size: 1, UpdatedAt: at(6)}
	w.update(func(tx meta.Tx) error { return tx.CreateUpload(w.Context(), again) })
	read(again)
	w.refused(meta.ErrStale, func(tx meta.Tx) error {
		return tx.AddUploadPart(w.Context(), u, meta.UploadPart{First: 14, Bytes: 1, Object: "p4"}, at(9))
	})
	all, err := w.s.Uploads(w.Context(), w.scope)
	w.must(err)
	equal(w, "uploads of the sandbox", all, []meta.Upload{again})
	known, err = w.s.UploadObjects(w.Context(), []string{"p1", "p2"})
	w.must(err)
	equal(w, "objects of a replaced upload", len(known), 0)
	w.update(func(tx meta.Tx) error { return tx.DeleteUpload(w.Context(), again) })
	w.refused(meta.ErrStale, func(tx meta.Tx) error { return tx.DeleteUpload(w.Context(), again) })
	_, err = w.s.Upload(w.Context(), w.scope, u.Name)
	w.want(err, meta.ErrNotFound)
	read(other)
}

func testQuotaHolds(w *world) {
	holds := func(scope audience.Scope, want ...meta.QuotaHold) {
		w.Helper()
		w.update(func(tx meta.Tx) error {
			got, err := tx.QuotaHolds(w.Context(), scope)
			equal(w, "holds", got, want)
			return err
		})
	}
	save := func(h meta.QuotaHold) {
		w.Helper()
		w.update(func(tx meta.Tx) error { return tx.SaveQuotaHold(w.Context(), h) })
	}
	dev := audience.Scope{Org: w.scope.Org, Sandbox: "dev"}
	a := meta.QuotaHold{ID: "a", Scope: w.scope, Name: "x.csv", Bytes: 5, Begun: 1, Measuring: true, LeaseUntil: at(60)}
	b := meta.QuotaHold{ID: "b", Scope: w.scope, Name: "y.csv", Begun: 2, LeaseUntil: at(60)}
	c := meta.QuotaHold{ID: "c", Scope: dev, Name: "x.csv", Begun: 1, LeaseUntil: at(60)}
	save(a)
	save(b)
	save(c)
	holds(w.scope, a, b)
	holds(dev, c)
	a.Bytes, a.Ended, a.Measuring, a.LeaseUntil = 1<<40, 3, false, at(90)
	save(a)
	holds(w.scope, a, b)
	w.update(func(tx meta.Tx) error { return tx.DeleteQuotaHold(w.Context(), "b") })
	w.update(func(tx meta.Tx) error { return tx.DeleteQuotaHold(w.Context(), "b") })
	holds(w.scope, a)
	w.update(func(tx meta.Tx) error { return tx.EndLeases(w.Context()) })
	holds(w.scope)
	holds(dev)
}
