package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/wire"
)

// Runs starts and reads runs.
type Runs interface {
	StartRun(ctx context.Context, a audience.Actor, id audience.ID, r audience.RunRequest) (audience.Run, error)
	Run(ctx context.Context, a audience.Actor, id audience.ID, run audience.RunID) (audience.Run, error)
	Runs(ctx context.Context, a audience.Actor, id audience.ID, q audience.RunQuery) ([]audience.Run, int, error)
	ExtendTTL(ctx context.Context, a audience.Actor, id audience.ID) (audience.Run, error)
}

// startRun starts a run in the seed generation's form.
func (s *server) startRun(c *call) (answer, error) {
	r, err := s.newRun(c)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, startedRun(&r)}, nil
}

// startLaterRun starts a run in the later generation's form, which has a larger answer.
func (s *server) startLaterRun(c *call) (answer, error) {
	r, err := s.newRun(c)
	if err != nil {
		return answer{}, err
	}
	body := startedRun(&r)
	body.AudienceName, body.CreatedAt, body.CreatedBy = r.AudienceName, epoch(r.CreatedAt), r.CreatedBy
	return answer{http.StatusOK, body}, nil
}

func (s *server) newRun(c *call) (audience.Run, error) {
	id, err := c.audienceID()
	if err != nil {
		return audience.Run{}, err
	}
	// curl sends a form content type by default, and the documented request sets none, so any content type is accepted.
	data, err := c.body()
	if err != nil {
		return audience.Run{}, err
	}
	var in client.RunRequest
	if len(data) > 0 {
		if err := decode(data, &in); err != nil {
			return audience.Run{}, err
		}
	}
	req, err := runRequest(&in)
	if err != nil {
		return audience.Run{}, err
	}
	return s.Service.StartRun(c.Context(), c.actor, id, req)
}

// runRequest converts the client's request for a run. A window without an end has a zero WindowEnd: it ends when the
// use case creates the run.
func runRequest(in *client.RunRequest) (audience.RunRequest, error) {
	req := audience.RunRequest{Differential: in.DifferentialIngestion == nil || *in.DifferentialIngestion, Reason: in.Reason}
	var problems audience.Problems
	for _, bound := range []struct {
		path string
		in   *int64
		out  *time.Time
	}{
		{"dataFilterStartTime", in.DataFilterStartTime, &req.WindowStart},
		{"dataFilterEndTime", in.DataFilterEndTime, &req.WindowEnd},
	} {
		if bound.in == nil {
			continue
		}
		t, ok := instant(*bound.in)
		if !ok {
			problems.Add(bound.path, "must be a time in epoch seconds or milliseconds")
		}
		*bound.out = t
	}
	if in.DataFilterStartTime != nil && *in.DataFilterStartTime == 0 {
		req.WindowStart = time.Time{} // no start
	}
	if err := problems.Err(); err != nil {
		return req, err
	}
	req.DryRun, req.Force = in.DryRun != nil && *in.DryRun, in.Force != nil && *in.Force
	req.AllowMissingColumns = in.AllowMissingColumns != nil && *in.AllowMissingColumns
	return req, nil
}

// Epochs above maxSeconds are milliseconds.
const (
	maxSeconds = 100_000_000_000
	maxMillis  = maxSeconds * 1000
)

// instant converts an epoch in seconds or milliseconds.
func instant(epoch int64) (time.Time, bool) {
	switch {
	case epoch < 0 || epoch > maxMillis:
		return time.Time{}, false
	case epoch > maxSeconds:
		return time.UnixMilli(epoch).UTC(), true
	}
	return time.Unix(epoch, 0).UTC(), true
}

func startedRun(r *audience.Run) client.StartedRun {
	return client.StartedRun{
		Name: r.AudienceName, AudienceID: string(r.AudienceID), RunID: string(r.ID), DifferentialIngestion: r.Request.Differential,
		DataFilterStartTime: epoch(r.Request.WindowStart), DataFilterEndTime: epoch(r.Request.WindowEnd),
		Kind: string(r.Request.Kind), Of: string(r.Request.Of), DryRun: r.Request.DryRun, Force: r.Request.Force,
	}
}

