package control

import (
	"context"
	"errors"
	"slices"

	"roster/internal/audience"
	"roster/internal/meta"
)

// An audience is a flow, and each stage of each of its runs is a run of that flow (contract, section 3, Flows). Callers
// that see the audience see its flow.

// Limits of lists of flows and of their runs.
const (
	maxFlows    = 101
	maxFlowRuns = 101
)

// Flow is an audience and its newest run, nil if there is none.
type Flow struct {
	Audience audience.Audience
	Newest   *audience.Run
}

// Flow returns a flow.
func (s *Service) Flow(ctx context.Context, a audience.Actor, flowID string) (Flow, error) {
	aud, err := s.audienceOfFlow(ctx, a, flowID)
	if err != nil {
		return Flow{}, absent(err, "flow", flowID)
	}
	list, err := s.flows(ctx, a, []audience.Audience{aud})
	if err != nil {
		return Flow{}, err
	}
	return list[0], nil
}

// Flows lists the flows of a sandbox by the creation of their audiences, the newest first: all, or that of the audience
// with the name; after is the position of the last one seen, nil for the first page.
func (s *Service) Flows(ctx context.Context, a audience.Actor, name string, after *audience.Position, limit int) ([]Flow, error) {
	if err := allow(a, toRead); err != nil {
		return nil, err
	}
	if limit < 1 || limit > maxFlows {
		return nil, audience.InvalidField("limit", "must be from 1 to %d", maxFlows)
	}
	q := audience.AudienceQuery{Limit: limit, Descending: true, After: after, NoTotal: true, SeenBy: &a.Grants}
	if name != "" {
		q.Filters = []audience.AudienceFilter{{Property: "name", Value: name}}
	}
	list, _, err := s.cfg.Store.Audiences(ctx, a.Scope, q)
	if err != nil {
		return nil, err
	}
	return s.flows(ctx, a, list)
}

// flows converts audiences to flows, as the actor sees them.
func (s *Service) flows(ctx context.Context, a audience.Actor, list []audience.Audience) ([]Flow, error) {
	ids := make([]audience.ID, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	runs, err := s.cfg.Store.NewestRuns(ctx, a.Scope, ids)
	if err != nil {
		return nil, err
	}
	flows := make([]Flow, len(list))
	for i := range list {
		flows[i].Audience = list[i].SeenBy(a.Grants)
		if at := slices.IndexFunc(runs, func(r audience.Run) bool { return r.AudienceID == list[i].ID }); at >= 0 {
			flows[i].Newest = new(list[i].Hidden(a.Grants).Run(runs[at]))
		}
	}
	return flows, nil
}

// audienceOfFlow returns the audience of a flow; meta.ErrNotFound if there is none.
func (s *Service) audienceOfFlow(ctx context.Context, a audience.Actor, flowID string) (audience.Audience, error) {
	if err := allow(a, toRead); err != nil {
		return audience.Audience{}, err
	}
	found, err := s.cfg.Store.AudienceByFlow(ctx, a.Scope, flowID)
	if err != nil {
		return audience.Audience{}, err
	}
	if err := seen(a, found.Labels, "flow", flowID); err != nil {
		return audience.Audience{}, err
	}
	return found, nil
}

// FlowRun returns the run with the stage that is the run of a flow with the given id, and the index of that stage.
func (s *Service) FlowRun(ctx context.Context, a audience.Actor, flowRunID string) (run audience.Run, stage int, err error) {
	if err := allow(a, toRead); err != nil {
		return audience.Run{}, 0, err
	}
	run, err = s.cfg.Store.RunByFlow(ctx, a.Scope, flowRunID)
	if err != nil {
		return audience.Run{}, 0, absent(err, "flow run", flowRunID)
	}
	stage = slices.IndexFunc(run.Stages, func(st audience.StageResult) bool { return st.FlowRunID == flowRunID })
	if stage < 0 { // the id is that of a flow
		return audience.Run{}, 0, notFound("flow run", flowRunID)
	}
	aud, err := s.cfg.Store.Audience(ctx, a.Scope, run.AudienceID)
	if err == nil {
		err = seen(a, aud.Labels, "flow run", flowRunID)
	}
	if err != nil {
		return audience.Run{}, 0, absent(err, "flow run", flowRunID)
	}
	return aud.Hidden(a.Grants).Run(run), stage, nil
}

// FlowRunQuery selects the runs whose stages are runs of flows.
type FlowRunQuery struct {
	Limit int
	// FlowID and Name select the only flow whose runs are listed, or are "".
	FlowID, Name string
	Statuses     []audience.Status  // of the selected runs; all if empty
	From         *audience.Position // of the run that the list goes on at; nil begins it
}

// FlowRuns lists the runs whose stages are runs of flows, the newest first. A flow that does not exist has none.
func (s *Service) FlowRuns(ctx context.Context, a audience.Actor, q FlowRunQuery) ([]audience.Run, error) {
	if err := allow(a, toRead); err != nil {
		return nil, err
	}
	if q.Limit < 1 || q.Limit > maxFlowRuns {
		return nil, audience.InvalidField("limit", "must be from 1 to %d", maxFlowRuns)
	}
	want := audience.FlowRunQuery{Limit: q.Limit, Statuses: q.Statuses, From: q.From, SeenBy: &a.Grants}
	if q.FlowID != "" || q.Name != "" {
		aud, err := s.flowWanted(ctx, a, q)
		if err != nil || aud == nil {
			return nil, err
		}
		want.Audience = aud.ID
	}
	list, err := s.cfg.Store.FlowRuns(ctx, a.Scope, want)
	if err != nil {
		return nil, err
	}
	return s.runsAsSeen(ctx, a, list)
}

// flowWanted returns the audience of the flow in a query; nil if there is none that the actor sees.
func (s *Service) flowWanted(ctx context.Context, a audience.Actor, q FlowRunQuery) (*audience.Audience, error) {
	if q.FlowID == "" {
		named, err := s.Flows(ctx, a, q.Name, nil, 1)
		if err != nil || len(named) == 0 {
			return nil, err
		}
		return &named[0].Audience, nil
	}
	aud, err := s.audienceOfFlow(ctx, a, q.FlowID)
	if errors.Is(err, meta.ErrNotFound) || audience.CodeOf(err) == audience.NotFound || err == nil && q.Name != "" && q.Name != aud.Name {
		return nil, nil
	}
	return &aud, err
}

// runsAsSeen removes from runs what the actor does not see.
func (s *Service) runsAsSeen(ctx context.Context, a audience.Actor, list []audience.Run) ([]audience.Run, error) {
	var ids []audience.ID
	for i := range list {
		if !slices.Contains(ids, list[i].AudienceID) {
			ids = append(ids, list[i].AudienceID)
		}
	}
	found, err := s.cfg.Store.AudiencesByID(ctx, a.Scope, ids)
	if err != nil {
		return nil, err
	}
	hidden := map[audience.ID]audience.Hidden{}
	for i := range found {
		if a.Grants.Covers(found[i].Labels) {
			hidden[found[i].ID] = found[i].Hidden(a.Grants)
		}
	}
	seen := list[:0]
	for _, r := range list {
		if h, ok := hidden[r.AudienceID]; ok {
			seen = append(seen, h.Run(r))
		}
	}
	return seen, nil
}
