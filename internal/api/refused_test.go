package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"roster/internal/audience"
)

// validSubmit is the request of the seed document.
const validSubmit = `{
  "name": "Sample external audience",
  "description": "A sample version of an external audience",
  "fields": [
    {"name": "ppid", "type": "string", "identityNs": "email"},
    {"name": "list_id", "type": "string", "labels": ["core/C2", "custom/deep"]},
    {"name": "delete", "type": "number"},
    {"name": "process_consent", "type": "string"}
  ],
  "sourceSpec": {
    "path": "activation/sample-source/example.csv", "type": "file", "sourceType": "Cloud Storage",
    "baseConnectionId": "1d1d4bc5-b527-46a3-9863-530246a61b2b"
  },
  "ttlInDays": "40",
  "labels": ["core/C1"],
  "audienceType": "people",
  "originName": "CUSTOM_UPLOAD"
}`

// submitWith returns validSubmit with one text replaced.
func submitWith(old, new string) string {
	if !strings.Contains(validSubmit, old) {
		panic("the valid submit does not hold " + old)
	}
	return strings.Replace(validSubmit, old, new, 1)
}

// TestRefused sends bad requests. testdata/refused.txt has the complete responses.
func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const submit, patch, run, runs = external + "/submit", external + "/" + audienceID, external + "/" + audienceID + "/run", external + "/" + audienceID + "/runs"
	var out strings.Builder
	for _, c := range []struct {
		name, method, path, body string
		headers                  []string
	}{
		{"no header at all", "GET", patch, "", []string{"Authorization", "", "x-api-key", "", "x-gw-ims-org-id", "", "x-sandbox-name", ""}},
		{"no Authorization", "GET", patch, "", []string{"Authorization", ""}},
		{"no x-api-key", "GET", patch, "", []string{"x-api-key", ""}},
		{"no x-gw-ims-org-id", "GET", patch, "", []string{"x-gw-ims-org-id", ""}},
		{"no x-sandbox-name", "GET", patch, "", []string{"x-sandbox-name", ""}},
		{"a missing header goes before a bad token", "GET", patch, "", []string{"Authorization", "Bearer x", "x-sandbox-name", ""}},
		{"another scheme", "GET", patch, "", []string{"Authorization", "Basic abc"}},
		{"an unreadable token", "GET", patch, "", []string{"Authorization", "Bearer rubbish"}},
		{"a bad token goes before another client", "GET", patch, "", []string{"Authorization", "Bearer rubbish", "x-api-key", "somebody"}},
		{"a token of another key", "GET", patch, "", []string{"Authorization", "Bearer " + forgedToken(t)}},
		{"another client", "GET", patch, "", []string{"x-api-key", otherID}},
		{"another client goes before another organization", "GET", patch, "", []string{"x-api-key", otherID, "x-gw-ims-org-id", "X@RosterOrg"}},
		{"another organization", "GET", patch, "", []string{"x-gw-ims-org-id", "X@RosterOrg"}},
		{"another organization goes before an unknown sandbox", "GET", patch, "", []string{"x-gw-ims-org-id", "X@RosterOrg", "x-sandbox-name", "nowhere"}},
		{"an unknown sandbox", "GET", patch, "", []string{"x-sandbox-name", "nowhere"}},
		{"a sandbox without a role", "GET", patch, "", []string{"x-sandbox-name", "secret"}},

		{"no body", "POST", submit, "", nil},
		{"not JSON", "POST", submit, `{"name": `, nil},
		{"a form", "POST", submit, `name=a`, []string{"Content-Type", "application/x-www-form-urlencoded"}},
		{"an array", "POST", submit, `[]`, nil},
		{"two documents", "POST", submit, validSubmit + "{}", nil},
		{"too large", "POST", submit, `{"name": "` + strings.Repeat("a", maxBody) + `"}`, nil},
		{"an unknown property", "POST", submit, submitWith(`"ttlInDays"`, `"ttlInWeeks"`), nil},
		{"a property twice", "POST", submit, submitWith(`"ttlInDays": "40"`, `"ttlInDays": 40, "ttlInDays": 30`), nil},
		{"a wrong JSON type", "POST", submit, submitWith(`"labels": ["core/C1"]`, `"labels": [1]`), nil},
		{"an unknown type", "POST", submit, submitWith(`"number"`, `"decimal"`), nil},
		{"no identity field", "POST", submit, submitWith(`, "identityNs": "email"`, ``), nil},
		{"an unknown namespace", "POST", submit, submitWith(`"email"`, `"emial"`), nil},
		{"two fields with one name", "POST", submit, submitWith(`"delete"`, `"PPID"`), nil},
		{"ttl 0", "POST", submit, submitWith(`"40"`, `0`), nil},
		{"ttl 91", "POST", submit, submitWith(`"40"`, `91`), nil},
		{"ttl x", "POST", submit, submitWith(`"40"`, `"x"`), nil},
		{"no name", "POST", submit, submitWith(`"name": "Sample external audience",`, ``), nil},
		{"another origin", "POST", submit, submitWith(`"originName": "CUSTOM_UPLOAD"`, `"originName": "DATA_DISTILLER"`), nil},
		{"a path that leaves its root", "POST", submit, submitWith(`activation/`, `../`), nil},
		{"a source in two forms", "POST", submit, submitWith(`"type": "file"`, `"type": "file", "params": {"path": "a"}`), nil},
		{"a connection that does not exist", "POST", submit, submitWith(connID, absentID), nil},
		{"no days beside other faults", "POST", submit, strings.Replace(submitWith(`"ttlInDays": "40"`, `"ttlInDays": 0`), `"type": "file"`, `"type": "zip"`, 1), nil},
		{"a source inside params", "POST", external + "/", submitWith(`"sourceSpec": {
    "path": "activation/sample-source/example.csv", "type": "file", "sourceType": "Cloud Storage",
    "baseConnectionId": "1d1d4bc5-b527-46a3-9863-530246a61b2b"
  }`, `"sourceSpec": {"params": {"type": "zip", "cloudType": "S3"}}`), nil},
		{"encryption", "POST", submit, submitWith(`"ttlInDays"`, `"encryption": {"publicKeyId": "k"}, "ttlInDays"`), nil},
		{"encryption without a key", "POST", external, submitWith(`"type": "file"`, `"type": "file", "encryption": {}`), nil},
		{"a format that is a text", "POST", submit, submitWith(`"type": "file"`, `"type": "file", "format": "csv"`), nil},
		{"a format that is none", "POST", submit, submitWith(`"type": "file"`, `"type": "file", "format": {"type": "xml", "delimiter": ";;", "dateFormats": ["QQ"]}`), nil},
		{"guards that are none", "POST", submit, submitWith(`"ttlInDays"`, `"guards": {"maxRejectedPercent": 101, "maxRemovedPercent": -1}, "ttlInDays"`), nil},
		{"a change to guards that are none", "PATCH", patch, `{"guards": {"maxGrowthPercent": "much", "allow": 1}}`, nil},
		{"express activation without a supplemental identity", "POST", external + "/", submitWith(`"ttlInDays"`, `"expressActivation": true, "ttlInDays"`), nil},
		{"a name that is taken", "POST", submit, submitWith("Sample external audience", "taken"), nil},

		{"a change of the name", "PATCH", patch, `{"name": "other"}`, nil},
		{"a change of an unknown property", "PATCH", patch, `{"fields": [{"name": "ppid", "kind": "long"}]}`, nil},
		{"a change of a field to nothing", "PATCH", patch, `{"fields": [{}]}`, nil},
		{"a change of an absent audience", "PATCH", external + "/" + absentID, `{"description": "x"}`, nil},
		{"no change", "PATCH", patch, "", nil},

		{"a window that is no time", "POST", run, `{"dataFilterStartTime": "soon", "dataFilterEndTime": -1}`, nil},
		{"a window that is far off", "POST", run, `{"dataFilterEndTime": 100000000000001}`, nil},
		{"an unknown property of a run", "POST", run, `{"everything": true}`, nil},
		{"a dry run that is no boolean", "POST", runs, `{"dryRun": "yes"}`, nil},
		{"rejects in a form that is none", "GET", runs + "/" + runID + "/rejects?format=xml&limit=1001", "", nil},
		{"rejects of a run that is none", "GET", runs + "/x/rejects", "", nil},
		{"an unknown property of a rollback", "POST", runs + "/" + runID + "/rollback", `{"force": true}`, nil},
		{"too many versions", "GET", external + "/" + audienceID + "/versions?limit=41", "", nil},
		{"a run of an absent audience", "POST", external + "/" + absentID + "/run", "", nil},
		{"an absent run", "GET", run + "/" + absentID, "", nil},
		{"a run that is no id", "GET", runs + "/1", "", nil},
		{"an absent task", "GET", externals + "/task/" + absentID, "", nil},
		{"runs by bad parameters", "GET", runs + "?limit=41&start=x&sortBy=size&property=size=1&property=status>1&property=status==SUCCESS&property=status!=failed&property=name&property=createdAt>=x", "", nil},
		{"runs by a broken query", "GET", runs + "?limit=%zz", "", nil},

		{"connections by a bad token", "GET", connections + "?continuationToken=x!&property=auth.secret==1", "", nil},
		{"a validation that is no JSON", "POST", validate, `{"sourceSpec"`, nil},
		{"a validation of much that is wrong", "POST", validate, `{"sourceSpec": {"path": "a", "type": "file"}, "rows": 10001, "limit": 1, "fields": [{"name": 1}]}`, nil},
		{"a validation of too many rows", "POST", validate, `{"sourceSpec": {"path": "a", "type": "file"}, "rows": 10001}`, nil},
		{"audiences by bad parameters", "GET", audiences + "?limit=101&start=x&sort=size:up&property=name=1&name=", "", nil},
		{"audiences by a forged cursor", "GET", audiences + "?start=eyJzIjoiY3JlYXRlZCIsInQiOjAsImkiOiI1OWQ0MzIifQ", "", nil},
		{"audiences by too many filters", "GET", audiences + "?" + strings.Repeat("property=type==x&", 990), "", nil},
		{"runs by too many filters", "GET", runs + "?" + strings.Repeat("property=status!=FAILED&", 21), "", nil},
		{"an absent audience", "GET", audiences + "/" + absentID, "", nil},
		{"an audience that is no id", "GET", audiences + "/bulk-get", "", nil},
		{"a patch that is no JSON Patch", "PATCH", audiences + "/" + audienceID, `{"description": "x"}`, nil},
		{"a JSON Patch of much that is wrong", "PATCH", audiences + "/" + audienceID, `[{"op": "add", "path": "/namespace", "value": "x"},
			{"op": "add", "path": "/labels/-", "value": "core/C1"}, {"op": "replace", "path": "/tags", "value": ["a", 1]},
			{"op": "remove", "path": "/lifecycleState"}, {"op": "add", "path": "/description", "value": null}]`, nil},
		{"no JSON Patch at all", "PATCH", audiences + "/" + audienceID, `[{"op": "move", "path": "/tags", "from": "/labels"}]`, nil},
		{"a form as JSON Patch", "PATCH", audiences + "/" + audienceID, `a=b`, []string{"Content-Type", "text/plain"}},
		{"a patch of an absent audience", "PATCH", audiences + "/" + absentID, `[{"op": "remove", "path": "/tags"}]`, nil},
		{"a change of what has changed", "PATCH", audiences + "/" + audienceID, `[{"op": "remove", "path": "/tags"}]`, []string{"If-Match", `"stale"`}},
		{"a deletion of what has changed", "DELETE", audiences + "/" + audienceID, "", []string{"If-Match", `"stale"`}},
		{"many audiences that are none", "POST", audiences + "/bulk-get", `{"ids": [{"id": ""}, {}, {"id": "a", "type": "b"}]}`, nil},
		{"a webhook of much that is wrong", "POST", webhooks, `{"url": "ftp://example.com", "events": ["roster.run.ended", "everything"], "secret": "mine"}`, nil},
		{"a webhook that is none", "POST", webhooks, `{"url": "https://user:word@example.com", "events": ["roster.test"]}`, nil},
		{"a webhook without anything", "POST", webhooks, `{}`, nil},
		{"an erasure of nobody", "DELETE", entities + "?schema.name=x", "", nil},
		{"an absent erasure", "GET", erasures + "/" + absentID, "", nil},
		{"the certificate of an erasure under way", "GET", erasures + "/" + taskID + "/certificate", "", nil},
		{"erasures by bad parameters", "GET", erasures + "?limit=101&start=x", "", nil},
		{"an absent webhook", "GET", webhooks + "/" + absentID, "", nil},
		{"deliveries by bad parameters", "GET", webhooks + "/" + otherID + "/deliveries?limit=101&start=x", "", nil},
		{"a whole audience of another kind", "PUT", audiences + "/" + audienceID, `{"type": "SegmentDefinition", "expression": "true"}`, nil},
		{"an audience created of nothing", "POST", audiences, `{}`, nil},
		{"a profile of nobody", "GET", entities + "?entityId=a@example.com&entityIdNS=email", "", nil},
		{"a profile without identity", "GET", entities + "?schema.name=other", "", nil},
		{"profiles without identities", "POST", entities, `{"identities": []}`, nil},
		{"profiles of bad identities", "POST", entities, `{"identities": [{"entityId": ""}], "schema": {"name": "x"}}`, nil},
		{"a change of a connection without its etag", "PATCH", connections + "/" + connID, `[{"op": "remove", "path": "/description"}]`, nil},
		{"a stale change of a connection", "PATCH", connections + "/" + connID, `[{"op": "remove", "path": "/description"}]`, []string{"If-Match", `"old"`}},
		{"a change of what is not to be changed of a connection", "PATCH", connections + "/" + connID, `[{"op": "replace", "path": "/connectionSpec/id", "value": "x"}]`, []string{"If-Match", "*"}},
		{"a look at nothing", "GET", connections + "/" + connID + "/explore?objectType=file&fileType=xls&preview=2", "", nil},
		{"a look at a kind that needs a connection", "GET", flowservice + "/connectionSpecs/ecadc60c-7455-4d87-84dc-2a0e293d997b/explore", "", nil},
		{"another landing zone", "GET", "/foundation/connectors/landingzone?type=dlz_destination", "", nil},
		{"an extension of an unknown audience", "POST", externals + "/extend-ttl/" + absentID, "", nil},
		{"an extension by so many days", "POST", external + "/extend-ttl/" + audienceID, `{"ttlInDays": 3}`, nil},
		{"a flow that is no id", "GET", flowservice + "/flows/x", "", nil},
		{"flows by what they cannot be found by", "GET", flowservice + "/flows?property=estate==x&limit=0", "", nil},
		{"runs by what they cannot be found by", "GET", flowservice + "/runs?property=state==x&limit=0", "", nil},
		{"a sandbox that could not be a folder", "POST", sandboxes, `{"name": "../dev", "title": "", "type": "x"}`, nil},
		{"something else than a reset", "PUT", sandboxes + "/dev", `{"action": "burn"}`, nil},
		{"an unknown sandbox's description", "GET", sandboxes + "/nowhere", "", nil},
		{"a client that is none", "POST", clients, `{"roles": {"prod": "king", "x y": "admin"}, "labels": ["C1", "core/c1"]}`, nil},
		{"a client's organization", "PATCH", clients + "/" + otherID, `{"org": "other", "roles": {"prod": 1}}`, nil},
		{"an absent client", "GET", clients + "/" + absentID, "", nil},
		{"secrets that end at no time", "POST", clients + "/" + otherID + "/secrets", `{"oldSecretsValidUntil": -1}`, nil},
		{"the audit log by bad parameters", "GET", "/roster/audit?limit=1001&start=x&since=soon&until=-1&outcome=maybe", "", nil},
		{"an upload that leaves its root", "PUT", "/landing/a/%2e%2e/%2e%2e/b.csv", "x", nil},
		{"a method that is not there", "PUT", patch, "", nil},
		{"a path that is not there", "GET", "/data/core/ais/nothing-here", "", nil},
	} {
		rec := w.do(c.method, c.path, c.body, c.headers...)
		if ct := rec.Header().Get("Content-Type"); ct != problemType || rec.Header().Get("x-request-id") != "test" {
			t.Errorf("%s: content type %q, request id %q", c.name, ct, rec.Header().Get("x-request-id"))
		}
		var body bytes.Buffer
		if err := json.Indent(&body, rec.Body.Bytes(), "", "  "); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		fmt.Fprintf(&out, "## %s\n%s %s\n%d\n%s\n", c.name, c.method, c.path, rec.Code, body.String())
	}
	golden(t, "refused.txt", out.String())
}