func (s *server) run(c *call) (answer, error) {
	id, err := c.audienceID()
	if err != nil {
		return answer{}, err
	}
	run, err := c.id("runId", "run")
	if err != nil {
		return answer{}, err
	}
	r, err := s.Service.Run(c.Context(), c.actor, id, audience.RunID(run))
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, runBody(&r)}, nil
}

// Pages of runs.
const (
	defaultRuns = 20
	maxRuns     = 40
)

// runPages continues after a run, so that new runs do not shift the pages.
var runPages = pages{"start", []string{"sortBy", "property"}}

// runCursor is the position of a run in a list.
type runCursor struct {
	At   int64 `json:"a"` // microseconds
	Seq  int64 `json:"s"`
	Seen int   `json:"n"` // number of runs up to it
}

// runStart reads the start of a page of runs: after the page before or, for older clients, an offset. It returns the
// number of runs before the page.
func (q *query) runStart(want *audience.RunQuery) (seen int) {
	if list := q.Values["start"]; len(list) == 1 {
		if _, err := strconv.ParseInt(list[0], 10, 32); err == nil {
			want.Offset = q.start()
			return want.Offset
		}
	}
	var from runCursor
	if runPages.read(q, &from) {
		want.After = &audience.Position{At: time.UnixMicro(from.At), Seq: from.Seq}
	}
	return from.Seen
}

func (s *server) listRuns(c *call) (answer, error) {
	id, err := c.audienceID()
	if err != nil {
		return answer{}, err
	}
	q := c.query()
	want := audience.RunQuery{SortBy: "createdAt", Descending: true}
	want.Limit = q.limit(defaultRuns, maxRuns)
	seen := q.runStart(&want)
	if by := q.Get("sortBy"); q.Has("sortBy") {
		want.SortBy, want.Descending = sortBy(q, by)
	}
	for _, p := range q.filters("property") {
		want.Filters = append(want.Filters, runFilter(q, p))
	}
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	list, total, err := s.Service.Runs(c.Context(), c.actor, id, want)
	if err != nil {
		return answer{}, err
	}
	body := client.RunList{Runs: []client.Run{}, Page: client.Page{Limit: want.Limit, Count: len(list), TotalCount: total}}
	if seen += len(list); len(list) > 0 && seen < total { // new runs may leave the last page empty
		last := &list[len(list)-1]
		body.Page.Next = runPages.token(q, runCursor{last.CreatedAt.UnixMicro(), last.Seq, seen})
	}
	for i := range list {
		body.Runs = append(body.Runs, runBody(&list[i]))
	}
	return answer{http.StatusOK, body}, nil
}

// sortBy reads the property to sort by; "-" before it means descending.
func sortBy(q *query, by string) (property string, descending bool) {
	by, descending = strings.CutPrefix(by, "-")
	switch by {
	case "name":
		return "name", descending
	case "ingestionTime", "createdAt":
		return "createdAt", descending
	}
	q.problems.Add("sortBy", "must be name, ingestionTime or createdAt, with a - before it for descending")
	return "", false
}

var runStatuses = []string{string(audience.Processing), string(audience.Success), string(audience.Failed)}

// The operators of filters on texts and on times of runs.
var (
	runTexts = []audience.Comparator{audience.ContainsNot, audience.Contains, audience.NotEqual, "="}
	runTimes = []audience.Comparator{audience.AtLeast, audience.AtMost, audience.Above, audience.Below}
)

// runFilter reads a condition such as status!=FAILED, name=containsloyal or createdAt>=1749324248.
func runFilter(q *query, text string) audience.RunFilter {
	property, op, value, ok := cutFilter(text, slices.Concat(runTexts, runTimes))
	if !ok {
		q.problems.Add("property", "must be a property, an operator and a value, such as status=SUCCESS")
		return audience.RunFilter{}
	}
	f := audience.RunFilter{Property: property, Op: string(op), Value: strings.TrimSpace(value)}
	operators := runTexts
	if property == "ingestionTime" || property == "createdAt" {
		f.Property, operators = "createdAt", runTimes
	} else if property != "name" && property != "status" {
		q.problems.Add("property", "the property must be name, status, ingestionTime or createdAt")
		return f
	}
	if !slices.Contains(operators, op) {
		q.problems.Add("property", "the operator after %s must be one of %s", property, strings.Trim(fmt.Sprint(operators), "[]"))
		return f
	}
	switch f.Property {
	case "status":
		if strings.HasSuffix(f.Op, "=") && !slices.Contains(runStatuses, f.Value) {
			q.problems.Add("property", "the value after status%s must be one of %s", f.Op, strings.Join(runStatuses, ", "))
		}
	case "createdAt":
		n, err := wholeNumber(f.Value)
		t, ok := instant(n)
		if err != nil || !ok {
			q.problems.Add("property", "the value after %s must be a time in epoch seconds or milliseconds", property)
		}
		f.Value = strconv.FormatInt(t.Unix(), 10)
	}
	return f
}

