package api

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"roster/internal/audience"
	"roster/internal/auth"
	"roster/internal/control"
	"roster/internal/web"
)

// The Iceberg REST catalog, read-only: engines open the dataset of an audience by its name. A sandbox is a namespace, an audience
// is a table. Apache Iceberg's own OpenAPI file describes the calls, so openapi.yaml does not. A client has nothing but a token: the
// organization is that of the token, the sandbox is in the path.

const icebergBase = "/iceberg/v1"

// Datasets describes the datasets of audiences to other engines.
type Datasets interface {
	DatasetMetadata(ctx context.Context, a audience.Actor, id audience.ID) (control.DatasetMetadata, error)
}

// icebergRoutes are the calls of the catalog. The paths are those of the Iceberg specification, below icebergBase.
func (s *server) icebergRoutes() map[string]func(*http.Request) (any, error) {
	return map[string]func(*http.Request) (any, error){
		"/config":                                   s.icebergConfig,
		"/namespaces":                               s.icebergNamespaces,
		"/namespaces/{namespace}":                   s.icebergNamespace,
		"/namespaces/{namespace}/tables":            s.icebergTables,
		"/namespaces/{namespace}/tables/{table...}": s.icebergTable,
	}
}

// handleIceberg adds the catalog to the mux.
func (s *server) handleIceberg() {
	s.mux.HandleFunc("POST "+icebergBase+"/oauth/tokens", s.token)
	s.mux.HandleFunc(icebergBase+"/", func(w http.ResponseWriter, r *http.Request) {
		s.failIceberg(w, r, audience.Errorf(methodNotAllowed, "this catalog is read-only: %.20s %.200s is not possible", r.Method, r.URL.Path))
	})
	for path, do := range s.icebergRoutes() {
		s.mux.HandleFunc("GET "+icebergBase+path, func(w http.ResponseWriter, r *http.Request) {
			body, err := do(r)
			if err != nil {
				s.failIceberg(w, r, err)
				return
			}
			s.write(w, r, http.StatusOK, "application/json", body)
		})
	}
}

// icebergConfig tells clients what the catalog can do.
func (s *server) icebergConfig(r *http.Request) (any, error) {
	if _, err := s.icebergActors(r); err != nil {
		return nil, err
	}
	defaults := s.storeProperties()
	maps.Copy(defaults, map[string]string{"token-exchange-enabled": "false", "rest-metrics-reporting-enabled": "false"})
	const namespaces = "/v1/{prefix}/namespaces"
	return map[string]any{
		// Tokens are not exchanged for new ones: clients get them with their id and secret.
		"defaults":  defaults,
		"overrides": map[string]string{},
		"endpoints": []string{"GET " + namespaces, "GET " + namespaces + "/{namespace}", "HEAD " + namespaces + "/{namespace}",
			"GET " + namespaces + "/{namespace}/tables", "GET " + namespaces + "/{namespace}/tables/{table}", "HEAD " + namespaces + "/{namespace}/tables/{table}"},
	}, nil
}

// storeProperties tells engines where the object store of the datasets is. They use credentials of their own.
func (s *server) storeProperties() map[string]string {
	p := map[string]string{}
	maps.Copy(p, s.StoreProperties)
	return p
}

// icebergNamespaces lists the sandboxes in which the client has a role.
func (s *server) icebergNamespaces(r *http.Request) (any, error) {
	actors, err := s.icebergActors(r)
	if err != nil {
		return nil, err
	}
	names := [][]string{}
	for _, a := range actors {
		names = append(names, []string{a.Scope.Sandbox})
	}
	if parent := r.URL.Query().Get("parent"); parent != "" {
		if !slices.ContainsFunc(names, func(n []string) bool { return n[0] == parent }) {
			return nil, noNamespace(parent)
		}
		names = [][]string{}
	}
	return map[string]any{"namespaces": names}, nil
}

// icebergActors returns the caller in each sandbox where it has a role. The call counts for no sandbox.
func (s *server) icebergActors(r *http.Request) ([]audience.Actor, error) {
	actors, err := s.Issuer.Actors(r.Context(), bearer(r))
	if err != nil || len(actors) == 0 {
		return nil, err
	}
	return actors, s.shell.Authenticated(r.Context(), audience.Actor{ClientID: actors[0].ClientID})
}

// icebergActor returns the caller in the sandbox that the path names.
func (s *server) icebergActor(r *http.Request) (audience.Actor, error) {
	h := bearer(r)
	h.Sandbox = r.PathValue("namespace")
	a, err := s.Issuer.AuthenticateToken(r.Context(), h)
	if audience.CodeOf(err) == audience.Invalid {
		return a, noNamespace(h.Sandbox)
	}
	if err == nil {
		err = s.shell.Authenticated(r.Context(), a)
	}
	a.RequestID = web.RequestID(r.Context())
	return a, err
}

func (s *server) icebergNamespace(r *http.Request) (any, error) {
	a, err := s.icebergActor(r)
	if err != nil {
		return nil, err
	}
	sb, err := s.Service.ActorSandbox(r.Context(), a)
	if err != nil {
		return nil, err
	}
	return map[string]any{"namespace": []string{sb.Name}, "properties": map[string]string{"title": sb.Title, "type": sb.Type}}, nil
}

// icebergPage is how many audiences one query of the list of tables reads.
const icebergPage = 200