// forgedToken is like a real token, but signed with another key.
func forgedToken(t *testing.T) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: bytes.Repeat([]byte{1}, 32)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(jwt.Claims{Issuer: "roster", Subject: clientID, Expiry: jwt.NewNumericDate(testNow.AddDate(1, 0, 0))}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestInternalErrors checks that errors without a code, and panics, are logged and hidden from the client.
func TestInternalErrors(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*fake){
		"error":   func(f *fake) { f.err = errors.New("pq: password of ada@example.com") },
		"wrapped": func(f *fake) { f.err = fmt.Errorf("read: %w", errors.New("pq: password of ada@example.com")) },
		"panic":   func(f *fake) { f.panics = "password of ada@example.com" },
		"code":    func(f *fake) { f.err = &audience.Error{Code: "123456-499", Message: "password of ada@example.com"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			set(w.service)
			rec := w.do("GET", external+"/"+audienceID, "")
			if rec.Code != http.StatusInternalServerError || !strings.Contains(rec.Body.String(), `"errorCode":"100970-500"`) {
				t.Errorf("%d %s", rec.Code, rec.Body)
			}
			if strings.Contains(rec.Body.String(), "password") {
				t.Errorf("the answer tells the error: %s", rec.Body)
			}
			if log := w.log.String(); !strings.Contains(log, "password") || !strings.Contains(log, "request=test") {
				t.Errorf("the log does not tell the error under the request's id: %s", log)
			}
		})
	}
	w := newWorld(t)
	w.service.err = audience.Errorf(audience.BadGateway, "the source does not answer: %w", errors.New("dial"))
	if rec := w.do("GET", external+"/"+audienceID, ""); rec.Code != http.StatusBadGateway || !strings.Contains(rec.Body.String(), "BAD_GATEWAY") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for given, taken := range map[string]bool{"abc-123": true, "": false, "a b": false, "<x>": false, strings.Repeat("a", 129): false, "a\"b": false} {
		id := w.do("GET", "/healthz", "", "x-request-id", given).Header().Get("x-request-id")
		if (id == given) != taken || id == "" {
			t.Errorf("%q became %q", given, id)
		}
	}
}
