package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"

	"roster/internal/landing"
	"roster/internal/netguard"
	"roster/internal/source"
	"roster/internal/source/bucket"
)

// openLanding opens the landing zones: folders of the data directory, or of the operator's bucket.
func (a *App) openLanding(ctx context.Context) error {
	var shelf landing.Shelf
	if a.cfg.LandingURL != "" {
		c, err := landingBucket(a.cfg.LandingURL)
		if err != nil {
			return fmt.Errorf("--landing-url, ROSTER_LANDING_URL: %w", err)
		}
		store, err := bucket.OpenS3(ctx, c)
		if err != nil {
			return fmt.Errorf("--landing-url, ROSTER_LANDING_URL: %w", err)
		}
		a.closers = append(a.closers, store.Close)
		if err := store.List(ctx, "", func(source.Object) error { return errSeen }); err != nil && !errors.Is(err, errSeen) {
			return fmt.Errorf("--landing-url, ROSTER_LANDING_URL: the bucket cannot be listed: %w", err)
		}
		shelf = bucketShelf{store}
	}
	// Organizations share nothing here: a data directory holds one.
	a.landing = landing.New(a.path("landing"), shelf, a.cfg.LandingQuota)
	return nil
}

var errSeen = errors.New("app: seen enough")

// landingBucket reads the address of a bucket. The operator names it, so that it may be anywhere.
func landingBucket(text string) (bucket.S3, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "s3" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return bucket.S3{}, errors.New("it must be s3://BUCKET/FOLDER, with ?region=, &endpoint= and &pathStyle= if they are wanted")
	}
	everywhere := netguard.Guard{Allowed: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}
	c := bucket.S3{Bucket: u.Host, Folder: u.Path, Environment: true, Client: everywhere.Client()}
	for name, values := range u.Query() {
		switch value := values[0]; name {
		case "region":
			c.Region = value
		case "endpoint":
			c.Endpoint, c.PathStyle = strings.TrimRight(value, "/"), true
		case "pathStyle":
		default:
			return c, fmt.Errorf("%q is not a part of it; region, endpoint and pathStyle are", name)
		}
	}
	if style := u.Query().Get("pathStyle"); style != "" {
		if c.PathStyle, err = strconv.ParseBool(style); err != nil {
			return c, errors.New("pathStyle must be true or false")
		}
	}
	return c, nil
}

// bucketShelf has the files of landing zones in a bucket, below the names of the sandboxes.
type bucketShelf struct{ *bucket.Store }

// Open implements landing.Shelf.
func (b bucketShelf) Open(_ context.Context, sandbox string) (source.Store, error) {
	return b.Below(sandbox), nil
}

// Check implements landing.Shelf: in a bucket every name can be an object's.
func (b bucketShelf) Check(context.Context, string, string) error { return nil }

// Place implements landing.Shelf.
func (b bucketShelf) Place(ctx context.Context, sandbox, name, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := b.Below(sandbox).Put(ctx, name, f); err != nil {
		return fmt.Errorf("put the upload into the landing zone's bucket: %w", err)
	}
	return nil
}

// Remove implements landing.Shelf.
func (b bucketShelf) Remove(ctx context.Context, sandbox, name string) error {
	zone := b.Below(sandbox)
	if _, err := zone.Stat(ctx, name); err != nil {
		return err
	}
	return zone.Remove(ctx, name)
}

// Clear implements landing.Shelf.
func (b bucketShelf) Clear(ctx context.Context, sandbox string) error {
	zone := b.Below(sandbox)
	err := zone.List(ctx, "", func(o source.Object) error {
		if err := zone.Remove(ctx, o.Path); !errors.Is(err, source.ErrOutside) { // such names are not Roster's
			return err
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("empty the landing zone: %w", err)
	}
	return nil
}

// Sandboxes implements landing.Shelf.
func (b bucketShelf) Sandboxes(ctx context.Context) (list []string, err error) {
	err = b.List(ctx, "", func(o source.Object) error {
		if sandbox, _, deeper := strings.Cut(o.Path, "/"); deeper && (len(list) == 0 || list[len(list)-1] != sandbox) {
			list = append(list, sandbox)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look through the landing zones: %w", err)
	}
	return list, nil
}
