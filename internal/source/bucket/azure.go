package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	azureblobapi "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"gocloud.dev/blob/azureblob"

	"roster/internal/source"
)

// Azure says where a container of Azure Blob Storage is and who reads it: by a connection string, or by a URL with a
// shared access signature.
type Azure struct {
	ConnectionString string
	SASURL           string // of the account, or of the container when Container is ""
	Container        string
	Folder           string // below which everything is
	Client           *http.Client
}

// OpenAzure opens a container. Nothing is asked of the store yet.
func OpenAzure(ctx context.Context, c Azure) (*Store, error) {
	opts := &container.ClientOptions{ClientOptions: policy.ClientOptions{Transport: c.Client}}
	var client *container.Client
	var err error
	switch {
	case c.ConnectionString != "":
		client, err = container.NewClientFromConnectionString(c.ConnectionString, c.Container, opts)
	case c.Container == "":
		client, err = container.NewClientWithNoCredential(c.SASURL, opts)
	default:
		var account *azblob.Client
		if account, err = azblob.NewClientWithNoCredential(c.SASURL, &azblob.ClientOptions{ClientOptions: opts.ClientOptions}); err == nil {
			client = account.ServiceClient().NewContainerClient(c.Container)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: what says where the container is cannot be read", source.ErrCredentials) // the cause may quote a key
	}
	b, err := azureblob.OpenBucket(ctx, client, nil)
	if err != nil {
		return nil, errors.New("the container cannot be opened")
	}
	return newStore(b, c.Folder, azureDriver{}), nil
}

type azureDriver struct{}

func (azureDriver) etag(as func(any) bool) string {
	var item container.BlobItem
	if !as(&item) || item.Properties == nil || item.Properties.ETag == nil {
		return ""
	}
	return string(*item.Properties.ETag)
}

func (azureDriver) pin(as func(any) bool, etag string) {
	var in *azblob.DownloadStreamOptions
	if as(&in) {
		in.AccessConditions = &azureblobapi.AccessConditions{ModifiedAccessConditions: &azureblobapi.ModifiedAccessConditions{IfMatch: new(azcore.ETag(etag))}}
	}
}

func (azureDriver) refused(err error) error {
	switch {
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
