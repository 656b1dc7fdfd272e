package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"roster/internal/audience"
	"roster/internal/auth"
	"roster/internal/control"
)

// Setting is one setting of flags, environment and configuration file.
type Setting struct {
	Name    string // the flag and the key in the configuration file
	Usage   string
	Default string // as shown in the help
	set     func(c *Config, value string) error
}

// masterKey is the only setting without a flag.
const masterKey = "master-key"

// Flag reports whether the setting has a flag: a secret has none.
func (s Setting) Flag() bool { return s.Name != masterKey }

// Env is the setting's environment variable.
func (s Setting) Env() string {
	return "ROSTER_" + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
}

// Settings lists all settings in the order of the help.
func Settings() []Setting {
	return []Setting{
		{"data-dir", "directory of all data of the server", DefaultDataDir, text(func(c *Config) *string { return &c.DataDir })},
		{"listen", "host:port of the API", DefaultListen, setListen},
		{"database-url", "PostgreSQL for the metadata, postgres://… (default: SQLite in the data directory)", "", setDatabaseURL},
		{"lake-url", "folder or bucket of the datasets, file:///…, s3://BUCKET/FOLDER?region=…&endpoint=…, gs://BUCKET/FOLDER or azblob://CONTAINER/FOLDER (default: lake in the data directory)", "", setLakeURL},
		{"catalog-url", "catalog of the datasets (default: beside the metadata)", "", unsupported("the catalog lies beside the metadata in this version")},
		{"profile-url", "profile store (default: Pebble in the data directory)", "", unsupported("the profile store is Pebble in the data directory in this version")},
		{"local-roots", "colon-separated folders that local connections may use", "", setLocalRoots},
		{"memory", "memory budget that all runs and large answers share", "512MiB", setMemory},
		{"lake-cache", "how much of a bucket's datasets is copied to the data directory, so that it is read from there", "4GiB",
			sized(func(c *Config) *int64 { return &c.LakeCache }, "4GiB")},
		{"landing-url", "bucket of the landing zones, s3://BUCKET/FOLDER?region=…&endpoint=…, gs://BUCKET/FOLDER or azblob://CONTAINER/FOLDER, with the role or the keys of the environment (default: the data directory)", "", setLandingURL},
		{"landing-quota", "size quota of a sandbox's landing zone, such as 100GiB (default: no limit)", "",
			sized(func(c *Config) *int64 { return &c.LandingQuota }, "100GiB")},
		{"undo-window", "time for which a run can be undone and the versions of an audience are kept", "168h", setUndoWindow},
		{"foreign-writes", "what a run does if another program changed the dataset of its audience: adopt the change as a run of its own, or refuse it and fail", "adopt", setForeignWrites},
		{"settle-age", "age from which a file in a folder counts as completely written; 0s accepts every file at once", "2s", setSettleAge},
		{"master-key-file", "file with the master key, which protects the secrets, 32 bytes in base64 (default: one in the data directory)", "", text(func(c *Config) *string { return &c.MasterKey.File })},
		{"master-key-url", "key service that holds the master key, instead of a file, such as awskms://KEY-ID?region=eu-west-1", "", text(func(c *Config) *string { return &c.MasterKey.URL })},
		{masterKey, "the master key itself; there is no flag, because all users of the machine can see flags", "", text(func(c *Config) *string { return &c.MasterKey.Text })},
		{"allow-networks", "networks that connections and webhooks may use in addition to public ones, such as 10.0.0.0/8, separated by commas", "", networks(func(c *Config) *[]netip.Prefix { return &c.AllowNetworks })},
		{"deny-networks", "networks that connections and webhooks may not use, even if public or allowed", "", networks(func(c *Config) *[]netip.Prefix { return &c.DenyNetworks })},
		{"s3-environment", "whether S3 connections may use the server's own role or keys from its environment: true or false", "false", flag(func(c *Config) *bool { return &c.S3Environment })},
		{"s3-environment-endpoints", "stores other than Amazon's that such connections may use, such as https://minio.example.com:9000, separated by commas", "", setS3EnvironmentEndpoints},
		{"rate-limit", "requests per second that an API client may send; more are answered 429 (default: no limit)", "", setRateLimit},
		{"max-connections", "simultaneous client connections (default: 2048, or half of the process's limit of open files if that is less)", "", setMaxConnections},
		{"max-connections-per-address", "simultaneous connections from one address, where each additional HTTP/2 stream counts as a connection; 0 for no limit (default: half of max-connections)", "", setMaxConnectionsPerAddress},
		{"trusted-proxies", "networks of proxies, such as 10.0.0.0/8, separated by commas, whose X-Forwarded-For (or Forwarded) header names the client; limits by address then apply to the client", "", networks(func(c *Config) *[]netip.Prefix { return &c.TrustedProxies })},
		{"sandbox-runs", "runs of one sandbox that may wait or be in progress; more are answered 429", strconv.Itoa(control.DefaultLimits.Runs), atMost(func(c *Config) *int { return &c.Limits.Runs })},
		{"sandbox-submits", "submits of one sandbox that may wait or be in progress", strconv.Itoa(control.DefaultLimits.Submits), atMost(func(c *Config) *int { return &c.Limits.Submits })},
		{"sandbox-uploads", "uploads of one sandbox that may be in progress", strconv.Itoa(control.DefaultLimits.Uploads), atMost(func(c *Config) *int { return &c.Limits.Uploads })},
		{"sandbox-looks", "requests of one sandbox that may test, explore or validate sources at the same time", strconv.Itoa(control.DefaultLimits.Looks), atMost(func(c *Config) *int { return &c.Limits.Looks })},
		{"guardrails", "aep limits runs as Adobe Experience Platform does: 100 a day in a sandbox, 10 a day of an audience; or none", "none", setGuardrails},
		{"oidc-issuer", "address of an OpenID Connect issuer whose tokens are accepted in addition to the server's own", "", text(func(c *Config) *string { return &c.OIDC.Issuer })},
		{"oidc-audience", "required audience of that issuer's tokens (claim aud)", "", text(func(c *Config) *string { return &c.OIDC.Audience })},
		{"oidc-client-claim", "claim with the id of the caller, which x-api-key repeats", auth.DefaultClientClaim, text(func(c *Config) *string { return &c.OIDC.ClientClaim })},
		{"oidc-org-claim", "claim with the organization, which x-gw-ims-org-id repeats", auth.DefaultOrgClaim, text(func(c *Config) *string { return &c.OIDC.OrgClaim })},
		{"oidc-roles-claim", "claim with the roles: viewer, editor or admin for every sandbox, prod:editor for one", auth.DefaultRolesClaim, text(func(c *Config) *string { return &c.OIDC.RolesClaim })},
		{"oidc-role-prefix", "prefix of the roles for this server; other roles are ignored", "", text(func(c *Config) *string { return &c.OIDC.RolePrefix })},
		{"oidc-labels-claim", "claim with the labels that the caller holds, * for all", auth.DefaultLabelsClaim, text(func(c *Config) *string { return &c.OIDC.LabelsClaim })},
		{"account-audience-type", "audienceType of audiences of accounts, such as account (default: such audiences are refused)", "", setAccountType},
		{"suppress-erased", "whether runs reject the rows of people who were erased: true or false", "false", flag(func(c *Config) *bool { return &c.SuppressErased })},
		{"tls-cert", "certificate file (PEM); enables TLS", "", text(func(c *Config) *string { return &c.TLSCert })},
		{"tls-key", "key file (PEM) of the certificate", "", text(func(c *Config) *string { return &c.TLSKey })},
		{"log-level", "debug, info, warn or error", "info", setLogLevel},
		{"log-format", "text or json", "text", oneOf(func(c *Config) *string { return &c.LogFormat }, "text", "json")},
		{"metrics-token-file", "file with the token that /metrics requires; /metrics then also counts the work of each sandbox (default: no token, and metrics of the process only)", "", text(func(c *Config) *string { return &c.MetricsTokenFile })},
		{"role", "what this process does", "all", setRole},
		{"debug-listen", "loopback host:port for pprof", "", setDebugListen},
	}
}

