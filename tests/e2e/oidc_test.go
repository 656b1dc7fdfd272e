package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"roster/internal/app"
	"roster/internal/auth"
)

// TestOIDC checks that users of a company's identity provider have the rights of their groups, in addition to the API
// clients of the server.
func TestOIDC(t *testing.T) {
	t.Parallel()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	var provider *httptest.Server
	provider = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := any(map[string]any{"issuer": provider.URL, "jwks_uri": provider.URL + "/keys"})
		if r.URL.Path == "/keys" {
			body = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: private.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}}
		}
		if err := json.NewEncoder(w).Encode(body); err != nil {
			t.Error(err)
		}
	}))
	defer provider.Close()
	s := start(t, func(c *app.Config) {
		c.OIDC = auth.OIDC{Issuer: provider.URL, Audience: "roster", ClientClaim: "email", RolesClaim: "groups", RolePrefix: "roster-"}
	})
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: private, KeyID: "k"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	caller := func(claims map[string]any) *caller {
		all := map[string]any{"iss": provider.URL, "aud": "roster", "sub": "0", "org": s.creds.OrgID, "email": "ada@example.com", "exp": time.Now().Add(time.Hour).Unix()}
		maps.Copy(all, claims)
		token, err := jwt.Signed(signer).Claims(all).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return &caller{headers: map[string]string{"Authorization": "Bearer " + token, "x-api-key": all["email"].(string), "x-gw-ims-org-id": all["org"].(string)}}
	}
	m := &matrix{server: s}
	viewer := caller(map[string]any{"groups": []string{"staff", "roster-viewer"}})
	editor := caller(map[string]any{"groups": []string{"roster-prod:editor"}, "email": "grace@example.com", "labels": []string{"custom/secret"}})
	none := caller(map[string]any{"groups": []string{"staff", "admin"}})
	other := caller(map[string]any{"groups": []string{"roster-admin"}, "org": "OTHER@RosterOrg"})

	const submission = `{"name": "people", "labels": ["custom/secret"], "fields": [{"name": "mail", "type": "string", "identityNs": "email"}],
		"originName": "CUSTOM_UPLOAD", "sourceSpec": {"path": "people.csv", "type": "file", "cloudType": "DLZ"}}`
	m.as(viewer, "POST", ais+"/submit", submission).refused(401, "100922-401")
	m.as(none, "POST", ais+"/submit", submission).refused(401, "100922-401")
	s.land("people.csv", "mail\nann@example.com\n")
	task := m.as(editor, "POST", ais+"/submit", submission).ok(200)["taskId"].(string)
	id := s.poll(ais+"/task/"+task, ended)["audienceId"].(string)
	m.as(editor, "GET", ais+"/"+id, "").ok(200)
	m.as(viewer, "GET", ais+"/"+id, "").refused(404, "100940-404") // this user does not hold the label
	m.as(viewer, "GET", ais, "").ok(200)
	m.as(none, "GET", ais, "").refused(401, "100922-401")
	m.as(editor, "POST", "/roster/clients", `{"name": "no", "roles": {"*": "admin"}, "labels": []}`).refused(401, "100922-401")
	m.as(editor, "POST", "/roster/webhooks", `{"url": "https://hooks.example.com", "events": ["roster.run.ended"]}`).refused(422, "100960-422", "grace@example.com")
	m.as(other, "GET", ais, "").refused(400, "100910-400", "x-sandbox-name") // an organization that this server does not have
	m.as(other.but("", "x-gw-ims-org-id", s.creds.OrgID), "GET", ais, "").refused(401, "100921-401")

	if run := s.ingest(id, ""); run["status"] != "SUCCESS" || s.lookup("email", "ann@example.com", id) != "realized" {
		t.Errorf("run: %v", run)
	}
	log := s.call("GET", "/roster/audit?clientId=grace@example.com", "").ok(200)["entries"].([]any)
	if len(log) != 3 || log[2].(map[string]any)["outcome"] != "done" {
		t.Errorf("the audit log of who came by the identity provider: %v", log)
	}
}
