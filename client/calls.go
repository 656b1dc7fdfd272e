package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Paths of the API.
const (
	pathExternal    = "/data/core/ais/external-audience"
	pathTasks       = "/data/core/ais/external-audiences/task"
	pathConnections = "/data/foundation/flowservice/connections"
	pathNamespaces  = "/data/core/idnamespace/identities"
	pathSandboxes   = "/data/foundation/sandbox-management/sandboxes"
	pathEntities    = "/data/core/ups/access/entities"
	pathAudiences   = "/data/core/ups/audiences"

	profileSchema = "_xdm.context.profile"
)

// SubmitAudience submits an audience. WaitTask with the answer's TaskID waits until the audience exists.
func (c *Client) SubmitAudience(ctx context.Context, a NewAudience) (Audience, error) {
	var out Audience
	err := c.call(ctx, request{method: http.MethodPost, path: pathExternal + "/submit", body: a}, &out)
	return out, err
}

// Task reads the state of a submit.
func (c *Client) Task(ctx context.Context, taskID string) (Task, error) {
	var out Task
	err := c.call(ctx, request{method: http.MethodGet, path: pathTasks + "/" + url.PathEscape(taskID)}, &out)
	return out, err
}

// WaitTask reads the state of a submit until it is not PROCESSING. A task that ends FAILED is not an error of the call.
func (c *Client) WaitTask(ctx context.Context, taskID string) (Task, error) {
	for began := time.Now(); ; {
		t, err := c.Task(ctx, taskID)
		if err != nil || t.Status != Processing {
			return t, err
		}
		if err := sleep(ctx, untilPoll(began)); err != nil {
			return t, err
		}
	}
}

// The interval of polls grows between these limits.
const (
	firstPoll = 20 * time.Millisecond
	lastPoll  = 500 * time.Millisecond
)

// untilPoll returns the time until the next poll: a hundredth of the time that the caller has waited so far, so the end
// is noticed at most that much late.
func untilPoll(began time.Time) time.Duration {
	return min(max(time.Since(began)/100, firstPoll), lastPoll)
}

// Audience reads one audience.
func (c *Client) Audience(ctx context.Context, id string) (Audience, error) {
	var out Audience
	err := c.call(ctx, request{method: http.MethodGet, path: audiencePath(id)}, &out)
	return out, err
}

// Audiences reads a page of the audiences, newest first. start is "" or a page's Next; limit 0 is the default.
func (c *Client) Audiences(ctx context.Context, start string, limit int) (AudienceList, error) {
	var out AudienceList
	err := c.call(ctx, request{method: http.MethodGet, path: pathExternal, query: page(start, limit)}, &out)
	return out, err
}

// AudienceNamed finds the audience with exactly that name. If there is none, found is false and alike lists the
// audiences whose names differ only in case.
func (c *Client) AudienceNamed(ctx context.Context, name string) (a Audience, alike []string, found bool, err error) {
	if name == "" {
		return a, nil, false, nil
	}
	for start := ""; ; {
		query := page(start, 0)
		query.Set("name", name) // matches names that contain it, ignoring case
		var list AudienceList
		if err := c.call(ctx, request{method: http.MethodGet, path: pathExternal, query: query}, &list); err != nil {
			return a, nil, false, err
		}
		for _, a := range list.Audiences {
			if a.Name == name {
				return a, nil, true, nil
			}
			if strings.EqualFold(a.Name, name) {
				alike = append(alike, a.Name)
			}
		}
		if start = list.Page.Next; start == "" {
			return a, alike, false, nil
		}
	}
}

// UpdateAudience changes an audience.
func (c *Client) UpdateAudience(ctx context.Context, id string, p AudiencePatch) (Audience, error) {
	var out Audience
	err := c.call(ctx, request{method: http.MethodPatch, path: audiencePath(id), body: p}, &out)
	return out, err
}

// ChangeSource changes the location of an audience's files, from its next run on.
func (c *Client) ChangeSource(ctx context.Context, id string, s SourceSpec) (Audience, error) {
	var out Audience
	err := c.call(ctx, request{method: http.MethodPut, path: audiencePath(id) + "/source", body: SourceChange{s}}, &out)
	return out, err
}

// DeleteAudience deletes an audience and all its data.
func (c *Client) DeleteAudience(ctx context.Context, id string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: audiencePath(id)}, nil)
}

// StartRun starts an ingestion run of an audience.
func (c *Client) StartRun(ctx context.Context, audienceID string, r RunRequest) (StartedRun, error) {
	var out StartedRun
	err := c.call(ctx, request{method: http.MethodPost, path: audiencePath(audienceID) + "/runs", body: r}, &out)
	return out, err
}

// Rollback starts a run that brings an audience back to what it was after an earlier run.
func (c *Client) Rollback(ctx context.Context, audienceID, runID string, r Rollback) (StartedRun, error) {
	var out StartedRun
	err := c.call(ctx, request{method: http.MethodPost, path: audiencePath(audienceID) + "/runs/" + url.PathEscape(runID) + "/rollback", body: r}, &out)
	return out, err
}

