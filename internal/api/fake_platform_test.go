package api

import (
	"context"
	"fmt"
	"slices"
	"time"

	"roster/internal/audience"
	"roster/internal/control"
)

// The connections, flows and sandboxes of the fake.

const (
	flowRunID  = "7c1f3f0e-0e3c-4d0a-9c07-5f7c0d1e2a01"
	profileRun = "7c1f3f0e-0e3c-4d0a-9c07-5f7c0d1e2a02"
)

// staged is the fake's run with two stages, of which the first has ended.
func (f *fake) staged() audience.Run {
	r := f.run
	r.Stages = []audience.StageResult{
		{Stage: audience.StageDataset, Status: audience.Success, FlowRunID: flowRunID, StartedAt: testNow, EndedAt: testNow,
			Metrics: audience.StageMetrics{InputFiles: 1, InputBytes: 21, InputRecords: 3, OutputFiles: 1, OutputBytes: 99, OutputRecords: 2, FailedRecords: 1}},
		{Stage: audience.StageProfile, Status: audience.Processing, FlowRunID: profileRun},
	}
	return r
}

func (f *fake) ExtendTTL(_ context.Context, _ audience.Actor, id audience.ID) (audience.Run, error) {
	if err := f.called(id); err != nil {
		return audience.Run{}, err
	}
	return f.run, absent("audience", id)
}

func (f *fake) UpdateConnection(_ context.Context, _ audience.Actor, id audience.ConnectionID, ifMatch []string, change control.ConnectionChange) (audience.Connection, error) {
	c := f.conns[0]
	c.Params = map[string]string{"root": "/srv/files"}
	change(&c)
	if err := f.called(c); err != nil {
		return c, err
	}
	if len(ifMatch) > 0 && !slices.Contains(ifMatch, c.Etag) {
		return c, audience.Errorf(audience.Stale, "connection %s has changed since it was read; read it again", id)
	}
	c.Etag = `"f"`
	return c, absent("connection", id)
}

func (f *fake) TestConnection(_ context.Context, _ audience.Actor, id audience.ConnectionID) (audience.Connection, error) {
	if err := f.called(id); err != nil {
		return audience.Connection{}, err
	}
	return f.conns[0], absent("connection", id)
}

func (f *fake) ExploreFolder(_ context.Context, _ audience.Actor, id audience.ConnectionID, folder string) ([]control.Entry, error) {
	return []control.Entry{{Path: "in/2026", Folder: true, Usable: true}, {Path: "in/a.csv", Usable: true}, {Path: "in/b.tmp"}}, f.called(id, folder)
}

func (f *fake) ExploreFile(_ context.Context, _ audience.Actor, id audience.ConnectionID, file string, typ audience.FileType, preview bool) (control.ExploredFile, error) {
	found := control.ExploredFile{Format: &audience.Format{Type: audience.CSV, Delimiter: ";", Compression: "zip"}, Fields: []audience.Field{
		{Name: "mail", Type: audience.String}, {Name: "points", Type: audience.Long}, {Name: "vip", Type: audience.Boolean}, {Name: "share", Type: audience.Number}, {Name: "born", Type: audience.Date}}}
	if preview {
		found.Rows = [][]*string{{new("ada@example.com"), new("12"), new("true"), new("NaN"), nil}}
	}
	return found, f.called(id, file, typ)
}

func (f *fake) Flow(_ context.Context, _ audience.Actor, id string) (control.Flow, error) {
	if err := f.called(id); err != nil {
		return control.Flow{}, err
	}
	r := f.staged()
	return control.Flow{Audience: f.audience, Newest: &r}, absent("flow", id)
}

// Flows returns the fake's audience three times, each a day older than the one before.
func (f *fake) Flows(_ context.Context, _ audience.Actor, name string, after *audience.Position, limit int) (list []control.Flow, err error) {
	a := f.audience
	for range 3 {
		if len(list) < limit && (after == nil || a.CreatedAt.Before(after.At)) && (name == "" || name == a.Name) {
			list = append(list, control.Flow{Audience: a})
		}
		a.CreatedAt = a.CreatedAt.Add(-24 * time.Hour)
	}
	return list, f.called(name)
}

func (f *fake) FlowRun(_ context.Context, _ audience.Actor, id string) (audience.Run, int, error) {
	r := f.staged()
	stage := slices.IndexFunc(r.Stages, func(st audience.StageResult) bool { return st.FlowRunID == id })
	if stage < 0 {
		return r, 0, audience.Errorf(audience.NotFound, "there is no flow run %q", id)
	}
	return r, stage, f.called(id)
}

// FlowRuns returns the fake's run three times.
func (f *fake) FlowRuns(_ context.Context, _ audience.Actor, q control.FlowRunQuery) (runs []audience.Run, err error) {
	r := f.staged()
	for r.Seq = 3; r.Seq > 0 && len(runs) < q.Limit; r.Seq-- {
		if r.ID = audience.RunID(fmt.Sprint("run ", r.Seq)); q.From == nil || r.Seq <= q.From.Seq {
			runs = append(runs, r)
		}
	}
	return runs, f.called(q)
}

func (f *fake) Sandbox(_ context.Context, a audience.Actor, name string) (audience.Sandbox, error) {
	if err := f.called(name); err != nil {
		return audience.Sandbox{}, err
	}
	if name == "nowhere" {
		return audience.Sandbox{}, audience.Errorf(audience.NotFound, "sandbox %q does not exist", name)
	}
	return audience.Sandbox{ID: absentID, Org: a.Scope.Org, Name: name, Title: "Development", Type: audience.SandboxDevelopment, State: audience.SandboxActive}, nil
}

func (f *fake) CreateSandbox(_ context.Context, _ audience.Actor, sb audience.Sandbox) (audience.Sandbox, error) {
	if err := f.called(sb); err != nil {
		return sb, err
	}
	err := audience.ValidateSandbox(&sb)
	sb.ID, sb.State = absentID, audience.SandboxActive
	return sb, err
}

func (f *fake) ResetSandbox(ctx context.Context, a audience.Actor, name string) (audience.Sandbox, error) {
	sb, err := f.Sandbox(ctx, a, name)
	sb.State = audience.SandboxResetting
	return sb, err
}

func (f *fake) DeleteSandbox(ctx context.Context, a audience.Actor, name string) (audience.Sandbox, error) {
	sb, err := f.Sandbox(ctx, a, name)
	sb.State = audience.SandboxDeleting
	return sb, err
}
