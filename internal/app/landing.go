package app

import (
	"context"
	"fmt"
	"io/fs"

	"roster/internal/blob"
	"roster/internal/blob/local"
	"roster/internal/landing"
)

// openLanding opens the landing zones, in the data directory or in the operator's bucket.
func (a *App) openLanding(ctx context.Context) error {
	files, err := a.landingFiles(ctx)
	if err != nil {
		return err
	}
	// Organizations share nothing here, because a data directory holds one organization.
	a.landing = landing.New(landing.Config{Files: files, Store: a.meta, Dir: a.path("landing"), Quota: a.cfg.LandingQuota, Clock: a.cfg.Clock})
	return nil
}

// landingFiles opens the byte store of the landing zones' files.
func (a *App) landingFiles(ctx context.Context) (blob.Store, error) {
	if a.cfg.LandingURL == "" {
		files, err := local.OpenConfined(a.path("landing"), nil)
		if err != nil {
			return nil, fmt.Errorf("open the landing zones: %w", err)
		}
		a.closers = append(a.closers, files.Close)
		return files, nil
	}
	address, err := parseBucket(a.cfg.LandingURL)
	if err != nil {
		return nil, fmt.Errorf("--landing-url, ROSTER_LANDING_URL: %w", err)
	}
	files, err := address.open(ctx, address.folder)
	if err != nil {
		return nil, fmt.Errorf("--landing-url, ROSTER_LANDING_URL: %w", err)
	}
	if err := files.List(ctx, "", func(blob.Object) error { return fs.SkipAll }); err != nil {
		return nil, fmt.Errorf("--landing-url, ROSTER_LANDING_URL: the bucket cannot be listed: %w", err)
	}
	return files, nil
}
