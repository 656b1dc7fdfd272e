package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strings"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
)

// Connections administers connections.
type Connections interface {
	CreateConnection(ctx context.Context, a audience.Actor, c audience.Connection) (audience.Connection, error)
	Connection(ctx context.Context, a audience.Actor, id audience.ConnectionID) (audience.Connection, error)
	Connections(ctx context.Context, a audience.Actor, name string, after audience.ConnectionID, limit int) ([]audience.Connection, error)
	UpdateConnection(ctx context.Context, a audience.Actor, id audience.ConnectionID, ifMatch []string, change control.ConnectionChange) (audience.Connection, error)
	DeleteConnection(ctx context.Context, a audience.Actor, id audience.ConnectionID) error
}

func (s *server) createConnection(c *call) (answer, error) {
	var in client.NewConnection
	if err := c.typedJSON(&in); err != nil {
		return answer{}, err
	}
	conn, err := s.Service.CreateConnection(c.Context(), c.actor, newConnection(&in))
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, client.ConnectionRef{ID: string(conn.ID), Etag: conn.Etag}}, nil
}

// newConnection returns the connection that a body describes. The use case validates it.
func newConnection(in *client.NewConnection) audience.Connection {
	conn := audience.Connection{Name: in.Name, Description: in.Description,
		SpecID: strings.ToLower(in.ConnectionSpec.ID), SpecVersion: in.ConnectionSpec.Version}
	if in.Auth != nil {
		conn.AuthSpec, conn.Params = in.Auth.SpecName, paramTexts(in.Auth.Params)
	}
	return conn
}

// paramTexts converts parameters to texts. Parameters that only tune keep their spelling, because nothing reads them.
func paramTexts(given client.ConnectionParams) map[string]string {
	if given == nil {
		return nil
	}
	texts := map[string]string{}
	for name, value := range given {
		if texts[name] = fmt.Sprint(value); audience.IsTuning(name) {
			texts[name] = strings.TrimSpace(string(encode(value)))
		}
	}
	return texts
}

// Pages of connections.
const (
	defaultConnections = 20
	maxConnections     = 50
)

// connectionsFrom is the start of a page of connections. It includes the query, because some clients send only the
// token back.
type connectionsFrom struct {
	After audience.ConnectionID `json:"a"`
	Limit int                   `json:"l"`
}

// connectionPages are the pages of connections.
var connectionPages = pages{"continuationToken", []string{"property"}}

func (s *server) listConnections(c *call) (answer, error) {
	q := c.query()
	from := connectionsFrom{Limit: defaultConnections}
	connectionPages.read(q, &from)
	limit := q.limit(from.Limit, maxConnections)
	name, where := q.connectionsWanted()
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	body := client.ConnectionList{Items: []client.Connection{}}
	more, err := readOn(func() bool { return len(body.Items) == limit }, func() (bool, error) {
		list, err := s.Service.Connections(c.Context(), c.actor, name, from.After, limit+1) // one more: is there another page?
		if err != nil {
			return false, err
		}
		looked := 0
		for ; looked < min(len(list), limit) && len(body.Items) < limit; looked++ {
			from.After = list[looked].ID
			if b := connectionBody(&list[looked]); where.hold(&b) {
				body.Items = append(body.Items, b)
			}
		}
		return looked < len(list), nil
	})
	if err != nil {
		return answer{}, err
	}
	if more {
		body.Links.Next = &client.Link{Href: "/connections?continuationToken=" + connectionPages.token(q, connectionsFrom{from.After, limit})}
	}
	return answer{http.StatusOK, body}, nil
}

