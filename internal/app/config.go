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
	"roster/internal/memory"
	"roster/internal/netguard"
)

// Config is the configuration of a Roster process. The zero value of a field means its default.
type Config struct {
	File        string   // the configuration file that was read, "" for none
	DataDir     string   // holds all data of the process; New makes it absolute
	Listen      string   // host:port of the API; port 0 means any free port
	DatabaseURL string   // PostgreSQL; "" keeps the metadata in SQLite in the data directory
	LakeURL     string   // "", file:///… or the address of a bucket; "" is the data directory's lake
	CatalogURL  string   // "" keeps the lake's catalog beside the metadata
	ProfileURL  string   // "" is Pebble in the data directory
	LocalRoots  []string // folders that connections of the local kind may use
	Memory      int64    // budget of all runs and large answers in bytes
	TLSCert     string   // certificate file; with TLSKey the server speaks TLS
	TLSKey      string
	LogLevel    slog.Level
	LogFormat   string // "text" or "json"
	DebugListen string // loopback host:port of pprof, "" for none
	// MetricsTokenFile has the token that /metrics requires. With a token /metrics also shows the work of each sandbox.
	// "" turns both off.
	MetricsTokenFile string
	// LandingURL is the bucket of the landing zones, s3://…; "" keeps them in the data directory.
	LandingURL string
	// LakeCache limits the copies of a bucket's datasets in the data directory, in bytes; 0 is 4 GiB.
	LakeCache int64
	// LandingQuota is the size quota of a sandbox's landing zone in bytes; 0 means no limit.
	LandingQuota int64
	// UndoWindow is the time during which a run can be undone.
	UndoWindow time.Duration
	// RefuseForeign has runs fail when another program changed the dataset. Otherwise they adopt the changes.
	RefuseForeign bool
	// MasterKey is the key that encrypts the keys of secrets. At most one of its fields is set; none means a file in
	// the data directory.
	MasterKey MasterKey
	// AllowNetworks are the networks that connections and webhooks may use in addition to public ones.
	AllowNetworks []netip.Prefix
	// DenyNetworks are the networks that they may not use, even if public or allowed.
	DenyNetworks []netip.Prefix
	// S3Environment lets S3 connections read with the credentials in the environment of the process.
	S3Environment bool
	// S3EnvironmentEndpoints are the addresses, scheme://host:port, that such connections may name in addition to
	// Amazon's own.
	S3EnvironmentEndpoints []string
	// RateLimit is how many requests per second an API client may send; 0 means no limit.
	RateLimit float64
	// MaxConnections limits the connections of clients; 0 means the default, which depends on the process's limit of
	// open files.
	MaxConnections int
	// MaxConnectionsPerAddress limits the connections from one address; 0 means no limit, nil means half of all.
	MaxConnectionsPerAddress *int
	// TrustedProxies are the networks of proxies whose X-Forwarded-For header names the client.
	TrustedProxies []netip.Prefix
	// Limits limit the concurrent work of one sandbox.
	Limits control.Limits
	// Guardrails enforces the limits of Adobe Experience Platform; see launch.WithinGuardrails.
	Guardrails bool
	// OIDC is an additional issuer of tokens; its Issuer is "" if there is none.
	OIDC auth.OIDC
	// AccountType is the audienceType of audiences of accounts; "" refuses such audiences.
	AccountType string
	// SuppressErased makes runs reject the rows of people who were erased.
	SuppressErased bool
	// SettleAge is the age at which a file of a folder counts as completely written; nil means
	// connect.DefaultSettleAge.
	SettleAge *time.Duration

	// Clock is the source of every time that Roster records or compares; nil means time.Now.
	Clock func() time.Time
	// Logger receives the log; nil means standard error with LogLevel and LogFormat.
	Logger *slog.Logger
	// Private marks a server that lives for one command: it uses a free loopback port without TLS, and the credentials
	// file keeps the addresses of the server that listens on Listen. Its runs do not yield to requests.
	Private bool
	asFound bool // report damage and do not repair it
}

// MasterKey says where a master key is; see package secret.
type MasterKey struct {
	File string // path of a file with the key
	Text string // the key itself
	URL  string // in a key service
}

// several reports whether more than one field is set.
func (m MasterKey) several() bool {
	return m.File != "" && m.Text != "" || m.File != "" && m.URL != "" || m.Text != "" && m.URL != ""
}

// where returns the kind of place of the master key.
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
	minMemory      = 64 << 20
	// baseMemory is the memory of the process in addition to its budget. The caches of the stores share both.
	baseMemory = 64 << 20
	// leastMemory is the least memory for the caches of the stores and for requests in progress. With less, the Go
	// runtime would only collect garbage.
	leastMemory = 192 << 20
)

// MemoryLimit is the soft limit of the Go runtime. Because all runs share the budget, it does not depend on the load.
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
		c.Memory = memory.Default
	}
	if c.LakeCache == 0 {
		c.LakeCache = 4 << 30
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

// Load builds a configuration. A flag overrides the environment, which overrides the file, which overrides the default.
// The result contains the defaults of the settings that are not given. flags holds the given flags by name; lookup is
// os.LookupEnv; file is the path given with --config, or "". Every error names the source of the wrong value.
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
		return c, errors.New("use only one of --master-key-file, --master-key-url and ROSTER_MASTER_KEY")
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
		return nil, fmt.Errorf("%s: the file must be YAML or JSON with one setting per key: %w", path, err)
	}
	values := map[string]string{}
	for key, node := range nodes {
		if !isSetting(key) {
			return nil, fmt.Errorf("%s: line %d: unknown setting %q; the settings are the flags of roster serve without the leading dashes", path, node.Line, key)
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

// guard checks the addresses of stores and webhooks outside.
func (c Config) guard() netguard.Policy {
	return netguard.Policy{Allowed: c.AllowNetworks, Denied: c.DenyNetworks}
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
