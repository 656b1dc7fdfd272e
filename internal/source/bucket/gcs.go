package bucket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"cloud.google.com/go/storage"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	"roster/internal/source"
)

// GCS says where a bucket of Google Cloud Storage is, and the service account that reads it.
type GCS struct {
	Endpoint       string // "" for Google's own
	Bucket         string // "" for all of the project of the service account; the first part of a path then names one
	Folder         string // below which everything is
	ServiceAccount string // its key file, JSON
	Writes         bool   // objects are put and removed, too
	Client         *http.Client
}

// attempts is how often Google's library sends a request. Reading on is ahead's.
const attempts = 3

// tokenWithin is how long a token may take.
const tokenWithin = 30 * time.Second

// OpenGCS opens a bucket. Nothing is asked of the store yet. Tokens are asked for at the address that the key file names.
func OpenGCS(ctx context.Context, c GCS) (*Store, error) {
	scope := storage.ScopeReadOnly
	if c.Writes {
		scope = storage.ScopeReadWrite
	}
	account, err := google.JWTConfigFromJSON([]byte(c.ServiceAccount), scope)
	if err != nil {
		// The cause may quote the key.
		return nil, fmt.Errorf("%w: the service account's key is not the JSON file of one", source.ErrCredentials)
	}
	tokens := straight(c.Client)
	tokens.Timeout = tokenWithin // the library waits for a token whatever becomes of the request that needs it
	lasting := context.WithValue(context.WithoutCancel(ctx), oauth2.HTTPClient, tokens)
	reader := straight(oauth2.NewClient(lasting, account.TokenSource(lasting)))
	reader.Transport, reader.Timeout = asStored{reader.Transport}, 0
	opts := []option.ClientOption{option.WithHTTPClient(reader), storage.WithJSONReads()}
	if c.Endpoint != "" {
		opts = append(opts, option.WithEndpoint(c.Endpoint+"/storage/v1/"))
	}
	client, err := storage.NewClient(lasting, opts...)
	if err != nil {
		return nil, errors.New("the bucket cannot be opened")
	}
	client.SetRetry(storage.WithMaxAttempts(attempts))
	var e engine = gcsEngine{client, client.Bucket(c.Bucket)}
	if c.Bucket == "" {
		e = allBuckets{engine: e, names: func(ctx context.Context) ([]string, error) { return gcsBuckets(ctx, client, project(c.ServiceAccount)) },
			in: func(bucket string) engine { return gcsEngine{client, client.Bucket(bucket)} }}
	}
	return newStore(e, c.Folder), nil
}

// project is that of a service account.
func project(account string) string {
	var key struct {
		ProjectID string `json:"project_id"`
	}
	_ = json.Unmarshal([]byte(account), &key) // it was read before
	return key.ProjectID
}

// gcsBuckets are the names of all buckets of a project.
func gcsBuckets(ctx context.Context, client *storage.Client, project string) (names []string, err error) {
	for it := client.Buckets(ctx, project); ; {
		b, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return names, nil
		}
		if err != nil {
			return nil, err
		}
		names = append(names, b.Name)
	}
}

// asStored asks for objects as they are stored: the store would unpack one that is marked as packed by gzip, whatever range was
// asked for.
type asStored struct{ http.RoundTripper }

func (t asStored) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Query().Get("alt") == "media" {
		r = r.Clone(r.Context())
		r.Header.Set("Accept-Encoding", "gzip")
	}
	return t.RoundTripper.RoundTrip(r)
}

// gcsEngine pins objects by their generations.
type gcsEngine struct {
	*storage.Client
	bucket *storage.BucketHandle
}

func (e gcsEngine) list(ctx context.Context, prefix string, deep bool, fn func(string, source.Object) error) error {
	q := &storage.Query{Prefix: prefix, Projection: storage.ProjectionNoACL}
	if !deep {
		q.Delimiter = "/"
	}
	for it := e.bucket.Objects(ctx, q); ; {
		a, err := it.Next()
		switch {
		case errors.Is(err, iterator.Done):
			return nil
		case err != nil:
		case a.Prefix != "":
			err = fn(a.Prefix, source.Object{})
		default:
			err = fn(a.Name, gcsObject(a))
		}
		if err != nil {
			return err
		}
	}
}

func gcsObject(a *storage.ObjectAttrs) source.Object {
	return source.Object{Size: a.Size, Modified: a.Updated, Version: strconv.FormatInt(a.Generation, 10)}
}

func (e gcsEngine) stat(ctx context.Context, key string) (source.Object, error) {
	a, err := e.bucket.Object(key).Attrs(ctx)
	if errors.Is(err, storage.ErrObjectNotExist) {
		// The answer is the same when there is no bucket; that to a list is not.
		if _, told := e.bucket.Objects(ctx, &storage.Query{Prefix: key}).Next(); errors.Is(told, storage.ErrBucketNotExist) {
			err = told
		}
	}
	if err != nil {
		return source.Object{}, err
	}
	return gcsObject(a), nil
}

func (e gcsEngine) read(ctx context.Context, key, version string, offset int64, part []byte) (int, error) {
	generation, err := strconv.ParseInt(version, 10, 64)
	if err != nil {
		return 0, source.ErrChanged
	}
	object := e.bucket.Object(key).If(storage.Conditions{GenerationMatch: generation})
	r, err := object.NewRangeReader(ctx, offset, int64(len(part)))
	if err != nil {
		return 0, err
	}
	defer r.Close()
	switch {
	case r.Attrs.Generation != generation:
		return 0, source.ErrChanged
	case r.Attrs.StartOffset != offset:
		return 0, fmt.Errorf("%w: it answers with other bytes than those that were asked for", source.ErrFailed)
	}
	return io.ReadFull(r, part)
}

func (e gcsEngine) put(ctx context.Context, key string, content io.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // an upload that is not closed is dropped
	w := e.bucket.Object(key).NewWriter(ctx)
	w.ContentType = contentType
	if _, err := io.Copy(w, content); err != nil {
		return err
	}
	return w.Close()
}

func (e gcsEngine) remove(ctx context.Context, key string) error {
	return e.bucket.Object(key).Delete(ctx)
}

func (gcsEngine) refused(err error) error {
	var token *oauth2.RetrieveError
	var api *googleapi.Error
	switch {
	case errors.As(err, &token):
		return fmt.Errorf("%w: Google gives no token for the service account%s", source.ErrCredentials, tokenCode(token.ErrorCode))
	case errors.Is(err, storage.ErrBucketNotExist):
		return source.ErrNoBucket
	case errors.Is(err, storage.ErrObjectNotExist):
		return source.ErrNotExist
	case !errors.As(err, &api):
		return nil
	}
	switch api.Code {
	case http.StatusUnauthorized:
		return source.ErrCredentials
	case http.StatusForbidden:
		return source.ErrPermission
	case http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable:
		return source.ErrChanged
	}
	reason := ""
	if len(api.Errors) > 0 {
		reason = api.Errors[0].Reason
	}
	return answered(api.Code, reason)
}

// tokenCode is the code of who gives tokens, if it is one that OAuth 2 knows: the address to ask is whoever's the key file says.
func tokenCode(code string) string {
	switch code {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope":
		return " (" + code + ")"
	}
	return ""
}
