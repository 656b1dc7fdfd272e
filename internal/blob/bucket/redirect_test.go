package bucket

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"roster/internal/blob"
	"roster/tests/servertest"
)

// TestRedirects has every store send its client elsewhere: nothing is told there, neither signatures nor session tokens.
func TestRedirects(t *testing.T) {
	t.Parallel()
	var told atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { told.Add(1) }))
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/token") {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, `{"access_token": "t", "token_type": "Bearer", "expires_in": 3600}`)
				return
			}
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, status)
		}))
		t.Cleanup(store.Close)
		for name, open := range map[string]func() (*Store, error){
			"S3": func() (*Store, error) {
				return OpenS3(t.Context(), S3{Endpoint: store.URL, PathStyle: true, Bucket: "b", AccessKey: accessKey, SecretKey: secretKey, SessionToken: "token", Client: store.Client()})
			},
			"Azure": func() (*Store, error) {
				return OpenAzure(Azure{SASURL: store.URL + "/account/container?sv=2021&sig=c2ln", Container: "container", Client: store.Client()})
			},
			"GCS": func() (*Store, error) {
				return OpenGCS(t.Context(), GCS{Endpoint: store.URL, Bucket: "b", ServiceAccount: servertest.ServiceAccountAt(t, store.URL+"/token"), Client: store.Client()})
			},
			"who gives tokens": func() (*Store, error) {
				return OpenGCS(t.Context(), GCS{Endpoint: store.URL, Bucket: "b", ServiceAccount: servertest.ServiceAccountAt(t, store.URL+"/elsewhere"), Client: store.Client()})
			},
		} {
			s, err := open()
			if err != nil {
				t.Fatal(name, err)
			}
			list := s.List(t.Context(), "", func(blob.Object) error { return nil })
			_, stat := s.Stat(t.Context(), "a")
			if list == nil || stat == nil {
				t.Errorf("%s, %d: %v, %v", name, status, list, stat)
			}
		}
	}
	if told.Load() > 0 {
		t.Errorf("%d requests were sent on", told.Load())
	}
}

// TestNamesAreNoHosts has regions and buckets that would lead to another host if they were put into its name.
func TestNamesAreNoHosts(t *testing.T) {
	t.Parallel()
	for _, c := range []S3{{Region: "example.com/", Bucket: "b"}, {Region: "x.example.com#", Bucket: "b"}, {Region: "@example.com", Bucket: "b"}, {Region: "us-east-1", Bucket: "example.com/"},
		{Region: "us-east-1", Bucket: "example.com#"}, {Region: "us-east-1", Bucket: "a@example.com"}, {Region: "example.com", Bucket: "arn:aws:s3:example.com:123456789012:accesspoint/x"},
		{Region: "us-east-1", Bucket: "arn:aws:s3-outposts:us-east-1:123456789012:outpost/example.com?/accesspoint/x"}} {
		for _, c.PathStyle = range []bool{false, true} {
			c.AccessKey, c.SecretKey = accessKey, secretKey
			c.Client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				if host := r.URL.Hostname(); !strings.HasSuffix(host, ".amazonaws.com") {
					t.Errorf("%+v leads to %s", c, host)
				}
				return &http.Response{StatusCode: http.StatusForbidden, Body: http.NoBody, Header: http.Header{}, Request: r}, nil
			})}
			s, err := OpenS3(t.Context(), c)
			if err != nil {
				continue
			}
			if err := s.List(t.Context(), "", func(blob.Object) error { return nil }); err == nil {
				t.Errorf("%+v is listed", c)
			}
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
