package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"roster/internal/audience"
	"roster/internal/control"
)

// The catalog shows datasets and runs like AEP's catalog service (contract, section 5): maps by id. It is read-only.

const (
	defaultCatalog = 20
	maxCatalog     = 100
	// maxCatalogStart is the largest start of a list of batches, because the runs before it are read, too.
	maxCatalogStart = 10_000
)

// dataset is an audience's dataset in the catalog. Times are in milliseconds.
type dataset struct {
	Name             string              `json:"name"`
	Description      string              `json:"description,omitempty"`
	Version          string              `json:"version"`
	ImsOrg           string              `json:"imsOrg"`
	SandboxID        string              `json:"sandboxId"`
	Created          int64               `json:"created"`
	Updated          int64               `json:"updated"`
	CreatedClient    string              `json:"createdClient"`
	CreatedUser      string              `json:"createdUser"`
	UpdatedUser      string              `json:"updatedUser"`
	Tags             map[string][]string `json:"tags"`
	Classification   map[string]string   `json:"classification"`
	FileDescription  map[string]string   `json:"fileDescription"`
	ViewID           string              `json:"viewId"`
	Files            string              `json:"files"`
	State            string              `json:"state"`
	ObservableSchema observableSchema    `json:"observableSchema"`
	Extensions       map[string]any      `json:"extensions"`
}

type observableSchema struct {
	Type       string                       `json:"type"`
	Properties map[string]map[string]string `json:"properties"`
}

func (s *server) listDatasets(c *call) (answer, error) {
	q := c.query()
	// aepp counts from 1, other clients from 0. For clients that count from 0, the last dataset of a page appears again
	// on the next page.
	want := audience.AudienceQuery{Limit: q.limit(defaultCatalog, maxCatalog), Offset: max(0, q.start()-1), NoTotal: true, SortBy: audience.SortCreated}
	if name := q.Get("name"); name != "" {
		want.Filters = append(want.Filters, audience.AudienceFilter{Property: "name", Value: name})
	}
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	sandbox, err := s.Service.ActorSandbox(c.Context(), c.actor)
	if err != nil {
		return answer{}, err
	}
	list, _, err := s.Service.Audiences(c.Context(), c.actor, want)
	if err != nil {
		return answer{}, err
	}
	body := map[string]dataset{}
	for i := range list {
		body[string(list[i].ID)] = datasetBody(&list[i], &sandbox)
	}
	return answer{http.StatusOK, body}, nil
}

func (s *server) dataset(c *call) (answer, error) {
	id, err := c.id("datasetId", "dataset")
	if err != nil {
		return answer{}, err
	}
	sandbox, err := s.Service.ActorSandbox(c.Context(), c.actor)
	if err != nil {
		return answer{}, err
	}
	a, err := s.Service.Audience(c.Context(), c.actor, audience.ID(id))
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, map[string]dataset{id: datasetBody(&a, &sandbox)}}, nil
}

func datasetBody(a *audience.Audience, sandbox *audience.Sandbox) dataset {
	id := string(a.ID)
	schema := observableSchema{Type: "object", Properties: map[string]map[string]string{}}
	for _, f := range a.Fields {
		schema.Properties[f.Name] = map[string]string{"type": string(f.Type)}
	}
	enabled := []string{"enabled:" + strconv.FormatBool(a.ProfileIngestion)}
	return dataset{
		Name: a.Name, Description: a.Description, Version: "1.0", ImsOrg: a.Scope.Org, SandboxID: sandbox.ID,
		Created: a.CreatedAt.UnixMilli(), Updated: a.UpdatedAt.UnixMilli(), CreatedClient: a.CreatedBy, CreatedUser: a.CreatedBy, UpdatedUser: a.UpdatedBy,
		Tags: map[string][]string{"adobe/pqs/table": {id}, "adobe/siphon/table/format": {"iceberg"}, "unifiedProfile": enabled, "unifiedIdentity": {"enabled:false"},
			"flowId": {audience.FlowID(a.ID)}},
		Classification: map[string]string{"dataBehavior": "record"}, FileDescription: map[string]string{"format": "parquet"},
		ViewID: id, Files: "@/dataSetFiles?dataSetId=" + id, State: string(a.State), ObservableSchema: schema,
		Extensions: map[string]any{"adobe_lakeHouse": map[string]any{"metrics": map[string]int64{"rowCount": a.Members}}},
	}
}

