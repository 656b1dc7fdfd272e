package control_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/ingest"
)

// looking returns use cases with a pipeline that inspects files.
func (w *world) looking() *control.Service {
	cfg := w.config("looking")
	cfg.Pipeline = &ingest.Pipeline{Clock: time.Now} // the clock of the files
	s, _ := cfg.start(w.jobs)
	return s
}

func TestExploreFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := w.connect("files", w.root)
	for _, name := range []string{"a.csv", "in/2026/x.csv", "in/2026/y.csv", "in/b.csv", "in/.hidden"} {
		w.write(filepath.Join(w.root, name), "mail\n")
	}
	w.write(filepath.Join(w.root, "in/empty.csv"), "")
	list := func(id audience.ConnectionID, folder string, want ...control.Entry) {
		t.Helper()
		got, err := w.ExploreFolder(t.Context(), w.editor, id, folder)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %v, want %v", folder, got, err, want)
		}
	}
	in := []control.Entry{{Path: "in/.hidden"}, {Path: "in/2026", Folder: true, Usable: true}, {Path: "in/b.csv", Usable: true}, {Path: "in/empty.csv"}}
	list(conn.ID, "", control.Entry{Path: "a.csv", Usable: true}, control.Entry{Path: "in", Folder: true, Usable: true})
	list(conn.ID, "in", in...)
	list(conn.ID, "in/", in...)
	list("", "", control.Entry{Path: "in.csv", Usable: true})
	list("", audience.LandingContainer, control.Entry{Path: "in.csv", Usable: true})

	for path, code := range map[string]audience.Code{"../x": audience.Invalid, "/etc": audience.Invalid, "nowhere": audience.Invalid, "a.csv": audience.Invalid} {
		_, err := w.ExploreFolder(t.Context(), w.editor, conn.ID, path)
		wantCode(t, path, err, code, "object")
	}
	_, err := w.ExploreFolder(t.Context(), audience.Actor{Scope: w.editor.Scope, Role: audience.Viewer}, conn.ID, "")
	wantCode(t, "by a viewer", err, audience.Forbidden)
	elsewhere := w.editor
	elsewhere.Scope.Sandbox = "dev"
	_, err = w.ExploreFolder(t.Context(), elsewhere, conn.ID, "")
	wantCode(t, "a connection of another sandbox", err, audience.NotFound)

	for i := range 1100 {
		w.write(filepath.Join(w.root, "many", fmt.Sprintf("%04d.csv", i)), "mail\n")
	}
	if got, err := w.ExploreFolder(t.Context(), w.editor, conn.ID, "many"); err != nil || len(got) != 1000 || got[999].Path != "many/0999.csv" {
		t.Errorf("%d entries, %v", len(got), err)
	}
}

func TestExploreFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := w.connect("files", w.root)
	w.write(filepath.Join(w.root, "in/a.csv"), "mail;points;vip\nada@example.com;12;true\nbob@example.com;;false\n")
	s := w.looking()
	got, err := s.ExploreFile(t.Context(), w.editor, conn.ID, "in/a.csv", "", true)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Fields) != 3 || got.Fields[1].Name != "points" || got.Fields[1].Type != audience.Long || got.Fields[2].Type != audience.Boolean ||
		got.Format.Type != audience.CSV || got.Format.Delimiter != ";" {
		t.Errorf("%+v, %+v", got.Fields, got.Format)
	}
	if len(got.Rows) != 2 || *got.Rows[0][0] != "ada@example.com" || *got.Rows[0][1] != "12" || got.Rows[1][1] != nil {
		t.Errorf("%v", got.Rows)
	}
	if got, err := s.ExploreFile(t.Context(), w.editor, "", "dlz-user-container/in.csv", audience.CSV, false); err != nil || len(got.Fields) != 1 || got.Rows != nil {
		t.Errorf("the landing zone: %+v, %v", got, err)
	}
	w.write(filepath.Join(w.root, "bad.json"), "{\"a\": 1}\n")
	for path, typ := range map[string]audience.FileType{"nowhere.csv": "", "in": "", "../a": "", "bad.json": audience.Parquet} {
		_, err := s.ExploreFile(t.Context(), w.editor, conn.ID, path, typ, true)
		wantCode(t, path, err, audience.Invalid, "object")
	}
}

func TestTestConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := filepath.Join(w.root, "sub")
	conn := w.connect("files", root)
	if got, err := w.TestConnection(t.Context(), w.editor, conn.ID); err != nil || got.ID != conn.ID {
		t.Errorf("%+v, %v", got, err)
	}
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	_, err := w.TestConnection(t.Context(), w.editor, conn.ID)
	wantCode(t, "a folder that is gone", err, audience.BadGateway, "files")
}

func TestUpdateConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn, other := w.connect("files", w.root), w.connect("other", w.root)
	update := func(ifMatch string, change control.ConnectionChange) (audience.Connection, error) {
		return w.UpdateConnection(t.Context(), w.editor, conn.ID, []string{ifMatch}, change)
	}
	sub := filepath.Join(w.root, "sub")
	if err := os.MkdirAll(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(1e9)
	changed, err := update(conn.Etag, func(c *audience.Connection) {
		c.Name, c.Description, c.Params["root"], c.SpecID, c.State = "Files", "of people", sub, "x", "x"
	})
	if err != nil {
		t.Fatal(err)
	}
	want := conn
	want.Name, want.Description, want.Params = "Files", "of people", map[string]string{"root": sub}
	want.Etag, want.Version, want.UpdatedAt = changed.Etag, 2, w.clock.now()
	stored, err := w.Connection(t.Context(), w.editor, conn.ID)
	if err != nil || changed.Etag == conn.Etag || !reflect.DeepEqual(changed, want) || !reflect.DeepEqual(stored, want) {
		t.Errorf("\n got %+v\n and %+v, %v\nwant %+v", changed, stored, err, want)
	}

	rename := func(name string) control.ConnectionChange { return func(c *audience.Connection) { c.Name = name } }
	_, err = update(conn.Etag, rename("late"))
	wantCode(t, "a change of what changed", err, audience.Stale)
	_, err = update(changed.Etag, rename("OTHER"))
	wantCode(t, "a name that is taken", err, audience.Duplicate)
	_, err = update(changed.Etag, rename(""))
	wantCode(t, "no name", err, audience.Invalid, "name")
	_, err = update(changed.Etag, func(c *audience.Connection) { c.Params = nil })
	wantCode(t, "no parameters", err, audience.Invalid, "auth.params.root")
	_, err = update(changed.Etag, func(c *audience.Connection) { c.Params["root"] = "/etc" })
	wantCode(t, "a folder that is not allowed", err, audience.Invalid, "auth.params.root")
	_, err = update(changed.Etag, func(c *audience.Connection) { c.Params["root"] = filepath.Join(w.root, "no") })
	wantCode(t, "a folder that is not there", err, audience.Invalid, "auth.params.root")
	_, err = w.UpdateConnection(t.Context(), audience.Actor{Scope: w.editor.Scope, Role: audience.Viewer}, conn.ID, nil, rename("x"))
	wantCode(t, "by a viewer", err, audience.Forbidden)
	if stored, err := w.Connection(t.Context(), w.editor, conn.ID); err != nil || !reflect.DeepEqual(stored, want) {
		t.Errorf("a refused change left %+v, %v", stored, err)
	}

	// Only one of two changes of the same version succeeds, even if both have read the version before either is stored.
	_, err = update(changed.Etag, func(c *audience.Connection) {
		if _, err := update(changed.Etag, rename("first")); err != nil {
			t.Error(err)
		}
		c.Name = "second"
	})
	wantCode(t, "the later of two changes", err, audience.Stale)
	if _, err := w.UpdateConnection(t.Context(), w.editor, other.ID, nil, rename("any")); err != nil {
		t.Errorf("without an etag: %v", err)
	}
}
