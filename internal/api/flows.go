package api

import (
	"net/http"
	"strings"

	"roster/client"
	"roster/internal/audience"
)

// flow answers the flow of an audience, as a list of one.
func (s *server) flow(c *call) (answer, error) {
	id, err := c.id("flowId", "flow")
	if err != nil {
		return answer{}, err
	}
	aud, newest, err := s.Service.Flow(c.Context(), c.actor, id)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, client.FlowList{Items: []client.Flow{flowBody(id, &aud, newest)}}}, nil
}

// flowRun answers one run of a flow, as a list of one.
func (s *server) flowRun(c *call) (answer, error) {
	id, err := c.id("flowRunId", "flow run")
	if err != nil {
		return answer{}, err
	}
	run, stage, err := s.Service.FlowRun(c.Context(), c.actor, id)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, client.FlowRunList{Items: []client.FlowRun{flowRunBody(&run, stage)}}}, nil
}

// Pages of the runs of a flow.
const (
	defaultFlowRuns = 20
	maxFlowRuns     = 100
)

// flowContinuation is where a page of the runs of a flow begins: at a stage of the newest run that is left.
type flowContinuation struct {
	Flow  string `json:"f"`
	Seq   int64  `json:"s,omitempty"` // 0 for the newest of all
	Stage int    `json:"g,omitempty"`
	Limit int    `json:"l"`
}

func (s *server) listFlowRuns(c *call) (answer, error) {
	q, err := c.query()
	if err != nil {
		return answer{}, err
	}
	from := flowPage(q)
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	before := from.Seq
	if before > 0 {
		before++
	}
	runs, err := s.Service.FlowRuns(c.Context(), c.actor, from.Flow, before, from.Limit+1)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, flowRunPage(from, runs)}, nil
}

// flowRunPage makes a page of the stages of runs.
func flowRunPage(from flowContinuation, runs []audience.Run) client.FlowRunList {
	body := client.FlowRunList{Items: []client.FlowRun{}}
	for i := range runs {
		run := &runs[i]
		for stage := range run.Stages {
			if run.Seq == from.Seq && stage < from.Stage {
				continue
			}
			if len(body.Items) == from.Limit {
				from.Seq, from.Stage = run.Seq, stage
				body.Links.Next = &client.Link{Href: "/runs?continuationToken=" + token(from)}
				return body
			}
			body.Items = append(body.Items, flowRunBody(run, stage))
		}
	}
	return body
}

// flowPage reads which page of the runs of which flow is asked for.
func flowPage(q *query) flowContinuation {
	from := flowContinuation{Limit: defaultFlowRuns}
	if text := q.Get("continuationToken"); text != "" && !readToken(text, &from) || from.Limit < 1 || from.Limit > maxFlowRuns {
		q.problems.Add("continuationToken", "is not one that a page before had")
		return from
	}
	from.Limit = q.limit(from.Limit, maxFlowRuns)
	for _, p := range q.Values["property"] {
		flow, ok := strings.CutPrefix(p, "flowId==")
		if !ok || from.Flow != "" && from.Flow != flow {
			q.problems.Add("property", "must be flowId== and the id of one flow")
		}
		from.Flow = flow
	}
	if from.Flow == "" && len(q.problems) == 0 {
		q.problems.Add("property", "is required: flowId== and the id of a flow")
	}
	return from
}

func flowBody(id string, a *audience.Audience, newest *audience.Run) client.Flow {
	b := client.Flow{
		ID: id, Name: a.Name, Description: a.Description, State: "disabled", Version: "1.0", Etag: a.Etag(), AudienceID: string(a.ID),
		SourceConnectionIDs: []string{}, TargetConnectionIDs: []string{},
		CreatedAt: epoch(a.CreatedAt), UpdatedAt: epoch(a.UpdatedAt), CreatedBy: a.CreatedBy, UpdatedBy: a.UpdatedBy,
		SandboxName: a.Scope.Sandbox, ImsOrgID: a.Scope.Org,
	}
	if a.State.TakesRuns() {
		b.State = "enabled"
	}
	if conn := a.Source.BaseConnectionID; conn != "" {
		b.SourceConnectionIDs = append(b.SourceConnectionIDs, string(conn))
	}
	if newest != nil && len(newest.Stages) > 0 {
		st := &newest.Stages[len(newest.Stages)-1]
		b.LastRunDetails = &client.FlowLastRun{ID: st.FlowRunID, State: flowStatus(st.Status), StartedAtUTC: epoch(newest.CreatedAt), CompletedAtUTC: epoch(newest.EndedAt)}
	}
	return b
}

func flowRunBody(r *audience.Run, stage int) client.FlowRun {
	st := &r.Stages[stage]
	m := st.Metrics
	b := client.FlowRun{
		ID: st.FlowRunID, FlowID: r.FlowID, AudienceID: string(r.AudienceID), RunID: string(r.ID), Stage: string(st.Stage),
		CreatedAt: epoch(r.CreatedAt), UpdatedAt: epoch(r.UpdatedAt), CreatedBy: r.CreatedBy, SandboxName: r.Scope.Sandbox, ImsOrgID: r.Scope.Org,
		Metrics: client.FlowMetrics{
			DurationSummary: client.FlowDuration{StartedAtUTC: epoch(st.StartedAt), CompletedAtUTC: epoch(st.EndedAt)},
			SizeSummary:     client.FlowSize{InputBytes: m.InputBytes, OutputBytes: m.OutputBytes},
			RecordSummary:   client.FlowRecords{InputRecordCount: m.InputRecords, OutputRecordCount: m.OutputRecords, FailedRecordCount: m.FailedRecords},
			FileSummary:     client.FlowFiles{InputFileCount: m.InputFiles, OutputFileCount: m.OutputFiles},
			StatusSummary:   client.FlowStatus{Status: flowStatus(st.Status), Errors: []client.FlowError{}},
		},
	}
	if st.Error != nil {
		b.Metrics.StatusSummary.Errors = append(b.Metrics.StatusSummary.Errors, client.FlowError{Code: string(st.Error.Code), Message: st.Error.Message})
	}
	return b
}

// flowStatus is a status as the flow service writes it.
func flowStatus(s audience.Status) string {
	switch s {
	case audience.Success:
		return "success"
	case audience.Failed:
		return "failed"
	}
	return "inProgress"
}
