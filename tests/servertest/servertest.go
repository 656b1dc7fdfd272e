// Package servertest starts the servers of sources for tests, on loopback, and stops them with the test. If the
// variable of a server is not set, the test is skipped.
package servertest

import (
	"bytes"
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"testing"
	"time"
)

// program returns the path of a server's program from its variable.
func program(t testing.TB, variable, what string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Skipf("set %s to the program of %s to run this test", variable, what)
	}
	return path
}

// start starts a server on a free port and waits until it answers.
func start(t testing.TB, program string, args func(host, port string) []string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args(host, port)...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = &log, &log, t.TempDir()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return address
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v\n%s", program, err, log.String())
		}
	}
}

// VersityGW starts Versity S3 Gateway with one account.
func VersityGW(t testing.TB, accessKey, secretKey string) (address string) {
	t.Helper()
	return VersityGWOf(t, t.TempDir(), accessKey, secretKey)
}

// VersityGWOf starts Versity S3 Gateway on a folder, each of whose folders is a bucket.
func VersityGWOf(t testing.TB, root, accessKey, secretKey string) (address string) {
	t.Helper()
	path := program(t, "ROSTER_TEST_VERSITYGW", "Versity S3 Gateway")
	return start(t, path, func(host, port string) []string {
		return []string{"--port", host + ":" + port, "--access", accessKey, "--secret", secretKey, "--quiet", "posix", root}
	})
}

// Moto starts moto's S3 server, which has no access control.
func Moto(t testing.TB) (address string) {
	t.Helper()
	return start(t, program(t, "ROSTER_TEST_MOTO", "moto_server"), func(host, port string) []string { return []string{"-H", host, "-p", port} })
}

// Azurite starts Azurite's blob service.
func Azurite(t testing.TB) (address string) {
	t.Helper()
	path, root := program(t, "ROSTER_TEST_AZURITE", "azurite-blob"), t.TempDir()
	return start(t, path, func(host, port string) []string {
		return []string{"--blobHost", host, "--blobPort", port, "--location", root, "--skipApiVersionCheck", "--silent", "--disableTelemetry"}
	})
}

// AzuriteTLS starts Azurite's blob service with TLS and a certificate and key in PEM files. It accepts tokens of
// service principals, and checks everything except their signature.
func AzuriteTLS(t testing.TB, cert, key string) (address string) {
	t.Helper()
	path, root := program(t, "ROSTER_TEST_AZURITE", "azurite-blob"), t.TempDir()
	return start(t, path, func(host, port string) []string {
		return []string{"--blobHost", host, "--blobPort", port, "--location", root, "--skipApiVersionCheck", "--silent", "--disableTelemetry",
			"--oauth", "basic", "--cert", cert, "--key", key}
	})
}

// FakeGCS starts fake-gcs-server, a server of Google Cloud Storage without access control.
func FakeGCS(t testing.TB) (address string) {
	t.Helper()
	path := program(t, "ROSTER_TEST_FAKE_GCS", "fake-gcs-server")
	return start(t, path, func(host, port string) []string {
		return []string{"-scheme", "http", "-host", host, "-port", port, "-backend", "memory", "-log-level", "error", "-public-host", host + ":" + port}
	})
}

// SSHServer is an OpenSSH server that accepts the user of the test by a key.
type SSHServer struct {
	Address string // host:port
	User    string
	Private string // the user's key, PEM, encrypted with the pass phrase
	HostKey string // the server's public key, in the format of a known_hosts file
}

// SSHD starts an OpenSSH server with the keys in hostKeys in addition to the returned one.
func SSHD(t testing.TB, passPhrase string, hostKeys ...string) SSHServer {
	t.Helper()
	path, dir := program(t, "ROSTER_TEST_SSHD", "OpenSSH's server, such as /usr/sbin/sshd,"), t.TempDir()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	s := SSHServer{User: me.Username, Private: SSHKey(t, filepath.Join(dir, "user"), passPhrase)}
	SSHKey(t, filepath.Join(dir, "host"), "")
	host, err := os.ReadFile(filepath.Join(dir, "host.pub"))
	if err != nil {
		t.Fatal(err)
	}
	s.HostKey = string(host)
	config := filepath.Join(dir, "config")
	text := fmt.Sprintf("HostKey %s/host\nAuthorizedKeysFile %s/user.pub\nPasswordAuthentication no\nPermitRootLogin yes\nStrictModes no\nUsePAM no\nPidFile none\n"+
		"Subsystem sftp internal-sftp\nMaxStartups 100\nMaxSessions 100\n", dir, dir)
	for _, file := range hostKeys {
		text += "HostKey " + file + "\n"
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Address = start(t, path, func(host, port string) []string {
		return []string{"-D", "-e", "-f", config, "-o", "ListenAddress=" + host, "-p", port}
	})
	return s
}

//go:embed sftp_server.py
var passwordSFTP []byte

// PasswordSFTP starts AsyncSSH's SFTP server on a folder. The users "plain" and "asked" log in with a password; "asked"
// must answer the server's questions.
func PasswordSFTP(t testing.TB, root, password string) (address string) {
	t.Helper()
	python, script := program(t, "ROSTER_TEST_PYTHON", "a Python with asyncssh"), filepath.Join(t.TempDir(), "server.py")
	if err := os.WriteFile(script, passwordSFTP, 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, python, func(host, port string) []string { return []string{script, host, port, root, password} })
}

// SSHKey creates a key in a file and returns it.
func SSHKey(t testing.TB, path, passPhrase string) (private string) {
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
