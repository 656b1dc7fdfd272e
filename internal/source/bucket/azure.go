package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	azureblobapi "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"gocloud.dev/blob"
	"gocloud.dev/blob/azureblob"

	"roster/internal/source"
)

// Azure says where a container of Azure Blob Storage or of a Data Lake (Gen2) is and who reads it: by a connection string, by
// a URL with a shared access signature, or by a URL with the account's key or a service principal beside it.
type Azure struct {
	ConnectionString string
	SASURL           string // of the account, or of the container when Container is ""
	URL              string // of the account: https://ACCOUNT.dfs.core.windows.net, or its blob endpoint
	Key              *AzureKey
	Principal        *AzurePrincipal
	Container        string
	Folder           string // below which everything is
	Client           *http.Client
}

// AzureKey is a storage account and its key.
type AzureKey struct{ Account, Key string }

// AzurePrincipal is a service principal: an application of a tenant, and its secret.
type AzurePrincipal struct{ Tenant, ID, Secret string }

// OpenAzure opens a container. Nothing is asked of the store yet.
func OpenAzure(ctx context.Context, c Azure) (*Store, error) {
	client, err := c.container()
	if err != nil {
		return nil, fmt.Errorf("%w: what says where the container is cannot be read", source.ErrCredentials) // the cause may quote a key
	}
	b, err := azureblob.OpenBucket(ctx, client, nil)
	if err != nil {
		return nil, errors.New("the container cannot be opened")
	}
	return newStore(b, c.Folder, azureDriver{}), nil
}

// container is the library's client.
func (c *Azure) container() (*container.Client, error) {
	opts := policy.ClientOptions{Transport: c.Client}
	switch {
	case c.ConnectionString != "":
		return container.NewClientFromConnectionString(c.ConnectionString, c.Container, &container.ClientOptions{ClientOptions: opts})
	case c.SASURL != "" && c.Container == "":
		return container.NewClientWithNoCredential(c.SASURL, &container.ClientOptions{ClientOptions: opts})
	}
	account, err := c.account(&azblob.ClientOptions{ClientOptions: opts})
	if err != nil {
		return nil, err
	}
	return account.ServiceClient().NewContainerClient(c.Container), nil
}

// account is the library's client of the account that the container is in.
func (c *Azure) account(opts *azblob.ClientOptions) (*azblob.Client, error) {
	// What is in a Data Lake is a blob as well, at the same host but for a part of its name.
	url := strings.Replace(c.URL, ".dfs.", ".blob.", 1)
	switch {
	case c.Key != nil:
		key, err := azblob.NewSharedKeyCredential(c.Key.Account, c.Key.Key)
		if err != nil {
			return nil, err
		}
		return azblob.NewClientWithSharedKeyCredential(url, key, opts)
	case c.Principal != nil:
		who, err := azidentity.NewClientSecretCredential(c.Principal.Tenant, c.Principal.ID, c.Principal.Secret,
			&azidentity.ClientSecretCredentialOptions{ClientOptions: opts.ClientOptions, DisableInstanceDiscovery: true})
		if err != nil {
			return nil, err
		}
		return azblob.NewClient(url, who, opts)
	}
	return azblob.NewClientWithNoCredential(c.SASURL, opts)
}

type azureDriver struct{ tagged }

// listed passes over the folders of a Data Lake, which are listed as if they were objects.
func (azureDriver) listed(o *blob.ListObject) (string, bool) {
	var item container.BlobItem
	if !o.As(&item) || item.Properties == nil || item.Properties.ETag == nil {
		return "", true
	}
	if kind := item.Properties.ResourceType; kind != nil && *kind == "directory" {
		return "", false
	}
	return bare(string(*item.Properties.ETag)), true
}

func (azureDriver) pin(as func(any) bool, version string) {
	var in *azblob.DownloadStreamOptions
	if as(&in) {
		in.AccessConditions = &azureblobapi.AccessConditions{ModifiedAccessConditions: &azureblobapi.ModifiedAccessConditions{IfMatch: new(azcore.ETag(quoted(version)))}}
	}
}

func (azureDriver) refused(err error) error {
	var identity *azidentity.AuthenticationFailedError
	switch {
	case errors.As(err, &identity):
		return fmt.Errorf("%w: Microsoft Entra gives no token for the service principal", source.ErrCredentials)
	case bloberror.HasCode(err, bloberror.ConditionNotMet):
		return source.ErrChanged
	case bloberror.HasCode(err, bloberror.ContainerNotFound):
		return source.ErrNoBucket
	case bloberror.HasCode(err, bloberror.AuthenticationFailed, bloberror.InvalidAuthenticationInfo, bloberror.NoAuthenticationInformation):
		return fmt.Errorf("%w (AuthenticationFailed: a wrong key, or a signature that has expired)", source.ErrCredentials)
	case bloberror.HasCode(err, bloberror.AuthorizationFailure, bloberror.AuthorizationPermissionMismatch, bloberror.InsufficientAccountPermissions):
		return source.ErrPermission
	}
	return nil
}
