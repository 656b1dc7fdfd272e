package control_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/meta"
	"roster/internal/secret"
	"roster/internal/source"
)

// TestSecretsOfConnections are sealed in the store, never answered, and there when the store of files is opened.
func TestSecretsOfConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ring, err := secret.Open(filepath.Join(w.dir, "secrets.json"), make([]byte, secret.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	var opened map[string]string
	cfg := w.config("worker-1")
	cfg.Sealer = ring
	cfg.Sources = func(_ context.Context, _ audience.Scope, conn *audience.Connection) (source.Store, error) {
		opened = conn.Params
		return source.OpenLocal(w.root)
	}
	w.Service = control.New(cfg)
	params := func() map[string]string {
		return map[string]string{"s3AccessKey": "AKIA", "s3SecretKey": "hush", "bucketName": "people"}
	}
	created, err := w.CreateConnection(t.Context(), w.editor, audience.Connection{Name: "bucket", SpecID: strings.ToUpper(audience.SpecS3), Params: params()})
	if err != nil {
		t.Fatal(err)
	}
	if opened["s3SecretKey"] != "hush" {
		t.Errorf("opened with %v", opened)
	}
	check := func(what string, c audience.Connection) {
		t.Helper()
		if c.Params["s3SecretKey"] != "" || c.Params["bucketName"] == "" || c.Sealed == "" || strings.Contains(c.Sealed, "hush") {
			t.Errorf("%s: %+v", what, c)
		}
	}
	check("created", created)
	stored, err := w.store.Connection(t.Context(), w.editor.Scope, created.ID)
	if err != nil {
		t.Fatal(err)
	}
	check("stored", stored)

	changed, err := w.UpdateConnection(t.Context(), w.editor, created.ID, nil, func(c *audience.Connection) { c.Params["bucketName"] = "others" })
	if err != nil || opened["s3SecretKey"] != "hush" || opened["bucketName"] != "others" {
		t.Fatalf("%v; opened with %v", err, opened)
	}
	check("changed", changed)
	if _, err := w.TestConnection(t.Context(), w.editor, created.ID); err != nil || opened["s3SecretKey"] != "hush" {
		t.Errorf("%v; tested with %v", err, opened)
	}

	// A sealed secret opens for its own connection only.
	stolen := stored
	stolen.ID, stolen.Name = "0b6f3a57-1111-4222-8333-444455556666", "thief"
	w.update(func(tx meta.Tx) error { return tx.CreateConnection(t.Context(), stolen) })
	opened = nil
	if _, err := w.TestConnection(t.Context(), w.editor, stolen.ID); err == nil || opened != nil {
		t.Errorf("another connection's secret was opened: %v", opened)
	}
	_, err = w.CreateConnection(t.Context(), w.editor, audience.Connection{Name: "no secret", SpecID: audience.SpecS3, Params: map[string]string{"s3AccessKey": "AKIA", "bucketName": "b"}})
	wantCode(t, "without its secret", err, audience.Invalid, "auth.params.s3SecretKey")
}
