package api

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"time"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
)

// Flows shows audiences and their runs as flows.
type Flows interface {
	Flow(ctx context.Context, a audience.Actor, flowID string) (control.Flow, error)
	Flows(ctx context.Context, a audience.Actor, name string, after *audience.Position, limit int) ([]control.Flow, error)
	FlowRun(ctx context.Context, a audience.Actor, flowRunID string) (run audience.Run, stage int, err error)
	FlowRuns(ctx context.Context, a audience.Actor, q control.FlowRunQuery) ([]audience.Run, error)
}

// Pages of flows and of their runs.
const (
	defaultFlows = 20
	maxFlows     = 100
	// maxFlowIDs is the largest number of flows or runs that a query may name by id.
	maxFlowIDs = 100
)

// flow answers the flow of an audience, as a list with one entry.
func (s *server) flow(c *call) (answer, error) {
	id, err := c.id("flowId", "flow")
	if err != nil {
		return answer{}, err
	}
	f, err := s.Service.Flow(c.Context(), c.actor, id)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, client.FlowList{Items: []client.Flow{flowBody(&f)}}}, nil
}

// flowPages are the pages of flows.
var flowPages = pages{"continuationToken", []string{"property"}}

// flowsFrom is the start of a page of flows, with the query of the list.
type flowsFrom struct {
	At    int64       `json:"a,omitempty"` // microseconds; the place of the audience before, none on the first page
	ID    audience.ID `json:"i,omitempty"`
	Name  string      `json:"n,omitempty"`
	IDs   []string    `json:"f,omitempty"` // remaining ids, if the query names flows by id
	ByID  bool        `json:"b,omitempty"`
	None  bool        `json:"x,omitempty"` // no flow matches
	Limit int         `json:"l"`
	where conditions
}

func (s *server) listFlows(c *call) (answer, error) {
	q := c.query()
	from := q.flows()
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	body := client.FlowList{Items: []client.Flow{}}
	limit := from.Limit
	more, err := readOn(func() bool { return len(body.Items) == limit }, func() (bool, error) {
		from.Limit = limit - len(body.Items)
		list, more, err := s.flowsOf(c, &from)
		for i := range list {
			if b := flowBody(&list[i]); from.where.hold(&b) {
				body.Items = append(body.Items, b)
			}
		}
		return more, err
	})
	if err != nil {
		return answer{}, err
	}
	from.Limit = limit
	if more {
		body.Links.Next = &client.Link{Href: "/flows?continuationToken=" + flowPages.token(q, from)}
	}
	return answer{http.StatusOK, body}, nil
}

// flowsOf reads a page of flows and reports whether another one follows, which then begins at from.
func (s *server) flowsOf(c *call, from *flowsFrom) (list []control.Flow, more bool, err error) {
	switch {
	case from.None:
		return nil, false, nil
	case from.ByID:
		return s.flowsByID(c, from)
	}
	var after *audience.Position
	if from.ID != "" {
		after = &audience.Position{At: time.UnixMicro(from.At), ID: string(from.ID)}
	}
	list, err = s.Service.Flows(c.Context(), c.actor, from.Name, after, from.Limit+1)
	list, last := page(list, from.Limit)
	if last != nil {
		from.At, from.ID = last.Audience.CreatedAt.UnixMicro(), last.Audience.ID
	}
	return list, last != nil, err
}

// flowsByID reads the flows that the query names by id, in the order of the query.
func (s *server) flowsByID(c *call, from *flowsFrom) (list []control.Flow, more bool, err error) {
	for len(from.IDs) > 0 && len(list) < from.Limit {
		id := from.IDs[0]
		from.IDs = from.IDs[1:]
		f, err := s.Service.Flow(c.Context(), c.actor, id)
		switch {
		case audience.CodeOf(err) == audience.NotFound:
		case err != nil:
			return nil, false, err
		case from.Name == "" || from.Name == f.Audience.Name:
			list = append(list, f)
		}
	}
	return list, len(from.IDs) > 0, nil
}

// Properties by which lists of flows are filtered.
const (
	sourceFlows      = "inheritedAttributes.properties.isSourceFlow"
	destinationFlows = "inheritedAttributes.properties.isDestinationFlow"
)

