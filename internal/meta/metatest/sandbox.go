package metatest

import (
	"roster/internal/audience"
	"roster/internal/meta"
)

func testSandboxes(w *world) {
	_, err := w.s.Sandbox(w.Context(), w.scope)
	w.want(err, meta.ErrNotFound)
	prod := w.tenant()
	if prod.Num == 0 {
		w.Fatal("a sandbox has no number")
	}
	dev := audience.Sandbox{ID: id(), Org: w.scope.Org, Name: "dev", Title: "Development", Type: "development", CreatedAt: at(1)}
	w.update(func(tx meta.Tx) error { return tx.CreateSandbox(w.Context(), &dev) })
	other := audience.Sandbox{ID: id(), Org: "other", Name: "prod", Type: "production", CreatedAt: at(2)}
	w.update(func(tx meta.Tx) error { return tx.CreateSandbox(w.Context(), &other) })
	if dev.Num == prod.Num || other.Num == prod.Num || other.Num == dev.Num {
		w.Fatalf("numbers are not unique: %d %d %d", prod.Num, dev.Num, other.Num)
	}

	got, err := w.s.Sandbox(w.Context(), w.scope)
	w.must(err)
	equal(w, "sandbox", got, prod)
	all, err := w.s.Sandboxes(w.Context(), w.scope.Org)
	w.must(err)
	equal(w, "sandboxes", all, []audience.Sandbox{dev, prod})

	again := audience.Sandbox{ID: id(), Org: w.scope.Org, Name: "dev"}
	w.refused(meta.ErrDuplicate, func(tx meta.Tx) error { return tx.CreateSandbox(w.Context(), &again) })
	equal(w, "number of a refused sandbox", again.Num, 0)
}

func testSandboxStates(w *world) {
	prod := w.tenant()
	leaving := func(what string, want ...audience.Sandbox) {
		w.Helper()
		got, err := w.s.LeavingSandboxes(w.Context())
		w.must(err)
		equal(w, what, got, want)
	}
	equal(w, "state of a new sandbox", prod.State, audience.SandboxActive)
	leaving("at first")
	set := func(s audience.SandboxState) {
		w.Helper()
		w.update(func(tx meta.Tx) error { return tx.SetSandboxState(w.Context(), w.scope, s) })
		prod.State = s
		got, err := w.s.Sandbox(w.Context(), w.scope)
		w.must(err)
		equal(w, "sandbox", got, prod)
	}
	set(audience.SandboxResetting)
	leaving("while it is reset", prod)
	set(audience.SandboxDeleting)
	leaving("while it is deleted", prod)
	set(audience.SandboxActive)
	leaving("at last")
	w.refused(meta.ErrNotFound, func(tx meta.Tx) error {
		return tx.SetSandboxState(w.Context(), audience.Scope{Org: w.scope.Org, Sandbox: "no"}, audience.SandboxActive)
	})
}

func testClearSandbox(w *world) {
	w.tenant()
	dev := audience.Sandbox{ID: id(), Org: w.scope.Org, Name: "dev", CreatedAt: at(1)}
	w.update(func(tx meta.Tx) error { return tx.CreateSandbox(w.Context(), &dev) })
	kept := w.connection("kept", 0)
	keptTask := w.submit(w.draft("kept"), at(0))

	prod := w.scope
	w.scope = audience.Scope{Org: prod.Org, Sandbox: "dev"}
	cleared := func(what string, want bool) {
		w.Helper()
		w.update(func(tx meta.Tx) error {
			done, err := tx.ClearSandbox(w.Context(), w.scope)
			equal(w, what, done, want)
			return err
		})
	}
	conn, own := w.connection("gone", 0), w.key(audience.OwnKey, 0)
	key := audience.RequestKey{Scope: w.scope, ClientID: "c", Key: "k"}
	w.update(func(tx meta.Tx) error {
		return tx.KeepAnswer(w.Context(), audience.Answer{RequestKey: key, BegunAt: at(0)})
	})
	w.update(func(tx meta.Tx) error {
		return tx.CreateUpload(w.Context(), meta.Upload{ID: id(), Scope: w.scope, Name: "a.csv", Parts: []meta.UploadPart{{Bytes: 1, Object: "o"}}, UpdatedAt: at(0)})
	})
	task := w.submit(w.draft("a"), at(0))
	cleared("beside an unfinished task", false)
	w.finish(task, audience.Success)
	cleared("beside an audience", false)
	w.update(func(tx meta.Tx) error { return tx.DeleteAudience(w.Context(), w.scope, task.AudienceID) })
	cleared("beside an unswept audience", false)
	_, err := w.s.Connection(w.Context(), w.scope, conn.ID)
	w.must(err)
	w.update(func(tx meta.Tx) error { return tx.MarkCleanedUp(w.Context(), task.AudienceID) })
	cleared("an empty one", true)
	_, err = w.s.Connection(w.Context(), w.scope, conn.ID)
	w.want(err, meta.ErrNotFound)
	_, err = w.s.Key(w.Context(), w.scope, audience.OwnKey, own.ID)
	w.want(err, meta.ErrNotFound)
	_, err = w.s.Task(w.Context(), w.scope, task.ID)
	w.want(err, meta.ErrNotFound)
	_, err = w.s.Answer(w.Context(), key)
	w.want(err, meta.ErrNotFound)
	_, err = w.s.Upload(w.Context(), w.scope, "a.csv")
	w.want(err, meta.ErrNotFound)
	_, err = w.s.Connection(w.Context(), prod, kept.ID)
	w.must(err)
	_, err = w.s.Task(w.Context(), prod, keptTask.ID)
	w.must(err)
}

func testDeleteSandbox(w *world) {
	w.tenant()
	scope := audience.Scope{Org: w.scope.Org, Sandbox: "dev"}
	create := func() (s audience.Sandbox) {
		s = audience.Sandbox{ID: id(), Org: scope.Org, Name: scope.Sandbox, CreatedAt: at(1)}
		w.update(func(tx meta.Tx) error { return tx.CreateSandbox(w.Context(), &s) })
		return s
	}
	first := create()
	clients := map[string]map[string]audience.ClientRole{
		"both": {"dev": audience.Admin, "prod": audience.Viewer}, "one": {"dev": audience.Editor}, "none": {"*": audience.Admin},
	}
	for name, roles := range clients {
		w.update(func(tx meta.Tx) error {
			return tx.CreateClient(w.Context(), audience.Client{ID: name, Org: scope.Org, Roles: roles, CreatedAt: at(0)})
		})
	}
	elsewhere := audience.Client{ID: "elsewhere", Org: "other", Roles: map[string]audience.ClientRole{"dev": audience.Viewer}, CreatedAt: at(0)}
	w.update(func(tx meta.Tx) error { return tx.CreateClient(w.Context(), elsewhere) })

	w.update(func(tx meta.Tx) error { return tx.DeleteSandbox(w.Context(), scope) })
	_, err := w.s.Sandbox(w.Context(), scope)
	w.want(err, meta.ErrNotFound)
	w.refused(meta.ErrNotFound, func(tx meta.Tx) error { return tx.DeleteSandbox(w.Context(), scope) })
	for name, want := range map[string]map[string]audience.ClientRole{
		"both": {"prod": audience.Viewer}, "one": {}, "none": {"*": audience.Admin}, "elsewhere": {"dev": audience.Viewer},
	} {
		c, err := w.s.Client(w.Context(), name)
		w.must(err)
		equal(w, "roles of "+name, c.Roles, want)
	}
	if again := create(); again.Num == first.Num {
		w.Fatal("a later sandbox has the number of the deleted one")
	}
}
