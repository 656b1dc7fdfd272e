package app

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"roster/internal/audience"
	"roster/internal/blob/bucket"
	"roster/internal/blob/local"
	"roster/internal/source"
	"roster/internal/source/sftp"
)

// openSource opens the store of an audience's files: the landing zone of its sandbox if conn is nil, and otherwise the
// store of the connection.
func (a *App) openSource(ctx context.Context, scope audience.Scope, conn *audience.Connection) (source.Store, error) {
	if conn == nil || conn.SpecID == audience.SpecLandingZone {
		return a.landing.Open(scope.Sandbox), nil
	}
	if conn.SpecID == audience.SpecLocal {
		root, err := a.allowedRoot(conn.Params["root"])
		if err != nil {
			return nil, err
		}
		return local.OpenConfined(root, a.closed())
	}
	kind, auth := conn.Kind()
	switch kind.CloudType {
	case "S3":
		return a.openS3(ctx, auth, conn.Params)
	case "GCS":
		return a.openGCS(ctx, conn.Params)
	case "Azure":
		return a.openAzure(auth, conn.Params)
	case "SFTP":
		return a.openSFTP(conn.Params)
	}
	return nil, audience.Errorf(audience.Impossible, "connection %s is of a kind that this server cannot read", conn.ID)
}

func (a *App) openS3(ctx context.Context, auth audience.ConnectionAuth, p map[string]string) (source.Store, error) {
	endpoint, err := serviceURL(p, "serviceUrl")
	if err != nil {
		return nil, err
	}
	pathStyle, err := strconv.ParseBool(cmp.Or(p["pathStyle"], strconv.FormatBool(endpoint != "")))
	if err != nil {
		return nil, audience.InvalidField("auth.params.pathStyle", "must be true or false")
	}
	environment := auth.Name == audience.AuthEnvironment
	if environment && !a.cfg.S3Environment {
		return nil, audience.InvalidField("auth.specName", "is allowed only if the server's operator lets connections use the server's own credentials (--s3-environment, ROSTER_S3_ENVIRONMENT)")
	}
	if environment && endpoint != "" && !a.cfg.trusts(endpoint) {
		return nil, audience.InvalidField("auth.params.serviceUrl", "must be an address of Amazon, or be omitted, when the connection uses the server's own credentials; the operator can allow other addresses (--s3-environment-endpoints, ROSTER_S3_ENVIRONMENT_ENDPOINTS)")
	}
	return bucket.OpenS3(ctx, bucket.S3{Endpoint: endpoint, Region: p["region"], PathStyle: pathStyle, Bucket: p["bucketName"], Folder: p["folderPath"],
		AccessKey: p["s3AccessKey"], SecretKey: p["s3SecretKey"], SessionToken: p["s3SessionToken"], Environment: environment, Client: a.outside})
}

// amazon matches the hosts at which Amazon itself speaks the protocol of S3: the global host, a region's, or a
// network's endpoint. Other names with the same ending belong to customers, such as those of machines and load
// balancers.
var amazon = regexp.MustCompile(`^(bucket\.vpce-[a-z0-9-]+\.)?s3(-fips|-accelerate)?(\.dualstack)?([.-][a-z]{2,4}(-[a-z]+)+-[0-9]{1,2})?(\.vpce)?\.amazonaws\.com(\.cn)?$`)

// trusts reports whether the server may send the credentials of its environment to an address that a tenant names.
func (c Config) trusts(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	at := origin(u)
	return slices.Contains(c.S3EnvironmentEndpoints, at) || amazon.MatchString(strings.TrimPrefix(at, "https://"))
}

// origin returns the scheme, host and port of an address, without the default port of https.
func origin(u *url.URL) string {
	at := strings.ToLower(u.Scheme + "://" + u.Host)
	if u.Scheme == "https" {
		at = strings.TrimSuffix(at, ":443")
	}
	return at
}

