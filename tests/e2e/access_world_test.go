package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/auth"
	"roster/internal/meta"
	"roster/internal/meta/sqlite"
)

// marker is part of every text of the sandbox prod that the matrix hides from some callers.
const marker = "unseen"

// caller is the sender of a call.
type caller struct {
	name    string
	id      string
	headers map[string]string
	blind   bool // must not get anything with the marker
}

// matrix is the world of the access matrix: a server with two organizations and one caller of every kind.
type matrix struct {
	*server
	nobody, expired, wrongOrg, roleless                   *caller
	viewer, editor, admin, unlabelled, elsewhere, foreign *caller
	shared                                                map[string]string // the objects of most calls
	count                                                 int
}

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	m := &matrix{server: start(t)}
	old := m.token
	m.clock.advance(25 * time.Hour)
	m.token = m.newToken()
	m.admin = m.caller("admin", m.creds.ClientID, m.creds.ClientSecret, m.creds.OrgID, "prod")
	m.nobody = m.admin.but("nobody", "Authorization", "")
	m.expired = m.admin.but("expired", "Authorization", "Bearer "+old)
	m.wrongOrg = m.admin.but("of another organization by its header", "x-gw-ims-org-id", "ANOTHER@RosterOrg")
	m.as(m.admin, "POST", "/data/foundation/sandbox-management/sandboxes", `{"name": "other", "title": "Other"}`).ok(202)
	m.elsewhere = m.admin.but("admin in another sandbox", "x-sandbox-name", "other")
	m.viewer = m.newClient("viewer", `{"prod": "viewer"}`, `["custom/matrix"]`)
	m.editor = m.newClient("editor", `{"prod": "editor"}`, `["custom/matrix"]`)
	m.unlabelled = m.newClient("admin without labels", `{"*": "admin"}`, `[]`)
	m.roleless = m.newClient("without a role here", `{"other": "admin"}`, `["*"]`)
	m.foreign = m.abroad()
	for _, c := range []*caller{m.nobody, m.expired, m.wrongOrg, m.roleless, m.elsewhere, m.unlabelled, m.foreign} {
		c.blind = true
	}
	m.share()
	return m
}

// but returns the caller with another header.
func (c *caller) but(name, header, value string) *caller {
	changed := *c
	changed.name, changed.headers = name, map[string]string{}
	for k, v := range c.headers {
		changed.headers[k] = v
	}
	changed.headers[header] = value
	return &changed
}

// caller is an API client in a sandbox.
func (m *matrix) caller(name, id, secret, org, sandbox string) *caller {
	m.t.Helper()
	resp, err := http.PostForm(m.creds.TokenURL, url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}, "scope": {"openid"}})
	if err != nil {
		m.t.Fatal(err)
	}
	defer resp.Body.Close()
	var tok struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&tok); err != nil || tok.AccessToken == "" {
		m.t.Fatalf("no token for %s: %d, %v", name, resp.StatusCode, err)
	}
	return &caller{name: name, id: id, headers: map[string]string{"Authorization": "Bearer " + tok.AccessToken, "x-api-key": id, "x-gw-ims-org-id": org, "x-sandbox-name": sandbox}}
}

// newClient creates an API client of the organization, with a role in prod.
func (m *matrix) newClient(name, roles, labels string) *caller {
	m.t.Helper()
	return m.newClientBy(m.admin, name, roles, labels)
}

// newClientBy is newClient with another administrator.
func (m *matrix) newClientBy(admin *caller, name, roles, labels string) *caller {
	m.t.Helper()
	made := m.as(admin, "POST", "/roster/clients", fmt.Sprintf(`{"name": %q, "roles": %s, "labels": %s}`, name, roles, labels)).ok(201)
	return m.caller(name, made["clientId"].(string), made["clientSecret"].(string), m.creds.OrgID, "prod")
}

