package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"roster/internal/app"
	"roster/tests/servertest"
)

// everything collects the output of a process.
type everything struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (e *everything) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.text.Write(p)
}

// TestPlantedSecrets puts secrets, valid and invalid, into connections of every kind and provokes every kind of error.
// The secrets must not appear in any output of the process: responses, logs, metrics, files.
func TestPlantedSecrets(t *testing.T) {
	t.Parallel()
	written := &everything{}
	s := start(t, loopback, func(c *app.Config) {
		c.Logger = slog.New(slog.NewTextHandler(written, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	gcs, azure, lake, bucket := gcsCloud(t), azureBySignature(t), dataLake(t), s3Cloud(t)
	sshd := servertest.SSHD(t, "planted-phrase")
	host, port, err := net.SplitHostPort(sshd.Address)
	if err != nil {
		t.Fatal(err)
	}
	signed := azure.body(azure.address)["auth"].(map[string]any)["params"].(map[string]any)["sasUri"].(string)
	_, signature, _ := strings.Cut(signed, "sig=")
	signature, _, _ = strings.Cut(signature, "&")
	account := gcs.body(gcs.address)["auth"].(map[string]any)["params"].(map[string]any)["serviceAccountJson"].(string)
	var keyFile struct {
		Key string `json:"private_key"`
	}
	if err := json.Unmarshal([]byte(account), &keyFile); err != nil {
		t.Fatal(err)
	}
	key := strings.Split(keyFile.Key, "\n")[3]
	private := strings.Split(sshd.Private, "\n")[2]
	wrongLake := base64.StdEncoding.EncodeToString([]byte("planted-wrong-lake-key"))
	planted := []string{s3Secret, "planted-wrong-secret", "planted-phrase", "planted-wrong-phrase", "planted-password", "planted-session", "planted-principal",
		signature, key, private, azuriteKey, wrongLake, "planted-text", "planted-refresh", "token-of-this-test"}

	s3 := func(more map[string]any) map[string]any {
		params := bucket.body(bucket.address)["auth"].(map[string]any)["params"].(map[string]any)
		for k, v := range more {
			params[k] = v
		}
		return of("ecadc60c-7455-4d87-84dc-2a0e293d997b", "Access Key", params)
	}
	sftp := func(auth string, params map[string]any) map[string]any {
		params["host"], params["port"], params["userName"] = host, port, sshd.User
		return of("b7bf2577-4520-42c9-bae9-cad01560f7bc", auth, params)
	}
	const byKey, byPassword = "SSH PublicKey Authentication for sftp", "Basic Authentication for sftp"
	bodies := []map[string]any{
		s3(nil), s3(map[string]any{"s3SecretKey": "planted-wrong-secret"}), s3(map[string]any{"s3SessionToken": "planted-session"}),
		s3(map[string]any{"serviceUrl": "http://planted-text:planted-text@127.0.0.1:1"}), s3(map[string]any{"serviceUrl": "http://127.0.0.1:1"}),
		gcs.body(gcs.address), of("32e8f412-cdf7-464c-9885-78184cb113fd", "", map[string]any{"bucketName": "people", "serviceAccountJson": `{"type":"authorized_user","refresh_token":"planted-refresh"}`}),
		azure.body(azure.address), of(azureBlob, "SasURIAuthentication", map[string]any{"sasUri": strings.Replace(signed, "sp=", "sp=w", 1)}),
		of(azureBlob, "ConnectionString", map[string]any{"connectionString": "AccountKey=planted-text;nonsense", "container": "people"}),
		lake.body(lake.address), of("b3ba5556-48be-44b7-8b85-ff2b69b46dc4", "Account Key", map[string]any{"url": "http://" + lake.address + "/" + azuriteAccount,
			"accountName": azuriteAccount, "accountKey": wrongLake, "container": "people"}),
		of("b3ba5556-48be-44b7-8b85-ff2b69b46dc4", "Basic Authentication for adls-gen2", map[string]any{"url": "http://" + lake.address + "/" + azuriteAccount, "container": "people",
			"tenant": "no tenant", "servicePrincipalId": "id", "servicePrincipalKey": "planted-principal"}),
		sftp(byKey, map[string]any{"privateKeyContent": sshd.Private, "passPhrase": "planted-phrase", "hostKey": sshd.HostKey, "folderPath": s.root}),
		sftp(byKey, map[string]any{"privateKeyContent": sshd.Private, "passPhrase": "planted-wrong-phrase", "hostKey": sshd.HostKey}),
		sftp(byKey, map[string]any{"privateKeyContent": "planted-text", "hostKey": sshd.HostKey}),
		sftp(byPassword, map[string]any{"password": "planted-password", "hostKey": sshd.HostKey}), sftp(byPassword, map[string]any{"password": "planted-password"}),
	}
	keep := func(a answer) answer {
		fmt.Fprintf(written, "%v\n%s\n", a.header, a.body)
		return a
	}
	connected, refused := 0, 0
	for i, body := range bodies {
		body["name"] = fmt.Sprintf("connection %d", i)
		a := keep(s.call("POST", flow, compact(body)))
		if a.status != 201 {
			refused++
			continue
		}
		connected++
		conn := a.ok(201)["id"].(string)
		keep(s.call("GET", flow+"/"+conn, ""))
		keep(s.call("POST", flow+"/"+conn+"/test", ""))
		keep(s.call("GET", flow+"/"+conn+"/explore?objectType=file&object=absent.csv&preview=true", ""))
		task := s.call("POST", ais+"/submit", fmt.Sprintf(`{"name": "people %d", "originName": "CUSTOM_UPLOAD", "fields": %s,
			"sourceSpec": {"path": "absent.csv", "type": "file", "sourceType": "Cloud Storage", "baseConnectionId": %q}}`, i, peopleFields, conn))
		if task.status == 200 {
			fmt.Fprintln(written, compact(s.poll(ais+"/task/"+task.ok(200)["taskId"].(string), ended)))
		}
		keep(s.callWith("PATCH", flow+"/"+conn, `[{"op": "replace", "path": "/auth/params/folderPath", "value": "elsewhere"}]`, map[string]string{"If-Match": "*"}))
	}
	if connected < 10 || refused < 4 {
		t.Errorf("%d connections, %d refused", connected, refused)
	}
	keep(s.call("GET", flow, ""))
	keep(s.call("POST", "/roster/secrets/rotate", ""))
	keep(s.call("GET", "/roster/audit?limit=100", ""))
	resp, err := http.Get(s.app.URL() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(written, resp.Body)
	resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	s.stop()
	for _, secret := range planted {
		for _, form := range []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret)), strings.ReplaceAll(secret, "/", "\\/")} {
			if bytes.Contains(written.text.Bytes(), []byte(form)) {
				at := bytes.Index(written.text.Bytes(), []byte(form))
				t.Errorf("a secret was written: …%s…", written.text.Bytes()[max(0, at-300):min(at+100, written.text.Len())])
			}
			s.holdsNo(form)
		}
	}
	s.open()
}

// TestMasterKeys starts servers whose master key is outside the data directory, and moves the key.
func TestMasterKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, first, second := filepath.Join(dir, "data"), base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32)), filepath.Join(dir, "second.key")
	if err := os.WriteFile(second, []byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{2}, 32))), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(want int, environment string, args ...string) string {
		t.Helper()
		cmd := command(t, append(args, "--data-dir", data)...)
		if environment != "" {
			cmd.Env = append(cmd.Env, environment)
		}
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != want {
			t.Fatalf("%v: %v, want exit code %d: %s", args, err, want, out)
		}
		return string(out)
	}
	run(2, "ROSTER_MASTER_KEY="+first, "secrets", "rotate") // no data directory exists yet
	run(0, "ROSTER_MASTER_KEY="+first, "client", "create", "reader", "--access", "prod=viewer")
	if out := run(0, "ROSTER_MASTER_KEY="+first, "secrets", "rotate"); !strings.Contains(out, "0 secrets") {
		t.Error(out)
	}
	run(1, "", "secrets", "rotate") // the data directory has another key
	run(2, "ROSTER_MASTER_KEY="+first, "secrets", "rewrap")
	run(0, "ROSTER_MASTER_KEY="+first, "secrets", "rewrap", "--to-master-key-file", second)
	run(1, "ROSTER_MASTER_KEY="+first, "secrets", "rotate")
	run(0, "ROSTER_MASTER_KEY_FILE="+second, "secrets", "rotate")
	if out := run(2, "ROSTER_MASTER_KEY="+first, "serve", "--master-key-file", second); strings.Contains(out, first) {
		t.Error("the key is told")
	}
	if out := run(2, "", "serve", "--master-key", first); !strings.Contains(out, "unknown flag") {
		t.Error(out)
	}
}
