package app

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"gopkg.in/yaml.v3"

	"roster/internal/auth"
	"roster/internal/netguard"
)

// Config is how a Roster process is set up. The zero value of a field means its default.
type Config struct {
	DataDir     string   // everything the process keeps; made absolute by New
	Listen      string   // host:port of the API; port 0 takes a free one
	DatabaseURL string   // PostgreSQL; "" keeps the metadata in SQLite in the data directory
	LakeURL     string   // "" or file:///… ; "" is the data directory's lake
	CatalogURL  string   // "" keeps the lake's catalog beside the metadata
	ProfileURL  string   // "" is Pebble in the data directory
	LocalRoots  []string // folders that connections of the local kind may use
	Memory      int64    // budget of one run in bytes
	TLSCert     string   // certificate file; with TLSKey the server speaks TLS
	TLSKey      string
	LogLevel    slog.Level
	LogFormat   string // "text" or "json"
	DebugListen string // loopback host:port of pprof, "" for none
	// LandingURL is the bucket that landing zones lie in, s3://…; "" keeps them in the data directory.
	LandingURL string
	// LandingQuota is how many bytes a sandbox's landing zone holds; 0 means that there is no limit.
	LandingQuota int64
	// UndoWindow is how long a run can be undone.
	UndoWindow time.Duration
	// MasterKey is the key that the keys of secrets are encrypted by. At most one of its fields is set; none means a file in the
	// data directory.
	MasterKey MasterKey
	// AllowNetworks are the networks that connections and webhooks may lead to beside public ones.
	AllowNetworks []netip.Prefix
	// DenyNetworks are the networks that they may not lead to, be they public or allowed.
	DenyNetworks []netip.Prefix
	// S3Environment lets S3 connections read as whoever the environment of the process says.
	S3Environment bool
	// RateLimit is how many requests a second an API client may send; 0 means that there is no limit.
	RateLimit float64
	// Guardrails makes the limits of Adobe Experience Platform hold; see control.Config.
	Guardrails bool
	// OIDC is another issuer of tokens; it has no Issuer when there is none.
	OIDC auth.OIDC
	// SuppressErased has runs reject the rows of people who were erased.
	SuppressErased bool
	// SettleAge is how old a file of a folder must be to be taken for whole; nil means control.DefaultSettleAge.
	SettleAge *time.Duration

	// Clock is the time of everything that Roster stamps and expires; time.Now when nil.
	Clock func() time.Time
	// Logger takes the log; when nil the log goes to standard error by LogLevel and LogFormat.
	Logger *slog.Logger
	// Private marks a server that lives for one command: it takes a free loopback port, without TLS, and the
	// addresses in the credentials file stay those of the server that listens on Listen.
	Private bool
}

// MasterKey says where a master key is; see package secret.
type MasterKey struct {
	File string // with the key
	Text string // the key itself
	URL  string // of a key service
}

// several reports whether more than one place is named.
func (m MasterKey) several() bool {
	return m.File != "" && m.Text != "" || m.File != "" && m.URL != "" || m.Text != "" && m.URL != ""
}

// Defaults of the settings.
const (
	DefaultDataDir = "./roster-data"
	DefaultListen  = "127.0.0.1:8080"
	DefaultMemory  = 512 << 20
	minMemory      = 64 << 20
	// baseMemory is what a process needs beside its runs: caches of the stores, requests, the runtime.
	baseMemory = 256 << 20
)

// MemoryLimit is the soft limit of the Go runtime that goes with the budget of one run.
func (c Config) MemoryLimit() int64 { return c.withDefaults().Memory + baseMemory }

func (c Config) withDefaults() Config {
	if c.DataDir == "" {
		c.DataDir = DefaultDataDir
	}
	if c.Listen == "" {
		c.Listen = DefaultListen
	}
	if c.Memory == 0 {
		c.Memory = DefaultMemory
	}
	if c.LogFormat == "" {
		c.LogFormat = "text"
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = NewLogger(os.Stderr, c.LogLevel, c.LogFormat)
	}
	return c
}

// Setting is one thing that flags, environment and the configuration file can set.
type Setting struct {
	Name    string // the flag and the key in the configuration file
	Usage   string
	Default string // as shown in help
	set     func(c *Config, value string) error
}

// masterKey is the setting that is no flag.
const masterKey = "master-key"

// Flag reports whether the setting is a flag: a secret is not.
func (s Setting) Flag() bool { return s.Name != masterKey }

// Env is the setting's environment variable.
func (s Setting) Env() string {
	return "ROSTER_" + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
}

