package e2e

import (
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"

	"roster/tests/servertest"
)

// TestSFTP learns the server's key from the error, pins it, and imports a file.
func TestSFTP(t *testing.T) {
	t.Parallel()
	sshd := servertest.SSHD(t, "")
	host, port, err := net.SplitHostPort(sshd.Address)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, loopback)
	s.put("drop/people.csv", "mail\nada@example.com\nbob@example.com\n")
	conn := s.call("POST", flow, compact(map[string]any{"name": "server", "connectionSpec": map[string]any{"id": "b7bf2577-4520-42c9-bae9-cad01560f7bc", "version": "1.0"},
		"auth": map[string]any{"specName": "SSH PublicKey Authentication for sftp", "params": map[string]any{
			"host": host, "port": port, "userName": sshd.User, "privateKeyContent": sshd.Private, "folderPath": s.root}}})).ok(201)["id"].(string)
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
