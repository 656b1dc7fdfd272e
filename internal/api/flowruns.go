package api

import (
	"cmp"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
)

// flowRun answers a run of a flow, as a list with one entry.
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

const (
	defaultFlowRuns = 20
	maxFlowRuns     = 100
)

// flowRunPages are the pages of runs of flows.
var flowRunPages = pages{"continuationToken", []string{"property"}}

// flowRunsFrom is the start of a page of runs of flows, at a stage of a run, with the query of the list.
type flowRunsFrom struct {
	At    int64          `json:"a,omitempty"` // microseconds; the place of the run, none on the first page
	Seq   int64          `json:"s,omitempty"`
	Run   audience.RunID `json:"r,omitempty"`
	Stage int            `json:"g,omitempty"`
	Flow  string         `json:"f,omitempty"`
	Name  string         `json:"n,omitempty"`
	State string         `json:"t,omitempty"`
	IDs   []string       `json:"i,omitempty"` // remaining ids, if the query names runs by id
	ByID  bool           `json:"b,omitempty"`
	Limit int            `json:"l"`
	where conditions
}

func (s *server) listFlowRuns(c *call) (answer, error) {
	q := c.query()
	from := q.flowRuns()
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	body := client.FlowRunList{Items: []client.FlowRun{}}
	more, err := false, error(nil)
	if from.ByID {
		more, err = s.flowRunsByID(c, &from, &body)
	} else {
		more, err = readOn(func() bool { return len(body.Items) == from.Limit }, func() (bool, error) { return s.readFlowRuns(c, &from, &body) })
	}
	if err != nil {
		return answer{}, err
	}
	if more {
		body.Links.Next = &client.Link{Href: "/runs?continuationToken=" + flowRunPages.token(q, from)}
	}
	return answer{http.StatusOK, body}, nil
}

// readFlowRuns reads entries from a position, which it advances, and reports whether there are more.
func (s *server) readFlowRuns(c *call, from *flowRunsFrom, body *client.FlowRunList) (more bool, err error) {
	want := control.FlowRunQuery{Limit: from.Limit + 1, FlowID: from.Flow, Name: from.Name, Statuses: statusesWith(from.State)}
	if from.Run != "" {
		want.From = &audience.Position{At: time.UnixMicro(from.At), Seq: from.Seq, ID: string(from.Run)}
	}
	runs, err := s.Service.FlowRuns(c.Context(), c.actor, want)
	if err != nil {
		return false, err
	}
	begin := from.Run
	for i := range runs {
		run := &runs[i]
		for stage := range run.Stages {
			if run.ID == begin && stage < from.Stage || !from.has(run, stage) {
				continue
			}
			if len(body.Items) == from.Limit {
				from.goOn(run, stage)
				return true, nil
			}
			body.Items = append(body.Items, flowRunBody(run, stage))
		}
	}
	if len(runs) <= from.Limit {
		return false, nil
	}
	from.goOn(&runs[len(runs)-1], len(runs[len(runs)-1].Stages))
	return true, nil
}

// goOn advances the position to a stage of a run.
func (f *flowRunsFrom) goOn(run *audience.Run, stage int) {
	f.At, f.Seq, f.Run, f.Stage = run.CreatedAt.UnixMicro(), run.Seq, run.ID, stage
}

// has reports whether a stage of a run matches the query.
func (f *flowRunsFrom) has(run *audience.Run, stage int) bool {
	if f.State != "" && f.State != flowStatus(run.Stages[stage].Status) {
		return false
	}
	if len(f.where) == 0 {
		return true
	}
	b := flowRunBody(run, stage)
	return f.where.hold(&b)
}

// statusesWith returns the statuses of runs that may have a stage in a state.
func statusesWith(state string) []audience.Status {
	switch state {
	case "failed":
		return []audience.Status{audience.Failed}
	case "inProgress":
		return []audience.Status{audience.Processing, audience.Failed}
	}
	return nil
}

// flowRunsByID reads the runs that the query names by id, in the order of the query.
func (s *server) flowRunsByID(c *call, from *flowRunsFrom, body *client.FlowRunList) (more bool, err error) {
	for len(from.IDs) > 0 && len(body.Items) < from.Limit {
		id := from.IDs[0]
		from.IDs = from.IDs[1:]
		run, stage, err := s.Service.FlowRun(c.Context(), c.actor, id)
		switch {
		case audience.CodeOf(err) == audience.NotFound:
		case err != nil:
			return false, err
		case from.has(&run, stage) && cmp.Or(from.Flow, run.FlowID) == run.FlowID && cmp.Or(from.Name, run.AudienceName) == run.AudienceName:
			body.Items = append(body.Items, flowRunBody(&run, stage))
		}
	}
	return len(from.IDs) > 0, nil
}

// flowStates maps the spellings of states in queries to the states of runs of flows.
var flowStates = map[string]string{"success": "success", "completed": "success", "failed": "failed", "inprogress": "inProgress", "in_progress": "inProgress"}

// flowRunStatus is the property that most filters of runs of flows use.
const flowRunStatus = "metrics.statusSummary.status"

// flowRuns reads the query and the position of a page.
func (q *query) flowRuns() flowRunsFrom {
	from := flowRunsFrom{Limit: defaultFlowRuns}
	goesOn := flowRunPages.read(q, &from)
	from.Limit = q.limit(from.Limit, maxFlowRuns)
	given := map[string]string{}
	for _, p := range q.filters("property") {
		name, comparator, value, _ := cutCondition(p)
		if comparator != "==" || !slices.Contains([]string{"flowId", "name", "id", flowRunStatus}, name) {
			from.where = append(from.where, q.condition(p, reflect.TypeFor[client.FlowRun]())...)
			continue
		}
		if before, twice := given[name]; twice && (before != value || name == "id") {
			q.problems.Add("property", "%s== is given twice; separate ids of runs by commas", name)
		}
		given[name] = value
		switch name {
		case "flowId":
			from.Flow = value
		case "name":
			from.Name = value
		case "id":
			if !goesOn {
				from.ByID, from.IDs = true, q.ids(value)
			}
		case flowRunStatus:
			if from.State = flowStates[strings.ToLower(value)]; from.State == "" {
				q.problems.Add("property", "%.100q must be success, failed or inProgress", p)
			}
		}
	}
	return from
}

func flowRunBody(r *audience.Run, stage int) client.FlowRun {
	st := &r.Stages[stage]
	m := st.Metrics
	b := client.FlowRun{
		ID: st.FlowRunID, FlowID: r.FlowID, AudienceID: string(r.AudienceID), RunID: string(r.ID), Stage: string(st.Stage),
		CreatedAt: millis(r.CreatedAt), UpdatedAt: millis(r.UpdatedAt), CreatedBy: r.CreatedBy, SandboxName: r.Scope.Sandbox, ImsOrgID: r.Scope.Org,
		Metrics: client.FlowMetrics{
			DurationSummary: client.FlowDuration{StartedAtUTC: millis(st.StartedAt), CompletedAtUTC: millis(st.EndedAt)},
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

// flowStatus returns a status in the flow service's spelling.
func flowStatus(s audience.Status) string {
	switch s {
	case audience.Success:
		return "success"
	case audience.Failed:
		return "failed"
	}
	return "inProgress"
}
