package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
)

const (
	// createWithin is the longest wait for the creation of an audience, which usually takes less than a second.
	createWithin = 20 * time.Second
	// createLook is the interval at which the task is checked.
	createLook = 50 * time.Millisecond
)

// createUPSAudience creates an audience and answers with it. If this takes too long, it answers with an operation.
func (s *server) createUPSAudience(c *call) (answer, error) {
	var in client.NewUPSAudience
	if err := c.typedJSON(&in); err != nil {
		return answer{}, err
	}
	var problems audience.Problems
	if in.Type != "" && in.Type != audience.TypeExternal {
		problems.Add("type", "%.64q is not supported; use %s", in.Type, audience.TypeExternal)
	}
	switch {
	case in.AudienceID == "":
	case in.CustomAudienceID != "" && in.CustomAudienceID != in.AudienceID:
		problems.Add("audienceId", "is another name of customAudienceId and must be equal to it")
	default:
		in.CustomAudienceID = in.AudienceID
	}
	if err := problems.Err(); err != nil {
		return answer{}, err
	}
	d, err := draft(&in.NewAudience)
	if err != nil {
		return answer{}, formed(err, &in.SourceSpec)
	}
	d.State = audience.State(in.LifecycleState)
	t, err := s.Service.Submit(c.Context(), c.actor, d)
	if err != nil {
		return answer{}, formed(err, &in.SourceSpec)
	}
	tick := time.NewTicker(createLook)
	defer tick.Stop()
	for late := time.After(createWithin); t.Status == audience.Processing; {
		select {
		case <-c.Context().Done():
			return answer{}, c.Context().Err()
		case <-late:
			return answer{http.StatusAccepted, client.NewOperation{OperationID: string(t.ID), OperationDetails: audienceBody(&t.Draft)}}, nil
		case <-tick.C:
		}
		if t, err = s.Service.Task(c.Context(), c.actor, t.ID); err != nil {
			return answer{}, err
		}
	}
	if t.Status == audience.Failed {
		return answer{}, formed(t.Error, &in.SourceSpec)
	}
	a, err := s.Service.Audience(c.Context(), c.actor, t.AudienceID)
	if err != nil {
		return answer{}, err
	}
	return s.taggedAudience(c, &a)
}

// computed are the properties of an audience that the server computes. A PUT may contain them with any value.
var computed = []string{"updateTime", "updateEpoch", "_etag", "dependents", "dependencies", "audienceMeta", "metrics", "recordMetrics"}

// putUPSAudience changes an audience to the one in the body. Properties that the body omits do not change.
func (s *server) putUPSAudience(c *call) (answer, error) {
	id, err := c.audienceID()
	if err != nil {
		return answer{}, err
	}
	root, err := c.parsed("an audience")
	if err != nil {
		return answer{}, err
	}
	if root.kind != kindObject {
		return answer{}, audience.InvalidField("", "the body must be an audience, which is an object, not %s", root.kind.called())
	}
	a, err := s.Service.Audience(c.Context(), c.actor, id)
	if err != nil { // the change is refused, so the audit log has the refusal
		_, err = s.Service.UpdateAudience(c.Context(), c.actor, id, control.Patch{})
		return answer{}, err
	}
	sandbox, err := s.Service.ActorSandbox(c.Context(), c.actor)
	if err != nil {
		return answer{}, err
	}
	external := audienceBody(&a)
	external.ExpressActivation = &a.ExpressActivation
	p, err := upsPut(root, upsAudience(&a, &sandbox), external)
	if err != nil {
		return answer{}, err
	}
	p.IfMatch = c.ifMatch()
	if a, err = s.Service.UpdateAudience(c.Context(), c.actor, id, p); err != nil {
		return answer{}, err
	}
	return s.taggedAudience(c, &a)
}

// upsPut returns the changes of a whole audience to the existing one. Properties that cannot change must have their
// current values, as this API or that of external audiences shows them.
func upsPut(root node, is client.UPSAudience, external client.Audience) (control.Patch, error) {
	var p control.Patch
	var d decoder
	current := map[string]any{}
	for _, shown := range []any{external, is} {
		text, err := json.Marshal(shown)
		if err != nil {
			return p, err
		}
		n, err := parse(text)
		if err != nil {
			return p, err
		}
		maps.Copy(current, plain(n).(map[string]any))
	}
	changes := map[string]any{"name": &p.Name, "description": &p.Description, "labels": &p.Labels, "tags": &p.Tags, "lifecycleState": &p.State, "ttlInDays": &p.TTLDays}
	known := append(propertiesOf(reflect.TypeFor[client.UPSAudience]()), propertiesOf(reflect.TypeFor[client.NewAudience]())...)
	for i, name := range root.names {
		dst, may := changes[name]
		value, there := current[name]
		switch {
		case may:
			d.assign(name, root.nodes[i], reflect.ValueOf(dst).Elem())
		case slices.Contains(computed, name):
		case there && reflect.DeepEqual(plain(root.nodes[i]), value):
		case slices.ContainsFunc(known, func(k property) bool { return k.name == name }):
			d.problems.Add(name, "cannot be changed; name, description, labels, tags, lifecycleState and ttlInDays can")
		default:
			d.problems.Add(name, "unknown property; an audience has %s", strings.Join(slices.Sorted(maps.Keys(current)), ", "))
		}
	}
	return p, d.problems.Err()
}
