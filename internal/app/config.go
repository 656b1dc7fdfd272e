package app

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"gopkg.in/yaml.v3"

	"roster/internal/auth"
	"roster/internal/control"
	"roster/internal/netguard"
)

// Config is how a Roster process is set up. The zero value of a field means its default.
type Config struct {
	File        string   // the configuration file that was read, "" for none
	DataDir     string   // everything the process keeps; made absolute by New
	Listen      string   // host:port of the API; port 0 takes a free one
	DatabaseURL string   // PostgreSQL; "" keeps the metadata in SQLite in the data directory
	LakeURL     string   // "" or file:///… ; "" is the data directory's lake
	CatalogURL  string   // "" keeps the lake's catalog beside the metadata
	ProfileURL  string   // "" is Pebble in the data directory
	LocalRoots  []string // folders that connections of the local kind may use
	Memory      int64    // budget of all runs and large answers in bytes
	TLSCert     string   // certificate file; with TLSKey the server speaks TLS
	TLSKey      string
	LogLevel    slog.Level
	LogFormat   string // "text" or "json"
	DebugListen string // loopback host:port of pprof, "" for none
	// MetricsTokenFile has the token that /metrics needs and tells the work of each sandbox to; "" for neither.
	MetricsTokenFile string
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
	// S3EnvironmentEndpoints are the addresses, scheme://host:port, that they may then name beside Amazon's own.
	S3EnvironmentEndpoints []string
	// RateLimit is how many requests a second an API client may send; 0 means that there is no limit.
	RateLimit float64
	// MaxConnections bounds the connections of clients; 0 means the default, which the number of files bounds that the process may open.
	MaxConnections int
	// MaxConnectionsPerAddress bounds those from one address, 0 does not; nil means half of all.
	MaxConnectionsPerAddress *int
	// TrustedProxies are the networks of proxies that say in X-Forwarded-For who sends a request.
	TrustedProxies []netip.Prefix
	// Limits bound what one sandbox has going on at a time.
	Limits control.Limits
	// Guardrails makes the limits of Adobe Experience Platform hold; see launch.WithinGuardrails.
	Guardrails bool
	// OIDC is another issuer of tokens; it has no Issuer when there is none.
	OIDC auth.OIDC
	// AccountType is the audienceType of audiences of accounts; "" refuses them.
	AccountType string
	// SuppressErased has runs reject the rows of people who were erased.
	SuppressErased bool
	// SettleAge is how old a file of a folder must be to be taken for whole; nil means connect.DefaultSettleAge.
	SettleAge *time.Duration

	// Clock is the time of everything that Roster stamps and expires; time.Now when nil.
	Clock func() time.Time
	// Logger takes the log; when nil the log goes to standard error by LogLevel and LogFormat.
	Logger *slog.Logger
	// Private marks a server that lives for one command: it takes a free loopback port, without TLS, and the
	// addresses in the credentials file stay those of the server that listens on Listen. Its runs give way to nobody.
	Private bool
	asFound bool // damage is reported and not mended
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

// where says in which kind of place the master key is.
func (m MasterKey) where() string {
	switch {
	case m.File != "":
		return "file"
	case m.Text != "":
		return "environment"
	case m.URL != "":
		return "key service"
	}
	return "data directory"
}

// Defaults of the settings.
const (
	DefaultDataDir = "./roster-data"
	DefaultListen  = "127.0.0.1:8080"
	DefaultMemory  = 512 << 20
	minMemory      = 64 << 20
	// baseMemory is what a process allows itself beside its budget; the stores' caches come out of both.
	baseMemory = 64 << 20
	// leastMemory is below what the runtime would only collect garbage: caches of the stores, requests in flight.
	leastMemory = 192 << 20
)

// MemoryLimit is the soft limit of the Go runtime. Runs share the budget, so that it is the same whatever goes on.
func (c Config) MemoryLimit() int64 {
	return max(c.withDefaults().Memory+baseMemory, leastMemory)
}

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

// Load puts a configuration together: a flag goes before the environment, that before the file, that before
// the default, which a setting that nobody gave has in the answer. flags holds the flags that were given, by name; lookup is
// os.LookupEnv; file is the path given with --config, or "". Every error names where the wrong value came from.
func Load(flags map[string]string, lookup func(string) (string, bool), file string) (Config, error) {
	c := Config{File: file}
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
	return c.withDefaults(), c.checkTLS()
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

// guard is the way to stores and webhooks outside.
func (c Config) guard() netguard.Guard {
	return netguard.Guard{Allowed: c.AllowNetworks, Denied: c.DenyNetworks}
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
