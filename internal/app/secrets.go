package app

import (
	"context"
	"fmt"
	"path/filepath"

	"roster/internal/secret"
)

// keysDir is the folder of the keys in the data directory.
func (c Config) keysDir() string { return filepath.Join(c.DataDir, "keys") }

// masterKeyPath is the path of the master key, unless the operator keeps it elsewhere.
func (c Config) masterKeyPath() string { return filepath.Join(c.keysDir(), "master.key") }

// ringPath is the path of the keys that encrypt secrets.
func (c Config) ringPath() string { return filepath.Join(c.keysDir(), "secrets.json") }

// open opens a master key. If no field is set, it opens the one in the data directory, and creates it if it is absent.
func (m MasterKey) open(ctx context.Context, keysDir string) (master secret.Master, err error) {
	switch {
	case m.Text != "":
		master, err = secret.Key(m.Text)
	case m.URL != "":
		master, err = secret.KMS(ctx, m.URL)
	case m.File != "":
		master, err = secret.KeyFile(m.File, false)
	default:
		master, err = secret.KeyFile(filepath.Join(keysDir, "master.key"), true)
	}
	if err != nil {
		return nil, fmt.Errorf("the master key: %w", err)
	}
	return master, nil
}

// openRing opens the keys that encrypt secrets.
func (c Config) openRing(ctx context.Context) (*secret.Ring, error) {
	master, err := c.MasterKey.open(ctx, c.keysDir())
	if err != nil {
		return nil, err
	}
	ring, err := secret.Open(c.ringPath(), master)
	if err != nil {
		return nil, fmt.Errorf("open the keys of secrets: %w", err)
	}
	return ring, nil
}

// RewrapSecrets encrypts the keys of secrets with another master key. No server may be using the data directory.
func RewrapSecrets(ctx context.Context, cfg Config, to MasterKey) error {
	cfg = cfg.withDefaults()
	if !present(cfg.ringPath()) {
		return fmt.Errorf("there are no keys of secrets in %s; use --data-dir", cfg.DataDir)
	}
	lock, err := lockDir(cfg.DataDir)
	if err != nil {
		return err
	}
	defer lock.release()
	if err := cfg.checkMasterKey(); err != nil {
		return err
	}
	master, err := to.open(ctx, cfg.keysDir())
	if err != nil {
		return err
	}
	ring, err := cfg.openRing(ctx)
	if err != nil {
		return err
	}
	return ring.Rewrap(master)
}
