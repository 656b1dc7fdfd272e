package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// startSSHD starts OpenSSH's server on loopback, which lets the user of the test in by the key that is returned.
func startSSHD(t *testing.T) (port int, private string) {
	t.Helper()
	program := os.Getenv("ROSTER_TEST_SSHD")
	if program == "" {
		t.Skip("set ROSTER_TEST_SSHD to the program of OpenSSH's server, such as /usr/sbin/sshd, to run this test")
	}
	dir := t.TempDir()
	for _, key := range []string{"host", "user"} {
		if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, key)).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v %s", err, out)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "config"), fmt.Sprintf("Port %d\nListenAddress 127.0.0.1\nHostKey %s/host\nAuthorizedKeysFile %s/user.pub\nPermitRootLogin yes\n"+
		"StrictModes no\nUsePAM no\nPidFile none\nSubsystem sftp internal-sftp\n", port, dir, dir))
	cmd := exec.CommandContext(t.Context(), program, "-D", "-f", filepath.Join(dir, "config"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			conn.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	key, err := os.ReadFile(filepath.Join(dir, "user"))
	if err != nil {
		t.Fatal(err)
	}
	return port, string(key)
}

// TestSFTP asks for the server's key, pins it, and imports a file.
func TestSFTP(t *testing.T) {
	t.Parallel()
	port, private := startSSHD(t)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, loopback)
	s.put("drop/people.csv", "mail\nada@example.com\nbob@example.com\n")
	conn := s.call("POST", flow, compact(map[string]any{"name": "server", "connectionSpec": map[string]any{"id": "b7bf2577-4520-42c9-bae9-cad01560f7bc", "version": "1.0"},
		"auth": map[string]any{"specName": "SSH PublicKey Authentication for sftp", "params": map[string]any{
			"host": "127.0.0.1", "port": fmt.Sprint(port), "userName": me.Username, "privateKeyContent": private, "folderPath": s.root}}})).ok(201)["id"].(string)
	unknown := s.call("POST", flow+"/"+conn+"/test", "")
	unknown.refused(502, "100970-502", "the server's key is not known")
	print := regexp.MustCompile(`SHA256:[A-Za-z0-9+/]{43}`).FindString(string(unknown.body))
	s.callWith("PATCH", flow+"/"+conn, fmt.Sprintf(`[{"op": "add", "path": "/auth/params/hostKey", "value": %q}]`, print), map[string]string{"If-Match": "*"}).ok(200)
	s.call("POST", flow+"/"+conn+"/test", "").ok(200)
	if one := string(s.call("GET", flow+"/"+conn, "").body); !strings.Contains(one, print) || strings.Contains(one, "PRIVATE KEY") {
		t.Errorf("the connection is answered as %s", one)
	}
	id := s.submit(compact(map[string]any{
		"name": "dropped", "originName": "CUSTOM_UPLOAD", "fields": []any{map[string]any{"name": "mail", "type": "string", "identityNs": "email"}},
		"sourceSpec": map[string]any{"path": "drop/people.csv", "type": "file", "sourceType": "Cloud Storage", "cloudType": "SFTP", "baseConnectionId": conn},
	}))
	if run := s.ingest(id, "{}"); fmt.Sprintf("%v %v", run["status"], run["rows"].(map[string]any)["added"]) != "SUCCESS 2" {
		t.Errorf("%v", run)
	}
}
