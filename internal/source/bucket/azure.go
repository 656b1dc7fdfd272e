package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	azureblob "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

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
func OpenAzure(c Azure) (*Store, error) {
	client, err := c.container()
	if err != nil {
		return nil, fmt.Errorf("%w: what says where the container is cannot be read", source.ErrCredentials) // the cause may quote a key
	}
	return newStore(azure{client}, c.Folder), nil
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

// azure is an engine by Azure's own library: the one for several clouds escapes names that have ", #, %, or ? in a way of its own.
type azure struct{ *container.Client }

// list passes over the folders of a Data Lake, which are listed as if they were objects.
func (a azure) list(ctx context.Context, prefix string, fn func(string, source.Object) error) error {
	for pages := a.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix}); pages.More(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, item := range page.Segment.BlobItems {
			p := item.Properties
			if item.Name == nil || p == nil || p.ContentLength == nil || p.LastModified == nil || p.ResourceType != nil && *p.ResourceType == "directory" {
				continue
			}
			if err := fn(*item.Name, source.Object{Size: *p.ContentLength, Modified: *p.LastModified, Version: etag(p.ETag)}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a azure) stat(ctx context.Context, key string) (source.Object, error) {
	p, err := a.NewBlobClient(key).GetProperties(ctx, nil)
	if err != nil {
		return source.Object{}, err
	}
	if p.ContentLength == nil || p.LastModified == nil {
		return source.Object{}, errors.New("the store tells neither size nor time of a blob")
	}
	return source.Object{Size: *p.ContentLength, Modified: *p.LastModified, Version: etag(p.ETag)}, nil
}

func (a azure) read(ctx context.Context, key, version string, offset int64, part []byte) (int, error) {
	r, err := a.NewBlobClient(key).DownloadStream(ctx, &azureblob.DownloadStreamOptions{Range: azureblob.HTTPRange{Offset: offset, Count: int64(len(part))},
		AccessConditions: &azureblob.AccessConditions{ModifiedAccessConditions: &azureblob.ModifiedAccessConditions{IfMatch: new(azcore.ETag(quoted(version)))}}})
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	return io.ReadFull(r.Body, part)
}

func (a azure) put(ctx context.Context, key string, content io.Reader) error {
	_, err := a.NewBlockBlobClient(key).UploadStream(ctx, content, &blockblob.UploadStreamOptions{HTTPHeaders: &azureblob.HTTPHeaders{BlobContentType: new(contentType)}})
	return err
}

func (a azure) remove(ctx context.Context, key string) error {
	_, err := a.NewBlobClient(key).Delete(ctx, nil)
	return err
}

func (azure) Close() error { return nil }

func etag(t *azcore.ETag) string {
	if t == nil {
		return ""
	}
	return bare(string(*t))
}

func (azure) refused(err error) error {
	var identity *azidentity.AuthenticationFailedError
	switch {
	case errors.As(err, &identity):
		return fmt.Errorf("%w: Microsoft Entra gives no token for the service principal", source.ErrCredentials)
	case bloberror.HasCode(err, bloberror.ConditionNotMet):
		return source.ErrChanged
	case bloberror.HasCode(err, bloberror.BlobNotFound, bloberror.ResourceNotFound):
		return source.ErrNotExist
	case bloberror.HasCode(err, bloberror.ContainerNotFound):
		return source.ErrNoBucket
	case bloberror.HasCode(err, bloberror.AuthenticationFailed, bloberror.InvalidAuthenticationInfo, bloberror.NoAuthenticationInformation):
		return fmt.Errorf("%w (AuthenticationFailed: a wrong key, or a signature that has expired)", source.ErrCredentials)
	case bloberror.HasCode(err, bloberror.AuthorizationFailure, bloberror.AuthorizationPermissionMismatch, bloberror.InsufficientAccountPermissions):
		return source.ErrPermission
	}
	return nil
}
