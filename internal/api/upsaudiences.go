package api

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/web"
)

// audienceSorts are the attributes by which /core/ups/audiences can be sorted.
var audienceSorts = []struct{ attribute, by string }{
	{"name", audience.SortName},
	{"createEpoch", audience.SortCreated}, {"creationTime", audience.SortCreated},
	{"updateEpoch", audience.SortUpdated}, {"updateTime", audience.SortUpdated},
}

// audiencePages are the pages of /core/ups/audiences.
var audiencePages = pages{"start", []string{"entityType", "sort", "name", "description", "property"}}

// audienceCursor is the position after an audience. It contains the list's length, which is counted only for the first
// page.
type audienceCursor struct {
	Total int         `json:"t"`
	At    int64       `json:"a,omitempty"` // microseconds
	Name  string      `json:"n,omitempty"`
	ID    audience.ID `json:"i"`
}

// cursorAfter returns the cursor of the page after an audience.
func cursorAfter(a *audience.Audience, q audience.AudienceQuery, total int) audienceCursor {
	c := audienceCursor{Total: total, ID: a.ID}
	switch q.SortBy {
	case audience.SortName:
		c.Name = a.Name
	case audience.SortUpdated:
		c.At = a.UpdatedAt.UnixMicro()
	default:
		c.At = a.CreatedAt.UnixMicro()
	}
	return c
}

func (s *server) listUPSAudiences(c *call) (answer, error) {
	q := c.query()
	want, total := q.audiences()
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	sandbox, err := s.Service.ActorSandbox(c.Context(), c.actor)
	if err != nil {
		return answer{}, err
	}
	body := client.UPSAudienceList{Children: []client.UPSAudience{}}
	limit := want.Limit
	want.Limit++ // one more: is there another page?
	list, counted, err := s.Service.Audiences(c.Context(), c.actor, want)
	if err != nil {
		return answer{}, err
	}
	if !want.NoTotal {
		total = counted
	}
	if len(list) > limit {
		list = list[:limit]
		body.Page.Next = audiencePages.token(q, cursorAfter(&list[limit-1], want, total))
		body.Links.Next = &client.Link{Href: "@/audiences?" + q.onward(body.Page.Next)}
	}
	for i := range list {
		body.Children = append(body.Children, upsAudience(&list[i], &sandbox))
	}
	body.Page.TotalCount, body.Page.PageSize = total, len(list)
	return answer{http.StatusOK, body}, nil
}

