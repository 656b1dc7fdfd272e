package abuse

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

const flow = "/data/foundation/flowservice/connections"

// attacker is a host that accepts every request and gives tokens to every caller.
type attacker struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string
}

func newAttacker(t *testing.T) *attacker {
	a := &attacker{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.seen = append(a.seen, fmt.Sprint(r.Method, " ", r.URL, " ", r.Header, " ", string(body)))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{}`)
	}))
	t.Cleanup(a.Close)
	return a
}

// got returns the number of requests.
func (a *attacker) got() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.seen)
}

// serviceAccount is the key file of a service account whose tokens come from an address.
func serviceAccount(t *testing.T, tokens string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{"type": "service_account", "client_email": "reader@example.com", "private_key_id": "1", "token_uri": tokens,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// victim is a connection with secrets, and the changes by which an editor would lead it to a host of the editor.
type victim struct {
	spec, auth string
	params     map[string]any
	secrets    []string
	where      map[string]string // the attacker's value of each parameter that decides where secrets are sent
}

func victims(t *testing.T, to *attacker) map[string]victim {
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token": "bearer-of-the-victim", "token_type": "Bearer", "expires_in": 3600}`)
	}))
	t.Cleanup(tokens.Close)
	host, port, err := net.SplitHostPort(to.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	const pin = "SHA256:0000000000000000000000000000000000000000000"
	return map[string]victim{
		"GCS": {"32e8f412-cdf7-464c-9885-78184cb113fd", "Basic Authentication for google-cloud",
			map[string]any{"serviceAccountJson": serviceAccount(t, tokens.URL), "bucketName": "people"}, []string{"serviceAccountJson"},
			map[string]string{"endpoint": to.URL}},
		"GCS by keys": {"32e8f412-cdf7-464c-9885-78184cb113fd", "Basic Authentication for google-cloud",
			map[string]any{"accessKeyId": "id", "secretAccessKey": "hush", "bucketName": "people", "endpoint": "https://storage.googleapis.com"}, []string{"secretAccessKey"},
			map[string]string{"endpoint": to.URL}},
		"S3": {"ecadc60c-7455-4d87-84dc-2a0e293d997b", "Access Key",
			map[string]any{"s3AccessKey": "id", "s3SecretKey": "hush", "s3SessionToken": "hush too", "bucketName": "people"}, []string{"s3SecretKey", "s3SessionToken"},
			map[string]string{"serviceUrl": to.URL, "region": "x@" + to.Listener.Addr().String() + "/#", "pathStyle": "true"}},
		"ADLS by principal": {"b3ba5556-48be-44b7-8b85-ff2b69b46dc4", "Basic Authentication for adls-gen2",
			map[string]any{"url": "https://account.dfs.core.windows.net", "container": "people", "tenant": "00000000-0000-0000-0000-000000000000", "servicePrincipalId": "id",
				"servicePrincipalKey": "hush"}, []string{"servicePrincipalKey"},
			map[string]string{"url": to.URL, "tenant": "attacker.example"}},
		"ADLS by key": {"b3ba5556-48be-44b7-8b85-ff2b69b46dc4", "Account Key",
			map[string]any{"url": "https://account.dfs.core.windows.net", "container": "people", "accountName": "account", "accountKey": "aHVzaA=="}, []string{"accountKey"},
			map[string]string{"url": to.URL, "accountName": "attacker"}},
		"SFTP": {"b7bf2577-4520-42c9-bae9-cad01560f7bc", "Basic Authentication for sftp",
			map[string]any{"host": "sftp.example.com", "port": "22", "userName": "reader", "password": "hush", "hostKey": pin}, []string{"password"},
			map[string]string{"host": host, "port": port, "hostKey": strings.Replace(pin, "0", "1", 1)}},
	}
}