// connectionsWanted reads the name of the requested connections, "" for all, and the other conditions.
func (q *query) connectionsWanted() (name string, where conditions) {
	for _, p := range q.filters("property") {
		property, comparator, value, _ := cutCondition(p)
		if property == "name" && comparator == "==" && name == "" {
			name = value
			continue
		}
		where = append(where, q.condition(p, reflect.TypeFor[client.Connection]())...)
	}
	return name, where
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

// updateConnection applies a JSON Patch. Clients send the etag of the version that they have read.
func (s *server) updateConnection(c *call) (answer, error) {
	id, err := c.id("connectionId", "connection")
	if err != nil {
		return answer{}, err
	}
	if c.Header.Get("If-Match") == "" {
		return answer{}, audience.InvalidField("If-Match", "is required: the etag of the connection to change")
	}
	ops, err := c.jsonPatch()
	if err != nil {
		return answer{}, err
	}
	change, err := connectionChange(ops)
	if err != nil {
		return answer{}, err
	}
	conn, err := s.Service.UpdateConnection(c.Context(), c.actor, audience.ConnectionID(id), c.ifMatch(), change)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, client.ConnectionRef{ID: string(conn.ID), Etag: conn.Etag}}, nil
}

// connectionChange reads the changes of a JSON Patch to a connection. The operations apply in their order.
func connectionChange(ops []patchOp) (control.ConnectionChange, error) {
	var d decoder
	var changes []control.ConnectionChange
	for i := range ops {
		switch o := &ops[i]; {
		case o.is("name"):
			v := patched[string](&d, o)
			changes = append(changes, func(c *audience.Connection) { c.Name = v })
		case o.is("description"):
			v := patched[string](&d, o)
			changes = append(changes, func(c *audience.Connection) { c.Description = v })
		case o.is("auth", "specName"):
			v := patched[string](&d, o)
			changes = append(changes, func(c *audience.Connection) { c.AuthSpec = v })
		case o.is("auth", "params"):
			v := paramTexts(patched[client.ConnectionParams](&d, o))
			changes = append(changes, func(c *audience.Connection) { c.Params = maps.Clone(v) })
		case len(o.path) == 3 && o.path[0] == "auth" && o.path[1] == "params":
			v := client.ConnectionParams{}
			if o.op != patchRemove {
				d.scalar(join(o.at, "value"), o.value, o.path[2], v)
			}
			changes = append(changes, paramChange(o.path[2], paramTexts(v)[o.path[2]], o.op == patchRemove))
		default:
			o.refuse(&d, "/name", "/description", "/auth/specName", "/auth/params", "/auth/params/…")
		}
	}
	return func(c *audience.Connection) {
		for _, change := range changes {
			change(c)
		}
	}, d.problems.Err()
}

// patched returns the value that an operation sets, the zero value if it removes one.
func patched[T any](d *decoder, o *patchOp) (v T) {
	o.set(d, &v)
	return v
}

// paramChange sets a parameter of a connection, or removes it.
func paramChange(name, value string, remove bool) control.ConnectionChange {
	return func(c *audience.Connection) {
		if remove {
			delete(c.Params, name)
			return
		}
		if c.Params == nil {
			c.Params = map[string]string{}
		}
		c.Params[name] = value
	}
}

// testConnection reports whether the store of a connection can be read.
func (s *server) testConnection(c *call) (answer, error) {
	id, err := c.id("connectionId", "connection")
	if err != nil {
		return answer{}, err
	}
	conn, err := s.Service.TestConnection(c.Context(), c.actor, audience.ConnectionID(id))
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, client.ConnectionTest{ID: string(conn.ID), Status: "success"}}, nil
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
	_, auth := c.Kind()
	b := client.Connection{
		ID: string(c.ID), Name: c.Name, Description: c.Description, State: c.State,
		Auth:           client.ConnectionAuth{SpecName: cmp.Or(c.AuthSpec, auth.Name), Params: client.ConnectionParams{}},
		ConnectionSpec: client.ConnectionSpec{ID: c.SpecID, Version: c.SpecVersion},
		CreatedAt:      millis(c.CreatedAt), UpdatedAt: millis(c.UpdatedAt), CreatedBy: c.CreatedBy, UpdatedBy: c.UpdatedBy,
		SandboxName: c.Scope.Sandbox, ImsOrgID: c.Scope.Org, Etag: c.Etag, Version: c.Version,
	}
	for name, v := range c.Params {
		p, known := auth.Param(name)
		switch {
		case !known || p.Secret:
		case audience.IsTuning(name) && json.Valid([]byte(v)):
			b.Auth.Params[name] = json.RawMessage(v)
		default:
			b.Auth.Params[name] = v
		}
	}
	return b
}
