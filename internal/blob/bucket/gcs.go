package bucket

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"

	"roster/internal/blob"
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

// tokenWithin is how long a token may take.
const tokenWithin = 30 * time.Second

// OpenGCS opens a bucket. Nothing is asked of the store yet. Tokens are asked for at the address that the key file names.
func OpenGCS(ctx context.Context, c GCS) (*Store, error) {
	scope := "https://www.googleapis.com/auth/devstorage.read_only"
	if c.Writes {
		scope = "https://www.googleapis.com/auth/devstorage.read_write"
	}
	account, project, err := serviceAccount(c.ServiceAccount, scope)
	if err != nil {
		return nil, err
	}
	tokens := straight(c.Client)
	tokens.Timeout = tokenWithin // the library waits for a token whatever becomes of the request that needs it
	lasting := context.WithValue(context.WithoutCancel(ctx), oauth2.HTTPClient, tokens)
	reader := straight(oauth2.NewClient(lasting, account.TokenSource(lasting)))
	reader.Timeout = 0
	client := gcsClient{reader, strings.TrimSuffix(cmp.Or(c.Endpoint, "https://storage.googleapis.com"), "/")}
	var e engine = gcsEngine{client, c.Bucket}
	if c.Bucket == "" {
		e = allBuckets{engine: e, names: func(ctx context.Context) ([]string, error) { return client.buckets(ctx, project) },
			in: func(bucket string) engine { return gcsEngine{client, bucket} }}
	}
	return newStore(e, c.Folder), nil
}

// serviceAccount reads the key file of a service account, and returns how tokens are got with it and the account's project.
func serviceAccount(text, scope string) (*jwt.Config, string, error) {
	var key struct {
		Type         string `json:"type"`
		ProjectID    string `json:"project_id"`
		ClientEmail  string `json:"client_email"`
		PrivateKeyID string `json:"private_key_id"`
		PrivateKey   string `json:"private_key"`
		TokenURI     string `json:"token_uri"`
		Audience     string `json:"audience"`
	}
	if err := json.Unmarshal([]byte(text), &key); err != nil || key.Type != "service_account" {
		// The cause may quote the key.
		return nil, "", fmt.Errorf("%w: the service account's key is not the JSON file of one", blob.ErrCredentials)
	}
	return &jwt.Config{Email: key.ClientEmail, PrivateKey: []byte(key.PrivateKey), PrivateKeyID: key.PrivateKeyID, Scopes: []string{scope},
		TokenURL: cmp.Or(key.TokenURI, "https://oauth2.googleapis.com/token"), Audience: key.Audience}, key.ProjectID, nil
}

// gcsEngine pins objects by their generations.
type gcsEngine struct {
	client gcsClient
	bucket string
}

func (e gcsEngine) list(ctx context.Context, prefix string, deep bool, fn func(string, blob.Object) error) error {
	delimiter := "/"
	if deep {
		delimiter = ""
	}
	for token := ""; ; {
		page, err := e.client.list(ctx, e.bucket, prefix, delimiter, token, 0)
		if err != nil {
			return err
		}
		for _, o := range page.Items {
			if err := fn(o.Name, gcsPinned(o)); err != nil {
				return err
			}
		}
		for _, p := range page.Prefixes {
			if err := fn(p, blob.Object{}); err != nil {
				return err
			}
		}
		if token = page.NextPageToken; token == "" {
			return nil
		}
	}
}

func gcsPinned(o gcsObject) blob.Object {
	return blob.Object{Size: o.Size, Modified: o.Updated, Version: strconv.FormatInt(o.Generation, 10)}
}

func (e gcsEngine) stat(ctx context.Context, key string) (blob.Object, error) {
	o, err := e.client.stat(ctx, e.bucket, key)
	if isStatus(err, http.StatusNotFound) {
		// The answer is the same when there is no bucket; that to a list is not.
		if _, told := e.client.list(ctx, e.bucket, key, "", "", 1); errors.Is(told, blob.ErrNoBucket) {
			err = told
		}
	}
	if err != nil {
		return blob.Object{}, err
	}
	return gcsPinned(o), nil
}

func (e gcsEngine) read(ctx context.Context, key, version string, offset int64, part []byte) (int, error) {
	generation, err := strconv.ParseInt(version, 10, 64)
	if err != nil {
		return 0, blob.ErrChanged
	}
	r, err := e.client.read(ctx, e.bucket, key, generation, offset, int64(len(part)))
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	if _, err := within(r.Header.Get("Content-Range"), offset); err != nil {
		return 0, err
	}
	if r.Header.Get("X-Goog-Generation") != version {
		return 0, blob.ErrChanged
	}
	return io.ReadFull(r.Body, part)
}

func (e gcsEngine) put(ctx context.Context, key string, content io.Reader, absent bool) error {
	return e.client.put(ctx, e.bucket, key, content, absent)
}

func (e gcsEngine) remove(ctx context.Context, key string) error {
	return e.client.remove(ctx, e.bucket, key, 0)
}

func (gcsEngine) refused(err error) error {
	var token *oauth2.RetrieveError
	var answer *gcsError
	switch {
	case errors.As(err, &token):
		return noToken(token, "Google", "service account", tokenCode(token.Body))
	case errors.Is(err, blob.ErrNoBucket):
		return blob.ErrNoBucket
	case !errors.As(err, &answer):
		return nil
	}
	switch answer.status {
	case http.StatusUnauthorized:
		return blob.ErrCredentials
	case http.StatusForbidden:
		return blob.ErrPermission
	case http.StatusNotFound:
		return blob.ErrNotExist
	case http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable:
		return blob.ErrChanged
	}
	return answered(answer.status, answer.reason)
}

// tokenCode is the error code in an answer of who gives tokens, "" if there is none.
func tokenCode(answer []byte) string {
	var told struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(answer, &told) // an answer without a code
	return told.Error
}
