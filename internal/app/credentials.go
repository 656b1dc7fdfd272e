package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/auth"
	"roster/internal/durable"
	"roster/internal/meta"
)

// Credentials is the content of DIR/credentials.json: the address of the server and the first administrator's
// credentials.
type Credentials struct {
	BaseURL      string `json:"base_url"`
	TokenURL     string `json:"token_url"`
	OrgID        string `json:"org_id"`
	Sandbox      string `json:"sandbox"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
}

// CredentialsPath returns the path of the credentials in a data directory.
func CredentialsPath(dir string) string { return filepath.Join(dir, "credentials.json") }

// KeyPath returns the path of the key that signs tokens and receipts.
func KeyPath(dir string) string { return filepath.Join(dir, "keys", "token.jwk") }

// ReadCredentials reads a credentials file.
func ReadCredentials(path string) (Credentials, error) {
	var c Credentials
	data, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("%s is not a credentials file: %w", path, err)
	}
	if c.BaseURL == "" || c.OrgID == "" || c.Sandbox == "" || c.ClientID == "" || c.ClientSecret == "" {
		return c, fmt.Errorf("%s is not a credentials file: base_url, org_id, sandbox, client_id and client_secret are all required", path)
	}
	return c, nil
}

// WriteCredentials replaces a credentials file.
func WriteCredentials(path string, c Credentials) error { return writeJSON(path, c) }

// firstSandbox is the first sandbox of a new organization.
const firstSandbox = "prod"

// bootstrap ensures that there is an organization with an administrator, and a credentials file that works. It writes
// the file under a pending name, then commits the metadata, then renames the file. So the metadata tell the next start
// how far a process that died had come. The metadata never hold the secret, and a client that was removed there never
// comes back through its file.
func (a *App) bootstrap(ctx context.Context, baseURL string) error {
	path := CredentialsPath(a.cfg.DataDir)
	pending := path + ".pending"
	if err := a.settlePending(ctx, pending, path); err != nil {
		return err
	}
	creds, err := ReadCredentials(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if creds, err = a.newAdministrator(ctx, pending, baseURL); err != nil {
			return err
		}
		if err := rename(pending, path); err != nil {
			return err
		}
		a.log.Info("created an administrator client", "client", creds.ClientID, "credentials", path)
		return nil
	case err != nil:
		return err
	}
	return a.keepCredentials(ctx, path, creds, baseURL)
}

// settlePending completes an interrupted first start. Pending credentials whose client is in the metadata become the
// credentials; others were never used and are removed.
func (a *App) settlePending(ctx context.Context, pending, path string) error {
	creds, err := ReadCredentials(pending)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		_, err = a.meta.Client(ctx, creds.ClientID)
		if err == nil {
			return rename(pending, path)
		}
		if !errors.Is(err, meta.ErrNotFound) {
			return err
		}
	}
	return os.Remove(pending)
}

// newAdministrator writes pending credentials and then creates their client, and the organization with its sandbox if
// there is none yet.
func (a *App) newAdministrator(ctx context.Context, pending, baseURL string) (Credentials, error) {
	orgs, err := a.meta.Organizations(ctx)
	if err != nil {
		return Credentials{}, err
	}
	creds := Credentials{Sandbox: firstSandbox, ClientID: uuid.NewString(), ClientSecret: auth.NewSecret()}
	creds.SetURL(baseURL)
	if len(orgs) == 0 {
		creds.OrgID = newOrganizationID()
	} else {
		creds.OrgID = orgs[0]
	}
	if err := writeJSON(pending, creds); err != nil {
		return creds, err
	}
	err = a.meta.Update(ctx, func(tx meta.Tx) error { return a.createAdministrator(ctx, tx, creds, len(orgs) == 0) })
	return creds, err
}

func (a *App) createAdministrator(ctx context.Context, tx meta.Tx, creds Credentials, newOrg bool) error {
	now := a.cfg.Clock()
	if newOrg {
		if err := tx.CreateOrganization(ctx, creds.OrgID); err != nil {
			return err
		}
		sandbox := audience.Sandbox{ID: uuid.NewString(), Org: creds.OrgID, Name: creds.Sandbox,
			Title: "Production", Type: "production", Default: true, CreatedAt: now}
		if err := tx.CreateSandbox(ctx, &sandbox); err != nil {
			return err
		}
	}
	return tx.CreateClient(ctx, audience.Client{ID: creds.ClientID, Org: creds.OrgID, Name: "administrator",
		SecretHash: auth.HashSecret(creds.ClientSecret), Roles: map[string]audience.ClientRole{audience.AnySandbox: audience.Admin},
		Grants: audience.Grants{audience.AllLabels}, CreatedAt: now, UpdatedAt: now})
}

// keepCredentials checks existing credentials against the metadata and corrects their addresses.
func (a *App) keepCredentials(ctx context.Context, path string, creds Credentials, baseURL string) error {
	_, err := a.meta.Client(ctx, creds.ClientID)
	if errors.Is(err, meta.ErrNotFound) {
		return fmt.Errorf("%s names client %s, which is not in the metadata store; "+
			"move the file away and start again to get a new administrator", path, creds.ClientID)
	}
	if err != nil {
		return err
	}
	if a.cfg.Private || creds.BaseURL == baseURL {
		return nil
	}
	creds.SetURL(baseURL)
	return writeJSON(path, creds)
}

// SetURL sets the addresses of the credentials to those of a server.
func (c *Credentials) SetURL(base string) {
	c.BaseURL = base
	c.TokenURL = base + "/ims/token/v3"
}

// newOrganizationID returns an id in the form that clients of AEP expect: 16 characters and a suffix.
func newOrganizationID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return strings.ToUpper(hex.EncodeToString(b[:])) + "@RosterOrg"
}

// writeJSON writes a file with mode 0600 durably, and either completely or not at all.
func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(path, append(data, '\n'))
}

// rename renames and makes the new name durable.
func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return durable.Sync(durable.Folder(filepath.Dir(to)), ".")
}