// accountType matches a valid audienceType.
var accountType = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func setAccountType(c *Config, v string) error {
	if !accountType.MatchString(v) || v == audience.TypePeople {
		return fmt.Errorf("%.64q must have 1 to 64 letters, digits, _ and -, and be another type than %s", v, audience.TypePeople)
	}
	c.AccountType = v
	return nil
}

func text(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, v string) error {
		if v == "" {
			return errors.New("must not be empty")
		}
		*field(c) = v
		return nil
	}
}

func oneOf(field func(*Config) *string, allowed ...string) func(*Config, string) error {
	return func(c *Config, v string) error {
		for _, a := range allowed {
			if v == a {
				*field(c) = v
				return nil
			}
		}
		return fmt.Errorf("%q must be %s", v, strings.Join(allowed, " or "))
	}
}

func unsupported(why string) func(*Config, string) error {
	return func(_ *Config, v string) error {
		if v == "" {
			return nil
		}
		return fmt.Errorf("%s; remove the setting", why)
	}
}

func setListen(c *Config, v string) error {
	if err := checkHostPort(v); err != nil {
		return err
	}
	c.Listen = v
	return nil
}

func checkHostPort(v string) error {
	_, port, err := net.SplitHostPort(v)
	if err != nil {
		return fmt.Errorf("%q is not host:port, such as %s", v, DefaultListen)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%q has no port between 0 and 65535", v)
	}
	return nil
}

