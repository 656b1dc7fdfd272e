package sftp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"roster/internal/netguard"
	"roster/internal/source"
	"roster/internal/source/sourcetest"
)

// server is an OpenSSH server on loopback that lets the user of the test in by a key.
type server struct {
	t    *testing.T
	cfg  Config // without a folder
	root string
	cmd  *exec.Cmd
}

func keygen(t *testing.T, path, passPhrase string) string {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", passPhrase, "-f", path).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v %s", err, out)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func startSSHD(t *testing.T) *server {
	t.Helper()
	program := os.Getenv("ROSTER_TEST_SSHD")
	if program == "" {
		t.Skip("set ROSTER_TEST_SSHD to the program of OpenSSH's server, such as /usr/sbin/sshd, to run this test")
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	private := keygen(t, filepath.Join(dir, "user"), "sesame")
	keygen(t, filepath.Join(dir, "host"), "")
	host, err := os.ReadFile(filepath.Join(dir, "host.pub"))
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, root: filepath.Join(dir, "root")}
	if err := os.Mkdir(s.root, 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "sshd_config")
	text := fmt.Sprintf("Port %d\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s\nPasswordAuthentication no\nPermitRootLogin yes\nStrictModes no\nUsePAM no\n"+
		"PidFile none\nSubsystem sftp internal-sftp\nMaxStartups 100\nMaxSessions 100\n", port, filepath.Join(dir, "host"), filepath.Join(dir, "user.pub"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.CommandContext(t.Context(), program, "-D", "-e", "-f", config)
	var log bytes.Buffer
	s.cmd.Stderr = &log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			conn.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("sshd does not answer: %v\n%s", err, log.String())
		}
	}
	s.cfg = Config{Host: "127.0.0.1", Port: port, User: me.Username, PrivateKey: private, PassPhrase: "sesame", HostKey: string(host), Dialer: &net.Dialer{}}
	return s
}

// open opens a store of the server.
func (s *server) open(change func(*Config)) *Store {
	s.t.Helper()
	cfg := s.cfg
	cfg.Folder = s.root
	change(&cfg)
	store, err := Open(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { store.Close() })
	return store
}

var worlds atomic.Int64

func TestConformance(t *testing.T) {
	t.Parallel()
	server := startSSHD(t)
	sourcetest.Run(t, func(t *testing.T) sourcetest.World {
		root := filepath.Join(server.root, fmt.Sprint(worlds.Add(1)))
		if err := os.Mkdir(root, 0o755); err != nil {
			t.Fatal(err)
		}
		cfg := server.cfg
		cfg.Folder = root
		store, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		changed := time.Now().Add(-time.Hour)
		return sourcetest.World{Store: store,
			Put: func(t *testing.T, path string, content []byte) {
				t.Helper()
				path, tmp := filepath.Join(root, path), root+".tmp"
				changed = changed.Add(time.Second) // the protocol tells no less than seconds
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(tmp, content, 0o600), os.Chtimes(tmp, changed, changed), os.Rename(tmp, path)); err != nil {
					t.Fatal(err)
				}
			},
			Remove: func(t *testing.T, path string) {
				t.Helper()
				if err := os.Remove(filepath.Join(root, path)); err != nil {
					t.Fatal(err)
				}
			}}
	})
}

func list(t *testing.T, s *Store, folder string) error {
	t.Helper()
	return s.List(t.Context(), folder, func(source.Object) error { return nil })
}

// TestRefused tells what goes wrong most, and the fingerprint of a server that is not known.
func TestRefused(t *testing.T) {
	t.Parallel()
	server := startSSHD(t)
	err := list(t, server.open(func(c *Config) { c.HostKey = "" }), "")
	if !errors.Is(err, source.ErrCredentials) || !strings.Contains(err.Error(), "SHA256:") {
		t.Fatalf("an unknown server: %v", err)
	}
	fingerprint := regexp.MustCompile(`SHA256:[A-Za-z0-9+/]{43}`).FindString(err.Error())
	if err := list(t, server.open(func(c *Config) { c.HostKey = fingerprint }), ""); err != nil {
		t.Errorf("by the fingerprint %q: %v", fingerprint, err)
	}
	other := keygen(t, filepath.Join(t.TempDir(), "other"), "")
	for name, c := range map[string]struct {
		change func(*Config)
		want   error
	}{
		"another key of the server": {func(c *Config) { c.HostKey = "SHA256:0000000000000000000000000000000000000000000" }, source.ErrCredentials},
		"another key of the user":   {func(c *Config) { c.PrivateKey, c.PassPhrase = other, "" }, source.ErrCredentials},
		"a password":                {func(c *Config) { c.PrivateKey, c.Password = "", "wrong" }, source.ErrCredentials},
		"nobody listens":            {func(c *Config) { c.Port = 1 }, source.ErrUnreachable},
		"an inner network":          {func(c *Config) { c.Dialer = netguard.Guard{}.Dialer() }, source.ErrUnreachable},
	} {
		if err := list(t, server.open(c.change), ""); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for name, change := range map[string]func(*Config){
		"no pass phrase":    func(c *Config) { c.PassPhrase = "" },
		"wrong pass phrase": func(c *Config) { c.PassPhrase = "simsim" },
		"no key":            func(c *Config) { c.PrivateKey = "rubbish" },
	} {
		cfg := server.cfg
		change(&cfg)
		if _, err := Open(cfg); !errors.Is(err, source.ErrCredentials) || strings.Contains(err.Error(), "rubbish") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSymbolicLinks are no way out of the folder.
func TestSymbolicLinks(t *testing.T) {
	t.Parallel()
	server := startSSHD(t)
	store := server.open(func(*Config) {})
	if err := errors.Join(os.Symlink("/etc", filepath.Join(server.root, "etc")), os.WriteFile(filepath.Join(server.root, "a"), []byte("a"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Stat(t.Context(), "etc/passwd"); !errors.Is(err, source.ErrOutside) {
		t.Errorf("stat: %v", err)
	}
	if err := list(t, store, "etc"); !errors.Is(err, source.ErrOutside) {
		t.Errorf("list: %v", err)
	}
	n := 0
	if err := store.List(t.Context(), "", func(source.Object) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("%d objects, %v", n, err)
	}
}

// TestLostConnection goes on over a new connection.
func TestLostConnection(t *testing.T) {
	t.Parallel()
	server := startSSHD(t)
	store := server.open(func(*Config) {})
	if err := os.WriteFile(filepath.Join(server.root, "a"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if o, err := store.Stat(t.Context(), "a"); err != nil || o.Size != 5 {
			t.Fatalf("%+v, %v", o, err)
		}
		_ = store.conn.Close()
	}
}
