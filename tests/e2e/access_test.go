package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	contract "roster/api"
)

// operation is a call of the matrix: how to send it, and the status that each caller gets.
type operation struct {
	query, body string
	// fresh creates the object of the call, once for each caller. By default all calls share one object.
	fresh func(m *matrix) map[string]string
	// reads means that the call changes nothing although it is not a GET.
	reads bool
	// orgWide means that an administrator sees all sandboxes, whatever the sandbox of the call is.
	orgWide bool
	// The callers: a viewer, an editor and an administrator of the sandbox prod who hold the label; an administrator
	// without labels; the administrator in another sandbox of the organization; an administrator of another
	// organization.
	viewer, editor, admin, unlabelled, elsewhere, foreign int
}

// Kinds of calls by the callers who are allowed. The status is the one that allowed callers get.
func reading(status int) operation { // an object with the label
	return operation{viewer: status, editor: status, admin: status, unlabelled: 404, elsewhere: 404, foreign: 404}
}

func listing(status int) operation { // allowed for everybody; each caller sees the own objects
	return operation{viewer: status, editor: status, admin: status, unlabelled: status, elsewhere: status, foreign: status}
}

func writing(status int) operation { // an object with the label
	return operation{viewer: 401, editor: status, admin: status, unlabelled: 404, elsewhere: 404, foreign: 404}
}

func creating(status int) operation { // an object in the caller's sandbox
	return operation{viewer: 401, editor: status, admin: status, unlabelled: status, elsewhere: status, foreign: status}
}

func labelling(status int) operation { // an object with the label
	o := creating(status)
	o.unlabelled = 401
	return o
}

func administering(status int) operation { // an object of the organization
	return operation{viewer: 401, editor: 401, admin: status, unlabelled: status, elsewhere: status, foreign: 404}
}

func managing(status int) operation { // an object in the sandbox, as its administrator
	return operation{viewer: 401, editor: 401, admin: status, unlabelled: status, elsewhere: status, foreign: status}
}

func erasing(status int) operation { // a person in the caller's sandbox, whatever the labels are
	return operation{viewer: 401, editor: 401, admin: status, unlabelled: status, elsewhere: status, foreign: status}
}

func (o operation) with(change func(o *operation)) operation {
	change(&o)
	return o
}

func (o operation) asks(query string) operation {
	return o.with(func(o *operation) { o.query = query })
}
func (o operation) sends(body string) operation { return o.with(func(o *operation) { o.body = body }) }
func (o operation) on(fresh func(m *matrix) map[string]string) operation {
	return o.with(func(o *operation) { o.fresh = fresh })
}
func (o operation) readOnly() operation { return o.with(func(o *operation) { o.reads = true }) }

// sandboxOnly is a call on an object without labels that belongs to a sandbox.
func (o operation) sandboxOnly() operation {
	return o.with(func(o *operation) { o.unlabelled = o.admin })
}

const newAudience = `{"name": "{new}", "fields": [{"name": "mail", "type": "string", "identityNs": "email"}], "originName": "CUSTOM_UPLOAD", "labels": ["custom/matrix"],
	"sourceSpec": {"path": "matrix.csv", "type": "file", "cloudType": "DLZ"}}`

// newWebhook creates a webhook with an address that Roster never calls.
const newWebhook = `{"url": "http://127.0.0.1:9/hook", "events": ["roster.run.ended"]}`

