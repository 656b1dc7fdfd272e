package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"roster/internal/profile"
	"roster/internal/profile/cassandra"
	"roster/internal/profile/pebble"
)

// openProfile opens the profile store, in the data directory or on a cluster.
func (a *App) openProfile(ctx context.Context) error {
	if a.cfg.ProfileURL != "" {
		store, err := a.openCassandra(ctx)
		if err != nil {
			return fmt.Errorf("--profile-url, ROSTER_PROFILE_URL: %w", err)
		}
		a.profile = store
		a.closers = append(a.closers, store.Close)
		return nil
	}
	store, err := pebble.Open(a.path("profile"), pebble.Options{Log: a.log, AsFound: a.cfg.asFound})
	if a.cfg.asFound && errors.Is(err, profile.ErrDamaged) {
		a.profileFault = err
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the profile store: %w", err)
	}
	a.profile, a.renewed = store, store
	a.closers = append(a.closers, store.Close)
	return nil
}

func (a *App) openCassandra(ctx context.Context) (*cassandra.Store, error) {
	address, err := cassandra.Parse(a.cfg.ProfileURL)
	if err != nil {
		return nil, err
	}
	if a.cfg.ProfilePassword != "" && a.cfg.ProfileUser == "" {
		return nil, errors.New("ROSTER_PROFILE_PASSWORD needs --profile-user (ROSTER_PROFILE_USER)")
	}
	o := cassandra.Options{User: a.cfg.ProfileUser, Password: a.cfg.ProfilePassword, AsFound: a.cfg.asFound, Log: a.log}
	if o.Owner, err = directoryID(a.path("id")); err != nil {
		return nil, err
	}
	if address.TLS {
		if o.TLS, err = clientTLS(address); err != nil {
			return nil, err
		}
	}
	return cassandra.Open(ctx, address, o)
}

// clientTLS reads the certificates that an address names.
func clientTLS(a cassandra.Address) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if a.CA != "" {
		text, err := os.ReadFile(a.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ca: %s has no certificate in PEM", a.CA)
		}
	}
	if a.Cert != "" {
		pair, err := tls.LoadX509KeyPair(a.Cert, a.Key)
		if err != nil {
			return nil, fmt.Errorf("cert, key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// profileKey returns the path of the key with which the server authenticates at the profile store, "" for none.
func (c Config) profileKey() string {
	a, err := cassandra.Parse(cmp.Or(c.ProfileURL, "-"))
	if err != nil {
		return ""
	}
	return a.Key
}

func setProfileURL(c *Config, v string) error {
	if _, err := cassandra.Parse(v); err != nil {
		return err
	}
	c.ProfileURL = v
	return nil
}
