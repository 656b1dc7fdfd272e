package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"roster/internal/blob/bucket"
	"roster/internal/netguard"
)

// bucketAddress is the address of a folder of a bucket of the operator. The credentials come from the environment.
type bucketAddress struct {
	scheme       string // s3, gs or azblob
	name, folder string // the bucket or container, and a folder in it, without slashes at its ends
	endpoint     string // "" for the cloud's own
	region       string
	pathStyle    bool
}

// parseBucket parses the address of a bucket.
func parseBucket(text string) (b bucketAddress, err error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "s3" && u.Scheme != "gs" && u.Scheme != "azblob" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return b, errors.New("it must be s3://BUCKET/FOLDER (optionally with ?region=, &endpoint= and &pathStyle=), gs://BUCKET/FOLDER (optionally with ?endpoint=) or azblob://CONTAINER/FOLDER; %, ? and # in a folder are written %25, %3F and %23")
	}
	query := u.Query()
	known := map[string][]string{"s3": {"region", "endpoint", "pathStyle"}, "gs": {"endpoint"}}[u.Scheme]
	for name := range query {
		if !slices.Contains(known, name) {
			return b, fmt.Errorf("it has no parameter %q", name)
		}
	}
	b = bucketAddress{scheme: u.Scheme, name: u.Host, folder: strings.Trim(u.Path, "/"), endpoint: strings.TrimRight(query.Get("endpoint"), "/"), region: query.Get("region")}
	if b.pathStyle, err = strconv.ParseBool(cmp.Or(query.Get("pathStyle"), strconv.FormatBool(b.endpoint != ""))); err != nil {
		return b, errors.New("pathStyle must be true or false")
	}
	return b, nil
}

// client is the HTTP client for a bucket. The operator names the bucket, so any address is allowed.
func (b bucketAddress) client() *http.Client {
	everywhere := netguard.Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}
	return everywhere.Client()
}

// open opens a folder of the bucket. Nothing is asked of the store yet.
func (b bucketAddress) open(ctx context.Context, folder string) (*bucket.Store, error) {
	switch b.scheme {
	case "gs":
		account, err := os.ReadFile(os.Getenv("GOOGLE_APPLICATION_CREDENTIALS"))
		if err != nil {
			return nil, fmt.Errorf("GOOGLE_APPLICATION_CREDENTIALS must name the key file of a service account: %w", err)
		}
		return bucket.OpenGCS(ctx, bucket.GCS{Endpoint: b.endpoint, Bucket: b.name, Folder: folder, ServiceAccount: string(account), Writes: true, Client: b.client()})
	case "azblob":
		connection, err := azureConnection()
		if err != nil {
			return nil, err
		}
		return bucket.OpenAzure(bucket.Azure{ConnectionString: connection, Container: b.name, Folder: folder, Client: b.client()})
	}
	return bucket.OpenS3(ctx, bucket.S3{Endpoint: b.endpoint, Region: b.region, PathStyle: b.pathStyle, Bucket: b.name, Folder: folder, Environment: true, Client: b.client()})
}

// storeProperties returns Iceberg's properties of the bucket of the datasets, without credentials; nil if they lie on the disk.
func (a *App) storeProperties() map[string]string {
	b, err := parseBucket(a.cfg.LakeURL)
	if err != nil || b.scheme != "s3" {
		return nil
	}
	p := map[string]string{}
	if b.endpoint != "" {
		p["s3.endpoint"] = b.endpoint
	}
	if b.region != "" {
		p["s3.region"], p["client.region"] = b.region, b.region
	}
	if b.pathStyle {
		p["s3.path-style-access"] = "true"
	}
	return p
}

// azureConnection returns the connection string of the Azure account.
func azureConnection() (string, error) {
	connection := os.Getenv("AZURE_STORAGE_CONNECTION_STRING")
	if connection == "" {
		return "", errors.New("AZURE_STORAGE_CONNECTION_STRING must be the connection string of the account")
	}
	return connection, nil
}

// location returns the location of the bucket as Iceberg's libraries write it: s3://BUCKET, gs://BUCKET or
// abfss://CONTAINER@ACCOUNT.dfs.core.windows.net.
func (b bucketAddress) location() (string, error) {
	if b.scheme != "azblob" {
		return b.scheme + "://" + b.name, nil
	}
	connection, err := azureConnection()
	if err != nil {
		return "", err
	}
	for part := range strings.SplitSeq(connection, ";") {
		if account, ok := strings.CutPrefix(part, "AccountName="); ok && account != "" {
			return "abfss://" + b.name + "@" + account + ".dfs.core.windows.net", nil
		}
	}
	for part := range strings.SplitSeq(connection, ";") {
		endpoint, ok := strings.CutPrefix(part, "BlobEndpoint=")
		if !ok {
			continue
		}
		u, err := url.Parse(endpoint)
		if err != nil {
			break
		}
		if account, host, ok := strings.Cut(u.Host, ".blob."); ok {
			return "abfss://" + b.name + "@" + account + ".dfs." + host, nil
		}
	}
	return "", errors.New("AZURE_STORAGE_CONNECTION_STRING must name the account, by AccountName or by BlobEndpoint")
}
