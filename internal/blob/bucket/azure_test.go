package bucket

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"roster/internal/blob"
	"roster/internal/blob/blobtest"
	"roster/internal/source/sourcetest"
	"roster/tests/servertest"
)

// azuriteKey is the key that every Azurite has for its account.
const (
	azuriteAccount = "devstoreaccount1"
	azuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// azurite starts Azurite and returns its connection string.
func azurite(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("DefaultEndpointsProtocol=http;AccountName=%s;AccountKey=%s;BlobEndpoint=http://%s/%s;", azuriteAccount, azuriteKey, servertest.Azurite(t), azuriteAccount)
}

// azureWorld is a fresh container of a server.
func azureWorld(t *testing.T, connection string) (sourcetest.World, *azblob.Client, Azure) {
	t.Helper()
	c := Azure{ConnectionString: connection, Container: fmt.Sprintf("c%d", time.Now().UnixNano()), Folder: "below/this", Client: &http.Client{}}
	admin, err := azblob.NewClientFromConnectionString(connection, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CreateContainer(t.Context(), c.Container, nil); err != nil {
		t.Fatal(err)
	}
	store, err := OpenAzure(c)
	if err != nil {
		t.Fatal(err)
	}
	return sourcetest.World{Store: store,
		Put: func(t *testing.T, path string, content []byte) {
			t.Helper()
			if _, err := admin.UploadBuffer(t.Context(), c.Container, "below/this/"+path, content, nil); err != nil {
				t.Fatal(err)
			}
		},
		Remove: func(t *testing.T, path string) {
			t.Helper()
			if _, err := admin.DeleteBlob(t.Context(), c.Container, "below/this/"+path, nil); err != nil {
				t.Fatal(err)
			}
		}}, admin, c
}

func TestAzuriteConformance(t *testing.T) {
	t.Parallel()
	connection := azurite(t)
	blobtest.Run(t, func(t *testing.T) blob.Store {
		w, _, _ := azureWorld(t, connection)
		return w.Store.(*Store)
	})
}

// TestAzureKey reads by the account's key, and not by another one.
func TestAzureKey(t *testing.T) {
	t.Parallel()
	address := servertest.Azurite(t)
	w, _, c := azureWorld(t, fmt.Sprintf("DefaultEndpointsProtocol=http;AccountName=%s;AccountKey=%s;BlobEndpoint=http://%s/%s;", azuriteAccount, azuriteKey, address, azuriteAccount))
	w.Put(t, "a.csv", []byte("mail"))
	c.ConnectionString, c.URL = "", "http://"+address+"/"+azuriteAccount
	for key, want := range map[string]error{azuriteKey: nil, "d3Jvbmc=": blob.ErrCredentials} {
		c.Key = &AzureKey{Account: azuriteAccount, Key: key}
		// Azure says that the signature is wrong, Azurite that it permits nothing.
		if err := listed(t, c); !errors.Is(err, want) && (want == nil || !errors.Is(err, blob.ErrPermission)) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	c.Key = &AzureKey{Account: azuriteAccount, Key: "no base64: planted"}
	if _, err := OpenAzure(c); !errors.Is(err, blob.ErrCredentials) || strings.Contains(err.Error(), "planted") {
		t.Error(err)
	}
}

// listed lists all that a container has.
func listed(t *testing.T, c Azure) error {
	t.Helper()
	s, err := OpenAzure(c)
	if err != nil {
		t.Fatal(err)
	}
	return s.List(t.Context(), "", func(blob.Object) error { return nil })
}

// TestAzurePrincipal reads as a service principal whose tokens come from a server of this test in the place of Microsoft's.
func TestAzurePrincipal(t *testing.T) {
	t.Parallel()
	const tenant = "0b6f3a57-1111-4222-8333-444455556666"
	entra := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/openid-configuration"):
			base := "https://login.microsoftonline.com/" + tenant
			fmt.Fprintf(w, `{"token_endpoint":"%[1]s/oauth2/v2.0/token","authorization_endpoint":"%[1]s/oauth2/v2.0/authorize","issuer":"%[1]s/v2.0"}`, base)
		case r.FormValue("client_secret") != "the secret":
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided."}`)
		default:
			now := time.Now()
			claims, err := json.Marshal(map[string]any{"aud": "https://storage.azure.com", "iss": "https://sts.windows.net/" + tenant + "/",
				"iat": now.Unix(), "nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix()})
			if err != nil {
				t.Error(err)
			}
			part := base64.RawURLEncoding.EncodeToString
			fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3600,"access_token":"%s.%s.%s"}`, part([]byte(`{"alg":"RS256","typ":"JWT"}`)), part(claims), part([]byte("not looked at")))
		}
	}))
	t.Cleanup(entra.Close)
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	own := entra.TLS.Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)); err != nil {
		t.Fatal(err)
	}
	address := servertest.AzuriteTLS(t, cert, key)
	transport := entra.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.ServerName = "example.com" // what the certificate says
	transport.DialContext = func(ctx context.Context, network, to string) (net.Conn, error) {
		if to == "login.microsoftonline.com:443" {
			to = entra.Listener.Addr().String()
		}
		return (&net.Dialer{}).DialContext(ctx, network, to)
	}
	client := &http.Client{Transport: transport}

	shared, err := azblob.NewSharedKeyCredential(azuriteAccount, azuriteKey)
	if err != nil {
		t.Fatal(err)
	}
	url := "https://" + address + "/" + azuriteAccount
	admin, err := azblob.NewClientWithSharedKeyCredential(url, shared, &azblob.ClientOptions{ClientOptions: policy.ClientOptions{Transport: client}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CreateContainer(t.Context(), "lake", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.UploadBuffer(t.Context(), "lake", "a.csv", []byte("mail"), nil); err != nil {
		t.Fatal(err)
	}
	for secret, want := range map[string]error{"the secret": nil, "another": blob.ErrCredentials} {
		err := listed(t, Azure{URL: url, Container: "lake", Principal: &AzurePrincipal{Tenant: tenant, ID: "an-application", Secret: secret}, Client: client})
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
}

// TestAzureSAS reads by a shared access signature, and not when it has expired.
func TestAzureSAS(t *testing.T) {
	t.Parallel()
	w, admin, c := azureWorld(t, azurite(t))
	w.Put(t, "a", []byte("a"))
	url := func(expires time.Time) string {
		u, err := admin.ServiceClient().NewContainerClient(c.Container).GetSASURL(sas.ContainerPermissions{Read: true, List: true}, expires,
			&container.GetSASURLOptions{StartTime: new(time.Now().Add(-2 * time.Hour))})
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	good := Azure{SASURL: url(time.Now().Add(time.Hour)), Folder: c.Folder, Client: c.Client}
	if err := listed(t, good); err != nil {
		t.Errorf("by a signature: %v", err)
	}
	expired := good
	expired.SASURL = url(time.Now().Add(-time.Hour))
	if err := listed(t, expired); !errors.Is(err, blob.ErrCredentials) || !strings.Contains(err.Error(), "has expired") {
		t.Errorf("by an expired signature: %v", err)
	}
	absent := c
	absent.Container = "absent"
	if err := listed(t, absent); !errors.Is(err, blob.ErrNoBucket) {
		t.Errorf("an absent container: %v", err)
	}
}

// TestAzureSASForms takes the URLs that people have, and says what is wrong with others without a word of what they hold.
func TestAzureSASForms(t *testing.T) {
	t.Parallel()
	w, admin, c := azureWorld(t, azurite(t))
	w.Put(t, "a", []byte("a"))
	signed, err := admin.ServiceClient().NewContainerClient(c.Container).GetSASURL(sas.ContainerPermissions{Read: true, List: true}, time.Now().Add(time.Hour), nil)
	if err != nil {
		t.Fatal(err)
	}
	account, err := admin.ServiceClient().GetSASURL(sas.AccountResourceTypes{Service: true, Container: true, Object: true}, sas.AccountPermissions{Read: true, List: true}, time.Now().Add(time.Hour), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, good := range map[string]Azure{
		"of the container":          {SASURL: signed, Folder: c.Folder},
		"with the container beside": {SASURL: signed, Container: c.Container, Folder: c.Folder},
		"of a folder":               {SASURL: strings.Replace(signed, "?", "/below/this?", 1)},
		"of the account":            {SASURL: account, Container: c.Container, Folder: c.Folder},
		"of all containers":         {SASURL: account, Folder: c.Container + "/" + c.Folder},
	} {
		good.Client = c.Client
		s, err := OpenAzure(good)
		if err != nil {
			t.Fatal(err)
		}
		if o, err := s.Stat(t.Context(), "a"); err != nil || o.Size != 1 {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
	}
	for want, bad := range map[string]Azure{
		"another container": {SASURL: signed, Container: "other"},
		"must be a URL":     {SASURL: "planted"},
		"no signature":      {SASURL: "https://planted.blob.core.windows.net/people"},
	} {
		if _, err := OpenAzure(bad); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "planted") || strings.Contains(err.Error(), "sig=A") {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestAzureAnswers tells what odd answers mean, and never the signature.
func TestAzureAnswers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"no list":      {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<StorageServiceProperties/>") }, "something else than a list"},
		"broken off":   {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "broke off"},
		"nonsense":     {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "planted") }, "cannot be understood"},
		"an odd error": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }, "status 418"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(test.answer)
			t.Cleanup(server.Close)
			s, err := OpenAzure(Azure{SASURL: server.URL + "/account/people?sv=2020-12-06&sig=planted", Client: server.Client()})
			if err != nil {
				t.Fatal(err)
			}
			list := func(ctx context.Context) error { return s.List(ctx, "", func(blob.Object) error { return nil }) }
			if err := list(policy.WithRetryOptions(t.Context(), policy.RetryOptions{MaxRetries: -1})); err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "planted") {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
