package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"roster/internal/blob"
)

// answer is an answer of an HTTP server.
func answer(r *http.Request, status int, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}
}

// TestPrincipalTokens has who gives tokens to a service principal answer in several ways.
func TestPrincipalTokens(t *testing.T) {
	t.Parallel()
	const token = `{"token_type": "Bearer", "expires_in": 3600, "access_token": "the token"}`
	for name, c := range map[string]struct {
		authority string
		tokens    []string // "STATUS BODY" of each answer, the last one again and again
		challenge string   // of the store, to the first request
		want      error
		text      string
		asked     int
	}{
		"a token":                       {tokens: []string{"200 " + token}, asked: 1},
		"of another cloud":              {authority: "https://login.microsoftonline.us/", tokens: []string{"200 " + token}, asked: 1},
		"too much to do, then a token":  {tokens: []string{"503 ", "200 " + token}, asked: 2},
		"too much to do, ever":          {tokens: []string{"503 "}, want: blob.ErrFailed, text: "status 503"},
		"refused":                       {tokens: []string{`401 {"error": "invalid_client", "error_description": "planted"}`}, want: blob.ErrCredentials, text: "(invalid_client)", asked: 1},
		"refused by an unknown code":    {tokens: []string{`400 {"error": "planted"}`}, want: blob.ErrCredentials, text: "gives no token for the service principal", asked: 1},
		"sent on":                       {tokens: []string{"307 "}, want: blob.ErrCredentials, asked: 1},
		"no token in it":                {tokens: []string{"200 {}"}, want: blob.ErrFailed, asked: 1},
		"a store that names a service":  {tokens: []string{"200 " + token}, challenge: "Bearer authorization_uri=https://evil.example/other-tenant resource_id=https://management.azure.com", asked: 2},
		"a store that names the tenant": {tokens: []string{"200 " + token}, challenge: "Bearer authorization_uri=https://login.microsoftonline.com/a-tenant/oauth2/authorize resource_id=https://storage.azure.com", asked: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			asked, listed := 0, 0
			client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				mu.Lock()
				defer mu.Unlock()
				if r.URL.Host == "lake.example" {
					if listed++; c.challenge != "" && listed == 1 {
						return answer(r, http.StatusUnauthorized, "", "WWW-Authenticate", c.challenge), nil
					}
					if r.Header.Get("Authorization") != "Bearer the token" {
						t.Errorf("authorized by %q", r.Header.Get("Authorization"))
					}
					return answer(r, http.StatusOK, `<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs></Blobs><NextMarker/></EnumerationResults>`, "Content-Type", "application/xml"), nil
				}
				asked++
				host := "login.microsoftonline.com"
				if c.authority != "" {
					host = "login.microsoftonline.us"
				}
				if err := r.ParseForm(); err != nil || r.URL.Scheme != "https" || r.URL.Host != host || r.URL.Path != "/a-tenant/oauth2/v2.0/token" {
					t.Errorf("%s is asked, %v", r.URL, err)
				}
				for name, want := range map[string]string{"grant_type": "client_credentials", "scope": azureStorage, "client_id": "an application", "client_secret": "the secret"} {
					if got := r.PostForm.Get(name); got != want {
						t.Errorf("%s is %q", name, got)
					}
				}
				var status int
				code, body, _ := strings.Cut(c.tokens[min(asked, len(c.tokens))-1], " ")
				if _, err := fmt.Sscan(code, &status); err != nil {
					t.Fatal(err)
				}
				return answer(r, status, body, "Location", "https://evil.example/"), nil
			})}
			s, err := OpenAzure(Azure{URL: "https://lake.example", Container: "c", Authority: c.authority, Client: client,
				Principal: &AzurePrincipal{Tenant: "a-tenant", ID: "an application", Secret: "the secret"}})
			if err != nil {
				t.Fatal(err)
			}
			ctx := policy.WithRetryOptions(t.Context(), policy.RetryOptions{RetryDelay: 1, MaxRetryDelay: 1})
			err = s.List(ctx, "", func(blob.Object) error { return nil })
			if !errors.Is(err, c.want) || err != nil && (!strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "planted") || strings.Contains(err.Error(), "the secret")) {
				t.Errorf("%v, want %v with %q", err, c.want, c.text)
			}
			if c.asked != 0 && asked != c.asked {
				t.Errorf("%d tokens were asked for, want %d", asked, c.asked)
			}
		})
	}
}

// TestWrongPrincipals are refused before anybody is asked.
func TestWrongPrincipals(t *testing.T) {
	t.Parallel()
	client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		t.Errorf("%s is asked", r.URL)
		return nil, context.Canceled
	})}
	good := AzurePrincipal{Tenant: "contoso.onmicrosoft.com", ID: "an application", Secret: "planted"}
	if _, err := OpenAzure(Azure{URL: "https://lake.example", Principal: &good, Client: client}); err != nil {
		t.Error(err)
	}
	for _, tenant := range []string{"", "a/b", "../common", "a?b", "a#b", "tenant ", "a%2Fb"} {
		bad := good
		bad.Tenant = tenant
		if _, err := OpenAzure(Azure{URL: "https://lake.example", Principal: &bad, Client: client}); !errors.Is(err, blob.ErrCredentials) || !strings.Contains(err.Error(), "tenant") {
			t.Errorf("tenant %q: %v", tenant, err)
		}
	}
	bad := good
	bad.Secret = ""
	if _, err := OpenAzure(Azure{URL: "https://lake.example", Principal: &bad, Client: client}); !errors.Is(err, blob.ErrCredentials) {
		t.Error(err)
	}
	for _, authority := range []string{"http://login.microsoftonline.com", "login.microsoftonline.com", "https://", "%"} {
		if _, err := OpenAzure(Azure{URL: "https://lake.example", Principal: &good, Authority: authority, Client: client}); !errors.Is(err, blob.ErrCredentials) || strings.Contains(err.Error(), "planted") {
			t.Errorf("authority %q: %v", authority, err)
		}
	}
}