// Run reads the state of a run.
func (c *Client) Run(ctx context.Context, audienceID, runID string) (Run, error) {
	var out Run
	err := c.call(ctx, request{method: http.MethodGet, path: audiencePath(audienceID) + "/runs/" + url.PathEscape(runID)}, &out)
	return out, err
}

// WaitRun reads the state of a run until it is not PROCESSING, and calls progress with every state that it reads,
// unless progress is nil. A run that ends FAILED is not an error of the call.
func (c *Client) WaitRun(ctx context.Context, audienceID, runID string, progress func(Run)) (Run, error) {
	for began := time.Now(); ; {
		r, err := c.Run(ctx, audienceID, runID)
		if err != nil {
			return r, err
		}
		if progress != nil {
			progress(r)
		}
		if r.Status != Processing {
			return r, nil
		}
		if err := sleep(ctx, untilPoll(began)); err != nil {
			return r, err
		}
	}
}

// ExtendTTL starts a run that restarts the TTL of all members of an audience.
func (c *Client) ExtendTTL(ctx context.Context, audienceID string) (Extension, error) {
	var out Extension
	err := c.call(ctx, request{method: http.MethodPost, path: pathExternal + "/extend-ttl/" + url.PathEscape(audienceID)}, &out)
	return out, err
}

// Runs reads a page of an audience's runs. query is as in the API's documents (limit, start, sortBy,
// property); nil is the first page, newest first.
func (c *Client) Runs(ctx context.Context, audienceID string, query url.Values) (RunList, error) {
	var out RunList
	err := c.call(ctx, request{method: http.MethodGet, path: audiencePath(audienceID) + "/runs", query: query}, &out)
	return out, err
}

// CreateConnection creates a base connection.
func (c *Client) CreateConnection(ctx context.Context, n NewConnection) (ConnectionRef, error) {
	var out ConnectionRef
	err := c.call(ctx, request{method: http.MethodPost, path: pathConnections, body: n}, &out)
	return out, err
}

// Connection reads one base connection.
func (c *Client) Connection(ctx context.Context, id string) (Connection, error) {
	var out ConnectionList
	err := c.call(ctx, request{method: http.MethodGet, path: pathConnections + "/" + url.PathEscape(id)}, &out)
	if err == nil && len(out.Items) != 1 {
		err = errors.New("the answer contains no connection")
	}
	if err != nil {
		return Connection{}, err
	}
	return out.Items[0], nil
}

// ConnectionNamed finds the base connection of that name, ignoring case. found is false when there is none.
func (c *Client) ConnectionNamed(ctx context.Context, name string) (conn Connection, found bool, err error) {
	var out ConnectionList
	query := url.Values{"property": {"name==" + name}}
	err = c.call(ctx, request{method: http.MethodGet, path: pathConnections, query: query}, &out)
	if err != nil || len(out.Items) == 0 {
		return Connection{}, false, err
	}
	return out.Items[0], true, nil
}

// DeleteConnection deletes a base connection that no audience uses.
func (c *Client) DeleteConnection(ctx context.Context, id string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: pathConnections + "/" + url.PathEscape(id)}, nil)
}

// CreateNamespace creates an identity namespace.
func (c *Client) CreateNamespace(ctx context.Context, n NewNamespace) (Namespace, error) {
	var out Namespace
	err := c.call(ctx, request{method: http.MethodPost, path: pathNamespaces, body: n}, &out)
	return out, err
}

// Namespaces lists the identity namespaces, the standard ones first.
func (c *Client) Namespaces(ctx context.Context) ([]Namespace, error) {
	var out []Namespace
	err := c.call(ctx, request{method: http.MethodGet, path: pathNamespaces}, &out)
	return out, err
}

// Sandboxes lists the sandboxes of the organization.
func (c *Client) Sandboxes(ctx context.Context) ([]Sandbox, error) {
	var out SandboxList
	err := c.call(ctx, request{method: http.MethodGet, path: pathSandboxes}, &out)
	return out.Sandboxes, err
}

// Lookup reads the profile of one identity. found is false when the identity is unknown.
func (c *Client) Lookup(ctx context.Context, namespace, id string) (p Profile, found bool, err error) {
	var out Profiles
	query := url.Values{"schema.name": {profileSchema}, "entityId": {id}, "entityIdNS": {namespace}}
	err = c.call(ctx, request{method: http.MethodGet, path: pathEntities, query: query}, &out)
	var refused *APIError
	if errors.As(err, &refused) && refused.Code == CodeNotFound {
		return p, false, nil
	}
	for _, p = range out {
		return p, true, nil
	}
	return p, false, err
}

// LookupMany reads the profiles of up to 2,000 identities by their opaque ids. For an unknown identity Found is false.
func (c *Client) LookupMany(ctx context.Context, ids []IdentityRef) (Profiles, error) {
	var out Profiles
	body := LookupRequest{Schema: &SchemaRef{Name: profileSchema}, Identities: ids}
	err := c.call(ctx, request{method: http.MethodPost, path: pathEntities, body: body, reads: true}, &out)
	return out, err
}

func audiencePath(id string) string { return pathExternal + "/" + url.PathEscape(id) }

func page(start string, limit int) url.Values {
	q := url.Values{}
	if start != "" {
		q.Set("start", start)
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return q
}
