package control_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"roster/internal/audience"
	"roster/internal/blob/local"
	"roster/internal/control"
	"roster/internal/source"
)

// stays are the parameters, of every kind of connection, whose change keeps the secrets. Whoever adds a parameter here
// must explain why it cannot redirect a secret.
var stays = []string{"folderPath", "bucketName", "container", "passPhrase"}

// TestSecretsStay changes, adds and removes each parameter of each kind of connection. The new target does not get the
// secrets unless they are given again.
func TestSecretsStay(t *testing.T) {
	t.Parallel()
	w := newSealing(t)
	walked := 0
	for _, kind := range audience.ConnectionKinds() {
		for _, auth := range kind.Auths {
			for _, p := range auth.Params {
				if kind.SpecIDs[0] != audience.SpecLocal && !slices.Contains(stays, p.Name) {
					w.moves(kind.SpecIDs[0], auth, p)
					walked++
				}
			}
		}
	}
	if walked < 25 {
		t.Errorf("%d parameters were walked", walked)
	}
}

// newSealing is a world that encrypts secrets, in which connections of every kind lead to a folder.
func newSealing(t *testing.T) *world {
	w := newWorld(t)
	cfg := w.config("worker-1")
	cfg.Sealer = sealer(t, w.dir)
	cfg.Open = func(context.Context, audience.Scope, *audience.Connection) (source.Store, error) {
		return local.OpenConfined(w.root, nil)
	}
	w.use(cfg)
	return w
}

// full returns a connection with all parameters of its kind.
func (w *world) full(spec string, auth audience.ConnectionAuth, name string) audience.Connection {
	w.t.Helper()
	params := map[string]string{}
	for _, p := range auth.Params {
		params[p.Name] = "given " + p.Name
	}
	c, err := w.CreateConnection(w.t.Context(), w.editor, audience.Connection{Name: name, SpecID: spec, AuthSpec: auth.Name, Params: params})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// moves changes a parameter that decides where secrets are sent.
func (w *world) moves(spec string, auth audience.ConnectionAuth, p audience.ConnectionParam) {
	w.t.Helper()
	name := fmt.Sprintf("%s %s %s", spec, auth.Name, p.Name)
	conn := w.full(spec, auth, name)
	others := func(c *audience.Connection) []string { // the secrets that the patch does not contain
		var list []string
		for _, o := range auth.Params {
			if o.Secret && o.Name != p.Name && (c == nil || c.Params[o.Name] == "") {
				list = append(list, "auth.params."+o.Name)
			}
		}
		return list
	}
	patch := func(change control.ConnectionChange) error {
		_, err := w.UpdateConnection(w.t.Context(), w.editor, conn.ID, nil, change)
		return err
	}
	set := func(c *audience.Connection) { c.Params[p.Name] = "https://attacker.example" }
	wanted := others(nil)
	if len(wanted) > 0 {
		wantCode(w.t, name, patch(set), audience.Invalid, wanted...)
		if !p.Required {
			remove := func(c *audience.Connection) { delete(c.Params, p.Name) }
			wantCode(w.t, name+" removed", patch(remove), audience.Invalid, wanted...)
			if err := patch(func(c *audience.Connection) { remove(c); give(c, auth) }); err != nil {
				w.t.Errorf("%s removed, with the secrets: %v", name, err)
			}
			if p.Name != "hostKey" { // a first hostKey only narrows where the secrets are sent
				wantCode(w.t, name+" added", patch(set), audience.Invalid, wanted...)
			} else if err := patch(set); err != nil {
				w.t.Errorf("%s added: %v", name, err)
			}
		}
		wantCode(w.t, name+" in all parameters", patch(func(c *audience.Connection) {
			c.Params = maps.Clone(c.Params)
			c.Params[p.Name] = "https://attacker2.example"
		}), audience.Invalid, wanted...)
	}
	if err := patch(func(c *audience.Connection) { give(c, auth); c.Params[p.Name] = "https://moved.example" }); err != nil {
		w.t.Errorf("%s with the secrets: %v", name, err)
	}
}

// give gives the secrets of a connection again.
func give(c *audience.Connection, auth audience.ConnectionAuth) {
	for _, p := range auth.Params {
		if p.Secret {
			c.Params[p.Name] = "given " + p.Name
		}
	}
}

// TestSecretsOfAnotherWayIn changes the authentication of a connection. A secret of the same name does not stay.
func TestSecretsOfAnotherWayIn(t *testing.T) {
	t.Parallel()
	w := newSealing(t)
	for _, kind := range audience.ConnectionKinds() {
		for i, auth := range kind.Auths {
			next := kind.Auths[(i+1)%len(kind.Auths)]
			if next.Name == auth.Name {
				continue
			}
			name := kind.SpecIDs[0] + auth.Name + next.Name
			conn := w.full(kind.SpecIDs[0], auth, name)
			_, err := w.UpdateConnection(t.Context(), w.editor, conn.ID, nil, func(c *audience.Connection) { c.AuthSpec = next.Name })
			wantCode(t, name, err, audience.Invalid)
		}
	}
}

// TestSecretsInside moves a connection within its store, and pins the server's key for the first time. The secrets need
// not be given again.
func TestSecretsInside(t *testing.T) {
	t.Parallel()
	w := newSealing(t)
	for _, kind := range audience.ConnectionKinds() {
		for _, auth := range kind.Auths {
			for _, p := range auth.Params {
				if !slices.Contains(stays, p.Name) {
					continue
				}
				conn := w.full(kind.SpecIDs[0], auth, kind.SpecIDs[0]+auth.Name+p.Name)
				for _, value := range []string{"elsewhere", "../../@attacker.example#"} {
					_, err := w.UpdateConnection(t.Context(), w.editor, conn.ID, nil, func(c *audience.Connection) { c.Params[p.Name] = value })
					if err != nil {
						t.Errorf("%s %s %s: %v", kind.Name, auth.Name, p.Name, err)
					}
				}
			}
		}
	}
}
