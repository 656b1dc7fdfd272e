package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"roster/internal/landing"
	"roster/internal/netguard"
	"roster/internal/source"
	"roster/internal/source/bucket"
)

// openLanding opens the landing zones: folders of the data directory, or of the operator's bucket.
func (a *App) openLanding(ctx context.Context) error {
	var files landing.Store
	if a.cfg.LandingURL != "" {
		open, err := landingBucket(a.cfg.LandingURL)
		if err != nil {
			return fmt.Errorf("--landing-url, ROSTER_LANDING_URL: %w", err)
		}
		store, err := open(ctx)
		if err != nil {
			return fmt.Errorf("--landing-url, ROSTER_LANDING_URL: %w", err)
		}
		a.closers = append(a.closers, store.Close)
		if err := store.List(ctx, "", func(source.Object) error { return errSeen }); err != nil && !errors.Is(err, errSeen) {
			return fmt.Errorf("--landing-url, ROSTER_LANDING_URL: the bucket cannot be listed: %w", err)
		}
		files = bucketStore{store}
	}
	// Organizations share nothing here: a data directory holds one.
	a.landing = landing.New(a.path("landing"), files, a.cfg.LandingQuota)
	return nil
}

var errSeen = errors.New("app: seen enough")

// landingBucket reads the address of a bucket: who opens it is what the environment says. The operator names it, so that it may be
// anywhere.
func landingBucket(text string) (open func(context.Context) (*bucket.Store, error), err error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "s3" && u.Scheme != "gs" && u.Scheme != "azblob" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, errors.New("it must be s3://BUCKET/FOLDER, with ?region=, &endpoint= and &pathStyle= if they are wanted, gs://BUCKET/FOLDER, with ?endpoint=, or azblob://CONTAINER/FOLDER")
	}
	everywhere := netguard.Guard{Allowed: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}
	client, query := everywhere.Client(), u.Query()
	known := map[string][]string{"s3": {"region", "endpoint", "pathStyle"}, "gs": {"endpoint"}}[u.Scheme]
	for name := range query {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("%q is not a part of it", name)
		}
	}
	endpoint := strings.TrimRight(query.Get("endpoint"), "/")
	switch u.Scheme {
	case "gs":
		return func(ctx context.Context) (*bucket.Store, error) {
			account, err := os.ReadFile(os.Getenv("GOOGLE_APPLICATION_CREDENTIALS"))
			if err != nil {
				return nil, fmt.Errorf("GOOGLE_APPLICATION_CREDENTIALS must name the key file of a service account: %w", err)
			}
			return bucket.OpenGCS(ctx, bucket.GCS{Endpoint: endpoint, Bucket: u.Host, Folder: u.Path, ServiceAccount: string(account), Writes: true, Client: client})
		}, nil
	case "azblob":
		return func(context.Context) (*bucket.Store, error) {
			account := os.Getenv("AZURE_STORAGE_CONNECTION_STRING")
			if account == "" {
				return nil, errors.New("AZURE_STORAGE_CONNECTION_STRING must be the connection string of the account")
			}
			return bucket.OpenAzure(bucket.Azure{ConnectionString: account, Container: u.Host, Folder: u.Path, Client: client})
		}, nil
	}
	pathStyle, err := strconv.ParseBool(cmp.Or(query.Get("pathStyle"), strconv.FormatBool(endpoint != "")))
	if err != nil {
		return nil, errors.New("pathStyle must be true or false")
	}
	return func(ctx context.Context) (*bucket.Store, error) {
		return bucket.OpenS3(ctx, bucket.S3{Endpoint: endpoint, Region: query.Get("region"), PathStyle: pathStyle, Bucket: u.Host, Folder: u.Path, Environment: true, Client: client})
	}, nil
}

// bucketStore has the files of landing zones in a bucket, below the names of the sandboxes.
type bucketStore struct{ *bucket.Store }

// Open implements landing.Store.
func (b bucketStore) Open(_ context.Context, sandbox string) (source.Store, error) {
	return b.Below(sandbox), nil
}

// Check implements landing.Store: in a bucket every name can be an object's.
func (b bucketStore) Check(context.Context, string, string) error { return nil }

// Place implements landing.Store.
func (b bucketStore) Place(ctx context.Context, sandbox, name, file string) error {
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

// Remove implements landing.Store.
func (b bucketStore) Remove(ctx context.Context, sandbox, name string) error {
	zone := b.Below(sandbox)
	if _, err := zone.Stat(ctx, name); err != nil {
		return err
	}
	return zone.Remove(ctx, name)
}

// Clear implements landing.Store.
func (b bucketStore) Clear(ctx context.Context, sandbox string) error {
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

// Sandboxes implements landing.Store.
func (b bucketStore) Sandboxes(ctx context.Context) (list []string, err error) {
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
