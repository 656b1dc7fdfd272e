package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"roster/internal/blob"
	"roster/internal/blob/bucket"
	"roster/internal/blob/local"
	"roster/internal/landing"
	"roster/internal/netguard"
)

// openLanding opens the landing zones, in the data directory or in the operator's bucket.
func (a *App) openLanding(ctx context.Context) error {
	files, err := a.landingFiles(ctx)
	if err != nil {
		return err
	}
	// Organizations share nothing here, because a data directory holds one organization.
	a.landing = landing.New(a.path("landing"), files, a.cfg.LandingQuota)
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
	open, err := landingBucket(a.cfg.LandingURL)
	if err != nil {
		return nil, fmt.Errorf("--landing-url, ROSTER_LANDING_URL: %w", err)
	}
	files, err := open(ctx)
	if err != nil {
		return nil, fmt.Errorf("--landing-url, ROSTER_LANDING_URL: %w", err)
	}
	if err := files.List(ctx, "", func(blob.Object) error { return fs.SkipAll }); err != nil {
		return nil, fmt.Errorf("--landing-url, ROSTER_LANDING_URL: the bucket cannot be listed: %w", err)
	}
	return files, nil
}

// landingBucket parses the address of a bucket. The credentials come from the environment. The operator names the
// bucket, so any address is allowed.
func landingBucket(text string) (open func(context.Context) (*bucket.Store, error), err error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "s3" && u.Scheme != "gs" && u.Scheme != "azblob" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, errors.New("it must be s3://BUCKET/FOLDER (optionally with ?region=, &endpoint= and &pathStyle=), gs://BUCKET/FOLDER (optionally with ?endpoint=) or azblob://CONTAINER/FOLDER")
	}
	everywhere := netguard.Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}
	client, query := everywhere.Client(), u.Query()
	known := map[string][]string{"s3": {"region", "endpoint", "pathStyle"}, "gs": {"endpoint"}}[u.Scheme]
	for name := range query {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("it has no parameter %q", name)
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