// setDebugListen requires a loopback address: profiles show memory, and memory holds people's data.
func setDebugListen(c *Config, v string) error {
	if err := checkHostPort(v); err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(v)
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q is not a loopback address such as 127.0.0.1:6060", v)
	}
	c.DebugListen = v
	return nil
}

// setDatabaseURL never repeats the URL in an error, because it contains a password.
func setDatabaseURL(c *Config, v string) error {
	u, err := url.Parse(v)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") || u.Host == "" && u.Query().Get("host") == "" {
		return errors.New("it must be a PostgreSQL address, postgres://user:password@host:5432/database")
	}
	c.DatabaseURL = v
	return nil
}

func setLakeURL(c *Config, v string) error {
	if strings.HasPrefix(v, "file:") {
		if u, err := url.Parse(v); err != nil || u.Host != "" || !filepath.IsAbs(u.Path) {
			return errors.New("the folder must be file:///absolute/folder")
		}
	} else if _, err := parseBucket(v); err != nil {
		return fmt.Errorf("it must be file:///absolute/folder or the address of a bucket; %w", err)
	}
	c.LakeURL = v
	return nil
}

func setLocalRoots(c *Config, v string) error {
	c.LocalRoots = nil
	for _, root := range filepath.SplitList(v) {
		if !filepath.IsAbs(root) {
			return fmt.Errorf("%q is not an absolute path", root)
		}
		if info, err := os.Stat(root); err != nil || !info.IsDir() {
			return fmt.Errorf("%q is not an existing folder", root)
		}
		c.LocalRoots = append(c.LocalRoots, root)
	}
	return nil
}

func setMemory(c *Config, v string) error {
	n, err := humanize.ParseBytes(v)
	if err != nil || n > 1<<50 {
		return fmt.Errorf("%q is not a size, such as 512MiB or 2GiB", v)
	}
	if n < minMemory {
		return fmt.Errorf("%s is too small; a run needs at least %s", v, humanize.IBytes(minMemory))
	}
	c.Memory = int64(n)
	return nil
}

func setLandingURL(c *Config, v string) error {
	if _, err := parseBucket(v); err != nil {
		return err
	}
	c.LandingURL = v
	return nil
}

