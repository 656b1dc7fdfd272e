package e2e

import (
	"net"
	"strings"
	"testing"

	"roster/tests/servertest"
)

// TestPasswordStays changes the target of a connection with a password. The new target does not get the password unless
// it is given again.
func TestPasswordStays(t *testing.T) {
	t.Parallel()
	const password = "planted password"
	host, port, err := net.SplitHostPort(servertest.PasswordSFTP(t, t.TempDir(), password))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, loopback)
	body := of("b7bf2577-4520-42c9-bae9-cad01560f7bc", "Basic Authentication for sftp", map[string]any{"host": "sftp.example.com", "userName": "plain", "password": password})
	body["name"] = "server"
	conn := s.call("POST", flow, compact(body)).ok(201)["id"].(string)
	patch := func(ops ...any) answer {
		t.Helper()
		return s.callWith("PATCH", flow+"/"+conn, compact(ops), map[string]string{"If-Match": "*"})
	}
	set := func(name, value string) map[string]any {
		return map[string]any{"op": "add", "path": "/auth/params/" + name, "value": value}
	}
	patch(set("host", host), set("port", port)).refused(400, "100910-400", "auth.params.password", "given again")
	patch(set("port", port)).refused(400, "100910-400", "auth.params.password")
	patch(set("folderPath", "drop"), set("hostKey", "SHA256:0000000000000000000000000000000000000000000")).ok(200)
	patch(set("host", host), set("port", port), set("password", password), map[string]any{"op": "remove", "path": "/auth/params/hostKey"}).ok(200)
	if got := string(s.call("POST", flow+"/"+conn+"/test", "").body); !strings.Contains(got, "SHA256:") {
		t.Errorf("%s", got)
	}
}

// TestSessionTokenStays does the same with the session token, which an S3 server gets with each request.
func TestSessionTokenStays(t *testing.T) {
	t.Parallel()
	s := start(t, loopback)
	body := of("ecadc60c-7455-4d87-84dc-2a0e293d997b", "Access Key", map[string]any{"s3AccessKey": "key", "s3SecretKey": "secret", "s3SessionToken": "session", "bucketName": "b", "serviceUrl": "http://127.0.0.1:9"})
	body["name"] = "bucket"
	conn := s.call("POST", flow, compact(body)).ok(201)["id"].(string)
	set := func(name, value string) map[string]any {
		return map[string]any{"op": "add", "path": "/auth/params/" + name, "value": value}
	}
	for _, c := range []struct {
		ops     []any
		refused bool
	}{
		{[]any{set("serviceUrl", "http://127.0.0.1:10")}, true},
		{[]any{set("bucketName", "c")}, false},
		{[]any{set("serviceUrl", "http://127.0.0.1:10"), set("s3SecretKey", "again")}, true},
		{[]any{set("serviceUrl", "http://127.0.0.1:10"), set("s3SecretKey", "again"), set("s3SessionToken", "again")}, false},
		{[]any{set("serviceUrl", "http://127.0.0.1:11"), set("s3SecretKey", "again"), map[string]any{"op": "remove", "path": "/auth/params/s3SessionToken"}}, false},
		{[]any{set("serviceUrl", "http://127.0.0.1:12"), set("s3SecretKey", "again")}, false},
	} {
		got := s.callWith("PATCH", flow+"/"+conn, compact(c.ops), map[string]string{"If-Match": "*"})
		if !c.refused {
			got.ok(200)
			continue
		}
		got.refused(400, "100910-400", "auth.params.s3SessionToken", "given again")
	}
}
