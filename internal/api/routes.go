package api

import (
	"net/http"
	"net/url"
	pathpkg "path"
	"slices"
	"strings"

	contract "roster/api"
	"roster/internal/audience"
)

// route is a call of the API. openapi.yaml describes each route, and a test compares the two.
type route struct {
	method string
	path   string
	// also are other spellings of the path. They differ before the first wildcard.
	also []string
	// do performs an authenticated call.
	do func(*call) (answer, error)
	// takes are the allowed query parameters; do sees no others.
	takes parameters
	// open answers a call without credentials, instead of do.
	open http.Handler
	// reads means that a POST changes nothing.
	reads bool
}

// Paths that several routes share.
const (
	external  = "/core/ais/external-audience"
	externals = "/core/ais/external-audiences"
	one       = external + "/{audienceId}"

	flowservice  = "/foundation/flowservice"
	connections  = flowservice + "/connections"
	keys         = "/foundation/connectors/encryption/keys"
	customerKeys = "/foundation/connectors/encryption/customer-keys"
	namespaces   = "/core/idnamespace/identities"
	sandboxes    = "/foundation/sandbox-management/sandboxes"
	entities     = "/core/ups/access/entities"
	audiences    = "/core/ups/audiences"
	inLanding    = "/landing/"
	clients      = "/roster/clients"
	webhooks     = "/roster/webhooks"
	erasures     = "/roster/erasures"
	workOrders   = "/core/hygiene/workorder"
)

// Parameters that several calls share, or that are many. Those without effect are the other ones that AEP describes.
var (
	explored = parameters{"objectType": exact, "object": text, "fileType": exact, "FileType": exact, "FILE_TYPE": exact,
		"preview": exact, "determineProperties": exact}.and(ignored("columnDelimiter", "compressionType", "CompressionType", "encoding"))
	ofFlowService = parameters{"property": exact, "limit": exact, "continuationToken": text}.and(ignored("orderby", "count"))
	ofSpecs       = parameters{"property": exact}.and(ignored("limit", "continuationToken", "orderby", "count"))
	ofDatasets    = parameters{"limit": exact, "start": exact, "name": text}.and(ignored("version", "created", "updated", "createdClient", "createdUser",
		"updatedUser", "description", "enableErrorDiagnostics", "orderBy", "property", "properties", "tags"))
	ofBatches = parameters{"limit": exact, "start": exact, "dataSet": text, "status": exact, "orderBy": exact}.and(ignored("createdAfter", "createdBefore",
		"created", "createdClient", "updated", "createdUser", "updatedUser", "version", "tags", "recordCount", "failedRecordCount", "size", "started",
		"completed", "startAfter", "startBefore", "endAfter", "endBefore", "batch", "externalId", "property", "properties"))
	lookedUp = parameters{"schema.name": exact, "entityId": exact, "entityIdNS": exact, "fields": text, "payload": exact}.and(ignored("mergePolicyId", "startTime",
		"endTime", "limit", "orderby", "property", "withCA"))
	audited = parameters{"start": text, "limit": exact, "since": exact, "until": exact, "clientId": text, "requestId": text,
		"sandbox": text, "action": text, "object": text, "outcome": exact}
)

