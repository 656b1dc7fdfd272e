package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	azureblob "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"golang.org/x/oauth2"

	"roster/internal/blob"
)

// Azure says where a container of Azure Blob Storage or of a Data Lake (Gen2) is and who reads it: by a connection string, by
// a URL with a shared access signature, or by a URL with the account's key or a service principal beside it.
type Azure struct {
	ConnectionString string
	SASURL           string // of the account, of the container, or of a folder in it
	URL              string // of the account: https://ACCOUNT.dfs.core.windows.net, or its blob endpoint
	Key              *AzureKey
	Principal        *AzurePrincipal
	Authority        string // who gives tokens to a principal; "" for Microsoft's public cloud
	Container        string // "" for all of the account; the first part of a path then names one
	Folder           string // below which everything is
	Client           *http.Client
}

// AzureKey is a storage account and its key.
type AzureKey struct{ Account, Key string }

// AzurePrincipal is a service principal: an application of a tenant, and its secret.
type AzurePrincipal struct{ Tenant, ID, Secret string }

// OpenAzure opens a container. Nothing is asked of the store yet. Its errors quote none of what it was given.
func OpenAzure(c Azure) (*Store, error) {
	if c.SASURL != "" {
		if err := c.signed(); err != nil {
			return nil, err
		}
	}
	client, err := c.service()
	switch {
	case errors.Is(err, blob.ErrCredentials):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: the connection string, the key or the service principal cannot be read", blob.ErrCredentials)
	}
	in := func(container string) engine { return azure{client.NewContainerClient(container), c.expires()} }
	e := in(c.Container)
	if c.Container == "" {
		e = allBuckets{engine: e, names: func(ctx context.Context) ([]string, error) { return containers(ctx, client) }, in: in}
	}
	return newStore(e, c.Folder), nil
}

// signed takes the container, and a folder in it, out of a URL with a shared access signature, which then is that of the account.
func (c *Azure) signed() error {
	u, err := url.Parse(c.SASURL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("must be a URL such as https://ACCOUNT.blob.core.windows.net/CONTAINER?…&sig=…")
	}
	parts, err := sas.ParseURL(c.SASURL)
	switch {
	case err != nil:
		return errors.New("has a signature that cannot be read")
	case parts.SAS.Signature() == "":
		return errors.New("has no signature (sig=…) behind the address")
	case parts.ContainerName != "" && c.Container != "" && parts.ContainerName != c.Container:
		return errors.New("leads to another container than is given beside it")
	}
	if parts.ContainerName != "" {
		c.Container, c.Folder = parts.ContainerName, path.Join(parts.BlobName, c.Folder)
	}
	u.Host = strings.Replace(u.Host, ".dfs.", ".blob.", 1)
	u.Path, u.RawPath = "/"+parts.IPEndpointStyleInfo.AccountName, ""
	c.SASURL = u.String()
	return nil
}

// expires is when the signature does that is in a URL or in a connection string; the zero time when there is none.
func (c *Azure) expires() time.Time {
	_, signature, _ := strings.Cut(c.SASURL, "?")
	for part := range strings.SplitSeq(c.ConnectionString, ";") {
		if s, ok := strings.CutPrefix(part, "SharedAccessSignature="); ok {
			signature = strings.TrimPrefix(s, "?")
		}
	}
	values, _ := url.ParseQuery(signature)
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04Z", time.DateOnly} {
		if at, err := time.Parse(form, values.Get("se")); err == nil {
			return at
		}
	}
	return time.Time{}
}

// service is the library's client of the account.
func (c *Azure) service() (*service.Client, error) {
	opts := policy.ClientOptions{Transport: straight(c.Client)}
	if c.ConnectionString != "" {
		return service.NewClientFromConnectionString(c.ConnectionString, &service.ClientOptions{ClientOptions: opts})
	}
	account, err := c.account(&azblob.ClientOptions{ClientOptions: opts})
	if err != nil {
		return nil, err
	}
	return account.ServiceClient(), nil
}

// containers are the names of all containers of an account.
func containers(ctx context.Context, client *service.Client) (names []string, err error) {
	for pages := client.NewListContainersPager(nil); pages.More(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, c := range page.ContainerItems {
			if c.Name != nil {
				names = append(names, *c.Name)
			}
		}
	}
	return names, nil
}

// account is the library's client of the account, by a signature, a key or a service principal.
func (c *Azure) account(opts *azblob.ClientOptions) (*azblob.Client, error) {
	// What is in a Data Lake is a blob as well, at the same host but for a part of its name.
	address := strings.Replace(c.URL, ".dfs.", ".blob.", 1)
	switch {
	case c.Key != nil:
		key, err := azblob.NewSharedKeyCredential(c.Key.Account, c.Key.Key)
		if err != nil {
			return nil, err
		}
		return azblob.NewClientWithSharedKeyCredential(address, key, opts)
	case c.Principal != nil:
		who, err := newPrincipal(*c.Principal, c.Authority, opts.ClientOptions)
		if err != nil {
			return nil, err
		}
		return azblob.NewClient(address, who, opts)
	}
	return azblob.NewClientWithNoCredential(c.SASURL, opts)
}

// azure is an engine by Azure's own library: the one for several clouds escapes names that have ", #, %, or ? in a way of its own.
type azure struct {
	*container.Client
	expires time.Time // the zero time when nothing does
}