// openGCS opens a bucket with HMAC keys, which Google accepts in the protocol of S3, or with a service account.
func (a *App) openGCS(ctx context.Context, p map[string]string) (source.Store, error) {
	endpoint, err := serviceURL(p, "endpoint")
	if err != nil {
		return nil, err
	}
	account, byKeys := p["serviceAccountJson"], p["accessKeyId"] != "" && p["secretAccessKey"] != ""
	switch {
	case account == "" && !byKeys:
		return nil, audience.InvalidField("auth.params", "must have accessKeyId and secretAccessKey, or serviceAccountJson")
	case account == "":
		return bucket.OpenS3(ctx, bucket.S3{Endpoint: cmp.Or(endpoint, "https://storage.googleapis.com"), Region: "auto", PathStyle: true, Bucket: p["bucketName"],
			Folder: p["folderPath"], AccessKey: p["accessKeyId"], SecretKey: p["secretAccessKey"], Client: a.outside})
	case p["accessKeyId"] != "" || p["secretAccessKey"] != "":
		return nil, audience.InvalidField("auth.params.serviceAccountJson", "must not be given together with accessKeyId and secretAccessKey; use one of the two")
	}
	store, err := bucket.OpenGCS(ctx, bucket.GCS{Endpoint: endpoint, Bucket: p["bucketName"], Folder: p["folderPath"], ServiceAccount: account, Client: a.outside})
	if err != nil {
		return nil, audience.InvalidField("auth.params.serviceAccountJson", "cannot be used: %v", err)
	}
	return store, nil
}

func (a *App) openAzure(auth audience.ConnectionAuth, p map[string]string) (source.Store, error) {
	c := bucket.Azure{Container: p["container"], Folder: p["folderPath"], Authority: os.Getenv("AZURE_AUTHORITY_HOST"), Client: a.outside}
	switch auth.Name {
	case audience.AuthAzureString:
		c.ConnectionString = p["connectionString"]
	case audience.AuthAzureSAS:
		c.SASURL = p["sasUri"]
	default:
		var err error
		if c.URL, err = serviceURL(p, "url"); err != nil {
			return nil, err
		}
		if c.Container == "" {
			// The container, and folders in it, may follow the account's host.
			u, _ := url.Parse(c.URL)
			container, folder, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
			c.URL, c.Container, c.Folder = u.Scheme+"://"+u.Host, container, path.Join(folder, c.Folder)
		}
		if auth.Name == audience.AuthLakeKey {
			c.Key = &bucket.AzureKey{Account: p["accountName"], Key: p["accountKey"]}
		} else {
			c.Principal = &bucket.AzurePrincipal{Tenant: p["tenant"], ID: p["servicePrincipalId"], Secret: p["servicePrincipalKey"]}
		}
	}
	store, err := bucket.OpenAzure(c)
	switch {
	case err != nil && c.SASURL != "":
		return nil, audience.InvalidField("auth.params.sasUri", "%v", err)
	case err != nil:
		return nil, audience.InvalidField("auth.params", "%v", err)
	}
	return store, nil
}

func (a *App) openSFTP(p map[string]string) (source.Store, error) {
	port, err := strconv.ParseUint(cmp.Or(p["port"], "22"), 10, 16)
	if err != nil || port == 0 {
		return nil, audience.InvalidField("auth.params.port", "must be 1 to 65535")
	}
	store, err := sftp.Open(sftp.Config{Host: p["host"], Port: int(port), User: p["userName"], Password: p["password"], PrivateKey: p["privateKeyContent"],
		PassPhrase: p["passPhrase"], HostKey: p["hostKey"], Folder: p["folderPath"], Dial: a.cfg.guard().Dial})
	if err != nil {
		return nil, audience.InvalidField("auth.params", "cannot be used: %v", err)
	}
	return store, nil
}

// serviceURL parses the address of a store; "" if there is none.
func serviceURL(params map[string]string, name string) (string, error) {
	text := params[name]
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", audience.InvalidField("auth.params."+name, "must be the URL of a store, such as https://s3.example.com")
	}
	return strings.TrimRight(text, "/"), nil
}

// allowedRoot resolves the root of a local connection, which must be one of the operator's folders or lie in one. It
// compares the paths after it has resolved symbolic links, so that a link cannot leave the folder.
func (a *App) allowedRoot(root string) (string, error) {
	refused := audience.InvalidField("auth.params.root", "the folder is not in one that the operator allows for local connections (--local-roots, ROSTER_LOCAL_ROOTS)")
	if !filepath.IsAbs(root) {
		return "", refused
	}
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		// The caller must not learn whether a folder outside the allowed ones exists.
		real = filepath.Clean(root)
	}
	for _, allowed := range a.localRoots {
		if inside(allowed, real) {
			if errors.Is(err, fs.ErrNotExist) {
				return "", audience.InvalidField("auth.params.root", "the folder does not exist")
			}
			if err != nil {
				return "", err
			}
			return real, a.checkAgain(real)
		}
	}
	return "", refused
}

// inside reports whether below is dir or a path below it; both are clean and absolute.
func inside(dir, below string) bool {
	rel, err := filepath.Rel(dir, below)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