// Settings lists all settings in the order of help.
func Settings() []Setting {
	return []Setting{
		{"data-dir", "directory that holds everything Roster keeps", DefaultDataDir, text(func(c *Config) *string { return &c.DataDir })},
		{"listen", "host:port of the API", DefaultListen, setListen},
		{"database-url", "PostgreSQL for the metadata, postgres://… (SQLite in the data directory when absent)", "", setDatabaseURL},
		{"lake-url", "folder of the datasets, file:///… (the data directory's lake when absent)", "", setLakeURL},
		{"catalog-url", "catalog of the datasets (beside the metadata when absent)", "", unsupported("the catalog lies beside the metadata in this version")},
		{"profile-url", "profile store (Pebble in the data directory when absent)", "", unsupported("the profile store is Pebble in the data directory in this version")},
		{"local-roots", "colon-separated folders that connections of the local kind may use", "", setLocalRoots},
		{"memory", "budget of one run", "512MiB", setMemory},
		{"landing-url", "bucket that the landing zones lie in, s3://BUCKET/FOLDER?region=…&endpoint=…, by the role or the keys in the environment (the data directory when absent)", "", setLandingURL},
		{"landing-quota", "what the landing zone of a sandbox holds at most, such as 100GiB (no limit when absent)", "", setLandingQuota},
		{"undo-window", "how long a run can be undone; the versions of an audience are kept for so long", "168h", setUndoWindow},
		{"settle-age", "how old a file of a folder must be to be taken for whole; 0s takes every file at once", "2s", setSettleAge},
		{"master-key-file", "file with the key that secrets are sealed by, 32 bytes in base64 (one in the data directory when absent)", "", text(func(c *Config) *string { return &c.MasterKey.File })},
		{"master-key-url", "key service that has the key in place of a file, such as awskms://KEY-ID?region=eu-west-1", "", text(func(c *Config) *string { return &c.MasterKey.URL })},
		{masterKey, "the key itself; never as a flag, which everybody on the machine can see", "", text(func(c *Config) *string { return &c.MasterKey.Text })},
		{"allow-networks", "networks that connections and webhooks may lead to beside public ones, such as 10.0.0.0/8, with commas between them", "", networks(func(c *Config) *[]netip.Prefix { return &c.AllowNetworks })},
		{"deny-networks", "networks that they may not lead to, be they public or allowed", "", networks(func(c *Config) *[]netip.Prefix { return &c.DenyNetworks })},
		{"s3-environment", "S3 connections may read as the server itself, by the role or the keys in its environment: true or false", "false", flag(func(c *Config) *bool { return &c.S3Environment })},
		{"rate-limit", "requests a second that an API client may send; more are answered 429 (no limit when absent)", "", setRateLimit},
		{"guardrails", "aep limits runs as Adobe Experience Platform does: 100 a day in a sandbox, 10 a day of an audience; or none", "none", setGuardrails},
		{"oidc-issuer", "address of an OpenID Connect issuer whose tokens are accepted beside the server's own", "", text(func(c *Config) *string { return &c.OIDC.Issuer })},
		{"oidc-audience", "what the tokens of that issuer must be for (claim aud)", "", text(func(c *Config) *string { return &c.OIDC.Audience })},
		{"oidc-client-claim", "claim that says who calls, as x-api-key does", auth.DefaultClientClaim, text(func(c *Config) *string { return &c.OIDC.ClientClaim })},
		{"oidc-org-claim", "claim with the organization, as x-gw-ims-org-id has it", auth.DefaultOrgClaim, text(func(c *Config) *string { return &c.OIDC.OrgClaim })},
		{"oidc-roles-claim", "claim with the roles: viewer, editor or admin for every sandbox, prod:editor for one", auth.DefaultRolesClaim, text(func(c *Config) *string { return &c.OIDC.RolesClaim })},
		{"oidc-role-prefix", "what the roles for this server begin with; others are not looked at", "", text(func(c *Config) *string { return &c.OIDC.RolePrefix })},
		{"oidc-labels-claim", "claim with the labels that the caller holds, * for all", auth.DefaultLabelsClaim, text(func(c *Config) *string { return &c.OIDC.LabelsClaim })},
		{"suppress-erased", "runs reject the rows of people who were erased: true or false", "false", flag(func(c *Config) *bool { return &c.SuppressErased })},
		{"tls-cert", "certificate file (PEM); the server speaks TLS when it is given", "", text(func(c *Config) *string { return &c.TLSCert })},
		{"tls-key", "key file (PEM) of the certificate", "", text(func(c *Config) *string { return &c.TLSKey })},
		{"log-level", "debug, info, warn or error", "info", setLogLevel},
		{"log-format", "text or json", "text", oneOf(func(c *Config) *string { return &c.LogFormat }, "text", "json")},
		{"role", "what this process does", "all", setRole},
		{"debug-listen", "loopback host:port for pprof", "", setDebugListen},
	}
}

