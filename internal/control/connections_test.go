package control_test

import (
	"os"
	"testing"

	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/job"
	"roster/internal/landing"
)

// connect creates the folder and a local connection to it.
func (w *world) connect(name, root string) audience.Connection {
	w.t.Helper()
	if err := os.MkdirAll(root, 0o700); err != nil {
		w.t.Fatal(err)
	}
	c, err := w.CreateConnection(w.t.Context(), w.editor, localConnection(name, root))
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func localConnection(name, root string) audience.Connection {
	return audience.Connection{Name: name, SpecID: audience.SpecLocal, AuthSpec: "none", Params: map[string]string{"root": root}}
}

func (w *world) admin() audience.Actor {
	a := w.editor
	a.Role = audience.Admin
	return a
}

func TestConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.connect("a", w.root)
	if a.ID == "" || a.Scope != w.editor.Scope || a.Etag == "" || a.Version != 1 || a.State != "enabled" || a.SpecVersion != "1.0" ||
		a.CreatedBy != "client-1" || !a.UpdatedAt.Equal(w.clock.now()) {
		t.Errorf("%+v", a)
	}
	w.clock.advance(1e9)
	b := w.connect("b", w.root+"/sub")
	got, err := w.Connection(t.Context(), w.editor, a.ID)
	if err != nil || got.Params["root"] != w.root || got.Etag != a.Etag {
		t.Errorf("%+v, %v", got, err)
	}
	for what, c := range map[string]struct {
		name  string
		after audience.ConnectionID
		limit int
		want  []audience.ConnectionID
	}{
		"all":   {"", "", 0, []audience.ConnectionID{a.ID, b.ID}},
		"one":   {"b", "", 0, []audience.ConnectionID{b.ID}},
		"first": {"", "", 1, []audience.ConnectionID{a.ID}},
		"rest":  {"", a.ID, 100, []audience.ConnectionID{b.ID}},
	} {
		list, err := w.Connections(t.Context(), w.editor, c.name, c.after, c.limit)
		if err != nil || len(list) != len(c.want) || list[0].ID != c.want[0] {
			t.Errorf("%s: %v, %v", what, list, err)
		}
	}
	if err := w.DeleteConnection(t.Context(), w.admin(), b.ID); err != nil {
		t.Error(err)
	}
	_, err = w.Connection(t.Context(), w.editor, b.ID)
	wantCode(t, "deleted", err, audience.NotFound, string(b.ID))
	wantCode(t, "deleted twice", w.DeleteConnection(t.Context(), w.admin(), b.ID), audience.NotFound)
	wantCode(t, "no id", w.DeleteConnection(t.Context(), w.admin(), "b"), audience.NotFound)
	for _, after := range []audience.ConnectionID{b.ID, "b"} {
		_, err = w.Connections(t.Context(), w.editor, "", after, 0)
		wantCode(t, "after one that is gone", err, audience.Invalid, "continuationToken")
	}
	_, err = w.Connections(t.Context(), w.editor, "", "", 101)
	wantCode(t, "limit", err, audience.Invalid, "limit")
}

func TestConnectionRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect("Taken", w.root)
	w.write(w.root+"/file", "")
	for what, c := range map[string]struct {
		change  func(c *audience.Connection)
		code    audience.Code
		mention string
	}{
		"no name":           {func(c *audience.Connection) { c.Name = "" }, audience.Invalid, "name"},
		"name taken":        {func(c *audience.Connection) { c.Name = "taken" }, audience.Duplicate, "taken"},
		"no kind":           {func(c *audience.Connection) { c.SpecID = "" }, audience.Invalid, "connectionSpec.id"},
		"unknown kind":      {func(c *audience.Connection) { c.SpecID = "00000000-7455-4d87-84dc-2a0e293d997b" }, audience.Invalid, "connectionSpec.id"},
		"auth":              {func(c *audience.Connection) { c.AuthSpec = "Access Key" }, audience.Invalid, "auth.specName"},
		"no root":           {func(c *audience.Connection) { c.Params = nil }, audience.Invalid, "auth.params.root"},
		"unknown parameter": {func(c *audience.Connection) { c.Params["rooot"] = "x" }, audience.Invalid, "auth.params.rooot"},
		"root not allowed":  {func(c *audience.Connection) { c.Params["root"] = "/etc" }, audience.Invalid, "auth.params.root"},
		"root is a file":    {func(c *audience.Connection) { c.Params["root"] += "/file" }, audience.Invalid, "auth.params.root"},
		"root is absent":    {func(c *audience.Connection) { c.Params["root"] += "/absent" }, audience.Invalid, "auth.params.root"},
	} {
		conn := localConnection("new", w.root)
		c.change(&conn)
		_, err := w.CreateConnection(t.Context(), w.editor, conn)
		wantCode(t, what, err, c.code, c.mention)
	}
	if list, err := w.Connections(t.Context(), w.editor, "", "", 0); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestConnectionInUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(w.root+"/in.csv", "mail\n")
	conn := w.connect("files", w.root)
	d := draft("list")
	from(conn.ID, "")(&d)
	task, err := w.Submit(t.Context(), w.editor, d)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, "used by a task", w.DeleteConnection(t.Context(), w.admin(), conn.ID), audience.Impossible, string(conn.ID))
	w.handle(job.Job{Kind: job.Task, ID: string(task.ID)})
	wantCode(t, "used by an audience", w.DeleteConnection(t.Context(), w.admin(), conn.ID), audience.Impossible)
	if err := w.DeleteAudience(t.Context(), w.editor, task.AudienceID); err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteConnection(t.Context(), w.admin(), conn.ID); err != nil {
		t.Error(err)
	}
}

func TestNamespaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made, err := w.CreateNamespace(t.Context(), w.editor, audience.Namespace{Name: "Airport", Code: "IATA", IDType: "CROSS_DEVICE"})
	if err != nil || made.ID < 10000 || !made.Custom || made.IDType != "Cross_device" {
		t.Errorf("%+v, %v", made, err)
	}
	standard := audience.AllNamespaces(nil)
	list, err := w.Namespaces(t.Context(), w.editor)
	if err != nil || len(list) != len(standard)+1 || list[0] != standard[0] || list[len(standard)] != made {
		t.Errorf("%+v, %v", list, err)
	}
	for _, code := range []string{"iata", "email", "PHONE_E164"} {
		_, err := w.CreateNamespace(t.Context(), w.editor, audience.Namespace{Name: "Again", Code: code, IDType: "Email"})
		wantCode(t, code, err, audience.Duplicate, code)
	}
	_, err = w.CreateNamespace(t.Context(), w.editor, audience.Namespace{Name: "Bad", Code: "a b", IDType: "Email"})
	wantCode(t, "code", err, audience.Invalid, "code")
	sandboxes, err := w.Sandboxes(t.Context(), w.editor)
	if err != nil || len(sandboxes) != 1 || sandboxes[0].Name != "prod" {
		t.Errorf("%+v, %v", sandboxes, err)
	}
}

// TestRights calls every use case with the role below the one it needs.
func TestRights(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, ctx := audience.ID("0b6f3a57-1111-4222-8333-444455556666"), t.Context()
	for below, calls := range map[audience.ClientRole]map[string]func(a audience.Actor) error{
		"": {
			"Task":          func(a audience.Actor) error { _, err := w.Task(ctx, a, audience.TaskID(id)); return err },
			"Audience":      func(a audience.Actor) error { _, err := w.Audience(ctx, a, id); return err },
			"Audiences":     func(a audience.Actor) error { _, _, err := w.Audiences(ctx, a, audience.AudienceQuery{}); return err },
			"AudiencesByID": func(a audience.Actor) error { _, err := w.AudiencesByID(ctx, a, []audience.ID{id}); return err },
			"ActorSandbox":  func(a audience.Actor) error { _, err := w.ActorSandbox(ctx, a); return err },
			"Run":           func(a audience.Actor) error { _, err := w.Run(ctx, a, id, audience.RunID(id)); return err },
			"Runs":          func(a audience.Actor) error { _, _, err := w.Runs(ctx, a, id, runQuery()); return err },
			"Connection":    func(a audience.Actor) error { _, err := w.Connection(ctx, a, audience.ConnectionID(id)); return err },
			"Connections":   func(a audience.Actor) error { _, err := w.Connections(ctx, a, "", "", 0); return err },
			"Namespaces":    func(a audience.Actor) error { _, err := w.Namespaces(ctx, a); return err },
			"Sandboxes":     func(a audience.Actor) error { _, err := w.Sandboxes(ctx, a); return err },
			"Lookup":        func(a audience.Actor) error { _, err := w.Lookup(ctx, a, nil, control.LookupOptions{}); return err },
		},
		audience.Viewer: {
			"Submit":           func(a audience.Actor) error { _, err := w.Submit(ctx, a, draft("list")); return err },
			"UpdateAudience":   func(a audience.Actor) error { _, err := w.UpdateAudience(ctx, a, id, patch()); return err },
			"DeleteAudience":   func(a audience.Actor) error { return w.DeleteAudience(ctx, a, id) },
			"StartRun":         func(a audience.Actor) error { _, err := w.StartRun(ctx, a, id, audience.RunRequest{}); return err },
			"CreateConnection": func(a audience.Actor) error { _, err := w.CreateConnection(ctx, a, audience.Connection{}); return err },
			"Files":            func(a audience.Actor) error { _, _, err := w.Files(ctx, a, "", "", 0); return err },
			"DeleteFile":       func(a audience.Actor) error { return w.DeleteFile(ctx, a, "in.csv") },
			"CreateNamespace":  func(a audience.Actor) error { _, err := w.CreateNamespace(ctx, a, audience.Namespace{}); return err },
			"Upload":           func(a audience.Actor) error { _, err := w.Upload(ctx, a, "a.csv", landing.Upload{}); return err },
		},
		audience.Editor: {
			"DeleteConnection": func(a audience.Actor) error { return w.DeleteConnection(ctx, a, audience.ConnectionID(id)) },
		},
	} {
		for name, call := range calls {
			a := w.editor
			a.Role = below
			wantCode(t, name, call(a), audience.Forbidden, "role")
		}
	}
	w.jobs.want("forbidden calls")
}