// operations is the access matrix. A new call of the API needs an entry here.
var operations = map[string]operation{
	"POST /core/ais/external-audience/submit": labelling(200).sends(newAudience),
	"POST /core/ais/external-audience":        labelling(202).sends(newAudience),
	"POST /core/ais/external-audience/validate": creating(200).readOnly().sends(`{"sourceSpec": {"path": "plain.csv", "type": "file", "cloudType": "DLZ"}}`).
		with(func(o *operation) { o.elsewhere, o.foreign = 422, 422 }),
	"GET /core/ais/external-audience/task/{taskId}":            reading(200),
	"GET /core/ais/external-audience/operations/{operationId}": reading(200),
	"GET /core/ais/external-audience":                          listing(200),
	"GET /core/ais/external-audience/{audienceId}":             reading(200),
	"PATCH /core/ais/external-audience/{audienceId}":           writing(200).sends(`{"ttlInDays": 20}`),
	"DELETE /core/ais/external-audience/{audienceId}":          writing(204).on((*matrix).audience),
	"POST /core/ais/external-audience/extend-ttl/{audienceId}": writing(422).on((*matrix).audience),

	"POST /core/ais/external-audience/{audienceId}/run":                           writing(200).on((*matrix).audience),
	"POST /core/ais/external-audience/{audienceId}/runs":                          writing(200).on((*matrix).audience),
	"GET /core/ais/external-audience/{audienceId}/run/{runId}":                    reading(200),
	"GET /core/ais/external-audience/{audienceId}/runs/{runId}":                   reading(200),
	"GET /core/ais/external-audience/{audienceId}/runs/{runId}/rejects":           reading(200),
	"POST /core/ais/external-audience/{audienceId}/runs/{runId}/rejects/resubmit": writing(422).sends("mail\n"),
	"POST /core/ais/external-audience/{audienceId}/runs/{runId}/rollback":         writing(422),
	"GET /core/ais/external-audience/{audienceId}/runs/{runId}/receipt":           reading(200),
	"GET /core/ais/external-audience/{audienceId}/versions":                       reading(200),
	"GET /core/ais/external-audience/{audienceId}/runs":                           reading(200),
	"GET /core/ais/external-audience/{audienceId}/members":                        reading(200),
	"GET /core/ais/external-audience/{audienceId}/members/{namespace}/{identity}": reading(200),

	"POST /foundation/flowservice/connections":                       creating(201).sends(`{"name": "{new}", "connectionSpec": {"id": "26f526f2-58f4-4712-961d-e41bf1ccc0e8"}}`),
	"GET /foundation/flowservice/connections":                        listing(200),
	"GET /foundation/flowservice/connections/{connectionId}":         reading(200).sandboxOnly(),
	"PATCH /foundation/flowservice/connections/{connectionId}":       writing(200).sandboxOnly().sends(`[{"op": "replace", "path": "/description", "value": "{new}"}]`),
	"DELETE /foundation/flowservice/connections/{connectionId}":      writing(204).sandboxOnly().on((*matrix).connection).with(func(o *operation) { o.editor = 401 }),
	"GET /foundation/flowservice/connections/{connectionId}/test":    reading(200).sandboxOnly(),
	"POST /foundation/flowservice/connections/{connectionId}/test":   reading(200).sandboxOnly().readOnly(),
	"GET /foundation/flowservice/connections/{connectionId}/explore": writing(200).sandboxOnly(),
	"GET /foundation/flowservice/connectionSpecs/{specId}/explore":   creating(200),
	"GET /foundation/connectors/landingzone":                         listing(200).asks("type=user_drop_zone"),
	"GET /foundation/flowservice/flows":                              listing(200),
	"GET /foundation/flowservice/flows/{flowId}":                     reading(200),
	"GET /foundation/flowservice/runs/{flowRunId}":                   reading(200),
	"GET /foundation/flowservice/runs":                               listing(200).asks("property=flowId=={flowId}"),
	"GET /core/idnamespace/identities":                               listing(200),
	"GET /core/idnamespace/identities/{namespace}":                   listing(200),
	"POST /core/idnamespace/identities":                              creating(201).sends(`{"name": "{new}", "code": "{new}", "idType": "Cookie"}`),
	"GET /foundation/sandbox-management/sandboxes":                   listing(200),
	"POST /foundation/sandbox-management/sandboxes":                  administering(202).sends(`{"name": "{new}", "title": "New"}`).with(func(o *operation) { o.foreign = 202 }),
	"GET /foundation/sandbox-management/sandboxes/{name}":            listing(200).with(func(o *operation) { o.foreign = 404 }),
	"PUT /foundation/sandbox-management/sandboxes/{name}":            administering(202).sends(`{"action": "reset"}`).on((*matrix).sandbox),
	"DELETE /foundation/sandbox-management/sandboxes/{name}":         administering(202).on((*matrix).sandbox),
	"GET /core/ups/audiences":                                        listing(200),
	"POST /core/ups/audiences":                                       labelling(200).sends(newAudience),
	"GET /core/ups/segment/definitions":                              listing(200),
	"GET /core/ups/segment/jobs":                                     listing(200),
	"GET /core/ups/config/mergePolicies":                             listing(200),
	"GET /foundation/schemaregistry/tenant/schemas":                  listing(200),
	"GET /foundation/schemaregistry/global/schemas":                  listing(200),
	"GET /foundation/dulepolicy/policies/core":                       listing(200),
	"GET /foundation/dulepolicy/policies/custom":                     listing(200),
	"GET /foundation/dulepolicy/enabledCorePolicies":                 listing(200),
	"GET /unifiedtags/tags":                                          listing(200),
	"GET /foundation/flowservice/connectionSpecs":                    listing(200),
	"GET /foundation/flowservice/connectionSpecs/{specId}":           listing(200),
	"GET /foundation/flowservice/flowSpecs":                          listing(200),
	"GET /foundation/connectors/landingzone/credentials":             listing(200),
	"GET /foundation/catalog/dataSets":                               listing(200),
	"GET /foundation/catalog/batches":                                listing(200),
	"GET /foundation/dulepolicy/labels/{family}":                     listing(200),
	"GET /foundation/catalog/dataSets/{datasetId}":                   reading(200),
	"GET /foundation/catalog/batches/{batchId}":                      reading(200),
	"GET /core/ups/audiences/{audienceId}":                           reading(200),
	"PUT /core/ups/audiences/{audienceId}":                           writing(200).sends(`{"description": "{new}"}`),
	"PATCH /core/ups/audiences/{audienceId}":                         writing(200).sends(`[{"op": "add", "path": "/description", "value": "{new}"}]`),
	"DELETE /core/ups/audiences/{audienceId}":                        writing(204).on((*matrix).audience),
	"POST /core/ups/audiences/bulk-get":                              listing(207).readOnly().sends(`{"ids": [{"id": "{audienceId}"}]}`),
	"GET /core/ups/access/entities":                                  reading(200).asks("schema.name=_xdm.context.profile&entityId=ada@example.com&entityIdNS=email"),
	"POST /core/ups/access/entities":                                 listing(200).readOnly().sends(`{"identities": [{"entityId": "ada@example.com", "entityIdNS": {"code": "email"}}]}`),
	"GET /landing":                                                   creating(200).readOnly(),
	"PUT /landing/{path}":                                            creating(200).sends("mail\n"),
	"DELETE /landing/{path}":                                         writing(204).sandboxOnly().on((*matrix).file),
	"GET /roster/clients":                                            administering(200).with(func(o *operation) { o.foreign = 200 }),
	"POST /roster/clients":                                           administering(201).sends(`{"name": "{new}"}`).with(func(o *operation) { o.foreign = 201 }),
	"GET /roster/clients/{clientId}":                                 administering(200),
	"PATCH /roster/clients/{clientId}":                               administering(200).sends(`{"name": "{new}"}`),
	"DELETE /roster/clients/{clientId}":                              administering(204).on((*matrix).client),
	"POST /roster/clients/{clientId}/secrets":                        administering(201).on((*matrix).client),
	"POST /roster/secrets/rotate":                                    administering(200).with(func(o *operation) { o.foreign = 200 }),
	"GET /roster/webhooks":                                           creating(200),
	"POST /roster/webhooks":                                          creating(201).sends(newWebhook),
	"GET /roster/webhooks/{webhookId}":                               writing(200).sandboxOnly(),
	"PATCH /roster/webhooks/{webhookId}":                             writing(200).sandboxOnly().sends(`{"description": "{new}"}`),
	"DELETE /roster/webhooks/{webhookId}":                            writing(204).sandboxOnly().on((*matrix).webhook),
	"POST /roster/webhooks/{webhookId}/test":                         writing(202).sandboxOnly(),
	"GET /roster/webhooks/{webhookId}/deliveries":                    writing(200).sandboxOnly(),
	"DELETE /core/ups/access/entities":                               erasing(202).asks("entityId={new}@example.com&entityIdNS=email"),
	"POST /core/hygiene/workorder":                                   erasing(200).sends(`{"action": "delete_identity", "datasetId": "ALL", "namespacesIdentities": [{"namespace": {"code": "email"}, "IDs": ["{new}@example.com"]}]}`),
	"GET /core/hygiene/workorder":                                    erasing(200),
	"GET /core/hygiene/workorder/{workOrderId}":                      erasing(404),
	"GET /foundation/flowservice/connectionSpecs/{specId}/configs":   listing(404).asks("authType=IamBasedAuthentication"),
	"GET /roster/erasures":                                           erasing(200),
	"GET /roster/erasures/{erasureId}":                               erasing(200).with(func(o *operation) { o.elsewhere, o.foreign = 404, 404 }),
	"GET /roster/erasures/{erasureId}/certificate":                   erasing(200).with(func(o *operation) { o.elsewhere, o.foreign = 404, 404 }),
	"GET /roster/audit":                                              administering(200).with(func(o *operation) { o.foreign, o.orgWide = 200, true }),

	"POST /foundation/connectors/encryption/keys":                          managing(201).sends(`{"encryptionAlgorithm": "PGP"}`),
	"GET /foundation/connectors/encryption/keys":                           listing(200),
	"GET /foundation/connectors/encryption/keys/{publicKeyId}":             reading(200).sandboxOnly(),
	"GET /foundation/connectors/encryption/keys/validate/{publicKeyId}":    reading(200).sandboxOnly(),
	"DELETE /foundation/connectors/encryption/keys/{publicKeyId}":          writing(204).sandboxOnly().on((*matrix).key).with(func(o *operation) { o.editor = 401 }),
	"POST /foundation/connectors/encryption/customer-keys":                 managing(201).sends(`{"encryptionAlgorithm": "PGP", "publicKey": "{publicKey}"}`),
	"GET /foundation/connectors/encryption/customer-keys":                  listing(200),
	"GET /foundation/connectors/encryption/customer-keys/{publicKeyId}":    reading(200).sandboxOnly().on((*matrix).customerKey),
	"DELETE /foundation/connectors/encryption/customer-keys/{publicKeyId}": writing(204).sandboxOnly().on((*matrix).customerKey).with(func(o *operation) { o.editor = 401 }),
	"PUT /core/ais/external-audience/{audienceId}/source":                  writing(200).sends(`{"sourceSpec": {"path": "matrix.csv", "type": "file", "cloudType": "DLZ"}}`),
}