// TestSecretsAreNotStolen redirects connections to a host of an editor who does not know their secrets, with every
// parameter and every form of JSON Patch. The host gets nothing.
func TestSecretsAreNotStolen(t *testing.T) {
	t.Parallel()
	s := start(t)
	to := newAttacker(t)
	for name, v := range victims(t, to) {
		body, err := json.Marshal(map[string]any{"name": name, "connectionSpec": map[string]string{"id": v.spec, "version": "1.0"}, "auth": map[string]any{"specName": v.auth, "params": v.params}})
		if err != nil {
			t.Fatal(err)
		}
		conn := s.call("POST", flow, string(body)).json(t, 201)["id"].(string)
		public := map[string]any{}
		for p, value := range v.params {
			if !slices.Contains(v.secrets, p) {
				public[p] = value
			}
		}
		patch := func(ops ...any) answer {
			t.Helper()
			text, err := json.Marshal(ops)
			if err != nil {
				t.Fatal(err)
			}
			return s.call("PATCH", flow+"/"+conn, string(text), "If-Match", "*")
		}
		op := func(op, path string, value any) map[string]any {
			return map[string]any{"op": op, "path": path, "value": value}
		}
		for p, value := range v.where {
			moved := map[string]any{p: value}
			for k, old := range public {
				if k != p {
					moved[k] = old
				}
			}
			for how, ops := range map[string][]any{
				"add":                      {op("add", "/auth/params/"+p, value)},
				"replace":                  {op("replace", "/auth/params/"+p, value)},
				"between others":           {op("replace", "/name", "moved"), op("add", "/auth/params/"+p, value), op("add", "/auth/params/folderPath", "x")},
				"remove and add":           {map[string]any{"op": "remove", "path": "/auth/params/" + p}, op("add", "/auth/params/"+p, value)},
				"an empty secret":          {op("add", "/auth/params/"+p, value), op("add", "/auth/params/"+v.secrets[0], "")},
				"all parameters":           {op("replace", "/auth/params", moved)},
				"the whole authentication": {op("replace", "/auth", map[string]any{"specName": v.auth, "params": moved})},
				"the whole connection":     {op("replace", "", map[string]any{"auth": map[string]any{"specName": v.auth, "params": moved}})},
				"copy":                     {map[string]any{"op": "copy", "from": "/name", "path": "/auth/params/" + p}},
				"move":                     {map[string]any{"op": "move", "from": "/auth/params/" + v.secrets[0], "path": "/description"}},
				"copy the secret":          {map[string]any{"op": "copy", "from": "/auth/params/" + v.secrets[0], "path": "/name"}},
				"test the secret":          {op("test", "/auth/params/"+v.secrets[0], "hush")},
			} {
				if a := patch(ops...); a.status != http.StatusBadRequest {
					t.Errorf("%s, %s by %s: status %d: %.300s", name, p, how, a.status, a.body)
					s.call("POST", flow+"/"+conn+"/test", "") // its secrets go to its current address
				}
			}
		}
	}
	if to.got() > 0 {
		t.Errorf("the attacker was sent %d requests, such as %s", to.got(), to.seen[0])
	}
}

// TestSignedMessagesStay redirects another user's webhook to a host of the editor. Without the secret of the webhook
// the host gets no signed message.
func TestSignedMessagesStay(t *testing.T) {
	t.Parallel()
	s := start(t)
	to, owner := newAttacker(t), newAttacker(t)
	hook := s.call("POST", "/data/roster/webhooks", `{"url": "`+owner.URL+`/hook", "events": ["roster.run.ended"]}`)
	made := hook.json(t, 201)
	path := "/data/roster/webhooks/" + made["id"].(string)
	for _, body := range []string{`{"url": "` + to.URL + `"}`, `{"url": "` + to.URL + `", "secret": "whsec_AAAA"}`, `{"url": "` + owner.URL + `/other"}`, `{"url": "` + to.URL + `", "secret": null}`} {
		if a := s.call("PATCH", path, body); a.status != http.StatusBadRequest {
			t.Errorf("%s: status %d: %s", body, a.status, a.body)
		}
	}
	if to.got() > 0 {
		t.Errorf("the attacker was sent %s", to.seen[0])
	}
	s.call("PATCH", path, `{"url": "`+to.URL+`", "secret": "`+made["secret"].(string)+`"}`).json(t, 200)
}