// icebergTables lists the audiences of a sandbox. With pageToken the list has pages of at most icebergPage tables.
func (s *server) icebergTables(r *http.Request) (any, error) {
	a, err := s.icebergActor(r)
	if err != nil {
		return nil, err
	}
	paged := r.URL.Query().Has("pageToken")
	size, err := strconv.Atoi(cmp.Or(r.URL.Query().Get("pageSize"), strconv.Itoa(icebergPage)))
	if err != nil || size < 1 {
		return nil, audience.InvalidField("pageSize", "must be a number from 1")
	}
	q := audience.AudienceQuery{Limit: min(size, icebergPage), SortBy: audience.SortCreated, NoTotal: true}
	if q.After, err = tableAfter(r.URL.Query().Get("pageToken")); err != nil {
		return nil, err
	}
	type identifier struct {
		Namespace []string `json:"namespace"`
		Name      string   `json:"name"`
	}
	body := struct {
		Identifiers []identifier `json:"identifiers"`
		Next        string       `json:"next-page-token,omitempty"`
	}{Identifiers: []identifier{}}
	next, err := s.readAudiences(r.Context(), a, q, func(list []audience.Audience) bool {
		for _, aud := range list {
			body.Identifiers = append(body.Identifiers, identifier{[]string{a.Scope.Sandbox}, tableName(&aud)})
		}
		return !paged
	})
	if err != nil {
		return nil, err
	}
	if next != nil {
		body.Next = tableToken(next)
	}
	return body, nil
}

// readAudiences calls fn with one part of a list of audiences after another until fn returns false. next is the position
// after the last part; nil at the end of the list.
func (s *server) readAudiences(ctx context.Context, a audience.Actor, q audience.AudienceQuery, fn func([]audience.Audience) (more bool)) (next *audience.Position, err error) {
	for {
		list, _, err := s.Service.Audiences(ctx, a, q)
		if err != nil {
			return nil, err
		}
		more := fn(list)
		if len(list) < q.Limit {
			return nil, nil
		}
		last := list[len(list)-1]
		q.After = &audience.Position{At: last.CreatedAt, ID: string(last.ID)}
		if !more {
			return q.After, nil
		}
	}
}

// tableToken is the token of the page after an audience, tableAfter is its inverse. An empty token begins the list.
func tableToken(p *audience.Position) string {
	return base64.RawURLEncoding.EncodeToString([]byte(p.At.Format(time.RFC3339Nano) + " " + p.ID))
}

func tableAfter(token string) (*audience.Position, error) {
	if token == "" {
		return nil, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	at, id, ok := strings.Cut(string(text), " ")
	p := &audience.Position{}
	p.At, _ = time.Parse(time.RFC3339Nano, at)
	p.ID, _ = audience.Canonical(id)
	if err != nil || !ok || p.At.IsZero() {
		return nil, audience.InvalidField("pageToken", "is not a token that this catalog issued")
	}
	return p, nil
}

// icebergTable describes the dataset of one audience.
func (s *server) icebergTable(r *http.Request) (any, error) {
	a, err := s.icebergActor(r)
	if err != nil {
		return nil, err
	}
	aud, err := s.audienceOfTable(r.Context(), a, r.PathValue("table"))
	if err != nil {
		return nil, err
	}
	m, err := s.Service.DatasetMetadata(r.Context(), a, aud)
	if err != nil {
		return nil, err
	}
	return struct {
		Location string            `json:"metadata-location,omitempty"`
		Metadata json.RawMessage   `json:"metadata"`
		Config   map[string]string `json:"config"`
	}{m.Location, m.JSON, s.storeProperties()}, nil
}

// bearer returns the token of a request and where it comes from.
func bearer(r *http.Request) auth.Headers {
	return auth.Headers{Authorization: r.Header.Get("Authorization"), Remote: r.RemoteAddr}
}

func noNamespace(name string) error {
	return &icebergError{audience.Errorf(audience.NotFound, "there is no sandbox %.100q in the organization", name), "NoSuchNamespaceException"}
}

func noTable(name string) error {
	return &icebergError{audience.Errorf(audience.NotFound, "there is no audience %.100q in the sandbox, as a name or as an id", name), "NoSuchTableException"}
}

// icebergError is an error with the type that clients of a catalog know it by.
type icebergError struct {
	error
	kind string
}

func (e *icebergError) Unwrap() error { return e.error }

// icebergStatus are the codes whose status in the Iceberg specification differs from that in errorTable.
var icebergStatus = map[audience.Code]int{
	audience.BadToken: http.StatusUnauthorized, audience.MissingHeader: http.StatusUnauthorized, audience.Forbidden: http.StatusForbidden,
	methodNotAllowed: http.StatusNotAcceptable,
}

// icebergTypes are the types of errors that are not an icebergError.
var icebergTypes = map[int]string{
	http.StatusBadRequest: "BadRequestException", http.StatusUnauthorized: "NotAuthorizedException", http.StatusForbidden: "ForbiddenException",
	http.StatusNotFound: "NoSuchTableException", http.StatusNotAcceptable: "UnsupportedOperationException", http.StatusTooManyRequests: "SlowDownException",
	http.StatusServiceUnavailable: "ServiceUnavailableException",
}

// failIceberg answers an error in the form of the Iceberg specification.
func (s *server) failIceberg(w http.ResponseWriter, r *http.Request, err error) {
	e := audience.AsError(err)
	status := cmp.Or(icebergStatus[e.Code], errorTable[e.Code].status, http.StatusInternalServerError)
	kind := cmp.Or(icebergTypes[status], "InternalServerError")
	if typed, ok := errors.AsType[*icebergError](err); ok {
		kind = typed.kind
	}
	s.refused(w, r, status, err)
	s.write(w, r, status, "application/json", map[string]any{"error": map[string]any{"message": e.Message, "type": kind, "code": status}})
}
