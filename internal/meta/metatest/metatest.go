// Package metatest is the conformance suite of meta.Store, which every engine runs.
package metatest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/meta"
)

// Run runs the suite. open returns a fresh, empty store each time, which the suite closes.
func Run(t *testing.T, open func(t *testing.T) meta.Store) {
	for name, test := range map[string]func(*world){
		"Directory":             testDirectory,
		"Organizations":         testOrganizations,
		"Sandboxes":             testSandboxes,
		"SandboxStates":         testSandboxStates,
		"SandboxClear":          testClearSandbox,
		"SandboxDelete":         testDeleteSandbox,
		"Clients":               testClients,
		"ClientUpdate":          testClientUpdate,
		"ClientPages":           testClientPages,
		"Audit":                 testAudit,
		"AuditFilters":          testAuditFilters,
		"Namespaces":            testNamespaces,
		"Connections":           testConnections,
		"ConnectionUpdate":      testConnectionUpdate,
		"ConnectionPages":       testConnectionPages,
		"ConnectionInUse":       testConnectionInUse,
		"Keys":                  testKeys,
		"KeyInUse":              testKeyInUse,
		"Tasks":                 testTasks,
		"TaskNames":             testTaskNames,
		"TaskFinish":            testTaskFinish,
		"TaskLease":             testTaskLease,
		"Audiences":             testAudiences,
		"AudienceList":          testAudienceList,
		"AudienceOrders":        testAudienceOrders,
		"AudiencePages":         testAudiencePages,
		"AudienceFilters":       testAudienceFilters,
		"AudiencesByID":         testAudiencesByID,
		"AudiencesSeen":         testAudiencesSeen,
		"AudienceUpdate":        testAudienceUpdate,
		"AudienceDelete":        testAudienceDelete,
		"Sweep":                 testSweep,
		"Maintenance":           testMaintenance,
		"Schedules":             testSchedules,
		"Runs":                  testRuns,
		"RunInsert":             testRunInsert,
		"RunOneAtATime":         testRunOneAtATime,
		"RunConcurrentCreation": testRunConcurrentCreation,
		"RunLease":              testRunLease,
		"RunSave":               testRunSave,
		"RunProgress":           testRunProgress,
		"RunProgressBeside":     testRunProgressBesideTransactions,
		"RunFinish":             testRunFinish,
		"RunFinishFailed":       testRunFinishFailed,
		"RunByFlow":             testRunByFlow,
		"FlowRuns":              testFlowRuns,
		"NewestRuns":            testNewestRuns,
		"AudienceByFlow":        testAudienceByFlow,
		"RunList":               testRunList,
		"RunFilters":            testRunFilters,
		"RunsSince":             testRunsSince,
		"LastIngested":          testLastIngested,
		"ReadObjects":           testReadObjects,
		"Unfinished":            testUnfinished,
		"Committed":             testCommitted,
		"Answers":               testAnswers,
		"Uploads":               testUploads,
		"QuotaHolds":            testQuotaHolds,
		"Erasures":              testErasures,
		"Sealed":                testSealed,
		"Webhooks":              testWebhooks,
		"WebhookDeliveries":     testDeliveries,
		"WebhooksDue":           testDueWebhooks,
		"WebhooksOfSandbox":     testClearWebhooks,
		"EndLeases":             testDropLeases,
		"Attempts":              testAttempts,
		"ResetFutureTimes":      testResetFutureTimes,
		"Rollback":              testRollback,
		"DuplicateKeepsTx":      testDuplicateKeepsTx,
		"ConcurrentUpdates":     testConcurrentUpdates,
		"Tenancy":               testTenancy,
		"Unstorable":            testUnstorable,
		"Close":                 testClose,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			w := &world{T: t, s: s, scope: audience.Scope{Org: "org", Sandbox: "prod"}}
			test(w)
		})
	}
}

// world is one test's store and its tenant.
type world struct {
	*testing.T
	s     meta.Store
	scope audience.Scope
}

// epoch is when everything in the tests happens.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

func at(seconds int) time.Time { return epoch.Add(time.Duration(seconds) * time.Second) }

func id() string { return uuid.NewString() }

// update runs fn in a transaction that must commit.
func (w *world) update(fn func(tx meta.Tx) error) {
	w.Helper()
	if err := w.s.Update(w.Context(), fn); err != nil {
		w.Fatalf("update: %v", err)
	}
}

// refused runs fn in a transaction and wants its error.
func (w *world) refused(want error, fn func(tx meta.Tx) error) {
	w.Helper()
	if err := w.s.Update(w.Context(), fn); !errors.Is(err, want) {
		w.Fatalf("update: %v, want %v", err, want)
	}
}