// atMost sets a limit of a count.
func atMost(field func(*Config) *int) func(*Config, string) error {
	return func(c *Config, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 1e6 {
			return fmt.Errorf("%q is not a number from 1 to 1000000", v)
		}
		*field(c) = n
		return nil
	}
}

// sized sets a size in bytes.
func sized(field func(*Config) *int64, example string) func(*Config, string) error {
	return func(c *Config, v string) error {
		n, err := humanize.ParseBytes(v)
		if err != nil || n < 1 || n > 1<<60 {
			return fmt.Errorf("%q is not a size, such as %s", v, example)
		}
		*field(c) = int64(n)
		return nil
	}
}

func setForeignWrites(c *Config, v string) error {
	if v != "adopt" && v != "refuse" {
		return fmt.Errorf("%q is neither adopt nor refuse", v)
	}
	c.RefuseForeign = v == "refuse"
	return nil
}

func setUndoWindow(c *Config, v string) error {
	d, err := time.ParseDuration(v)
	if err != nil || d < time.Hour {
		return fmt.Errorf("%q is not a duration of 1h or more, such as 168h", v)
	}
	c.UndoWindow = d
	return nil
}

func networks(field func(*Config) *[]netip.Prefix) func(*Config, string) error {
	return func(c *Config, v string) error {
		for _, text := range strings.Split(v, ",") {
			p, err := netip.ParsePrefix(strings.TrimSpace(text))
			if err != nil {
				return fmt.Errorf("%q is not a network such as 10.0.0.0/8", text)
			}
			*field(c) = append(*field(c), p.Masked())
		}
		return nil
	}
}

func setS3EnvironmentEndpoints(c *Config, v string) error {
	c.S3EnvironmentEndpoints = nil
	for text := range strings.SplitSeq(v, ",") {
		u, err := url.Parse(strings.TrimSpace(text))
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
			return errors.New("it must be addresses of stores, such as https://minio.example.com:9000, without a user, a path or a query")
		}
		c.S3EnvironmentEndpoints = append(c.S3EnvironmentEndpoints, origin(u))
	}
	return nil
}

func setRateLimit(c *Config, v string) error {
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || n < 0.01 || n > 1e6 {
		return fmt.Errorf("%q is not a number of requests from 0.01 to 1000000", v)
	}
	c.RateLimit = n
	return nil
}

func setMaxConnections(c *Config, v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < minConnections || n > 1e6 {
		return fmt.Errorf("%q is not a number of connections from %d to 1000000", v, minConnections)
	}
	c.MaxConnections = n
	return nil
}

func setMaxConnectionsPerAddress(c *Config, v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 || n > 1e6 {
		return fmt.Errorf("%q is not a number of connections from 1 to 1000000, or 0 for no limit", v)
	}
	c.MaxConnectionsPerAddress = &n
	return nil
}

func setGuardrails(c *Config, v string) error {
	if v != "aep" && v != "none" {
		return fmt.Errorf("%q must be aep or none", v)
	}
	c.Guardrails = v == "aep"
	return nil
}

func flag(field func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, v string) (err error) {
		if *field(c), err = strconv.ParseBool(v); err != nil {
			return fmt.Errorf("%q must be true or false", v)
		}
		return nil
	}
}

func setSettleAge(c *Config, v string) error {
	d, err := time.ParseDuration(v)
	if err != nil || d < 0 || d > time.Hour {
		return fmt.Errorf("%q is not a duration from 0s to 1h, such as 10s", v)
	}
	c.SettleAge = &d
	return nil
}

func setLogLevel(c *Config, v string) error {
	if err := c.LogLevel.UnmarshalText([]byte(v)); err != nil {
		return fmt.Errorf("%q must be debug, info, warn or error", v)
	}
	return nil
}

// setRole accepts only all: with a lake and a profile store in the data directory, one process does everything.
func setRole(_ *Config, v string) error {
	switch v {
	case "all":
		return nil
	case "api", "worker":
		return fmt.Errorf("%q needs a lake and a profile store that several processes share, which this version does not have; use all", v)
	}
	return fmt.Errorf("%q must be all", v)
}
