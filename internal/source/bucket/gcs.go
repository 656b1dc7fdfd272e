package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"cloud.google.com/go/storage"
	"gocloud.dev/blob"
	"gocloud.dev/blob/gcsblob"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"

	"roster/internal/source"
)

// GCS says where a bucket of Google Cloud Storage is, and the service account that reads it.
type GCS struct {
	Endpoint       string // "" for Google's own
	Bucket         string
	Folder         string // below which everything is
	ServiceAccount string // its key file, JSON
	Client         *http.Client
}

// attempts is how often Google's library sends a request. Reading on is ahead's.
const attempts = 3

// OpenGCS opens a bucket. Nothing is asked of the store yet. Tokens are asked for at the address that the key file names.
func OpenGCS(ctx context.Context, c GCS) (*Store, error) {
	account, err := google.JWTConfigFromJSON([]byte(c.ServiceAccount), storage.ScopeReadOnly)
	if err != nil {
		// The cause may quote the key.
		return nil, fmt.Errorf("%w: the service account's key is not the JSON file of one", source.ErrCredentials)
	}
	lasting := context.WithValue(context.WithoutCancel(ctx), oauth2.HTTPClient, c.Client)
	opts := []option.ClientOption{option.WithHTTPClient(oauth2.NewClient(lasting, account.TokenSource(lasting))), storage.WithJSONReads()}
	if c.Endpoint != "" {
		opts = append(opts, option.WithEndpoint(c.Endpoint+"/storage/v1/"))
	}
	client, err := storage.NewClient(lasting, opts...)
	if err != nil {
		return nil, errors.New("the bucket cannot be opened")
	}
	client.SetRetry(storage.WithMaxAttempts(attempts))
	b, err := gcsblob.OpenBucket(ctx, nil, c.Bucket, &gcsblob.Options{Client: client})
	if err != nil {
		return nil, fmt.Errorf("open the bucket %s: %w", c.Bucket, err)
	}
	return newStore(cloud{b, gcsDriver{}}, c.Folder), nil
}

// gcsDriver pins objects by their generations.
type gcsDriver struct{}

func (gcsDriver) listed(o *blob.ListObject) string {
	var attrs storage.ObjectAttrs
	o.As(&attrs)
	return strconv.FormatInt(attrs.Generation, 10)
}

func (gcsDriver) version(a *blob.Attributes) string {
	var attrs storage.ObjectAttrs
	a.As(&attrs)
	return strconv.FormatInt(attrs.Generation, 10)
}

func (gcsDriver) pin(as func(any) bool, version string) {
	var object **storage.ObjectHandle
	if generation, err := strconv.ParseInt(version, 10, 64); err == nil && as(&object) {
		*object = (*object).If(storage.Conditions{GenerationMatch: generation})
	}
}

func (gcsDriver) same(as func(any) bool, version string) bool {
	var r *storage.Reader
	return !as(&r) || strconv.FormatInt(r.Attrs.Generation, 10) == version
}

func (gcsDriver) refused(err error) error {
	var token *oauth2.RetrieveError
	var api *googleapi.Error
	switch {
	case errors.As(err, &token):
		return fmt.Errorf("%w: Google gives no token for the service account (%s)", source.ErrCredentials, token.ErrorCode)
	case errors.Is(err, storage.ErrBucketNotExist):
		return source.ErrNoBucket
	case !errors.As(err, &api):
		return nil
	case api.Code == http.StatusUnauthorized:
		return source.ErrCredentials
	case api.Code == http.StatusPreconditionFailed:
		return source.ErrChanged
	}
	return nil
}