// flows reads the query and the position of a page. Every flow is a source flow.
func (q *query) flows() flowsFrom {
	from := flowsFrom{Limit: defaultFlows}
	goesOn := flowPages.read(q, &from)
	from.Limit = q.limit(from.Limit, maxFlows)
	named, byID := "", false
	for _, p := range q.filters("property") {
		name, comparator, value, _ := cutCondition(p)
		switch equals := comparator == "=="; {
		case equals && name == "name" && (named == "" || named == value):
			from.Name, named = value, value
		case equals && name == "id" && !byID:
			if byID = true; !goesOn {
				from.ByID, from.IDs = true, q.ids(value)
			}
		case equals && (name == "name" || name == "id"):
			q.problems.Add("property", "%s== is given twice; separate ids by commas", name)
		case equals && name == sourceFlows && (value == "true" || value == "false"):
			from.None = from.None || value == "false"
		case equals && name == destinationFlows && (value == "true" || value == "false"):
			from.None = from.None || value == "true"
		default:
			from.where = append(from.where, q.condition(p, reflect.TypeFor[client.Flow]())...)
		}
	}
	return from
}

// ids reads ids separated by commas. A text that is not an id matches nothing.
func (q *query) ids(text string) []string {
	list := strings.Split(text, ",")
	if len(list) > maxFlowIDs {
		q.problems.Add("property", "has %d ids; at most %d are allowed", len(list), maxFlowIDs)
		return nil
	}
	for i := range list {
		list[i] = strings.ToLower(strings.TrimSpace(list[i]))
	}
	return list
}

// The specifications of flows from cloud storage, of the data lake and of the profile store.
const (
	specCloudFlow    = "9753525b-82c7-4dce-8a9b-5ccfce2b9876"
	specDataLake     = "c604ff05-7f1a-43c0-8e18-33bf874cb11c"
	specProfileStore = "8a9c3494-9708-43d7-ae3f-cda01e5030e1"
	specVersion      = "1.0"
)

func flowBody(f *control.Flow) client.Flow {
	a := &f.Audience
	b := client.Flow{
		ID: audience.FlowID(a.ID), Name: a.Name, Description: a.Description, State: "disabled", Version: "1.0", Etag: a.Etag(), AudienceID: string(a.ID),
		FlowSpec: client.ConnectionSpec{ID: specCloudFlow, Version: specVersion}, SourceConnectionIDs: []string{}, TargetConnectionIDs: []string{},
		InheritedAttributes: client.FlowInherited{
			Properties:        client.FlowProperties{IsSourceFlow: true},
			SourceConnections: []client.FlowSource{},
			TargetConnections: []client.FlowTarget{{ConnectionSpec: client.ConnectionSpec{ID: specDataLake, Version: specVersion}}},
		},
		CreatedAt: millis(a.CreatedAt), UpdatedAt: millis(a.UpdatedAt), CreatedBy: a.CreatedBy, UpdatedBy: a.UpdatedBy,
		SandboxName: a.Scope.Sandbox, ImsOrgID: a.Scope.Org,
	}
	if a.State.TakesRuns() {
		b.State = "enabled"
	}
	if a.ProfileIngestion {
		b.InheritedAttributes.TargetConnections = append(b.InheritedAttributes.TargetConnections,
			client.FlowTarget{ConnectionSpec: client.ConnectionSpec{ID: specProfileStore, Version: specVersion}})
	}
	if conn := string(a.Source.BaseConnectionID); conn != "" {
		b.SourceConnectionIDs = append(b.SourceConnectionIDs, conn)
		b.InheritedAttributes.SourceConnections = append(b.InheritedAttributes.SourceConnections, client.FlowSource{ID: conn})
	}
	if newest := f.Newest; newest != nil && len(newest.Stages) > 0 {
		st := &newest.Stages[len(newest.Stages)-1]
		b.LastRunDetails = &client.FlowLastRun{ID: st.FlowRunID, State: flowStatus(st.Status), StartedAtUTC: millis(newest.CreatedAt), CompletedAtUTC: millis(newest.EndedAt)}
	}
	return b
}
