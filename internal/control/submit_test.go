package control_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/job"
	"roster/internal/lake"
	"roster/internal/meta"
)

func taskJob(t audience.Task) job.Job { return job.Job{Kind: job.Task, ID: string(t.ID)} }

func (w *world) task(id audience.TaskID) audience.Task {
	w.t.Helper()
	task, err := w.Task(w.t.Context(), w.editor, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return task
}

func TestSubmit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := draft("list")
	task, err := w.Submit(t.Context(), w.editor, d)
	if err != nil {
		t.Fatal(err)
	}
	if d.Fields[0].IdentityNs != "email" {
		t.Error("the caller's fields were changed")
	}
	got := task.Draft
	if task.Status != audience.Processing || got.ID != task.AudienceID || got.TaskID != task.ID || got.Fields[0].IdentityNs != "Email" ||
		got.TTLDays != 30 || got.CreatedBy != "client-1" || !got.CreatedAt.Equal(w.clock.now()) || got.Scope != w.editor.Scope {
		t.Errorf("%+v", task)
	}
	w.jobs.want("submit", taskJob(task))
	if stored := w.task(task.ID); !reflect.DeepEqual(stored, task) {
		t.Errorf("stored %+v\nwant %+v", stored, task)
	}
	_, err = w.Audience(t.Context(), w.editor, task.AudienceID)
	wantCode(t, "an audience whose task has not ended", err, audience.NotFound)

	for range 2 { // the second time the task has already ended
		w.handle(taskJob(task))
		if stored := w.task(task.ID); stored.Status != audience.Success || stored.Error != nil {
			t.Fatalf("%+v", stored)
		}
	}
	a, err := w.Audience(t.Context(), w.editor, task.AudienceID)
	if err != nil || a.Name != "list" || a.TaskID != task.ID || !a.ProfileIngestion {
		t.Errorf("%+v, %v", a, err)
	}
	table := lake.TableID{Namespace: "ABC_40RosterOrg__prod", Name: string(a.ID)}
	if len(w.lake.tables) != 1 || !reflect.DeepEqual(w.lake.tables[table], a.Fields) {
		t.Errorf("tables %v", w.lake.tables)
	}
	list, total, err := w.Audiences(t.Context(), w.editor, audience.AudienceQuery{})
	if err != nil || total != 1 || len(list) != 1 || list[0].ID != a.ID {
		t.Errorf("%v %d %v", list, total, err)
	}
}

func TestSubmitRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	taken := draft("taken")
	taken.CustomID = "mine"
	w.submit(taken)
	conn := w.connect("files", w.root)
	zone, err := w.CreateConnection(t.Context(), w.editor, audience.Connection{Name: "zone", SpecID: audience.SpecLandingZone})
	if err != nil {
		t.Fatal(err)
	}
	w.jobs.take()
	for name, c := range map[string]struct {
		change  func(d *control.Draft)
		code    audience.Code
		mention string
	}{
		"invalid":               {func(d *control.Draft) { d.Fields[1].Type = "decimal" }, audience.Invalid, "fields[1].type"},
		"unknown namespace":     {func(d *control.Draft) { d.Fields[0].IdentityNs = "Emial" }, audience.Invalid, "Email"},
		"name taken":            {func(d *control.Draft) { d.Name = "taken" }, audience.Duplicate, "name \"taken\""},
		"custom id taken":       {func(d *control.Draft) { d.CustomID = "mine" }, audience.Duplicate, "customAudienceId \"mine\""},
		"no such connection":    {from("1d1d4bc5-b527-46a3-9863-530246a61b2b", ""), audience.Invalid, "sourceSpec.baseConnectionId"},
		"no id of a connection": {from("files", ""), audience.Invalid, "sourceSpec.baseConnectionId"},
		"local, but DLZ":        {from(conn.ID, "DLZ"), audience.Invalid, "sourceSpec.cloudType"},
		"zone, but S3":          {from(zone.ID, "S3"), audience.Invalid, "sourceSpec.cloudType"},
	} {
		d := draft("new")
		c.change(&d)
		_, err := w.Submit(t.Context(), w.editor, d)
		wantCode(t, name, err, c.code, c.mention)
	}
	if _, total, _ := w.Audiences(t.Context(), w.editor, audience.AudienceQuery{}); total != 1 {
		t.Errorf("%d audiences", total)
	}
	w.jobs.want("refused submits")
}

