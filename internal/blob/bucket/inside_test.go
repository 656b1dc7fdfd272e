package bucket

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"roster/internal/blob"
	"roster/tests/servertest"
)

// tokenHost gives tokens.
const tokenHost = "tokens.example"

// hosts refuses everybody but who asks for a token, and notes which hosts were asked.
type hosts struct {
	mu    sync.Mutex
	asked []string
}

func (h *hosts) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == tokenHost {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
			Body: io.NopCloser(strings.NewReader(`{"access_token": "t", "token_type": "Bearer", "expires_in": 3600}`))}, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, r.URL.Host)
	return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// TestNamesStayInside has names of buckets, containers and folders that look like hosts. A connection keeps its secrets when these
// change, so that none of them may lead to another host.
func TestNamesStayInside(t *testing.T) {
	t.Parallel()
	names := []string{"people", "attacker.example", "attacker.example/", "@attacker.example", "x@attacker.example/", "attacker.example#", "attacker.example?", "//attacker.example/x",
		"http://attacker.example/", "..", "../..", `\\attacker.example\x`, "attacker.example:443", "arn:aws:s3:us-east-1:123456789012:accesspoint/attacker.example",
		"arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap", "arn:aws:s3:attacker.example/:123456789012:accesspoint/x", "arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-1/accesspoint/x",
		"arn:attacker:s3:us-east-1:123456789012:accesspoint/x", "x--use1-az4--x-s3", "x\r\nHost: attacker.example", "%2f%2fattacker.example", "[::1]"}
	account := servertest.ServiceAccountAt(t, "http://"+tokenHost+"/token")
	for _, name := range names {
		for _, folder := range []string{"", name} {
			for what, open := range map[string]func(c *http.Client) (*Store, error){
				"amazonaws.com": func(c *http.Client) (*Store, error) {
					return OpenS3(t.Context(), S3{Bucket: name, Folder: folder, AccessKey: "a", SecretKey: "b", SessionToken: "c", Client: c})
				},
				"store.example": func(c *http.Client) (*Store, error) {
					return OpenS3(t.Context(), S3{Endpoint: "http://store.example", Bucket: name, Folder: folder, AccessKey: "a", SecretKey: "b", SessionToken: "c", Client: c})
				},
				"path.example": func(c *http.Client) (*Store, error) {
					return OpenS3(t.Context(), S3{Endpoint: "https://path.example/s3", PathStyle: true, Bucket: name, Folder: folder, AccessKey: "a", SecretKey: "b", Client: c})
				},
				"signed.example": func(c *http.Client) (*Store, error) {
					return OpenAzure(Azure{SASURL: "https://signed.example/?sv=2020-02-10&sp=r&sig=s", Container: name, Folder: folder, Client: c})
				},
				"keyed.example": func(c *http.Client) (*Store, error) {
					return OpenAzure(Azure{URL: "https://keyed.example", Key: &AzureKey{"a", "YQ=="}, Container: name, Folder: folder, Client: c})
				},
				"google.example": func(c *http.Client) (*Store, error) {
					return OpenGCS(t.Context(), GCS{Endpoint: "https://google.example", Bucket: name, Folder: folder, ServiceAccount: account, Client: c})
				},
				"string.example": func(c *http.Client) (*Store, error) {
					return OpenAzure(Azure{ConnectionString: "AccountName=a;AccountKey=YQ==;BlobEndpoint=https://string.example/a", Container: name, Folder: folder, Client: c})
				},
			} {
				asked := &hosts{}
				store, err := open(&http.Client{Transport: asked})
				if err != nil {
					continue // refused
				}
				_, _ = store.Stat(t.Context(), "in.csv")
				_ = store.Browse(t.Context(), "", func(blob.Object, bool) error { return nil })
				for _, host := range asked.asked {
					if u, err := url.Parse("//" + host); err != nil || u.Hostname() != what && !strings.HasSuffix(u.Hostname(), "."+what) {
						t.Errorf("%q in %q leads to %q", name, folder, host)
					}
				}
			}
		}
	}
}
