package servertest

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// ServiceAccount makes the key file of a service account. A server of this test issues its tokens: it accepts requests
// that are signed with the account's key, or answers invalid_grant if refuse is set.
func ServiceAccount(t testing.TB, refuse bool) string {
	t.Helper()
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if refuse || strings.Count(r.FormValue("assertion"), ".") != 2 {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":"invalid_grant","error_description":"Invalid JWT Signature."}`)
			return
		}
		fmt.Fprint(w, `{"access_token":"token-of-this-test","token_type":"Bearer","expires_in":3600}`)
	}))
	t.Cleanup(tokens.Close)
	return ServiceAccountAt(t, tokens.URL)
}

// ServiceAccountAt makes the key file of a service account whose tokens an address issues.
func ServiceAccountAt(t testing.TB, tokens string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{"type": "service_account", "project_id": "p", "private_key_id": "1",
		"private_key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"client_email": "reader@p.iam.gserviceaccount.com", "token_uri": tokens})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// GCSBucket is a bucket of a server with the JSON API of Google Cloud Storage and without access control.
type GCSBucket struct {
	Address string // host:port of the server
	Name    string
}

// MakeGCSBucket makes a bucket.
func MakeGCSBucket(t testing.TB, address, name string) GCSBucket {
	t.Helper()
	b := GCSBucket{address, name}
	b.send(t, http.MethodPost, "/storage/v1/b?project=p", fmt.Appendf(nil, `{"name": %q}`, name))
	return b
}

// Put writes an object. encoding is its content encoding, "" for none.
func (b GCSBucket) Put(t testing.TB, name, encoding string, content []byte) {
	t.Helper()
	q := url.Values{"uploadType": {"media"}, "name": {name}}
	if encoding != "" {
		q.Set("contentEncoding", encoding)
	}
	b.send(t, http.MethodPost, "/upload/storage/v1/b/"+b.Name+"/o?"+q.Encode(), content)
}

// Remove removes an object.
func (b GCSBucket) Remove(t testing.TB, name string) {
	t.Helper()
	b.send(t, http.MethodDelete, "/storage/v1/b/"+b.Name+"/o/"+url.PathEscape(name), nil)
}

func (b GCSBucket) send(t testing.TB, method, path string, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+b.Address+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if text, err := io.ReadAll(r.Body); err != nil || r.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s %s, %v", method, path, r.Status, text, err)
	}
}
