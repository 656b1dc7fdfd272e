// Package metatest is the suite that every engine of the metadata store passes.
package metatest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/meta"
)

// Run runs the suite; open returns a fresh, empty store for each test.
func Run(t *testing.T, open func(t *testing.T) meta.Store) {
	for name, test := range map[string]func(*testing.T, *bench){
		"tenants":       testTenants,
		"connections":   testConnections,
		"namespaces":    testNamespaces,
		"tasks":         testTasks,
		"audiences":     testAudiences,
		"runs":          testRuns,
		"run list":      testRunList,
		"leases":        testLeases,
		"one at a time": testOneAtATime,
		"deletion":      testDeletion,
		"rollback":      testRollback,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newBench(t, open(t)))
		})
	}
}

// bench is a store with two sandboxes of one organization.
type bench struct {
	meta.Store
	t    *testing.T
	ctx  context.Context
	a, b audience.Scope
	now  time.Time
}

func newBench(t *testing.T, s meta.Store) *bench {
	b := &bench{Store: s, t: t, ctx: t.Context(), a: audience.Scope{Org: "o@x", Sandbox: "prod"}, b: audience.Scope{Org: "o@x", Sandbox: "dev"},
		now: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)}
	b.must(func(tx meta.Tx) error {
		if err := tx.CreateOrganization(b.ctx, "o@x"); err != nil {
			return err
		}
		for _, name := range []string{"prod", "dev"} {
			sb := audience.Sandbox{ID: uuid.NewString(), Org: "o@x", Name: name, Title: name, Type: "production", Default: name == "prod", CreatedAt: b.now}
			if err := tx.CreateSandbox(b.ctx, &sb); err != nil {
				return err
			}
			if sb.Num == 0 {
				t.Errorf("sandbox %s has no number", name)
			}
		}
		return nil
	})
	return b
}

func (b *bench) must(fn func(meta.Tx) error) {
	b.t.Helper()
	if err := b.Update(b.ctx, fn); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) fails(want error, fn func(meta.Tx) error) {
	b.t.Helper()
	if err := b.Update(b.ctx, fn); !errors.Is(err, want) {
		b.t.Fatalf("got %v, want %v", err, want)
	}
}

func (b *bench) task(scope audience.Scope, name string) audience.Task {
	id := audience.ID(uuid.NewString())
	t := audience.Task{ID: audience.TaskID(uuid.NewString()), Scope: scope, Status: audience.Processing, AudienceID: id, CreatedAt: b.now, UpdatedAt: b.now}
	t.Draft = audience.Audience{ID: id, Scope: scope, TaskID: t.ID, Name: name, Fields: []audience.Field{{Name: "mail", Type: audience.String, IdentityNs: "Email"}},
		TTLDays: 30, ProfileIngestion: true, CreatedAt: b.now, UpdatedAt: b.now}
	return t
}

