package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roster/internal/app"
)

// tokenStatus returns the status of a token request.
func (m *matrix) tokenStatus(id, secret string) int {
	m.t.Helper()
	resp, err := http.PostForm(m.creds.TokenURL, url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}})
	if err != nil {
		m.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestSecretsWithOverlap(t *testing.T) {
	t.Parallel()
	m := governed(t)
	made := m.call("POST", "/roster/clients", `{"name": "loader", "roles": {"prod": "editor"}, "labels": ["core/C1"]}`).ok(201)
	id, first := made["clientId"].(string), made["clientSecret"].(string)
	rotate := func(body string) string {
		t.Helper()
		return m.call("POST", "/roster/clients/"+id+"/secrets", body).ok(201)["clientSecret"].(string)
	}
	valid := func(secrets map[string]int) {
		t.Helper()
		for secret, want := range secrets {
			if got := m.tokenStatus(id, secret); got != want {
				t.Errorf("a token by one of the secrets: %d, want %d", got, want)
			}
		}
	}
	second := rotate("")
	valid(map[string]int{first: 200, second: 200, "": 400, "x": 401})
	m.clock.advance(23 * time.Hour)
	third := rotate(fmt.Sprintf(`{"oldSecretsValidUntil": %d}`, m.clock.now().Add(48*time.Hour).Unix()))
	valid(map[string]int{first: 200, second: 200, third: 200})
	m.clock.advance(2 * time.Hour)
	m.token = m.newToken()
	valid(map[string]int{first: 401, second: 200, third: 200})
	last := rotate(`{"oldSecretsValidUntil": 0}`)
	valid(map[string]int{second: 401, third: 401, last: 200})
	m.call("POST", "/roster/clients/"+id+"/secrets", fmt.Sprintf(`{"oldSecretsValidUntil": %d}`, m.clock.now().Add(31*24*time.Hour).Unix())).refused(400, "100910-400", "30 days")

	// A repeated request does not get the secret again.
	repeat := map[string]string{"Idempotency-Key": "k"}
	if got := m.callWith("POST", "/roster/clients", `{"name": "once"}`, repeat).ok(201); got["clientSecret"] == nil {
		t.Error("no secret")
	}
	if got := m.callWith("POST", "/roster/clients", `{"name": "once"}`, repeat).ok(201); got["clientSecret"] != nil || got["name"] != "once" {
		t.Errorf("the repeated request is answered %v", got)
	}
}

// TestClientsThatGo changes and deletes clients that are in use.
func TestClientsThatGo(t *testing.T) {
	t.Parallel()
	m := governed(t)
	c := m.newClient("editor", `{"prod": "editor"}`, `[]`)
	m.as(c, "GET", ais, "").ok(200)
	m.call("PATCH", "/roster/clients/"+c.id, `{"roles": {}}`).ok(200)
	m.as(c, "GET", ais, "").refused(401, "100922-401", "no role")
	m.call("PATCH", "/roster/clients/"+c.id, `{"roles": {"nowhere": "editor"}}`).refused(400, "100910-400", "roles.nowhere")
	m.call("PATCH", "/roster/clients/"+c.id, `{"roles": {"prod": "king"}, "labels": ["C1"], "name": ""}`).refused(400, "100910-400", "roles.prod", "labels[0]", "name")
	m.call("DELETE", "/roster/clients/"+c.id, "").ok(204)
	m.as(c, "GET", ais, "").refused(400, "100911-400")
	m.call("GET", "/roster/clients/"+c.id, "").refused(404, "100940-404")
}

// TestGrantsOfWhatOneHolds checks that callers can get and grant only labels that they hold, and that there is always
// an administrator with all labels.
func TestGrantsOfWhatOneHolds(t *testing.T) {
	t.Parallel()
	m := governed(t)
	some := m.newClient("some", `{"*": "admin"}`, `["core/C1"]`)
	for _, labels := range []string{`["*"]`, `["core/C2"]`, `["core/C1", "core/C2"]`} {
		m.as(some, "PATCH", "/roster/clients/"+some.id, `{"labels": `+labels+`}`).refused(401, "100922-401")
		m.as(some, "POST", "/roster/clients", `{"name": "more", "labels": `+labels+`}`).refused(401, "100922-401")
	}
	m.as(some, "POST", "/roster/clients/"+m.creds.ClientID+"/secrets", "").refused(401, "100922-401")
	m.as(some, "POST", "/roster/clients", `{"name": "less", "labels": ["core/C1"]}`).ok(201)
	for _, body := range []string{`{"labels": []}`, `{"roles": {"*": "editor"}}`, `{"roles": {"prod": "admin"}}`} {
		m.call("PATCH", "/roster/clients/"+m.creds.ClientID, body).refused(422, "100960-422", "last administrator")
	}
	m.call("DELETE", "/roster/clients/"+m.creds.ClientID, "").refused(422, "100960-422", "last administrator")
	heir := m.newClient("heir", `{"*": "admin"}`, `["*"]`)
	m.as(heir, "PATCH", "/roster/clients/"+m.creds.ClientID, `{"labels": []}`).ok(200)
	// An administrator of only one sandbox cannot administer clients, and reads the log of that sandbox.
	local := m.newClientBy(heir, "local", `{"prod": "admin"}`, `["*"]`)
	m.as(local, "GET", "/roster/clients", "").refused(401, "100922-401")
	m.as(local, "GET", "/roster/audit?sandbox=other", "").refused(401, "100922-401")
	m.as(local, "POST", "/data/foundation/flowservice/connections", `{"name": "c", "connectionSpec": {"id": "26f526f2-58f4-4712-961d-e41bf1ccc0e8"}}`).ok(201)
	for _, e := range m.as(local, "GET", "/roster/audit", "").ok(200)["entries"].([]any) {
		if e.(map[string]any)["sandbox"] != "prod" {
			t.Errorf("an administrator of prod is told %v", e)
		}
	}
}

// TestClientCommand administers a client with the command, and uses the credentials that it writes.
func TestClientCommand(t *testing.T) {
	t.Parallel()
	s := start(t)
	run := func(args ...string) string {
		t.Helper()
		code, out, log := finish(t, command(t, append(append([]string{"client"}, args...), "--data-dir", s.dir)...))
		if code != 0 {
			t.Fatalf("%v: exit %d %s", args, code, log)
		}
		return out
	}
	file := filepath.Join(t.TempDir(), "loader.json")
	keep := func(credentials string) string {
		t.Helper()
		if err := os.WriteFile(file, []byte(credentials), 0o600); err != nil {
			t.Fatal(err)
		}
		creds, err := app.ReadCredentials(file)
		if err != nil || creds.BaseURL != s.creds.BaseURL || creds.OrgID != s.creds.OrgID || creds.Sandbox != "prod" {
			t.Fatalf("%s, %v", credentials, err)
		}
		return creds.ClientID
	}
	id := keep(run("create", "loader", "--access", "prod=viewer", "--label", "core/C1"))
	works := func(want int) {
		t.Helper()
		if code, _, log := finish(t, command(t, "members", "nobody", "--server", s.creds.BaseURL, "--credentials", file)); code != want {
			t.Errorf("exit %d, want %d: %s", code, want, log)
		}
	}
	works(2) // no such audience: the client has the right to know that
	if keep(run("rotate", id, "--overlap", "0")) != id {
		t.Error("the secret of another client was replaced")
	}
	works(2)
	if out := run("grant", id, "--access", "*=viewer", "--label", "custom/a", "--label", "core/C2"); out != id+"\tloader\t*=viewer prod=viewer\tcore/C1 core/C2 custom/a\n" {
		t.Errorf("grant: %q", out)
	}
	run("revoke", id, "--label", "core/C1", "--access", "prod=viewer", "--access", "*=viewer")
	if out := run("list"); !strings.Contains(out, "administrator  *=admin  *\n") || !strings.Contains(out, "loader                  core/C2 custom/a\n") {
		t.Errorf("list:\n%s", out)
	}
	if out := run("list", "--json"); !strings.Contains(out, `"name":"loader","roles":{},"labels":["core/C2","custom/a"]`) {
		t.Errorf("list: %s", out)
	}
	works(3)
	run("delete", id)
	works(3)
	for want, args := range map[int][]string{2: {"client", "create", "x", "--access", "prod"}, 3: {"client", "delete", id}} {
		if code, _, log := finish(t, command(t, append(args, "--data-dir", s.dir)...)); code != want {
			t.Errorf("%v: exit %d, want %d: %s", args, code, want, log)
		}
	}
}