func (a azure) list(ctx context.Context, prefix string, deep bool, fn func(string, blob.Object) error) error {
	if !deep {
		return a.browse(ctx, prefix, fn)
	}
	for pages := a.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix}); pages.More(); {
		page, err := pages.NextPage(ctx)
		if err == nil && page.Segment == nil {
			err = errNoList
		}
		if err == nil {
			err = each(page.Segment.BlobItems, fn)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a azure) browse(ctx context.Context, prefix string, fn func(string, blob.Object) error) error {
	for pages := a.NewListBlobsHierarchyPager("/", &container.ListBlobsHierarchyOptions{Prefix: &prefix}); pages.More(); {
		page, err := pages.NextPage(ctx)
		if err == nil && page.Segment == nil {
			err = errNoList
		}
		if err == nil {
			err = each(page.Segment.BlobItems, fn)
		}
		if err != nil {
			return err
		}
		for _, p := range page.Segment.BlobPrefixes {
			if p.Name == nil {
				continue
			}
			if err := fn(*p.Name, blob.Object{}); err != nil {
				return err
			}
		}
	}
	return nil
}

var errNoList = fmt.Errorf("%w: it answers with something else than a list of blobs", blob.ErrFailed)

// each passes over the folders of a Data Lake, which are listed as if they were objects.
func each(items []*container.BlobItem, fn func(string, blob.Object) error) error {
	for _, item := range items {
		p := item.Properties
		if item.Name == nil || p == nil || p.ContentLength == nil || p.LastModified == nil || p.ResourceType != nil && *p.ResourceType == "directory" {
			continue
		}
		if err := fn(*item.Name, blob.Object{Size: *p.ContentLength, Modified: *p.LastModified, Version: etag(p.ETag)}); err != nil {
			return err
		}
	}
	return nil
}

func (a azure) stat(ctx context.Context, key string) (blob.Object, error) {
	p, err := a.NewBlobClient(key).GetProperties(ctx, nil)
	if err != nil {
		return blob.Object{}, err
	}
	if p.ContentLength == nil || p.LastModified == nil {
		return blob.Object{}, errors.New("the store tells neither size nor time of a blob")
	}
	return blob.Object{Size: *p.ContentLength, Modified: *p.LastModified, Version: etag(p.ETag)}, nil
}

func (a azure) read(ctx context.Context, key, version string, offset int64, part []byte) (int, error) {
	r, err := a.NewBlobClient(key).DownloadStream(ctx, &azureblob.DownloadStreamOptions{Range: azureblob.HTTPRange{Offset: offset, Count: int64(len(part))},
		AccessConditions: &azureblob.AccessConditions{ModifiedAccessConditions: &azureblob.ModifiedAccessConditions{IfMatch: new(azcore.ETag(quoted(version)))}}})
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	answer := ""
	if r.ContentRange != nil {
		answer = *r.ContentRange
	}
	if _, err := within(answer, offset); err != nil {
		return 0, err
	}
	if tag := etag(r.ETag); tag != "" && tag != version {
		return 0, blob.ErrChanged
	}
	return io.ReadFull(r.Body, part)
}

func (a azure) put(ctx context.Context, key string, content io.Reader, absent bool) error {
	o := &blockblob.UploadStreamOptions{HTTPHeaders: &azureblob.HTTPHeaders{BlobContentType: new(contentType)}}
	if absent {
		o.AccessConditions = &azureblob.AccessConditions{ModifiedAccessConditions: &azureblob.ModifiedAccessConditions{IfNoneMatch: new(azcore.ETagAny)}}
	}
	_, err := a.NewBlockBlobClient(key).UploadStream(ctx, content, o)
	return err
}

func (a azure) remove(ctx context.Context, key string) error {
	_, err := a.NewBlobClient(key).Delete(ctx, nil)
	return err
}

func etag(t *azcore.ETag) string {
	if t == nil {
		return ""
	}
	return bare(string(*t))
}

func (a azure) refused(err error) error {
	var token *oauth2.RetrieveError
	var response *azcore.ResponseError
	switch {
	case errors.As(err, &token):
		return noToken(token, "Microsoft Entra", "service principal", token.ErrorCode)
	case !errors.As(err, &response):
		return nil
	case response.StatusCode == http.StatusForbidden && !a.expires.IsZero() && time.Now().After(a.expires):
		return fmt.Errorf("%w: the shared access signature has expired, on %s", blob.ErrCredentials, a.expires.UTC().Format(time.RFC3339))
	}
	switch bloberror.Code(response.ErrorCode) {
	case bloberror.ConditionNotMet, bloberror.InvalidRange, bloberror.BlobAlreadyExists:
		return blob.ErrChanged
	case bloberror.BlobNotFound, bloberror.ResourceNotFound:
		return blob.ErrNotExist
	case bloberror.ContainerNotFound:
		return blob.ErrNoBucket
	case bloberror.AuthenticationFailed, bloberror.InvalidAuthenticationInfo, bloberror.NoAuthenticationInformation:
		return fmt.Errorf("%w (%s: a wrong key or signature, or one that is not valid now by the store's clock)", blob.ErrCredentials, bloberror.AuthenticationFailed)
	case bloberror.AuthorizationFailure, bloberror.AuthorizationPermissionMismatch, bloberror.InsufficientAccountPermissions:
		return blob.ErrPermission
	case bloberror.BlobArchived:
		return fmt.Errorf("%w: the blob is archived and has to be restored first", blob.ErrPermission)
	}
	return answered(response.StatusCode, response.ErrorCode)
}