func (w *world) want(err, want error) {
	w.Helper()
	if !errors.Is(err, want) {
		w.Fatalf("got error %v, want %v", err, want)
	}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// equal compares and shows both sides.
func equal[T any](w *world, what string, got, want T) {
	w.Helper()
	if !reflect.DeepEqual(got, want) {
		w.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// tenant creates the test's organization and sandbox.
func (w *world) tenant() audience.Sandbox {
	w.Helper()
	s := audience.Sandbox{ID: id(), Org: w.scope.Org, Name: w.scope.Sandbox, Title: "Production", Type: "production", Default: true, CreatedAt: at(0)}
	w.update(func(tx meta.Tx) error {
		if err := tx.CreateOrganization(w.Context(), w.scope.Org); err != nil && !errors.Is(err, meta.ErrDuplicate) {
			return err
		}
		return tx.CreateSandbox(w.Context(), &s)
	})
	return s
}

// draft returns an audience as it is submitted, with every field set.
func (w *world) draft(name string) audience.Audience {
	return audience.Audience{
		Name: name, CustomID: "", Description: "people", Scope: w.scope,
		Fields: []audience.Field{
			{Name: "email", Type: audience.String, IdentityNs: "Email", Labels: []string{"core/I1"}},
			{Name: "left", Type: audience.Boolean, Role: audience.RoleDelete},
		},
		Source:  audience.SourceSpec{Path: "in/people.csv", Type: audience.PathFile, SourceType: audience.SourceTypeCloud, OtherForm: true},
		TTLDays: 40, Labels: []string{"core/C1"}, Tags: []string{"a", "b"},
		AudienceType: audience.TypePeople, OriginName: audience.OriginUpload, Namespace: audience.DefaultNamespace,
		ProfileIngestion: true, CreatedBy: "client", CreatedAt: at(0), UpdatedBy: "client", UpdatedAt: at(0),
	}
}

func (w *world) task(draft audience.Audience, created time.Time) audience.Task {
	draft.CreatedAt = created
	return audience.Task{ID: audience.TaskID(id()), Scope: w.scope, Status: audience.Processing, AudienceID: audience.ID(id()),
		Draft: draft, CreatedAt: created, UpdatedAt: created}
}

// submit records a task for an audience.
func (w *world) submit(draft audience.Audience, created time.Time) audience.Task {
	w.Helper()
	t := w.task(draft, created)
	w.update(func(tx meta.Tx) error { return tx.CreateTask(w.Context(), t) })
	return t
}

// finish ends a task.
func (w *world) finish(t audience.Task, status audience.Status) {
	w.Helper()
	t.Status = status
	w.update(func(tx meta.Tx) error { return tx.FinishTask(w.Context(), t) })
}

// audience creates an audience and returns it as it is stored.
func (w *world) audience(name string) audience.Audience {
	w.Helper()
	return w.audienceAt(name, at(0))
}

func (w *world) audienceAt(name string, created time.Time) audience.Audience {
	w.Helper()
	t := w.submit(w.draft(name), created)
	w.finish(t, audience.Success)
	a, err := w.s.Audience(w.Context(), w.scope, t.AudienceID)
	w.must(err)
	return a
}

func (w *world) newRun(a audience.Audience, created time.Time) audience.Run {
	return audience.Run{
		ID: audience.RunID(id()), Scope: w.scope, AudienceID: a.ID, CreatedBy: "client", CreatedAt: created, UpdatedAt: created,
		Request: audience.RunRequest{Differential: true, WindowEnd: created, Reason: "nightly"}, Status: audience.Processing, FlowID: "flow-" + string(a.ID),
		Stages: []audience.StageResult{
			{Stage: audience.StageDataset, Status: audience.Processing, FlowRunID: id()},
			{Stage: audience.StageProfile, Status: audience.Processing, FlowRunID: id()},
		},
	}
}

// start records a run, changed by the functions.
func (w *world) start(a audience.Audience, created time.Time, change ...func(*audience.Run)) audience.Run {
	w.Helper()
	r := w.newRun(a, created)
	for _, c := range change {
		c(&r)
	}
	w.update(func(tx meta.Tx) error { return tx.CreateRun(w.Context(), &r) })
	return r
}

// acquire takes the run's lease for a minute.
func (w *world) acquire(r audience.Run, worker string) audience.Run {
	w.Helper()
	return w.acquireAt(r, worker, at(0))
}

func (w *world) acquireAt(r audience.Run, worker string, now time.Time) audience.Run {
	w.Helper()
	w.update(func(tx meta.Tx) (err error) {
		r, err = tx.AcquireRun(w.Context(), r.ID, worker, now, now.Add(time.Minute))
		return err
	})
	return r
}

// end brings a run to its end.
func (w *world) end(r audience.Run, status audience.Status) audience.Run {
	w.Helper()
	r = w.acquire(r, "ender")
	r.Status, r.EndedAt, r.UpdatedAt = status, r.CreatedAt.Add(time.Second), r.CreatedAt.Add(time.Second)
	w.update(func(tx meta.Tx) error { return tx.FinishRun(w.Context(), r, "ender") })
	return r
}

func (w *world) run(r audience.Run) audience.Run {
	w.Helper()
	got, err := w.s.Run(w.Context(), w.scope, r.AudienceID, r.ID)
	w.must(err)
	return got
}

func fileResult(path, version string, status audience.FileStatus) audience.FileResult {
	return audience.FileResult{
		PlannedFile: audience.PlannedFile{Path: path, Size: 10, ModifiedAt: at(-10), Version: version, Status: status},
		Rows:        audience.Rows{Read: 2, Added: 2},
	}
}

func numbered(prefix string, n int) string { return fmt.Sprintf("%s-%05d", prefix, n) }
