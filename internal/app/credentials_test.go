package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"roster/internal/meta"
)

// TestFirstStartCutOff cuts the first start off after each of its steps. The next start ends it: with
// credentials that work, one organization, and no second administrator where one step was enough.
func TestFirstStartCutOff(t *testing.T) {
	t.Parallel()
	for name, cutOff := range map[string]func(t *testing.T, a *App){
		"before the file": func(*testing.T, *App) {},
		"after the file, before the metadata": func(t *testing.T, a *App) {
			creds := Credentials{BaseURL: "http://x", OrgID: "o", Sandbox: "prod", ClientID: "c", ClientSecret: "s"}
			if err := writeJSON(CredentialsPath(a.cfg.DataDir)+".pending", creds); err != nil {
				t.Fatal(err)
			}
		},
		"in the middle of the file": func(t *testing.T, a *App) {
			write(t, CredentialsPath(a.cfg.DataDir)+".pending", `{"base_url": "htt`)
		},
		"after the metadata": func(t *testing.T, a *App) {
			if _, err := a.newAdministrator(t.Context(), CredentialsPath(a.cfg.DataDir)+".pending", "http://127.0.0.1:1"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			a := open(t, dir)
			cutOff(t, a)
			if err := a.Stop(context.Background()); err != nil {
				t.Fatal(err)
			}
			a = open(t, dir)
			defer a.Stop(context.Background())
			if err := a.bootstrap(t.Context(), "http://127.0.0.1:2"); err != nil {
				t.Fatal(err)
			}
			creds, err := ReadCredentials(CredentialsPath(dir))
			if err != nil {
				t.Fatal(err)
			}
			if creds.BaseURL == "http://x" {
				t.Error("credentials that no metadata knows were kept")
			}
			if err := a.bootstrap(t.Context(), creds.BaseURL); err != nil {
				t.Fatal(err)
			}
			if again, err := ReadCredentials(CredentialsPath(dir)); err != nil || again != creds {
				t.Errorf("a second start changed the credentials: %v", err)
			}
			client, err := a.meta.Client(t.Context(), creds.ClientID)
			if err != nil || client.Org != creds.OrgID {
				t.Errorf("client %v, %v", client.Org, err)
			}
			if orgs, err := a.meta.Organizations(t.Context()); err != nil || len(orgs) != 1 {
				t.Errorf("organizations %v, %v", orgs, err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "credentials.json.*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestLostCredentials removes the file: the next start makes a new administrator of the same organization.
func TestLostCredentials(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := open(t, dir)
	defer a.Stop(context.Background())
	if err := a.bootstrap(t.Context(), "http://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	first, err := ReadCredentials(CredentialsPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(CredentialsPath(dir)); err != nil {
		t.Fatal(err)
	}
	if err := a.bootstrap(t.Context(), "http://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	second, err := ReadCredentials(CredentialsPath(dir))
	if err != nil || second.OrgID != first.OrgID || second.ClientID == first.ClientID {
		t.Errorf("got %v %v, %v", second.OrgID, second.ClientID, err)
	}
}

// TestForeignCredentials puts in a file of another installation: it is refused, and creates nothing.
func TestForeignCredentials(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := open(t, dir)
	defer a.Stop(context.Background())
	foreign := Credentials{BaseURL: "http://x", OrgID: "o", Sandbox: "prod", ClientID: "c", ClientSecret: "s"}
	if err := writeJSON(CredentialsPath(dir), foreign); err != nil {
		t.Fatal(err)
	}
	if err := a.bootstrap(t.Context(), "http://127.0.0.1:1"); err == nil {
		t.Error("foreign credentials were accepted")
	}
	if _, err := a.meta.Client(t.Context(), "c"); !errors.Is(err, meta.ErrNotFound) {
		t.Errorf("the foreign client: %v", err)
	}
}

func open(t *testing.T, dir string) *App {
	t.Helper()
	a, err := New(t.Context(), Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return a
}