// from sets the connection of the audience's source.
func from(id audience.ConnectionID, cloud string) func(d *control.Draft) {
	return func(d *control.Draft) { d.Source.BaseConnectionID, d.Source.CloudType = id, cloud }
}

func TestSubmitPlaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(w.root+"/lists/a.csv", "mail\n")
	conn := w.connect("files", w.root)
	zone, err := w.CreateConnection(t.Context(), w.editor, audience.Connection{Name: "zone", SpecID: audience.SpecLandingZone})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		source audience.SourceSpec
		path   string
	}{
		"file of a connection":    {audience.SourceSpec{Path: "lists/a.csv", Type: audience.PathFile, BaseConnectionID: conn.ID}, "lists/a.csv"},
		"local in the place of S": {audience.SourceSpec{Path: "lists/a.csv", Type: audience.PathFile, BaseConnectionID: conn.ID, CloudType: "S3"}, "lists/a.csv"},
		"folder":                  {audience.SourceSpec{Path: "lists/", Type: audience.PathFolder, BaseConnectionID: conn.ID}, "lists"},
		"landing zone":            {audience.SourceSpec{Path: "dlz-user-container/in.csv", Type: audience.PathFile, CloudType: "DLZ"}, "in.csv"},
		"landing zone as a whole": {audience.SourceSpec{Path: "dlz-user-container", Type: audience.PathFolder, CloudType: "DLZ"}, ""},
		"connection to the zone":  {audience.SourceSpec{Path: "dlz-user-container/in.csv", Type: audience.PathFile, BaseConnectionID: zone.ID}, "in.csv"},
	} {
		d := draft(name)
		d.Source = c.source
		if a := w.submit(d); a.Source.Path != c.path {
			t.Errorf("%s: path %q, want %q", name, a.Source.Path, c.path)
		}
	}
}

func TestSubmitCustomNamespace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.CreateNamespace(t.Context(), w.editor, audience.Namespace{Name: "Airport", Code: "IATA", IDType: "Cross_device"}); err != nil {
		t.Fatal(err)
	}
	d := draft("airports")
	d.Fields[0].IdentityNs = "iata"
	if a := w.submit(d); a.Fields[0].IdentityNs != "IATA" {
		t.Errorf("%+v", a.Fields)
	}
}