// routes is the table of all calls. The mux cannot have both /external-audience/task/{taskId} and
// /external-audience/{audienceId}/runs, since one request matches both. So tasks, operations and extensions are
// registered in their plural spelling, which the seed's own text uses, and the singular is another spelling.
func (s *server) routes() []route {
	return append(nearby(), []route{
		{method: "POST", path: "/ims/token/v3", open: http.HandlerFunc(s.token)},
		{method: "POST", path: "/ims/token/v2", open: http.HandlerFunc(s.token)},

		{method: "POST", path: external + "/submit", do: s.submit},
		{method: "POST", path: external, do: s.create},
		{method: "POST", path: external + "/validate", do: s.validate, reads: true},
		{method: "GET", path: externals + "/task/{taskId}", also: []string{external + "/task/{taskId}"}, do: s.task},
		{method: "GET", path: externals + "/operations/{operationId}", also: []string{external + "/operations/{operationId}"}, do: s.operation},
		{method: "GET", path: external, do: s.listAudiences, takes: parameters{"start": text, "limit": exact, "name": text, "status": exact, "label": text, "tag": text, "audienceType": text}},
		{method: "GET", path: one, do: s.audience},
		{method: "PATCH", path: one, do: s.updateAudience},
		{method: "DELETE", path: one, do: s.deleteAudience},
		{method: "PUT", path: one + "/source", do: s.changeSource},
		{method: "POST", path: externals + "/extend-ttl/{audienceId}", also: []string{external + "/extend-ttl/{audienceId}"}, do: s.extendTTL},

		{method: "POST", path: one + "/run", do: s.startRun},
		{method: "POST", path: one + "/runs", do: s.startLaterRun},
		{method: "GET", path: one + "/run/{runId}", do: s.run},
		{method: "GET", path: one + "/runs/{runId}", do: s.run},
		{method: "GET", path: one + "/runs/{runId}/rejects", do: s.rejects, takes: parameters{"start": text, "limit": exact, "format": exact, "escape": exact}},
		{method: "POST", path: one + "/runs/{runId}/rejects/resubmit", do: s.resubmit, takes: parameters{"name": text, "escape": exact}},
		{method: "POST", path: one + "/runs/{runId}/rollback", do: s.rollback},
		{method: "GET", path: one + "/runs/{runId}/receipt", do: s.receipt},
		{method: "GET", path: one + "/versions", do: s.versions, takes: parameters{"start": text, "limit": exact}},
		{method: "GET", path: one + "/runs", do: s.listRuns, takes: parameters{"start": text, "limit": exact, "sortBy": exact, "property": exact}},

		{method: "GET", path: one + "/members", do: s.members, takes: parameters{"format": exact, "escape": exact, "fields": text, "filter": exact, "asOf": text, "limit": exact, "cursor": text}},
		{method: "GET", path: one + "/members/{namespace}/{identity}", do: s.member},

		{method: "POST", path: connections, do: s.createConnection},
		{method: "GET", path: connections, do: s.listConnections, takes: ofFlowService},
		{method: "GET", path: connections + "/{connectionId}", do: s.connection},
		{method: "PATCH", path: connections + "/{connectionId}", do: s.updateConnection},
		{method: "DELETE", path: connections + "/{connectionId}", do: s.deleteConnection},
		{method: "GET", path: connections + "/{connectionId}/test", do: s.testConnection},
		{method: "POST", path: connections + "/{connectionId}/test", do: s.testConnection, reads: true},
		{method: "GET", path: connections + "/{connectionId}/explore", do: s.exploreConnection, takes: explored},
		{method: "GET", path: flowservice + "/connectionSpecs", do: s.listConnectionSpecs, takes: ofSpecs},
		{method: "GET", path: flowservice + "/connectionSpecs/{specId}", do: s.connectionSpec},
		{method: "GET", path: flowservice + "/connectionSpecs/{specId}/configs", do: s.connectionConfigs, takes: parameters{"authType": exact}},
		{method: "GET", path: flowservice + "/connectionSpecs/{specId}/explore", do: s.exploreSpec, takes: explored},
		{method: "GET", path: flowservice + "/flowSpecs", do: s.listFlowSpecs, takes: ofSpecs},
		{method: "POST", path: keys, do: s.createKey},
		{method: "GET", path: keys, do: s.listKeys(audience.OwnKey)},
		{method: "GET", path: keys + "/{publicKeyId}", do: s.key(audience.OwnKey)},
		{method: "GET", path: keys + "/validate/{publicKeyId}", do: s.validateKey},
		{method: "DELETE", path: keys + "/{publicKeyId}", do: s.deleteKey(audience.OwnKey)},
		{method: "POST", path: customerKeys, do: s.addCustomerKey},
		{method: "GET", path: customerKeys, do: s.listKeys(audience.CustomerKey)},
		{method: "GET", path: customerKeys + "/{publicKeyId}", do: s.key(audience.CustomerKey)},
		{method: "DELETE", path: customerKeys + "/{publicKeyId}", do: s.deleteKey(audience.CustomerKey)},
		{method: "GET", path: "/foundation/connectors/landingzone", do: s.landingZone, takes: parameters{"type": exact}},
		{method: "GET", path: "/foundation/connectors/landingzone/credentials", do: s.landingCredentials, takes: parameters{"type": exact}},
		{method: "GET", path: "/foundation/catalog/dataSets", do: s.listDatasets, takes: ofDatasets},
		{method: "GET", path: "/foundation/catalog/dataSets/{datasetId}", do: s.dataset, takes: ignored("properties")},
		{method: "GET", path: "/foundation/catalog/batches", do: s.listBatches, takes: ofBatches},
		{method: "GET", path: "/foundation/catalog/batches/{batchId}", do: s.batch},
		{method: "GET", path: "/foundation/dulepolicy/labels/{family}", do: s.listLabels, takes: ignored("property", "orderby", "start", "limit")},
		{method: "GET", path: flowservice + "/flows", do: s.listFlows, takes: ofFlowService},
		{method: "GET", path: flowservice + "/flows/{flowId}", do: s.flow},
		{method: "GET", path: flowservice + "/runs/{flowRunId}", do: s.flowRun},
		{method: "GET", path: flowservice + "/runs", do: s.listFlowRuns, takes: ofFlowService},

		{method: "GET", path: namespaces, do: s.listNamespaces},
		{method: "POST", path: namespaces, do: s.createNamespace},
		{method: "GET", path: namespaces + "/{namespace}", do: s.namespace},
		{method: "GET", path: sandboxes, do: s.listSandboxes, takes: ignored("property", "orderBy", "limit", "offset")},
		{method: "POST", path: sandboxes, do: s.createSandbox},
		{method: "GET", path: sandboxes + "/{name}", do: s.sandbox},
		{method: "PUT", path: sandboxes + "/{name}", do: s.actOnSandbox},
		{method: "DELETE", path: sandboxes + "/{name}", do: s.deleteSandbox},
		{method: "GET", path: audiences, do: s.listUPSAudiences, takes: parameters{"start": text, "limit": exact, "entityType": text, "sort": exact, "name": text, "description": text, "property": exact}},
		{method: "POST", path: audiences, do: s.createUPSAudience},
		{method: "GET", path: audiences + "/{audienceId}", do: s.upsAudience},
		{method: "PUT", path: audiences + "/{audienceId}", do: s.putUPSAudience},
		{method: "PATCH", path: audiences + "/{audienceId}", do: s.updateUPSAudience},
		{method: "DELETE", path: audiences + "/{audienceId}", do: s.deleteUPSAudience},
		{method: "POST", path: audiences + "/bulk-get", do: s.bulkUPSAudiences, reads: true},
		{method: "GET", path: entities, do: s.lookup, takes: lookedUp},
		{method: "POST", path: entities, do: s.lookupMany, reads: true},
		{method: "DELETE", path: entities, do: s.erase, takes: parameters{"schema.name": exact, "entityId": exact, "entityIdNS": exact, "mergePolicyId": unused}},
		{method: "GET", path: "/landing", do: s.listFiles, takes: parameters{"prefix": text, "start": text, "limit": exact}},
		{method: "PUT", path: inLanding + "{path...}", do: s.upload},
		{method: "DELETE", path: inLanding + "{path...}", do: s.deleteFile},

		{method: "GET", path: clients, do: s.listClients, takes: parameters{"start": text, "limit": exact}},
		{method: "POST", path: clients, do: s.createClient},
		{method: "GET", path: clients + "/{clientId}", do: s.client},
		{method: "PATCH", path: clients + "/{clientId}", do: s.updateClient},
		{method: "DELETE", path: clients + "/{clientId}", do: s.deleteClient},
		{method: "POST", path: clients + "/{clientId}/secrets", do: s.newSecret},
		{method: "POST", path: "/roster/secrets/rotate", do: s.rotateSecrets},
		{method: "GET", path: "/roster/audit", do: s.audit, takes: audited},

		{method: "GET", path: webhooks, do: s.listWebhooks},
		{method: "POST", path: webhooks, do: s.createWebhook},
		{method: "GET", path: webhooks + "/{webhookId}", do: s.webhook},
		{method: "PATCH", path: webhooks + "/{webhookId}", do: s.updateWebhook},
		{method: "DELETE", path: webhooks + "/{webhookId}", do: s.deleteWebhook},
		{method: "POST", path: webhooks + "/{webhookId}/test", do: s.testWebhook},
		{method: "GET", path: webhooks + "/{webhookId}/deliveries", do: s.listDeliveries, takes: parameters{"start": text, "limit": exact}},

		{method: "POST", path: workOrders, do: s.createWorkOrder},
		{method: "GET", path: workOrders, do: s.listWorkOrders, takes: parameters{"limit": exact, "page": exact}.and(ignored("search", "type", "status", "author", "displayName",
			"description", "workorderId", "sandboxName", "fromDate", "toDate", "filterDate", "orderBy", "properties"))},
		{method: "GET", path: workOrders + "/{workOrderId}", do: s.workOrder},
		{method: "GET", path: erasures, do: s.listErasures, takes: parameters{"start": text, "limit": exact}},
		{method: "GET", path: erasures + "/{erasureId}", do: s.erasure},
		{method: "GET", path: erasures + "/{erasureId}/certificate", do: s.certificate},

		{method: "GET", path: "/{$}", open: http.HandlerFunc(s.index)},
		{method: "GET", path: "/.well-known/jwks.json", open: http.HandlerFunc(s.keys)},
		{method: "GET", path: "/healthz", open: http.HandlerFunc(s.healthz)},
		{method: "GET", path: "/readyz", open: http.HandlerFunc(s.readyz)},
		{method: "GET", path: "/metrics", open: s.Metrics},
		{method: "GET", path: "/openapi.yaml", open: http.HandlerFunc(s.openAPI)},
	}...)
}

