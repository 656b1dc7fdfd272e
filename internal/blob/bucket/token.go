package bucket

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"roster/internal/blob"
)

// azureStorage is what tokens are asked for. Azure's library would take the name of another service from the store's answer and send
// the store a token for that service.
const azureStorage = "https://storage.azure.com/.default"

// tenantID is what the id of a tenant or one of its domains looks like.
var tenantID = regexp.MustCompile(`^[A-Za-z0-9.-]+$`)

// principal gets tokens of Microsoft Entra for a service principal.
type principal struct {
	config clientcredentials.Config
	client *http.Client
}

var _ azcore.TokenCredential = (*principal)(nil)

// newPrincipal checks what it is given and asks nobody. Requests for tokens are repeated as Azure's library repeats its requests.
func newPrincipal(p AzurePrincipal, authority string, opts policy.ClientOptions) (*principal, error) {
	if authority == "" {
		authority = cloud.AzurePublic.ActiveDirectoryAuthorityHost
	}
	u, err := url.Parse(authority)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("%w: AZURE_AUTHORITY_HOST of the server must be an https URL", blob.ErrCredentials)
	case !tenantID.MatchString(p.Tenant):
		return nil, fmt.Errorf("%w: the tenant is neither an id nor a domain", blob.ErrCredentials)
	case p.Secret == "":
		return nil, fmt.Errorf("%w: the service principal has no key", blob.ErrCredentials)
	}
	pipeline := runtime.NewPipeline("roster", "", runtime.PipelineOptions{}, &opts)
	return &principal{
		config: clientcredentials.Config{ClientID: p.ID, ClientSecret: p.Secret, TokenURL: strings.TrimRight(authority, "/") + "/" + p.Tenant + "/oauth2/v2.0/token",
			Scopes: []string{azureStorage}, AuthStyle: oauth2.AuthStyleInParams},
		client: straight(&http.Client{Transport: repeated{pipeline}}),
	}, nil
}

// GetToken implements azcore.TokenCredential. The token is one for Azure Storage, of the principal's tenant. Azure's library keeps it until
// shortly before it expires.
func (p *principal) GetToken(ctx context.Context, _ policy.TokenRequestOptions) (azcore.AccessToken, error) {
	t, err := p.config.Token(context.WithValue(ctx, oauth2.HTTPClient, p.client))
	if err != nil {
		return azcore.AccessToken{}, err
	}
	return azcore.AccessToken{Token: t.AccessToken, ExpiresOn: t.Expiry.UTC()}, nil
}

// repeated sends requests by a pipeline of Azure's library, which repeats those that fail.
type repeated struct{ runtime.Pipeline }

func (r repeated) RoundTrip(req *http.Request) (*http.Response, error) {
	again, err := runtime.NewRequestFromRequest(req)
	if err != nil {
		return nil, err
	}
	return r.Do(again)
}

// noToken is what the refusal of a token means; who gives it to whom stands in the error. The code is only one that OAuth 2 knows: the
// address to ask may be whoever's the connection says.
func noToken(err *oauth2.RetrieveError, who, whom, code string) error {
	if status := err.Response.StatusCode; status == http.StatusTooManyRequests || status >= 500 {
		return fmt.Errorf("%w: %s, asked for a token, answers with status %d", blob.ErrFailed, who, status)
	}
	switch code {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope":
		code = " (" + code + ")"
	default:
		code = ""
	}
	return fmt.Errorf("%w: %s gives no token for the %s%s", blob.ErrCredentials, who, whom, code)
}
