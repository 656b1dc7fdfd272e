package app

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"roster/internal/audience"
	"roster/internal/netguard"
	"roster/internal/source"
	"roster/internal/source/bucket"
	"roster/internal/source/sftp"
)

// openSource opens the store that an audience's files lie in: the landing zone of its sandbox when conn is
// nil, and else the folder of a local connection.
func (a *App) openSource(ctx context.Context, scope audience.Scope, conn *audience.Connection) (source.Store, error) {
	if conn == nil || conn.SpecID == audience.SpecLandingZone {
		return a.landing.Open(scope.Sandbox)
	}
	if conn.SpecID == audience.SpecLocal {
		root, err := a.allowedRoot(conn.Params["root"])
		if err != nil {
			return nil, err
		}
		return source.OpenLocal(root)
	}
	kind, auth := conn.Kind()
	p := conn.Params
	switch kind.CloudType {
	case "S3":
		endpoint, err := serviceURL(p, "serviceUrl")
		if err != nil {
			return nil, err
		}
		pathStyle, err := strconv.ParseBool(cmp.Or(p["pathStyle"], strconv.FormatBool(endpoint != "")))
		if err != nil {
			return nil, audience.InvalidField("auth.params.pathStyle", "must be true or false")
		}
		return bucket.OpenS3(ctx, bucket.S3{Endpoint: endpoint, Region: p["region"], PathStyle: pathStyle, Bucket: p["bucketName"], Folder: p["folderPath"],
			AccessKey: p["s3AccessKey"], SecretKey: p["s3SecretKey"], SessionToken: p["s3SessionToken"], Client: a.outside})
	case "GCS":
		endpoint, err := serviceURL(p, "endpoint")
		if err != nil {
			return nil, err
		}
		return bucket.OpenS3(ctx, bucket.S3{Endpoint: cmp.Or(endpoint, "https://storage.googleapis.com"), Region: "auto", PathStyle: true, Bucket: p["bucketName"],
			Folder: p["folderPath"], AccessKey: p["accessKeyId"], SecretKey: p["secretAccessKey"], Client: a.outside})
	case "Azure":
		c := bucket.Azure{Container: p["container"], Folder: p["folderPath"], Client: a.outside}
		if auth.Name == audience.AuthAzureString {
			c.ConnectionString = p["connectionString"]
		} else {
			c.SASURL = p["sasUri"]
		}
		store, err := bucket.OpenAzure(ctx, c)
		if err != nil {
			return nil, audience.InvalidField("auth.params", "say not where the container is: %v", err)
		}
		return store, nil
	}
	if kind.CloudType == "SFTP" {
		port, err := strconv.ParseUint(cmp.Or(p["port"], "22"), 10, 16)
		if err != nil || port == 0 {
			return nil, audience.InvalidField("auth.params.port", "must be 1 to 65535")
		}
		store, err := sftp.Open(sftp.Config{Host: p["host"], Port: int(port), User: p["userName"], Password: p["password"], PrivateKey: p["privateKeyContent"],
			PassPhrase: p["passPhrase"], HostKey: p["hostKey"], Folder: p["folderPath"], Dialer: netguard.Guard{Allowed: a.cfg.AllowNetworks}.Dialer()})
		if err != nil {
			return nil, audience.InvalidField("auth.params", "cannot be used: %v", err)
		}
		return store, nil
	}
	return nil, audience.Errorf(audience.Impossible, "connection %s is of a kind that this server cannot read", conn.ID)
}

// serviceURL reads the address of a store, "" when there is none.
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

// allowedRoot resolves the root of a local connection, which must be one of the operator's folders or lie in
// one. Both sides are compared after symbolic links are resolved, so that a link leads nowhere else.
func (a *App) allowedRoot(root string) (string, error) {
	refused := audience.InvalidField("auth.params.root", "the folder is not in one that the operator allows for local connections (--local-roots, ROSTER_LOCAL_ROOTS)")
	if !filepath.IsAbs(root) {
		return "", refused
	}
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		// Whether a folder outside the allowed ones exists is not the caller's to know.
		real = filepath.Clean(root)
	}
	for _, allowed := range a.localRoots {
		if inside(allowed, real) {
			if errors.Is(err, fs.ErrNotExist) {
				return "", audience.InvalidField("auth.params.root", "the folder does not exist")
			}
			return real, err
		}
	}
	return "", refused
}

// inside reports whether path is dir or below it; both are clean and absolute.
func inside(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