// spelling replaces the beginning of a path with that of its route.
type spelling struct{ from, to string }

// fixed returns the part of a path before its first wildcard.
func fixed(path string) string {
	before, _, _ := strings.Cut(path, "{")
	return before
}

// services are the beginnings of the paths that are also served under /data: those of AEP and Roster's own.
var services = []string{"/core/", "/foundation/", "/flowservice/", "/unifiedtags/", "/roster/"}

// canonical returns the spelling of an escaped path that the mux knows: without /data before a path of a service,
// without a slash at the end, and with the first spelling of a route that has several. ok is false for a path of no
// route, such as one with "..", with an empty segment, or of a folder.
func (s *server) canonical(path string) (_ string, ok bool) {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return "", false // "*", which the mux would answer itself, or an empty segment
	}
	if strings.HasPrefix(path, inLanding) {
		return path, pathpkg.Clean(path) == path && path != inLanding
	}
	if rest, found := strings.CutPrefix(path, "/data"); found && slices.ContainsFunc(services, func(s string) bool { return strings.HasPrefix(rest, s) }) {
		path = rest
	}
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	if pathpkg.Clean(path) != path {
		return "", false
	}
	for _, sp := range s.spelling {
		if rest, found := strings.CutPrefix(path, sp.from); found {
			path = sp.to + rest
			break
		}
	}
	return path, true
}

// setPath sets an escaped path in the request.
func setPath(r *http.Request, escaped string) error {
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return err
	}
	u := *r.URL
	u.Path, u.RawPath = path, escaped
	r.URL = &u
	return nil
}

func (s *server) healthz(w http.ResponseWriter, r *http.Request) {
	s.write(w, r, http.StatusOK, "application/json", map[string]string{"status": "ok"})
}

// readyz reports whether the process accepts requests. Only the log has the reason if not, because the path needs no
// credentials.
func (s *server) readyz(w http.ResponseWriter, r *http.Request) {
	if err := s.Ready(); err != nil {
		s.Log.Warn("not ready", "error", err)
		s.write(w, r, http.StatusServiceUnavailable, "application/json", map[string]string{"status": "unavailable"})
		return
	}
	s.write(w, r, http.StatusOK, "application/json", map[string]string{"status": "ready"})
}

func (s *server) openAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(contract.OpenAPI)
}
