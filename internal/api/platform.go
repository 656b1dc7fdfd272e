package api

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"

	"roster/client"
	"roster/internal/audience"
)

// connectionKind is a kind of base connection.
type connectionKind struct {
	specIDs []string
	name    string
	// supported kinds can be created in this version.
	supported bool
	// params are the parameters that are no secrets; only they are answered.
	params []string
}

// connectionKinds are the kinds of the contract.
var connectionKinds = []connectionKind{
	{specIDs: []string{audience.SpecLocal}, name: "local files", supported: true, params: []string{"root"}},
	{specIDs: []string{audience.SpecLandingZone}, name: "landing zone", supported: true},
	{specIDs: []string{"ecadc60c-7455-4d87-84dc-2a0e293d997b"}, name: "S3"},
	{specIDs: []string{"4c10e202-c428-4796-9208-5f1f5732b1cf", "d771e9c1-4f26-40dc-8617-ce58c4b53702"}, name: "Azure Blob"},
	{specIDs: []string{"b3ba5556-48be-44b7-8b85-ff2b69b46dc4", "0ed90a81-07f4-4586-8190-b40eccef1c5a"}, name: "ADLS Gen2"},
	{specIDs: []string{"32e8f412-cdf7-464c-9885-78184cb113fd"}, name: "GCS"},
	{specIDs: []string{"b7bf2577-4520-42c9-bae9-cad01560f7bc"}, name: "SFTP"},
}

func kindOf(specID string) (connectionKind, bool) {
	i := slices.IndexFunc(connectionKinds, func(k connectionKind) bool { return slices.Contains(k.specIDs, specID) })
	if i < 0 {
		return connectionKind{}, false
	}
	return connectionKinds[i], true
}

func (s *server) createConnection(c *call) (answer, error) {
	var in client.NewConnection
	if err := c.typedJSON(&in); err != nil {
		return answer{}, err
	}
	conn, err := newConnection(&in)
	if err != nil {
		return answer{}, err
	}
	if conn, err = s.Service.CreateConnection(c.Context(), c.actor, conn); err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, client.ConnectionRef{ID: string(conn.ID), Etag: conn.Etag}}, nil
}

// newConnection refuses the kinds that the contract has and this version cannot read. Everything else about a
// connection is the use case's to check.
func newConnection(in *client.NewConnection) (audience.Connection, error) {
	conn := audience.Connection{Name: in.Name, Description: in.Description,
		SpecID: strings.ToLower(in.ConnectionSpec.ID), SpecVersion: in.ConnectionSpec.Version}
	if in.Auth != nil {
		conn.AuthSpec, conn.Params = in.Auth.SpecName, in.Auth.Params
	}
	if kind, known := kindOf(conn.SpecID); known && !kind.supported {
		text := "connections of the kind " + kind.name + " are not supported yet"
		return conn, &audience.Error{Code: audience.Impossible, Message: text,
			Problems: []audience.Problem{{Path: "connectionSpec.id", Message: text}}}
	}
	return conn, nil
}

// Pages of connections.
const (
	defaultConnections = 20
	maxConnections     = 50
)

// continuation is where a page of connections goes on. Clients send nothing but this back, so it carries the
// whole question.
type continuation struct {
	After audience.ConnectionID `json:"a"`
	Name  string                `json:"n,omitempty"`
	Limit int                   `json:"l"`
}