// audience creates one.
func (b *bench) audience(scope audience.Scope, name string) audience.Audience {
	b.t.Helper()
	t := b.task(scope, name)
	b.must(func(tx meta.Tx) error { return tx.CreateTask(b.ctx, t) })
	t.Status = audience.Success
	b.must(func(tx meta.Tx) error { return tx.FinishTask(b.ctx, t) })
	a, err := b.Audience(b.ctx, scope, t.AudienceID)
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

func (b *bench) newRun(a audience.Audience) audience.Run {
	return audience.Run{ID: audience.RunID(uuid.NewString()), Scope: a.Scope, AudienceID: a.ID, Status: audience.Processing, CreatedAt: b.now, FlowID: "flow-" + string(a.ID),
		Stages: []audience.StageResult{{Stage: audience.StageDataset, Status: audience.Processing, FlowRunID: uuid.NewString()}}}
}

func (b *bench) run(a audience.Audience) audience.Run {
	b.t.Helper()
	r := b.newRun(a)
	b.must(func(tx meta.Tx) error { return tx.CreateRun(b.ctx, &r) })
	return r
}

// finish ends a run with the files it read.
func (b *bench) finish(r audience.Run, status audience.Status, files ...audience.PlannedFile) {
	b.t.Helper()
	r.Status = status
	r.Result.Members.After = 42
	for _, f := range files {
		r.Result.Files = append(r.Result.Files, audience.FileResult{PlannedFile: f})
	}
	b.must(func(tx meta.Tx) error {
		if _, err := tx.AcquireRun(b.ctx, r.ID, "w", b.now, b.now.Add(time.Minute)); err != nil {
			return err
		}
		return tx.FinishRun(b.ctx, r, "w")
	})
}

func testTenants(t *testing.T, b *bench) {
	orgs, err := b.Organizations(b.ctx)
	if err != nil || len(orgs) != 1 || orgs[0] != "o@x" {
		t.Fatalf("%v %v", orgs, err)
	}
	list, err := b.Sandboxes(b.ctx, "o@x")
	if err != nil || len(list) != 2 || list[0].Name != "dev" || !list[1].Default || !list[1].CreatedAt.Equal(b.now.Truncate(time.Microsecond)) {
		t.Fatalf("%+v %v", list, err)
	}
	if _, err := b.Sandbox(b.ctx, audience.Scope{Org: "other", Sandbox: "prod"}); !errors.Is(err, meta.ErrNotFound) {
		t.Fatal(err)
	}
	c := audience.Client{ID: "c1", Org: "o@x", Name: "admin", SecretHash: []byte{0, 1, 255}, Roles: map[string]audience.ClientRole{"*": audience.Admin}, CreatedAt: b.now}
	b.must(func(tx meta.Tx) error { return tx.CreateClient(b.ctx, c) })
	got, err := b.Client(b.ctx, "c1")
	if err != nil || string(got.SecretHash) != string(c.SecretHash) || got.Roles["*"] != audience.Admin {
		t.Fatalf("%+v %v", got, err)
	}
	b.fails(meta.ErrDuplicate, func(tx meta.Tx) error { return tx.CreateClient(b.ctx, c) })
	b.fails(meta.ErrDuplicate, func(tx meta.Tx) error { return tx.CreateOrganization(b.ctx, "o@x") })
}

func testConnections(t *testing.T, b *bench) {
	var ids []audience.ConnectionID
	for i := range 5 {
		c := audience.Connection{ID: audience.ConnectionID(uuid.NewString()), Scope: b.a, Name: fmt.Sprintf("Conn%d", i), Params: map[string]string{"root": "/x"}, CreatedAt: b.now.Add(time.Duration(i) * time.Second)}
		b.must(func(tx meta.Tx) error { return tx.CreateConnection(b.ctx, c) })
		ids = append(ids, c.ID)
	}
	b.fails(meta.ErrDuplicate, func(tx meta.Tx) error {
		return tx.CreateConnection(b.ctx, audience.Connection{ID: "x", Scope: b.a, Name: "conn3"})
	})
	page, err := b.Connections(b.ctx, b.a, "", "", 2)
	if err != nil || len(page) != 2 || page[1].ID != ids[1] {
		t.Fatalf("%v %v", page, err)
	}
	page, err = b.Connections(b.ctx, b.a, "", ids[1], 10)
	if err != nil || len(page) != 3 || page[0].ID != ids[2] {
		t.Fatalf("%v %v", page, err)
	}
	page, err = b.Connections(b.ctx, b.a, "CONN4", "", 10)
	if err != nil || len(page) != 1 || page[0].Params["root"] != "/x" {
		t.Fatalf("%v %v", page, err)
	}
	if _, err := b.Connection(b.ctx, b.b, ids[0]); !errors.Is(err, meta.ErrNotFound) {
		t.Fatal("a connection is seen from another sandbox", err)
	}
	task := b.task(b.a, "uses it")
	task.Draft.Source.BaseConnectionID = ids[0]
	inUse := func(want bool) {
		t.Helper()
		b.must(func(tx meta.Tx) error {
			got, err := tx.ConnectionInUse(b.ctx, b.a, ids[0])
			if got != want {
				t.Errorf("in use: %v, want %v", got, want)
			}
			return err
		})
	}
	inUse(false)
	b.must(func(tx meta.Tx) error { return tx.CreateTask(b.ctx, task) })
	inUse(true)
	task.Status = audience.Success
	b.must(func(tx meta.Tx) error { return tx.FinishTask(b.ctx, task) })
	inUse(true)
	b.must(func(tx meta.Tx) error { return tx.DeleteAudience(b.ctx, b.a, task.AudienceID) })
	inUse(false)
	b.must(func(tx meta.Tx) error { return tx.DeleteConnection(b.ctx, b.a, ids[0]) })
	b.fails(meta.ErrNotFound, func(tx meta.Tx) error { return tx.DeleteConnection(b.ctx, b.a, ids[0]) })
}

func testNamespaces(t *testing.T, b *bench) {
	n := audience.Namespace{Code: "Crm", Name: "CRM", Custom: true}
	b.must(func(tx meta.Tx) error { return tx.CreateNamespace(b.ctx, "o@x", &n) })
	if n.ID < 10_000 {
		t.Errorf("id %d", n.ID)
	}
	b.fails(meta.ErrDuplicate, func(tx meta.Tx) error {
		return tx.CreateNamespace(b.ctx, "o@x", &audience.Namespace{Code: "CRM"})
	})
	list, err := b.Namespaces(b.ctx, "o@x")
	if err != nil || len(list) != 1 || list[0].ID != n.ID || list[0].Code != "Crm" {
		t.Fatalf("%+v %v", list, err)
	}
	if list, _ := b.Namespaces(b.ctx, "other"); len(list) != 0 {
		t.Fatal("a namespace is seen from another organization")
	}
}

func testTasks(t *testing.T, b *bench) {
	task := b.task(b.a, "people")
	task.Draft.CustomID = "mine"
	b.must(func(tx meta.Tx) error { return tx.CreateTask(b.ctx, task) })
	got, err := b.Task(b.ctx, b.a, task.ID)
	if err != nil || got.Status != audience.Processing || got.Draft.Name != "people" {
		t.Fatalf("%+v %v", got, err)
	}
	if _, err := b.Task(b.ctx, b.b, task.ID); !errors.Is(err, meta.ErrNotFound) {
		t.Fatal(err)
	}
	b.fails(meta.ErrDuplicate, func(tx meta.Tx) error { return tx.CreateTask(b.ctx, b.task(b.a, "people")) })
	other := b.task(b.a, "others")
	other.Draft.CustomID = "mine"
	b.fails(meta.ErrDuplicate, func(tx meta.Tx) error { return tx.CreateTask(b.ctx, other) })
	b.must(func(tx meta.Tx) error { return tx.CreateTask(b.ctx, b.task(b.b, "people")) }) // another sandbox's
	task.Status = audience.Failed
	task.Error = audience.Errorf(audience.Impossible, "no such path")
	b.must(func(tx meta.Tx) error { return tx.FinishTask(b.ctx, task) })
	b.fails(meta.ErrStale, func(tx meta.Tx) error { return tx.FinishTask(b.ctx, task) })
	if got, _ := b.Task(b.ctx, b.a, task.ID); got.Status != audience.Failed || got.Error.Code != audience.Impossible {
		t.Fatalf("%+v", got)
	}
	b.must(func(tx meta.Tx) error { return tx.CreateTask(b.ctx, b.task(b.a, "people")) }) // the name is free again
}

func testAudiences(t *testing.T, b *bench) {
	a := b.audience(b.a, "one")
	b.audience(b.b, "elsewhere")
	second := b.audience(b.a, "two")
	if a.Num == 0 || second.Num <= a.Num {
		t.Errorf("numbers %d, %d", a.Num, second.Num)
	}
	if got, err := b.AudienceByNum(b.ctx, a.Num); err != nil || got.ID != a.ID {
		t.Fatalf("%+v %v", got, err)
	}
	list, total, err := b.Audiences(b.ctx, b.a, 1, 1)
	if err != nil || total != 2 || len(list) != 1 {
		t.Fatalf("%+v %d %v", list, total, err)
	}
	a.Description, a.TTLDays, a.Labels, a.UpdatedBy, a.Name = "new", 7, []string{"core/C1"}, "me", "not stored"
	b.must(func(tx meta.Tx) error { return tx.UpdateAudience(b.ctx, a) })
	got, _ := b.Audience(b.ctx, b.a, a.ID)
	if got.Description != "new" || got.TTLDays != 7 || got.UpdatedBy != "me" || got.Name != "one" || len(got.Labels) != 1 {
		t.Fatalf("%+v", got)
	}
	if _, err := b.Audience(b.ctx, b.b, a.ID); !errors.Is(err, meta.ErrNotFound) {
		t.Fatal(err)
	}
}

func testRuns(t *testing.T, b *bench) {
	a := b.audience(b.a, "people")
	r := b.run(a)
	if r.Seq != 1 || r.AudienceName != "people" {
		t.Fatalf("%+v", r)
	}
	files := []audience.PlannedFile{{Path: "a.csv", Version: "1", Status: audience.FileRead}, {Path: "b.csv", Version: "1", Status: audience.FileSkipped}}
	for i := range 450 {
		files = append(files, audience.PlannedFile{Path: fmt.Sprint("many/", i), Version: "1", Status: audience.FileRead})
	}
	b.finish(r, audience.Success, files...)
	read, err := b.ReadObjects(b.ctx, a.ID, append(files, audience.PlannedFile{Path: "a.csv", Version: "2"}))
	if err != nil || len(read) != 451 || !read["a.csv\x001"] || read["b.csv\x001"] || read["a.csv\x002"] {
		t.Fatalf("%d %v", len(read), err)
	}
	got, _ := b.Audience(b.ctx, b.a, a.ID)
	if got.LastRun != r.ID || got.Members != 42 || !got.RefreshedAt.Equal(r.CreatedAt) {
		t.Fatalf("%+v", got)
	}
	second := b.newRun(a)
	second.Request.Differential = true
	second.CreatedAt = b.now.Add(time.Hour)
	b.must(func(tx meta.Tx) error { return tx.CreateRun(b.ctx, &second) })
	b.finish(second, audience.Failed, audience.PlannedFile{Path: "c.csv", Version: "1", Status: audience.FileRead})
	if read, _ := b.ReadObjects(b.ctx, a.ID, []audience.PlannedFile{{Path: "c.csv", Version: "1"}}); len(read) != 0 {
		t.Error("a failed run's files count as read")
	}
	if got, _ := b.Audience(b.ctx, b.a, a.ID); got.LastRun != r.ID {
		t.Error("a failed run became the last one")
	}
	byFlow, err := b.RunByFlow(b.ctx, b.a, r.Stages[0].FlowRunID)
	if err != nil || byFlow.ID != r.ID {
		t.Fatalf("%v %v", byFlow.ID, err)
	}
	if byFlow, err = b.RunByFlow(b.ctx, b.a, r.FlowID); err != nil || byFlow.ID != second.ID {
		t.Fatalf("%v %v", byFlow.ID, err)
	}
	if _, err := b.RunByFlow(b.ctx, b.b, r.FlowID); !errors.Is(err, meta.ErrNotFound) {
		t.Fatal(err)
	}
	if _, err := b.Store.Run(b.ctx, b.b, a.ID, r.ID); !errors.Is(err, meta.ErrNotFound) {
		t.Fatal(err)
	}
}

func testRunList(t *testing.T, b *bench) {
	a := b.audience(b.a, "100%_people")
	var ids []audience.RunID
	for i := range 5 {
		r := b.newRun(a)
		r.CreatedAt = b.now.Add(time.Duration(i) * time.Hour)
		b.must(func(tx meta.Tx) error { return tx.CreateRun(b.ctx, &r) })
		status := audience.Success
		if i == 2 {
			status = audience.Failed
		}
		b.finish(r, status)
		ids = append(ids, r.ID)
	}
	at := fmt.Sprint(b.now.Add(2 * time.Hour).Unix())
	for _, c := range []struct {
		name  string
		q     meta.RunQuery
		want  []int
		total int
	}{
		{"newest first", meta.RunQuery{Limit: 2, SortBy: "createdAt", Descending: true}, []int{4, 3}, 5},
		{"second page", meta.RunQuery{Limit: 2, Offset: 2, SortBy: "createdAt"}, []int{2, 3}, 5},
		{"by name", meta.RunQuery{Limit: 9, SortBy: "name"}, []int{0, 1, 2, 3, 4}, 5},
		{"failed", meta.RunQuery{Limit: 9, Filters: []meta.RunFilter{{Property: "status", Op: "=", Value: "FAILED"}}}, []int{2}, 1},
		{"not failed", meta.RunQuery{Limit: 9, Filters: []meta.RunFilter{{Property: "status", Op: "!=", Value: "FAILED"}}}, []int{0, 1, 3, 4}, 4},
		{"name", meta.RunQuery{Limit: 9, Filters: []meta.RunFilter{{Property: "name", Op: "=contains", Value: "0%_p"}}}, []int{0, 1, 2, 3, 4}, 5},
		{"name not", meta.RunQuery{Limit: 9, Filters: []meta.RunFilter{{Property: "name", Op: "!=contains", Value: "%"}}}, nil, 0},
		{"a wildcard is text", meta.RunQuery{Limit: 9, Filters: []meta.RunFilter{{Property: "name", Op: "=contains", Value: "1%p"}}}, nil, 0},
		{"from", meta.RunQuery{Limit: 9, Filters: []meta.RunFilter{{Property: "createdAt", Op: ">=", Value: at}}}, []int{2, 3, 4}, 3},
		{"between", meta.RunQuery{Limit: 9, Filters: []meta.RunFilter{{Property: "createdAt", Op: "<", Value: at}, {Property: "status", Op: "=contains", Value: "SUCC"}}}, []int{0, 1}, 2},
	} {
		list, total, err := b.Runs(b.ctx, b.a, a.ID, c.q)
		if err != nil || total != c.total || len(list) != len(c.want) {
			t.Fatalf("%s: %d of %d, %v", c.name, len(list), total, err)
		}
		for i, w := range c.want {
			if list[i].ID != ids[w] {
				t.Errorf("%s: place %d holds another run", c.name, i)
			}
		}
	}
	if _, _, err := b.Runs(b.ctx, b.a, a.ID, meta.RunQuery{Limit: 1, Filters: []meta.RunFilter{{Property: "x", Op: "="}}}); err == nil {
		t.Error("an unknown filter is accepted")
	}
}

func testLeases(t *testing.T, b *bench) {
	a := b.audience(b.a, "people")
	r := b.run(a)
	acquire := func(worker string, at time.Duration) error {
		return b.Update(b.ctx, func(tx meta.Tx) error {
			_, err := tx.AcquireRun(b.ctx, r.ID, worker, b.now.Add(at), b.now.Add(at+30*time.Second))
			return err
		})
	}
	open := func(at time.Duration) int {
		_, runs, err := b.Unfinished(b.ctx, b.now.Add(at))
		if err != nil {
			t.Fatal(err)
		}
		return len(runs)
	}
	if open(0) != 1 {
		t.Error("a new run is not listed as unfinished")
	}
	if err := acquire("w1", 0); err != nil {
		t.Fatal(err)
	}
	if err := acquire("w2", time.Second); !errors.Is(err, meta.ErrLeaseHeld) {
		t.Fatal(err)
	}
	if open(time.Second) != 0 {
		t.Error("a leased run is listed as unfinished")
	}
	if err := acquire("w1", 20*time.Second); err != nil {
		t.Fatal("renewal:", err)
	}
	if err := acquire("w2", 40*time.Second); !errors.Is(err, meta.ErrLeaseHeld) {
		t.Fatal("the renewal did not hold:", err)
	}
	if open(time.Minute) != 1 {
		t.Error("an expired lease hides its run")
	}
	if err := acquire("w2", time.Minute); err != nil {
		t.Fatal("take-over:", err)
	}
	b.fails(meta.ErrStale, func(tx meta.Tx) error { return tx.SaveRun(b.ctx, r, "w1") })
	r.Progress.Rows = 7
	b.must(func(tx meta.Tx) error { return tx.SaveRun(b.ctx, r, "w2") })
	if got, _ := b.Store.Run(b.ctx, b.a, a.ID, r.ID); got.Progress.Rows != 7 {
		t.Errorf("%+v", got.Progress)
	}
	b.must(func(tx meta.Tx) error { return tx.DropLeases(b.ctx) })
	if err := acquire("w3", time.Minute); err != nil {
		t.Fatal(err)
	}
	r.Status = audience.Success
	b.must(func(tx meta.Tx) error { return tx.FinishRun(b.ctx, r, "w3") })
	if err := acquire("w3", time.Minute); !errors.Is(err, meta.ErrStale) {
		t.Fatal(err)
	}
	b.fails(meta.ErrNotFound, func(tx meta.Tx) error {
		_, err := tx.AcquireRun(b.ctx, "absent", "w", b.now, b.now)
		return err
	})
	task := b.task(b.a, "leased")
	b.must(func(tx meta.Tx) error { return tx.CreateTask(b.ctx, task) })
	b.must(func(tx meta.Tx) error {
		_, err := tx.AcquireTask(b.ctx, task.ID, "w1", b.now, b.now.Add(time.Minute))
		return err
	})
	b.fails(meta.ErrLeaseHeld, func(tx meta.Tx) error {
		_, err := tx.AcquireTask(b.ctx, task.ID, "w2", b.now, b.now.Add(time.Minute))
		return err
	})
}

func testOneAtATime(t *testing.T, b *bench) {
	a := b.audience(b.a, "people")
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for range 8 {
		wg.Go(func() {
			r := b.newRun(a)
			err := b.Update(b.ctx, func(tx meta.Tx) error { return tx.CreateRun(b.ctx, &r) })
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				made++
			} else if !errors.Is(err, meta.ErrRunInProgress) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made != 1 {
		t.Errorf("%d runs at once", made)
	}
}

func testDeletion(t *testing.T, b *bench) {
	a := b.audience(b.a, "people")
	r := b.run(a)
	b.must(func(tx meta.Tx) error {
		_, err := tx.AcquireRun(b.ctx, r.ID, "w", b.now, b.now.Add(time.Hour))
		return err
	})
	b.fails(meta.ErrNotFound, func(tx meta.Tx) error { return tx.DeleteAudience(b.ctx, b.b, a.ID) })
	b.must(func(tx meta.Tx) error { return tx.DeleteAudience(b.ctx, b.a, a.ID) })
	b.fails(meta.ErrNotFound, func(tx meta.Tx) error { return tx.DeleteAudience(b.ctx, b.a, a.ID) })
	b.fails(meta.ErrStale, func(tx meta.Tx) error { return tx.SaveRun(b.ctx, r, "w") })
	b.fails(meta.ErrStale, func(tx meta.Tx) error { return tx.FinishRun(b.ctx, r, "w") })
	b.fails(meta.ErrNotFound, func(tx meta.Tx) error { r := b.newRun(a); return tx.CreateRun(b.ctx, &r) })
	for name, err := range map[string]error{
		"audience": second(b.Audience(b.ctx, b.a, a.ID)), "by number": second(b.AudienceByNum(b.ctx, a.Num)),
		"run": second(b.Store.Run(b.ctx, b.a, a.ID, r.ID)), "by flow": second(b.RunByFlow(b.ctx, b.a, r.FlowID)),
	} {
		if !errors.Is(err, meta.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, total, _ := b.Audiences(b.ctx, b.a, 0, 10); len(list) != 0 || total != 0 {
		t.Error("a deleted audience is listed")
	}
	left, err := b.Unswept(b.ctx)
	if err != nil || len(left) != 1 || left[0].ID != a.ID || left[0].Num != a.Num || left[0].SandboxNum == 0 || left[0].Scope != b.a {
		t.Fatalf("%+v %v", left, err)
	}
	again := b.audience(b.a, "people")
	if again.Num == a.Num {
		t.Error("a number was given twice")
	}
	b.must(func(tx meta.Tx) error { return tx.MarkSwept(b.ctx, a.ID) })
	if left, _ := b.Unswept(b.ctx); len(left) != 0 {
		t.Error("a swept audience is still listed")
	}
}

func second[T any](_ T, err error) error { return err }

func testRollback(t *testing.T, b *bench) {
	stop := errors.New("stop")
	task := b.task(b.a, "people")
	b.fails(stop, func(tx meta.Tx) error {
		if err := tx.CreateTask(b.ctx, task); err != nil {
			return err
		}
		if _, err := tx.Task(b.ctx, b.a, task.ID); err != nil {
			t.Error("a transaction does not see its own write:", err)
		}
		return stop
	})
	if _, err := b.Task(b.ctx, b.a, task.ID); !errors.Is(err, meta.ErrNotFound) {
		t.Fatal(err)
	}
}
