package control_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"roster/internal/audience"
	"roster/internal/blob/local"
	"roster/internal/meta"
	"roster/internal/secret"
	"roster/internal/source"
)

// sealer opens the key ring of a directory, and creates it if it does not exist.
func sealer(t *testing.T, dir string) *secret.Ring {
	t.Helper()
	master, err := secret.KeyFile(filepath.Join(dir, "master.key"), true)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := secret.Open(filepath.Join(dir, "secrets.json"), master)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// TestRotateSecrets encrypts all secrets again. Another process with the new key can decrypt them; a process with only
// the earlier keys cannot.
func TestRotateSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config("worker-1")
	var opened map[string]string
	cfg.Open = func(_ context.Context, _ audience.Scope, conn *audience.Connection) (source.Store, error) {
		opened = conn.Params
		return local.OpenConfined(w.root, nil)
	}
	cfg.Sealer = sealer(t, w.dir)
	w.use(cfg)
	conn, err := w.CreateConnection(t.Context(), w.editor, audience.Connection{Name: "bucket", SpecID: audience.SpecS3,
		Params: map[string]string{"s3AccessKey": "AKIA", "s3SecretKey": "hush", "bucketName": "people"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.RotateSecrets(t.Context(), w.editor)
	wantCode(t, "by an editor", err, audience.Forbidden, "role")
	before, earlier := sealer(t, w.dir), conn.Sealed
	n, err := w.RotateSecrets(t.Context(), w.administrator())
	if err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if e := w.last(); e.Action != audience.SecretRotate || e.After["resealed"] != 1.0 {
		t.Errorf("%+v", e)
	}
	stored, err := w.store.Connection(t.Context(), w.editor.Scope, conn.ID)
	if err != nil || stored.Sealed == earlier {
		t.Fatal("it is sealed as before", err)
	}
	if _, err := before.Open(stored.Sealed, string(conn.ID)); err == nil {
		t.Error("the earlier keys open it")
	}
	cfg.Sealer = sealer(t, w.dir)
	w.use(cfg)
	if _, err := w.TestConnection(t.Context(), w.editor, conn.ID); err != nil || opened["s3SecretKey"] != "hush" {
		t.Errorf("%v, %v", opened, err)
	}
}

// TestSecretsOfConnections checks that secrets are encrypted in the store, never returned, and available when the store
// of files is opened.
func TestSecretsOfConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var opened map[string]string
	cfg := w.config("worker-1")
	cfg.Sealer = sealer(t, w.dir)
	cfg.Open = func(_ context.Context, _ audience.Scope, conn *audience.Connection) (source.Store, error) {
		opened = conn.Params
		return local.OpenConfined(w.root, nil)
	}
	w.use(cfg)
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

	// A connection's encrypted secret can be decrypted only for that connection.
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
