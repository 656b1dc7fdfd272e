package control

import (
	"context"
	"errors"
	"slices"

	"roster/internal/audience"
	"roster/internal/meta"
)

// An audience is a flow, and each stage of each of its runs is a run of that flow (contract, section 3, Flows). Whoever
// sees the audience sees its flow.

// maxFlowRuns is how many runs of a flow can be asked for at once.
const maxFlowRuns = 101

// Flow returns the audience that a flow belongs to, and its newest run, which is nil when there is none.
func (s *Service) Flow(ctx context.Context, a audience.Actor, flowID string) (audience.Audience, *audience.Run, error) {
	aud, err := s.audienceOfFlow(ctx, a, flowID)
	if err != nil {
		return audience.Audience{}, nil, absent(err, "flow", flowID)
	}
	newest, err := s.cfg.Store.RunsByFlow(ctx, a.Scope, flowID, 0, 1)
	if err != nil || len(newest) == 0 {
		return aud.SeenBy(a.Grants), nil, err
	}
	return aud.SeenBy(a.Grants), new(aud.Hidden(a.Grants).Run(newest[0])), nil
}

// audienceOfFlow returns the audience of a flow; meta.ErrNotFound when there is none.
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

// FlowRun returns the run that one of whose stages is the run of a flow with that id, and which stage that is.
func (s *Service) FlowRun(ctx context.Context, a audience.Actor, flowRunID string) (run audience.Run, stage int, err error) {
	if err := allow(a, toRead); err != nil {
		return audience.Run{}, 0, err
	}
	run, err = s.cfg.Store.RunByFlow(ctx, a.Scope, flowRunID)
	if err != nil {
		return audience.Run{}, 0, absent(err, "flow run", flowRunID)
	}
	stage = slices.IndexFunc(run.Stages, func(st audience.StageResult) bool { return st.FlowRunID == flowRunID })
	if stage < 0 { // it is the id of a flow
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

// FlowRuns lists the runs whose stages are the runs of a flow, newest first: those whose Seq is below before, or all
// when before is 0. A flow that does not exist has none.
func (s *Service) FlowRuns(ctx context.Context, a audience.Actor, flowID string, before int64, limit int) ([]audience.Run, error) {
	if limit < 1 || limit > maxFlowRuns {
		return nil, audience.InvalidField("limit", "must be from 1 to %d", maxFlowRuns)
	}
	aud, err := s.audienceOfFlow(ctx, a, flowID)
	if errors.Is(err, meta.ErrNotFound) || audience.CodeOf(err) == audience.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list, err := s.cfg.Store.RunsByFlow(ctx, a.Scope, flowID, before, limit)
	return aud.Hidden(a.Grants).Runs(list), err
}
