package sftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"roster/internal/netguard"
	"roster/internal/source"
	"roster/internal/source/sourcetest"
	"roster/tests/servertest"
)

// server is an OpenSSH server, and a folder of it.
type server struct {
	t    *testing.T
	cfg  Config // without a folder
	root string
}

func startSSHD(t *testing.T, hostKeys ...string) *server {
	t.Helper()
	sshd := servertest.SSHD(t, "sesame", hostKeys...)
	host, port, err := net.SplitHostPort(sshd.Address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return &server{t: t, root: t.TempDir(), cfg: Config{Host: host, Port: number, User: sshd.User, PrivateKey: sshd.Private, PassPhrase: "sesame",
		HostKey: sshd.HostKey, Dial: (&net.Dialer{}).DialContext}}
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

// TestPassword reads by a password from another server than OpenSSH's, which asks for it in two ways.
func TestPassword(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(root, "drop"), 0o755), os.WriteFile(filepath.Join(root, "drop", "a.csv"), []byte("mail\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(servertest.PasswordSFTP(t, root, "open sesame"))
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	server := &server{t: t, root: "drop", cfg: Config{Host: host, Port: number, Dial: (&net.Dialer{}).DialContext}}
	err = list(t, server.open(func(c *Config) { c.User, c.Password = "plain", "open sesame" }), "")
	server.cfg.HostKey = regexp.MustCompile(`SHA256:[A-Za-z0-9+/]{43}`).FindString(fmt.Sprint(err))
	for _, user := range []string{"plain", "asked"} {
		s := server.open(func(c *Config) { c.User, c.Password = user, "open sesame" })
		o, err := s.Stat(t.Context(), "a.csv")
		if err != nil {
			t.Errorf("%s: %v", user, err)
			continue
		}
		r, err := s.Open(t.Context(), o, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(r); string(text) != "mail\n" {
			t.Errorf("%s: %q, %v", user, text, err)
		}
		r.Close()
		if err := list(t, server.open(func(c *Config) { c.User, c.Password = user, "wrong" }), ""); !errors.Is(err, source.ErrCredentials) {
			t.Errorf("%s, by a wrong password: %v", user, err)
		}
	}
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
	other := servertest.SSHKey(t, filepath.Join(t.TempDir(), "other"), "")
	for name, c := range map[string]struct {
		change func(*Config)
		want   error
	}{
		"another key of the server": {func(c *Config) { c.HostKey = "SHA256:0000000000000000000000000000000000000000000" }, source.ErrCredentials},
		"another key of the user":   {func(c *Config) { c.PrivateKey, c.PassPhrase = other, "" }, source.ErrCredentials},
		"a password":                {func(c *Config) { c.PrivateKey, c.Password = "", "wrong" }, source.ErrCredentials},
		"nobody listens":            {func(c *Config) { c.Port = 1 }, source.ErrUnreachable},
		"an inner network":          {func(c *Config) { c.Dial = netguard.Policy{}.Dial }, source.ErrUnreachable},
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

// TestHostKeys finds the pinned key among several that a server has, however it is pinned.
func TestHostKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var extra []string
	for _, kind := range []string{"rsa", "ecdsa"} {
		file := filepath.Join(dir, kind)
		if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", kind, "-N", "", "-f", file).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v %s", err, out)
		}
		extra = append(extra, file)
	}
	server := startSSHD(t, extra...)
	pins := []string{server.cfg.HostKey}
	for _, file := range extra {
		text, err := os.ReadFile(file + ".pub")
		if err != nil {
			t.Fatal(err)
		}
		pins = append(pins, string(text))
	}
	for _, line := range pins {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		for _, pin := range []string{line, ssh.FingerprintSHA256(key)} {
			if err := list(t, server.open(func(c *Config) { c.HostKey = pin }), ""); err != nil {
				t.Errorf("pinned as %q: %v", pin, err)
			}
		}
	}
	err := list(t, server.open(func(c *Config) { c.HostKey = "SHA256:0000000000000000000000000000000000000000000" }), "")
	if !errors.Is(err, source.ErrCredentials) || !strings.Contains(err.Error(), "differs from hostKey: it is SHA256:") {
		t.Errorf("none of them: %v", err)
	}
}

// TestSilentServer gives up a server that takes a connection and then says nothing, when the caller does.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	server := &server{t: t, cfg: Config{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, User: "u", Password: "p", Dial: (&net.Dialer{}).DialContext}}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := server.open(func(*Config) {}).Stat(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