// Load puts a configuration together: a flag goes before the environment, that before the file, that before
// the default. flags holds the flags that were given, by name; lookup is os.LookupEnv; file is the path given
// with --config, or "". Every error names where the wrong value came from.
func Load(flags map[string]string, lookup func(string) (string, bool), file string) (Config, error) {
	var c Config
	fromFile, err := readConfigFile(file)
	if err != nil {
		return c, err
	}
	for _, s := range Settings() {
		origin, value, ok := "", "", false
		if value, ok = flags[s.Name]; ok {
			origin = "--" + s.Name
		} else if value, ok = lookup(s.Env()); ok && value != "" {
			origin = s.Env()
		} else if value, ok = fromFile[s.Name]; ok {
			origin = file + ": " + s.Name
		} else {
			continue
		}
		if err := s.set(&c, value); err != nil {
			return c, fmt.Errorf("%s: %w", origin, err)
		}
	}
	if c.MasterKey.several() {
		return c, errors.New("only one of --master-key-file, --master-key-url and ROSTER_MASTER_KEY can say where the master key is")
	}
	return c, c.checkTLS()
}

// readConfigFile reads a flat YAML (or JSON) file of settings.
func readConfigFile(path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	var nodes map[string]yaml.Node
	if err := yaml.Unmarshal(data, &nodes); err != nil {
		return nil, fmt.Errorf("%s: it must be YAML or JSON with one setting per key: %w", path, err)
	}
	values := map[string]string{}
	for key, node := range nodes {
		if !isSetting(key) {
			return nil, fmt.Errorf("%s: line %d: unknown setting %q; the settings are the flags of roster serve without their dashes in front", path, node.Line, key)
		}
		if node.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("%s: line %d: %s must be a single value", path, node.Line, key)
		}
		values[key] = node.Value
	}
	return values, nil
}

func isSetting(name string) bool {
	for _, s := range Settings() {
		if s.Name == name {
			return true
		}
	}
	return false
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
		return fmt.Errorf("%s; leave it unset", why)
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

// setDebugListen insists on a loopback address: profiles show memory, and memory holds people's data.
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

// setDatabaseURL never repeats the URL in an error: it holds a password.
func setDatabaseURL(c *Config, v string) error {
	u, err := url.Parse(v)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") || u.Host == "" && u.Query().Get("host") == "" {
		return errors.New("it must be a PostgreSQL address, postgres://user:password@host:5432/database")
	}
	c.DatabaseURL = v
	return nil
}

func setLakeURL(c *Config, v string) error {
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "file" || u.Host != "" || !filepath.IsAbs(u.Path) {
		return errors.New("it must be file:///absolute/folder; object stores are not supported by this version")
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
		return fmt.Errorf("%s is too little; a run needs at least %s", v, humanize.IBytes(minMemory))
	}
	c.Memory = int64(n)
	return nil
}

func setLandingURL(c *Config, v string) error {
	if _, err := landingBucket(v); err != nil {
		return err
	}
	c.LandingURL = v
	return nil
}

func setLandingQuota(c *Config, v string) error {
	n, err := humanize.ParseBytes(v)
	if err != nil || n < 1 || n > 1<<60 {
		return fmt.Errorf("%q is not a size, such as 100GiB", v)
	}
	c.LandingQuota = int64(n)
	return nil
}

func setUndoWindow(c *Config, v string) error {
	d, err := time.ParseDuration(v)
	if err != nil || d < time.Hour {
		return fmt.Errorf("%q is not a time of 1h or more, such as 168h", v)
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

// guard is the way to stores and webhooks outside.
func (c Config) guard() netguard.Guard {
	return netguard.Guard{Allowed: c.AllowNetworks, Denied: c.DenyNetworks}
}

func setRateLimit(c *Config, v string) error {
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || n < 0.01 || n > 1e6 {
		return fmt.Errorf("%q is not a number of requests from 0.01 to 1000000", v)
	}
	c.RateLimit = n
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
		return fmt.Errorf("%q is not a time from 0s to 1h, such as 10s", v)
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

// setRole accepts what can work: with a lake and a profile store in the data directory one process does all.
func setRole(_ *Config, v string) error {
	switch v {
	case "all":
		return nil
	case "api", "worker":
		return fmt.Errorf("%q needs a lake and a profile store that several processes share, which this version does not have; use all", v)
	}
	return fmt.Errorf("%q must be all", v)
}

func (c Config) checkTLS() error {
	switch {
	case c.TLSCert == "" && c.TLSKey == "":
		return nil
	case c.TLSKey == "":
		return errors.New("--tls-cert (ROSTER_TLS_CERT) needs --tls-key (ROSTER_TLS_KEY)")
	case c.TLSCert == "":
		return errors.New("--tls-key (ROSTER_TLS_KEY) needs --tls-cert (ROSTER_TLS_CERT)")
	}
	if _, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey); err != nil {
		return fmt.Errorf("--tls-cert, --tls-key: %w", err)
	}
	return nil
}