// TestTaskFails checks that a task with an unusable path fails and frees its name.
func TestTaskFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lists := w.landing("lists")
	if err := errors.Join(os.Symlink("/etc", w.landing("link")), os.Mkdir(lists, 0o700), os.WriteFile(filepath.Join(lists, "a.csv"), []byte("mail\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	gone := w.connect("gone", w.root+"/gone")
	if err := os.Remove(w.root + "/gone"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		source audience.SourceSpec
		code   audience.Code
		text   string
	}{
		"folder as file":    {audience.SourceSpec{Path: "lists", Type: audience.PathFile, CloudType: "DLZ"}, audience.Invalid, "is a folder"},
		"file as folder":    {audience.SourceSpec{Path: "in.csv", Type: audience.PathFolder, CloudType: "DLZ"}, audience.Invalid, "in.csv"},
		"behind a link":     {audience.SourceSpec{Path: "link/passwd", Type: audience.PathFile, CloudType: "DLZ"}, audience.Invalid, "sourceSpec.path"},
		"corrected rows":    {audience.SourceSpec{Path: ".resubmitted", Type: audience.PathFolder, CloudType: "DLZ"}, audience.Invalid, ".resubmitted"},
		"connection broken": {audience.SourceSpec{Path: "in.csv", Type: audience.PathFile, BaseConnectionID: gone.ID}, audience.BadGateway, "gone"},
	} {
		d := draft("list")
		d.Source = c.source
		task, err := w.Submit(t.Context(), w.editor, d)
		if err != nil {
			t.Fatal(name, err)
		}
		w.handle(taskJob(task))
		w.handle(taskJob(task))
		stored := w.task(task.ID)
		if stored.Status != audience.Failed {
			t.Errorf("%s: %+v", name, stored)
			continue
		}
		wantCode(t, name, stored.Error, c.code, c.text)
		_, err = w.Audience(t.Context(), w.editor, task.AudienceID)
		wantCode(t, name, err, audience.NotFound)
	}
	if w.lake.count() != 0 {
		t.Errorf("failed tasks left %d datasets", w.lake.count())
	}
	w.submit(draft("list"))
}

// TestSubmitBeforeFiles creates audiences before their files exist, and audiences with columns that look as if they
// should have a role.
func TestSubmitBeforeFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, src := range []audience.SourceSpec{
		{Path: "later.csv", Type: audience.PathFile, CloudType: "DLZ"}, {Path: "later", Type: audience.PathFolder, CloudType: "DLZ"},
	} {
		d := draft(fmt.Sprint("later ", i))
		d.Source = src
		d.Fields = append(d.Fields, audience.Field{Name: "delete", Type: audience.Number}, audience.Field{Name: "process_consent", Type: audience.String})
		task, err := w.Submit(t.Context(), w.editor, d)
		if err != nil {
			t.Fatal(err)
		}
		w.handle(taskJob(task))
		done := w.task(task.ID)
		var codes []string
		for _, warning := range done.Warnings {
			codes = append(codes, warning.Code)
		}
		if want := []string{audience.WarnPathAbsent, audience.WarnDeleteRole, audience.WarnConsentRole}; done.Status != audience.Success || !slices.Equal(codes, want) {
			t.Fatalf("%+v, want the warnings %v", done, want)
		}
		if detail := done.Warnings[0].Detail; !strings.Contains(detail, src.Path) {
			t.Errorf("a warning that names no path: %s", detail)
		}
	}
}

// TestTaskCrashes stops a task at each of its steps. When the job is repeated, the task ends as if nothing had
// happened.
func TestTaskCrashes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fail, mend func(w *world)
		want       error
	}{
		"before the lease": {func(w *world) { w.store.failAfter(0) }, func(w *world) { w.store.failing(nil) }, errDown},
		"at the dataset":   {func(w *world) { w.lake.down(errDown) }, func(w *world) { w.lake.down(nil) }, errDown},
		"at the end":       {func(w *world) { w.store.failAfter(1) }, func(w *world) { w.store.failing(nil) }, errDown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			task, err := w.Submit(t.Context(), w.editor, draft("list"))
			if err != nil {
				t.Fatal(err)
			}
			c.fail(w)
			if err := w.Handle(t.Context(), taskJob(task)); !errors.Is(err, c.want) {
				t.Errorf("got %v", err)
			}
			c.mend(w)
			if stored := w.task(task.ID); stored.Status != audience.Processing {
				t.Errorf("%+v", stored)
			}
			// The lease was released: another process need not wait for its end.
			if err := w.other().Handle(t.Context(), taskJob(task)); err != nil {
				t.Error(err)
			}
			if stored := w.task(task.ID); stored.Status != audience.Success {
				t.Errorf("%+v", stored)
			}
		})
	}
}

// TestTaskOfDeadWorker continues a task whose process died while it held the lease.
func TestTaskOfDeadWorker(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	task, err := w.Submit(t.Context(), w.editor, draft("list"))
	if err != nil {
		t.Fatal(err)
	}
	now := w.clock.now()
	w.update(func(tx meta.Tx) error {
		_, err := tx.AcquireTask(t.Context(), task.ID, "dead", now, now.Add(30*time.Second))
		return err
	})
	w.jobs.take()
	w.handle(taskJob(task))
	if stored := w.task(task.ID); stored.Status != audience.Processing {
		t.Errorf("another worker's task was touched: %+v", stored)
	}
	w.recover("while the lease lasts")
	w.clock.advance(31 * time.Second)
	w.recover("after the lease", taskJob(task))
	w.handle(taskJob(task))
	if stored := w.task(task.ID); stored.Status != audience.Success {
		t.Errorf("%+v", stored)
	}
}

func TestTaskAbsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []audience.TaskID{"0b6f3a57-1111-4222-8333-444455556666", "x", ""} {
		_, err := w.Task(t.Context(), w.editor, id)
		wantCode(t, string(id), err, audience.NotFound)
		w.handle(job.Job{Kind: job.Task, ID: string(id)})
	}
	if err := w.Handle(t.Context(), job.Job{Kind: "other"}); err == nil {
		t.Error("a job of an unknown kind was done")
	}
}
