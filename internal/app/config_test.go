package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoadOrder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "roster.yaml")
	write(t, file, "listen: 127.0.0.1:1\nmemory: 1GiB\ndata-dir: from-file\nlog-level: warn\n")
	env := lookup(map[string]string{"ROSTER_LISTEN": "127.0.0.1:2", "ROSTER_DATA_DIR": "from-env", "ROSTER_LOG_LEVEL": ""})
	c, err := Load(map[string]string{"data-dir": "from-flag"}, env, file)
	if err != nil {
		t.Fatal(err)
	}
	if c.DataDir != "from-flag" || c.Listen != "127.0.0.1:2" || c.Memory != 1<<30 || c.LogLevel.String() != "WARN" {
		t.Errorf("got %+v", c)
	}
	c, err = Load(nil, lookup(nil), "")
	if c = c.withDefaults(); err != nil || c.DataDir != "./roster-data" || c.Listen != "127.0.0.1:8080" || c.Memory != 512<<20 {
		t.Errorf("defaults: %+v, %v", c, err)
	}
}

func TestLoadJSON(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "roster.json")
	write(t, file, `{"listen": "127.0.0.1:3", "memory": 134217728}`)
	c, err := Load(nil, lookup(nil), file)
	if err != nil || c.Listen != "127.0.0.1:3" || c.Memory != 128<<20 {
		t.Errorf("got %+v, %v", c, err)
	}
}

// TestLoadErrors checks that every wrong value is refused with the name of the place it came from, and that
// a database's password is never shown.
func TestLoadErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plain := filepath.Join(dir, "file")
	write(t, plain, "x")
	for _, c := range []struct{ setting, value, mention string }{
		{"listen", "8080", "host:port"},
		{"listen", "127.0.0.1:99999", "port"},
		{"database-url", "mysql://user:hunter2@host/db", "PostgreSQL"},
		{"database-url", "postgres://user:hunter2@ho st/db", "PostgreSQL"},
		{"lake-url", "ftp://bucket/lake", "file:///"},
		{"lake-url", "file://host/lake", "file:///"},
		{"lake-url", "gs://bucket/lake?region=eu", "has no parameter"},
		{"catalog-url", "https://catalog", "this version"},
		{"profile-url", "cassandra://host", "this version"},
		{"local-roots", "relative", "absolute"},
		{"local-roots", filepath.Join(dir, "absent"), "existing"},
		{"local-roots", plain, "folder"},
		{"s3-environment-endpoints", "https://s3.example.com,s3.example.net", "addresses of stores"},
		{"s3-environment-endpoints", "https://user:hunter2@s3.example.com", "addresses of stores"},
		{"landing-url", "gs://bucket?region=eu", "has no parameter"},
		{"landing-url", "ftp://bucket", "azblob://"},
		{"account-audience-type", "people", "another type"},
		{"account-audience-type", "B2B account", "letters"},
		{"memory", "lots", "size"},
		{"undo-window", "7 days", "duration"},
		{"undo-window", "59m", "1h or more"},
		{"settle-age", "-1s", "from 0s"},
		{"settle-age", "soon", "duration"},
		{"memory", "1MiB", "at least"},
		{"log-level", "loud", "debug"},
		{"log-format", "xml", "json"},
		{"role", "worker", "all"},
		{"debug-listen", "0.0.0.0:6060", "loopback"},
		{"tls-cert", plain, "tls-key"},
		{"tls-key", plain, "tls-cert"},
	} {
		variable := "ROSTER_" + strings.ToUpper(strings.ReplaceAll(c.setting, "-", "_"))
		config := filepath.Join(t.TempDir(), "c.yaml")
		write(t, config, c.setting+": '"+c.value+"'\n")
		_, byFlag := Load(map[string]string{c.setting: c.value}, lookup(nil), "")
		_, byEnv := Load(nil, lookup(map[string]string{variable: c.value}), "")
		_, byFile := Load(nil, lookup(nil), config)
		for origin, err := range map[string]error{"--" + c.setting: byFlag, variable: byEnv, c.setting: byFile} {
			if err == nil || !strings.Contains(err.Error(), origin) || !strings.Contains(err.Error(), c.mention) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s %q: %v", origin, c.value, err)
			}
		}
	}
}

func TestConfigFileErrors(t *testing.T) {
	t.Parallel()
	for content, mention := range map[string]string{
		"listn: 127.0.0.1:1\n":    `"listn"`,
		"memory: [1, 2]\n":        "memory",
		"- a\n":                   "one setting per key",
		"listen: a\nlisten: b\n":  "already defined",
		"memory: {a: 1}\n":        "single value",
		"listen: \"127.0.0.1:1\n": "YAML",
	} {
		file := filepath.Join(t.TempDir(), "c.yaml")
		write(t, file, content)
		if _, err := Load(nil, lookup(nil), file); err == nil || !strings.Contains(err.Error(), mention) || !strings.Contains(err.Error(), file) {
			t.Errorf("%q: %v", content, err)
		}
	}
	if _, err := Load(nil, lookup(nil), filepath.Join(t.TempDir(), "absent")); err == nil || !strings.Contains(err.Error(), "--config") {
		t.Errorf("absent file: %v", err)
	}
}

func lookup(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := env[name]; return v, ok }
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestMemoryLimit(t *testing.T) {
	for _, c := range []struct {
		memory int64
		want   int64
	}{
		{0, 576 << 20}, // the default
		{256 << 20, 320 << 20},
		{64 << 20, 192 << 20}, // the stores need that much
	} {
		if got := (Config{Memory: c.memory}).MemoryLimit(); got != c.want {
			t.Errorf("memory %d: limit %d, want %d", c.memory, got, c.want)
		}
	}
}