// token is the continuation as a query parameter without "=" in it, which clients split at.
func (t continuation) token() string {
	data, err := json.Marshal(t)
	if err != nil {
		panic(err) // it holds nothing but texts and a number
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

func (s *server) listConnections(c *call) (answer, error) {
	q, err := c.query()
	if err != nil {
		return answer{}, err
	}
	from := connectionPage(q)
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	list, err := s.Service.Connections(c.Context(), c.actor, from.Name, from.After, from.Limit+1)
	if err != nil {
		return answer{}, err
	}
	body := client.ConnectionList{Items: []client.Connection{}}
	if len(list) > from.Limit {
		list = list[:from.Limit]
		from.After = list[from.Limit-1].ID
		body.Links.Next = &client.Link{Href: "/connections?continuationToken=" + from.token()}
	}
	for i := range list {
		body.Items = append(body.Items, connectionBody(&list[i]))
	}
	return answer{http.StatusOK, body}, nil
}

// connectionPage reads which page of which connections is asked for.
func connectionPage(q *query) continuation {
	from := continuation{Limit: defaultConnections}
	if token := q.Get("continuationToken"); token != "" {
		data, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || json.Unmarshal(data, &from) != nil || from.Limit < 1 || from.Limit > maxConnections {
			q.problems.Add("continuationToken", "is not one that a page before had")
			return from
		}
	}
	from.Limit = q.limit(from.Limit, maxConnections)
	for _, p := range q.Values["property"] {
		name, ok := strings.CutPrefix(p, "name==")
		if !ok {
			q.problems.Add("property", "must be name== and a name")
		}
		from.Name = name
	}
	return from
}

func (s *server) connection(c *call) (answer, error) {
	id, err := c.id("connectionId", "connection")
	if err != nil {
		return answer{}, err
	}
	conn, err := s.Service.Connection(c.Context(), c.actor, audience.ConnectionID(id))
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, client.ConnectionList{Items: []client.Connection{connectionBody(&conn)}}}, nil
}

func (s *server) deleteConnection(c *call) (answer, error) {
	id, err := c.id("connectionId", "connection")
	if err != nil {
		return answer{}, err
	}
	if err := s.Service.DeleteConnection(c.Context(), c.actor, audience.ConnectionID(id)); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, nil
}

func connectionBody(c *audience.Connection) client.Connection {
	b := client.Connection{
		ID: string(c.ID), Name: c.Name, Description: c.Description, State: c.State,
		Auth:           client.ConnectionAuth{SpecName: c.AuthSpec},
		ConnectionSpec: client.ConnectionSpec{ID: c.SpecID, Version: c.SpecVersion},
		CreatedAt:      epoch(c.CreatedAt), UpdatedAt: epoch(c.UpdatedAt), CreatedBy: c.CreatedBy, UpdatedBy: c.UpdatedBy,
		SandboxName: c.Scope.Sandbox, ImsOrgID: c.Scope.Org, Etag: c.Etag, Version: c.Version,
	}
	kind, _ := kindOf(c.SpecID)
	for _, name := range kind.params {
		if v, ok := c.Params[name]; ok {
			if b.Auth.Params == nil {
				b.Auth.Params = map[string]string{}
			}
			b.Auth.Params[name] = v
		}
	}
	return b
}

func (s *server) listNamespaces(c *call) (answer, error) {
	list, err := s.Service.Namespaces(c.Context(), c.actor)
	if err != nil {
		return answer{}, err
	}
	body := []client.Namespace{}
	for _, n := range list {
		body = append(body, namespaceBody(n))
	}
	return answer{http.StatusOK, body}, nil
}

func (s *server) createNamespace(c *call) (answer, error) {
	var in client.NewNamespace
	if err := c.typedJSON(&in); err != nil {
		return answer{}, err
	}
	n, err := s.Service.CreateNamespace(c.Context(), c.actor, audience.Namespace{
		Code: in.Code, Name: in.Name, Description: in.Description, IDType: in.IDType, Custom: true,
	})
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, namespaceBody(n)}, nil
}

func namespaceBody(n audience.Namespace) client.Namespace {
	return client.Namespace{ID: n.ID, Code: n.Code, Name: n.Name, Description: n.Description, IDType: n.IDType, Status: "ACTIVE", Custom: n.Custom}
}

func (s *server) listSandboxes(c *call) (answer, error) {
	list, err := s.Service.Sandboxes(c.Context(), c.actor)
	if err != nil {
		return answer{}, err
	}
	body := client.SandboxList{Sandboxes: []client.Sandbox{}, Page: client.ListPage{Limit: len(list), Count: len(list)}}
	for _, sb := range list {
		body.Sandboxes = append(body.Sandboxes, client.Sandbox{ID: sb.ID, Name: sb.Name, Title: sb.Title, State: "active",
			Type: sb.Type, Region: "local", IsDefault: sb.Default})
	}
	return answer{http.StatusOK, body}, nil
}

// upload puts a file into the sandbox's landing zone.
func (s *server) upload(c *call) (answer, error) {
	path := c.PathValue("path")
	if problem := audience.CheckPath(path); problem != "" {
		return answer{}, audience.InvalidField("path", "%s", problem)
	}
	obj, err := s.Service.Upload(c.Context(), c.actor, path, uploadBody{c.Body})
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, client.Upload{Path: obj.Path, Size: obj.Size, Version: obj.Version}}, nil
}

// uploadBody is a body whose end before its time is the client's doing.
type uploadBody struct{ io.Reader }

func (b uploadBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = audience.Errorf(audience.Invalid, "the upload broke off")
	}
	return n, err
}