// TestAccess sends every call of the API as every kind of caller. Each gets the status in the matrix. No response
// contains anything that its caller may not see. Every change, made or refused, has one entry in the audit log.
func TestAccess(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	described := m.described()
	for _, call := range described {
		o, ok := operations[matrixKey(call)]
		if !ok {
			t.Errorf("%s is not in the access matrix", call)
			continue
		}
		m.anonymous(call, o)
		for _, c := range []struct {
			caller *caller
			status int
		}{
			{m.viewer, o.viewer}, {m.editor, o.editor}, {m.admin, o.admin}, {m.unlabelled, o.unlabelled}, {m.elsewhere, o.elsewhere}, {m.foreign, o.foreign},
		} {
			m.try(call, o, c.caller, c.status)
		}
	}
	for key := range operations {
		if !slices.ContainsFunc(described, func(call string) bool { return matrixKey(call) == key }) {
			t.Errorf("the access matrix has %s, which is not described", key)
		}
	}
}

// matrixKey returns the call in its first spelling.
func matrixKey(call string) string {
	return strings.Replace(call, "/external-audiences/", "/external-audience/", 1)
}

// described lists the calls of openapi.yaml that need credentials.
func (m *matrix) described() (calls []string) {
	m.t.Helper()
	var doc struct {
		Paths map[string]map[string]yaml.Node
	}
	if err := yaml.Unmarshal(contract.OpenAPI, &doc); err != nil {
		m.t.Fatal(err)
	}
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		for method, node := range doc.Paths[path] {
			var op struct {
				Security *[]any
			}
			if method == "parameters" || method == "servers" {
				continue
			}
			if err := node.Decode(&op); err != nil {
				m.t.Fatal(path, err)
			}
			if op.Security == nil {
				calls = append(calls, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(calls)
	return calls
}

// anonymous sends a call without valid credentials. The response is the same for every call.
func (m *matrix) anonymous(call string, o operation) {
	m.t.Helper()
	o.fresh = nil
	for _, c := range []struct {
		caller *caller
		status int
		code   string
	}{
		{m.nobody, 401, "100920-401"}, {m.expired, 400, "100911-400"}, {m.wrongOrg, 401, "100921-401"}, {m.roleless, 401, "100922-401"},
	} {
		m.send(call, o, c.caller).refused(c.status, c.code)
	}
}

// try sends a call as a caller.
func (m *matrix) try(call string, o operation, as *caller, status int) {
	m.t.Helper()
	a := m.send(call, o, as)
	if a.status != status {
		m.t.Errorf("%s as %s: status %d, want %d: %.500s", call, as.name, a.status, status, a.body)
		return
	}
	if as.blind && !(o.orgWide && as == m.elsewhere) && strings.Contains(string(a.body), marker) {
		m.t.Errorf("%s as %s tells what this caller may not see: %.1000s", call, as.name, a.body)
	}
	m.audited(call, o, as, a)
}

// audited requires an entry in the audit log for a change, and none for a call that changes nothing.
func (m *matrix) audited(call string, o operation, as *caller, a answer) {
	m.t.Helper()
	id := a.header.Get("x-request-id")
	log := m.admin
	if as == m.foreign {
		log = m.foreign
	}
	var found struct {
		Entries []struct{ ClientID, Outcome, ErrorCode, Action, Object string }
	}
	page := m.as(log, "GET", "/roster/audit?requestId="+id, "")
	page.ok(200)
	if err := json.Unmarshal(page.body, &found); err != nil {
		m.t.Fatal(err)
	}
	what := fmt.Sprintf("%s as %s (%d)", call, as.name, a.status)
	if strings.HasPrefix(call, "GET ") || o.reads {
		if len(found.Entries) != 0 {
			m.t.Errorf("%s changes nothing and is in the audit log: %+v", what, found.Entries)
		}
		return
	}
	if len(found.Entries) != 1 {
		m.t.Errorf("%s has %d entries in the audit log, want one", what, len(found.Entries))
		return
	}
	e := found.Entries[0]
	outcome, code := "done", ""
	if a.status >= 400 {
		var p struct{ ErrorCode string }
		if err := json.Unmarshal(a.body, &p); err != nil {
			m.t.Fatal(err)
		}
		outcome, code = "refused", p.ErrorCode
	}
	if e.ClientID != as.id || e.Outcome != outcome || e.ErrorCode != code || e.Action == "" || e.Object == "" {
		m.t.Errorf("%s is in the audit log as %+v, want %s %s by %s", what, e, outcome, code, as.id)
	}
}