// batch is a run in the catalog. Its id is the flow run id of the run's first stage. Times are in milliseconds.
type batch struct {
	ID             string              `json:"id"`
	Status         string              `json:"status"`
	ImsOrg         string              `json:"imsOrg"`
	SandboxID      string              `json:"sandboxId"`
	Created        int64               `json:"created"`
	Started        int64               `json:"started,omitempty"`
	Updated        int64               `json:"updated"`
	Completed      int64               `json:"completed,omitempty"`
	CreatedClient  string              `json:"createdClient"`
	CreatedUser    string              `json:"createdUser"`
	Version        string              `json:"version"`
	RecordCount    int64               `json:"recordCount"`
	Tags           map[string][]string `json:"tags"`
	RelatedObjects []relatedObject     `json:"relatedObjects"`
	Metrics        batchMetrics        `json:"metrics"`
	Errors         []batchError        `json:"errors"`
}

type relatedObject struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

type batchMetrics struct {
	StartTime          int64 `json:"startTime"`
	EndTime            int64 `json:"endTime,omitempty"`
	RecordsRead        int64 `json:"recordsRead"`
	RecordsWritten     int64 `json:"recordsWritten"`
	FailedRecordCount  int64 `json:"failedRecordCount"`
	InvalidRecordCount int64 `json:"invalidRecordCount"`
}

type batchError struct {
	Code        string `json:"code"`
	Description string `json:"description"`
}

// batchStatuses are the statuses of batches, by those of runs.
var batchStatuses = map[audience.Status]string{audience.Processing: "processing", audience.Success: "success", audience.Failed: "failed"}

func (s *server) listBatches(c *call) (answer, error) {
	q := c.query()
	limit, start := q.limit(defaultCatalog, maxCatalog), q.start()
	if start > maxCatalogStart {
		q.problems.Add("start", "must be at most %d", maxCatalogStart)
	}
	want := control.FlowRunQuery{Limit: maxCatalog + 1}
	if id := q.Get("dataSet"); id != "" {
		want.FlowID = audience.FlowID(audience.ID(strings.ToLower(id)))
	}
	nothing := false
	if asked := q.Get("status"); asked != "" {
		for status, shown := range batchStatuses {
			if slices.Contains(strings.Split(strings.ToLower(asked), ","), shown) {
				want.Statuses = append(want.Statuses, status)
			}
		}
		nothing = len(want.Statuses) == 0
	}
	if order := q.Get("orderBy"); order != "" && order != "desc:created" {
		q.problems.Add("orderBy", "%.64q is not supported; use desc:created", order)
	}
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	sandbox, err := s.Service.ActorSandbox(c.Context(), c.actor)
	if err != nil {
		return answer{}, err
	}
	body := map[string]batch{}
	for passed := 0; !nothing && len(body) < limit; {
		runs, err := s.Service.FlowRuns(c.Context(), c.actor, want)
		if err != nil {
			return answer{}, err
		}
		for i := range runs[:min(len(runs), maxCatalog)] {
			if passed++; passed > start && len(body) < limit {
				b := batchBody(&runs[i], 0, &sandbox)
				body[b.ID] = b
			}
		}
		if len(runs) <= maxCatalog {
			break
		}
		next := &runs[maxCatalog]
		want.From = &audience.Position{At: next.CreatedAt, Seq: next.Seq, ID: string(next.ID)}
	}
	return answer{http.StatusOK, body}, nil
}

func (s *server) batch(c *call) (answer, error) {
	id, err := c.id("batchId", "batch")
	if err != nil {
		return answer{}, err
	}
	sandbox, err := s.Service.ActorSandbox(c.Context(), c.actor)
	if err != nil {
		return answer{}, err
	}
	run, stage, err := s.Service.FlowRun(c.Context(), c.actor, id)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, map[string]batch{id: batchBody(&run, stage, &sandbox)}}, nil
}

func batchBody(r *audience.Run, stage int, sandbox *audience.Sandbox) batch {
	rows := r.Result.Rows
	b := batch{
		ID: r.Stages[stage].FlowRunID, Status: batchStatuses[r.Status], ImsOrg: r.Scope.Org, SandboxID: sandbox.ID, Created: r.CreatedAt.UnixMilli(), Updated: r.UpdatedAt.UnixMilli(),
		Started: millis(r.CreatedAt), Completed: millis(r.EndedAt), CreatedClient: r.CreatedBy, CreatedUser: r.CreatedBy, Version: "1.0",
		RecordCount: rows.Read - rows.Rejected, Tags: map[string][]string{"flowId": {r.FlowID}, "runId": {string(r.ID)}, "audienceName": {r.AudienceName}},
		RelatedObjects: []relatedObject{{Type: "dataSet", ID: string(r.AudienceID)}},
		Metrics: batchMetrics{StartTime: millis(r.CreatedAt), EndTime: millis(r.EndedAt), RecordsRead: rows.Read,
			RecordsWritten: rows.Added + rows.Updated, FailedRecordCount: rows.Rejected, InvalidRecordCount: rows.Rejected},
		Errors: []batchError{},
	}
	if r.Error != nil {
		b.Errors = append(b.Errors, batchError{Code: string(r.Error.Code), Description: r.Error.Message})
	}
	return b
}