func runBody(r *audience.Run) client.Run {
	b := client.Run{
		Name: r.AudienceName, AudienceName: r.AudienceName, AudienceID: string(r.AudienceID), RunID: string(r.ID), Status: string(r.Status),
		DifferentialIngestion: r.Request.Differential,
		DataFilterStartTime:   epoch(r.Request.WindowStart), DataFilterEndTime: epoch(r.Request.WindowEnd),
		IngestionTime: epoch(r.CreatedAt), CreatedAt: epoch(r.CreatedAt), CreatedBy: r.CreatedBy,
		Reason: r.Request.Reason, Kind: string(r.Request.Kind), Of: string(r.Request.Of), DryRun: r.Request.DryRun, Force: r.Request.Force,
		Details: []client.RunDetail{}, Error: failure(r.Error),
	}
	for _, st := range r.Stages {
		b.Details = append(b.Details, client.RunDetail{Stage: string(st.Stage), Status: string(st.Status), FlowID: r.FlowID,
			FlowRunID: st.FlowRunID, Metrics: client.StageMetrics(st.Metrics), Error: failure(st.Error)})
	}
	if r.Status == audience.Processing {
		b.Progress = new(client.RunProgress(r.Progress))
		return b
	}
	ledger(&b, r)
	return b
}

// ledger adds the result of an ended run. A run that failed before it read anything has no ledger; one that failed
// before it counted members has only counts of rows.
func ledger(b *client.Run, r *audience.Run) {
	if r.Status == audience.Failed && len(r.Result.Files) == 0 {
		return
	}
	b.Rows = new(client.Rows(r.Result.Rows))
	if members := client.Members(r.Result.Members); r.Status == audience.Success || members != (client.Members{}) {
		b.Members = &members
	}
	b.Files = runFiles(r.Result.Files)
	for _, g := range r.Result.Guards {
		b.Guards = append(b.Guards, client.Guard(g))
	}
	for _, c := range r.Result.Changes {
		b.Changes = append(b.Changes, client.Change(c))
	}
	b.ReplacedFiles, b.UnreadableMembers, b.Outside = r.Result.Replaced, r.Result.Unreadable, outside(r.Result.Outside)
	if r.Status == audience.Success {
		b.ContentSum = strconv.FormatUint(r.Result.ContentSum, 10)
	}
	for _, rj := range r.Result.Rejects {
		b.Rejects = append(b.Rejects, client.Reject(rj))
	}
	if r.Result.SnapshotID != 0 {
		b.SnapshotID = strconv.FormatInt(r.Result.SnapshotID, 10)
	}
}

// outside are the snapshots of other programs that Roster adopted.
func outside(list []audience.OutsideSnapshot) (out []client.OutsideSnapshot) {
	for _, s := range list {
		out = append(out, client.OutsideSnapshot{SnapshotID: strconv.FormatInt(s.ID, 10), Operation: s.Operation, Engine: s.Engine, CommittedAt: epoch(s.At)})
	}
	return out
}

func runFiles(list []audience.FileResult) (files []client.RunFile) {
	for _, f := range list {
		files = append(files, client.RunFile{Path: f.Path, Size: f.Size, ModifiedAt: epoch(f.ModifiedAt), Version: f.Version,
			Status: string(f.Status), Reason: f.Reason, Rows: client.Rows(f.Rows), BlankRows: f.BlankRows, FilledRows: f.FilledRows, CommentLines: f.CommentLines, LikelyEncoding: f.LikelyEncoding,
			SkippedFiles: f.SkippedFiles, ExtraColumns: f.ExtraColumns, MissingColumns: f.MissingColumns,
			Format: wire.Format(f.Format)})
	}
	return files
}