// abroad creates another organization with a sandbox and an administrator. No call of the API can do that.
func (m *matrix) abroad() *caller {
	m.t.Helper()
	db, err := sqlite.Open(m.t.Context(), filepath.Join(m.dir, "roster.db"))
	if err != nil {
		m.t.Fatal(err)
	}
	defer db.Close()
	const org = "FOREIGN@RosterOrg"
	client := audience.Client{ID: uuid.NewString(), Org: org, Name: "foreign", SecretHash: auth.HashSecret("secret"),
		Roles: map[string]audience.ClientRole{audience.AnySandbox: audience.Admin}, Grants: audience.Grants{audience.AllLabels}}
	err = db.Update(m.t.Context(), func(tx meta.Tx) error {
		return errors.Join(tx.CreateOrganization(m.t.Context(), org),
			tx.CreateSandbox(m.t.Context(), &audience.Sandbox{ID: uuid.NewString(), Org: org, Name: "abroad", Type: audience.SandboxProduction, Default: true}),
			tx.CreateClient(m.t.Context(), client))
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return m.caller("admin of another organization", client.ID, "secret", org, "abroad")
}

// share creates the objects of most calls: an audience with the label that has had a run, and related objects.
func (m *matrix) share() {
	m.t.Helper()
	m.land("plain.csv", "mail\nada@example.com\n")
	m.land("matrix.csv", "mail,"+marker+"\nada@example.com,x\n")
	for _, sandbox := range []string{m.elsewhere.headers["x-sandbox-name"], m.foreign.headers["x-sandbox-name"]} { // one file of each
		writeFile(m.t, filepath.Join(m.dir, "landing", sandbox, "matrix.csv"), "mail\nada@example.com\n")
	}
	body := fmt.Sprintf(`{"name": "%[1]s", "description": "%[1]s", "tags": ["%[1]s"], "fields": [{"name": "mail", "type": "string", "identityNs": "email"}, {"name": "%[1]s", "type": "string"}],
		"originName": "CUSTOM_UPLOAD", "labels": ["custom/matrix"], "sourceSpec": {"path": "matrix.csv", "type": "file", "cloudType": "DLZ"}}`, marker)
	task := m.as(m.editor, "POST", ais+"/submit", body).ok(200)["taskId"].(string)
	v := m.poll(ais+"/task/"+task, ended)
	id := v["audienceId"].(string)
	run := m.ingest(id, "")
	if run["status"] != "SUCCESS" {
		m.t.Fatal(run)
	}
	detail := run["details"].([]any)[0].(map[string]any)
	m.shared = map[string]string{"taskId": task, "operationId": task, "audienceId": id, "runId": run["runId"].(string),
		"flowId": detail["flowId"].(string), "flowRunId": detail["flowRunId"].(string), "namespace": "email", "identity": "ada@example.com",
		"specId": "26f526f2-58f4-4712-961d-e41bf1ccc0e8", "name": "prod",
		"datasetId": id, "batchId": detail["flowRunId"].(string), "family": "core"}
	for k, v := range m.connection() {
		m.shared[k] = v
	}
	for k, v := range m.key() {
		m.shared[k] = v
	}
	for k, v := range m.client() {
		m.shared[k] = v
	}
	for k, v := range m.webhook() {
		m.shared[k] = v
	}
	erasure := m.as(m.admin, "DELETE", "/core/ups/access/entities?entityId=nobody@example.com&entityIdNS=email", "").ok(202)["jobId"].(string)
	m.poll("/roster/erasures/"+erasure, ended)
	m.shared["erasureId"] = erasure
	m.shared["workOrderId"] = "DI-" + erasure // no such work order: the erasure has none
}

// unique is a name that no object has.
func (m *matrix) unique() string {
	m.count++
	return fmt.Sprint("new", m.count)
}

func (m *matrix) audience() map[string]string {
	m.t.Helper()
	task := m.as(m.editor, "POST", ais+"/submit", strings.ReplaceAll(newAudience, "{new}", m.unique())).ok(200)["taskId"].(string)
	return map[string]string{"audienceId": m.poll(ais+"/task/"+task, ended)["audienceId"].(string)}
}

func (m *matrix) connection() map[string]string {
	m.t.Helper()
	body := fmt.Sprintf(`{"name": %q, "connectionSpec": {"id": "26f526f2-58f4-4712-961d-e41bf1ccc0e8"}}`, m.unique())
	return map[string]string{"connectionId": m.as(m.editor, "POST", "/data/foundation/flowservice/connections", body).ok(201)["id"].(string)}
}

const encryption = "/data/foundation/connectors/encryption/"

func (m *matrix) key() map[string]string {
	m.t.Helper()
	made := m.as(m.admin, "POST", encryption+"keys", `{"encryptionAlgorithm": "PGP"}`).ok(201)
	return map[string]string{"publicKeyId": made["publicKeyId"].(string), "publicKey": made["publicKey"].(string)}
}

func (m *matrix) customerKey() map[string]string {
	m.t.Helper()
	body := fmt.Sprintf(`{"encryptionAlgorithm": "PGP", "publicKey": %q}`, m.key()["publicKey"])
	return map[string]string{"publicKeyId": m.as(m.admin, "POST", encryption+"customer-keys", body).ok(201)["publicKeyId"].(string)}
}

func (m *matrix) sandbox() map[string]string {
	m.t.Helper()
	name := m.unique()
	m.as(m.admin, "POST", "/data/foundation/sandbox-management/sandboxes", fmt.Sprintf(`{"name": %q, "title": "New"}`, name)).ok(202)
	return map[string]string{"name": name}
}

func (m *matrix) client() map[string]string {
	m.t.Helper()
	made := m.as(m.admin, "POST", "/roster/clients", fmt.Sprintf(`{"name": %q}`, m.unique())).ok(201)
	return map[string]string{"clientId": made["clientId"].(string)}
}

func (m *matrix) webhook() map[string]string {
	m.t.Helper()
	return map[string]string{"webhookId": m.as(m.editor, "POST", "/roster/webhooks", newWebhook).ok(201)["id"].(string)}
}

func (m *matrix) file() map[string]string {
	m.t.Helper()
	name := m.unique() + ".csv"
	m.as(m.editor, "PUT", "/landing/"+name, "mail\n").ok(200)
	return map[string]string{"path": name}
}

// as sends a call as a caller.
func (m *matrix) as(c *caller, method, path, body string) answer {
	m.t.Helper()
	return m.callWith(method, path, body, c.headers)
}

// send sends a call of the matrix.
func (m *matrix) send(call string, o operation, as *caller) answer {
	m.t.Helper()
	ids := m.shared
	if o.fresh != nil {
		ids = map[string]string{}
		for k, v := range m.shared {
			ids[k] = v
		}
		for k, v := range o.fresh(m) {
			ids[k] = v
		}
	}
	var pairs []string
	for k, v := range ids {
		pairs = append(pairs, "{"+k+"}", v)
	}
	pairs = append(pairs, "{new}", m.unique(), "{path}", m.unique()+".csv")
	fill := strings.NewReplacer(pairs...)
	method, path, _ := strings.Cut(call, " ")
	if o.query != "" {
		path += "?" + o.query
	}
	return m.as(as.but(as.name, "If-Match", "*"), method, fill.Replace(path), fill.Replace(o.body))
}