// audiences reads the query of the list. total is the length of the list if NoTotal of the query is set.
func (q *query) audiences() (want audience.AudienceQuery, total int) {
	start, page := q.Values["start"], uint64(0)
	var from audienceCursor
	number := false
	if len(start) == 1 {
		n, err := strconv.ParseUint(start[0], 10, 31)
		page, number = n, err == nil
	}
	if !number && audiencePages.read(q, &from) {
		want.NoTotal, want.After = true, &audience.Position{At: time.UnixMicro(from.At), Name: from.Name, ID: string(from.ID)}
	}
	want.Limit, want.NameContains, want.DescriptionContains = q.limit(defaultAudiences, maxAudiences), q.Get("name"), q.Get("description")
	want.Offset = int(page) * want.Limit
	for _, p := range q.filters("property") {
		name, value, ok := strings.Cut(p, "==")
		if !ok {
			q.problems.Add("property", "%.100q must be an attribute, == and a value", p)
			continue
		}
		want.Filters = append(want.Filters, audience.AudienceFilter{Property: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	if entity := q.Get("entityType"); entity != "" {
		want.Filters = append(want.Filters, audience.AudienceFilter{Property: "entityType", Value: entity})
	}
	want.SortBy, want.Descending = q.audienceSort()
	return want, from.Total
}

// audienceSort reads the order of a list; the default is newest first.
func (q *query) audienceSort() (by string, descending bool) {
	text := q.Get("sort")
	if text == "" {
		return audience.SortCreated, true
	}
	attribute, direction, _ := strings.Cut(text, ":")
	known := make([]string, len(audienceSorts))
	for i, s := range audienceSorts {
		if known[i] = s.attribute; attribute == s.attribute && (direction == "asc" || direction == "desc") {
			return s.by, direction == "desc"
		}
	}
	q.problems.Add("sort", "%.100q must be one of %s followed by :asc or :desc", text, strings.Join(known, ", "))
	return audience.SortCreated, true
}

// onward returns the query of the page that begins at start.
func (q *query) onward(start string) string {
	rest := url.Values{}
	for _, name := range []string{"entityType", "limit", "sort", "name", "description", "property"} {
		if values := q.Values[name]; len(values) > 0 {
			rest[name] = values
		}
	}
	text := "start=" + start
	if len(rest) > 0 {
		text += "&" + rest.Encode()
	}
	return text
}

func (s *server) upsAudience(c *call) (answer, error) {
	id, err := c.audienceID()
	if err != nil {
		return answer{}, err
	}
	a, err := s.Service.Audience(c.Context(), c.actor, id)
	if err != nil {
		return answer{}, err
	}
	return s.taggedAudience(c, &a)
}

// taggedAudience answers an audience with its entity tag.
func (s *server) taggedAudience(c *call, a *audience.Audience) (answer, error) {
	sandbox, err := s.Service.ActorSandbox(c.Context(), c.actor)
	if err != nil {
		return answer{}, err
	}
	body := upsAudience(a, &sandbox)
	return answer{http.StatusOK, tagged{etag: body.Etag, body: body}}, nil
}

func (s *server) updateUPSAudience(c *call) (answer, error) {
	id, err := c.audienceID()
	if err != nil {
		return answer{}, err
	}
	ops, err := c.jsonPatch()
	if err != nil {
		return answer{}, err
	}
	p, err := upsPatch(ops)
	if err != nil {
		return answer{}, err
	}
	p.IfMatch = c.ifMatch()
	a, err := s.Service.UpdateAudience(c.Context(), c.actor, id, p)
	if err != nil {
		return answer{}, err
	}
	return s.taggedAudience(c, &a)
}

// upsPatch reads the changes of a JSON Patch to an audience. The later of two operations on one attribute counts.
func upsPatch(ops []patchOp) (control.Patch, error) {
	var p control.Patch
	var d decoder
	for _, o := range ops {
		switch {
		case o.is("name"):
			p.Name = new(string)
			o.set(&d, p.Name)
		case o.is("description"):
			p.Description = new(string)
			o.set(&d, p.Description)
		case o.is("labels"):
			p.Labels, p.AddLabels = new([]string), nil
			o.set(&d, p.Labels)
		case o.is("tags"):
			p.Tags, p.AddTags = new([]string), nil
			o.set(&d, p.Tags)
		case o.adds("labels"):
			o.add(&d, &p.AddLabels)
		case o.adds("tags"):
			o.add(&d, &p.AddTags)
		case o.is("lifecycleState") && o.op == patchRemove:
			d.problems.Add(join(o.at, "op"), "an audience always has a lifecycleState; set another one")
		case o.is("lifecycleState"):
			p.State = new(audience.State)
			o.set(&d, p.State)
		default:
			o.refuse(&d, "/name", "/description", "/labels", "/labels/-", "/tags", "/tags/-", "/lifecycleState")
		}
	}
	return p, d.problems.Err()
}

func (s *server) deleteUPSAudience(c *call) (answer, error) {
	id, err := c.audienceID()
	if err != nil {
		return answer{}, err
	}
	if err := s.Service.DeleteAudience(c.Context(), c.actor, id, c.ifMatch()...); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, nil
}

// bulkUPSAudiences answers many audiences. An absent audience has the same error as in a single request.
func (s *server) bulkUPSAudiences(c *call) (answer, error) {
	var in client.UPSBulkGet
	if err := c.typedJSON(&in); err != nil {
		return answer{}, err
	}
	ids := make([]audience.ID, len(in.IDs))
	var problems audience.Problems
	for i, ref := range in.IDs {
		if ids[i] = audience.ID(ref.ID); ref.ID == "" {
			problems.Add(fmt.Sprintf("ids[%d].id", i), "is required")
		}
	}
	if err := problems.Err(); err != nil {
		return answer{}, err
	}
	sandbox, err := s.Service.ActorSandbox(c.Context(), c.actor)
	if err != nil {
		return answer{}, err
	}
	found, err := s.Service.AudiencesByID(c.Context(), c.actor, ids)
	if err != nil {
		return answer{}, err
	}
	body := client.UPSBulkResult{Results: map[string]any{}}
	for _, id := range ids {
		if a, ok := found[id]; ok {
			body.Results[string(id)] = upsAudience(&a, &sandbox)
			continue
		}
		_, body.Results[string(id)] = refusal(audience.Errorf(audience.NotFound, "audience %.64q does not exist", string(id)), web.RequestID(c.Context()))
	}
	return answer{http.StatusMultiStatus, body}, nil
}

// upsAudience is an audience in the form of the service of all audiences.
func upsAudience(a *audience.Audience, sandbox *audience.Sandbox) client.UPSAudience {
	body := client.UPSAudience{
		ID: string(a.ID), AudienceID: cmp.Or(a.CustomID, string(a.ID)), Name: a.Name, Description: a.Description,
		Namespace: a.Namespace, Type: audience.TypeExternal, OriginName: a.OriginName, LifecycleState: string(a.State),
		ImsOrgID:  a.Scope.Org,
		Sandbox:   client.UPSSandbox{SandboxID: sandbox.ID, SandboxName: sandbox.Name, Type: sandbox.Type, Default: sandbox.Default},
		DatasetID: string(a.ID), Labels: append([]string{}, a.Labels...), Tags: append([]string{}, a.Tags...), TTLInDays: a.TTLDays,
		LinkedAudienceRef: client.UPSFlowRef{FlowID: audience.FlowID(a.ID)},
		CreationTime:      a.CreatedAt.UnixMilli(), UpdateTime: a.UpdatedAt.UnixMilli(),
		CreateEpoch: epoch(a.CreatedAt), UpdateEpoch: epoch(a.UpdatedAt), CreatedBy: a.CreatedBy,
		Etag: a.Etag(), Dependents: []string{}, Dependencies: []string{}, AudienceMeta: audienceMeta(a),
	}
	if a.AudienceType != audience.TypePeople {
		body.AudienceType = a.AudienceType
	}
	if a.LastRun != "" {
		byNamespace := map[string]int64{}
		if i := a.PrimaryIdentity(); i >= 0 && !a.PrimaryHidden {
			byNamespace[strings.ToLower(a.Fields[i].IdentityNs)] = a.Members
		}
		body.Metrics = &client.UPSMetrics{Type: "export", JobID: string(a.LastRun), ID: string(a.ID), CreateEpoch: epoch(a.LastIngestedAt), UpdateEpoch: epoch(a.LastIngestedAt),
			Data: client.UPSMetricsData{TotalProfiles: a.Members, TotalProfilesByNamespace: byNamespace, TotalProfilesByStatus: map[string]int64{"realized": a.Members}}}
		body.RecordMetrics = &client.UPSRecordMetrics{Data: client.UPSRecordData{RecordCount: a.Members}}
	}
	return body
}
