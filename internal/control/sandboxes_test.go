package control_test

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/job"
	"roster/internal/meta"
)

// administrator is an administrator of the whole organization.
func (w *world) administrator() audience.Actor {
	a := w.admin()
	a.OrgRole = audience.Admin
	return a
}

func sandboxJob(sb audience.Sandbox) job.Job {
	return job.Job{Kind: job.Sandbox, ID: strconv.Itoa(int(sb.Num))}
}

// drain does all due work, and the work that follows from it, as time passes.
func (w *world) drain() {
	w.t.Helper()
	for range 20 {
		w.clock.advance(time.Minute)
		if err := w.Recover(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		for _, j := range w.jobs.take() {
			w.handle(j)
		}
	}
}

func TestCreateSandbox(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sb, err := w.CreateSandbox(t.Context(), w.administrator(), audience.Sandbox{Name: "dev", Title: "Development", Default: true, Org: "x", State: "x"})
	if err != nil || sb.Num == 0 || sb.ID == "" || sb.Org != w.editor.Scope.Org || sb.Default || sb.Type != audience.SandboxDevelopment || sb.State != audience.SandboxActive {
		t.Errorf("%+v, %v", sb, err)
	}
	got, err := w.Sandbox(t.Context(), w.editor, "dev")
	if err != nil || got != sb {
		t.Errorf("%+v, %v", got, err)
	}
	if list, err := w.Sandboxes(t.Context(), w.editor); err != nil || len(list) != 2 {
		t.Errorf("%+v, %v", list, err)
	}
	_, err = w.CreateSandbox(t.Context(), w.administrator(), audience.Sandbox{Name: "dev", Title: "D"})
	wantCode(t, "a name that is taken", err, audience.Duplicate)
	_, err = w.CreateSandbox(t.Context(), w.administrator(), audience.Sandbox{Name: "..", Title: "D"})
	wantCode(t, "a name that is none", err, audience.Invalid, "name")
	_, err = w.CreateSandbox(t.Context(), w.admin(), audience.Sandbox{Name: "qa", Title: "D"})
	wantCode(t, "by the administrator of one sandbox", err, audience.Forbidden)
	_, err = w.DeleteSandbox(t.Context(), w.admin(), "prod")
	wantCode(t, "a deletion by the administrator of one sandbox", err, audience.Forbidden)
	_, err = w.ResetSandbox(t.Context(), w.admin(), "prod")
	wantCode(t, "a reset by the administrator of one sandbox", err, audience.Forbidden)
	_, err = w.Sandbox(t.Context(), w.editor, "nowhere")
	wantCode(t, "one that is not there", err, audience.NotFound)
	_, err = w.DeleteSandbox(t.Context(), w.administrator(), "nowhere")
	wantCode(t, "a deletion of one that is not there", err, audience.NotFound)
	_, err = w.DeleteSandbox(t.Context(), w.administrator(), "prod")
	wantCode(t, "a deletion of the default one", err, audience.Impossible, "default")
}

// fill puts an audience with a run, a connection, an unfinished submit and a file into the actor's sandbox.
func (w *world) fill(a audience.Actor) (audience.Audience, audience.Connection, audience.Task) {
	w.t.Helper()
	if _, err := w.Upload(w.t.Context(), a, "more.csv", whole(strings.NewReader("mail\n"))); err != nil {
		w.t.Fatal(err)
	}
	task, err := w.Submit(w.t.Context(), a, uploaded("a"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.handle(job.Job{Kind: job.Task, ID: string(task.ID)})
	aud, err := w.Audience(w.t.Context(), a, task.AudienceID)
	if err != nil {
		w.t.Fatal(err)
	}
	run, err := w.StartRun(w.t.Context(), a, aud.ID, audience.RunRequest{Differential: true})
	if err != nil {
		w.t.Fatal(err)
	}
	w.handle(runJob(run))
	conn, err := w.CreateConnection(w.t.Context(), a, localConnection("files", w.root))
	if err != nil {
		w.t.Fatal(err)
	}
	open, err := w.Submit(w.t.Context(), a, uploaded("unfinished"))
	if err != nil {
		w.t.Fatal(err)
	}
	return aud, conn, open
}

// uploaded is the draft of an audience of the file that fill uploads.
func uploaded(name string) control.Draft {
	d := draft(name)
	d.Source.Path = "more.csv"
	return d
}

func TestDeleteSandbox(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kept, keptConn, _ := w.fill(w.editor)
	sb, err := w.CreateSandbox(t.Context(), w.administrator(), audience.Sandbox{Name: "dev", Title: "Development"})
	if err != nil {
		t.Fatal(err)
	}
	dev := w.editor
	dev.Scope.Sandbox = "dev"
	_, conn, _ := w.fill(dev)
	w.jobs.take()

	left, err := w.DeleteSandbox(t.Context(), w.administrator(), "dev")
	if err != nil || left.State != audience.SandboxDeleting || left.Num != sb.Num {
		t.Fatalf("%+v, %v", left, err)
	}
	w.jobs.want("a deletion", sandboxJob(sb))
	_, err = w.Submit(t.Context(), dev, uploaded("late"))
	wantCode(t, "a submit by who came in before", err, audience.Impossible, "deleting")
	_, err = w.CreateConnection(t.Context(), dev, localConnection("late", w.root))
	wantCode(t, "a connection by who came in before", err, audience.Impossible, "deleting")
	_, err = w.DeleteSandbox(t.Context(), w.administrator(), "dev")
	wantCode(t, "twice", err, audience.Impossible, "already")
	_, err = w.ResetSandbox(t.Context(), w.administrator(), "dev")
	wantCode(t, "a reset while it is deleted", err, audience.Impossible, "deleting")

	w.handle(sandboxJob(sb)) // cannot end yet: a submit is unfinished, and data must be removed
	if sb, err := w.Sandbox(t.Context(), w.editor, "dev"); err != nil || sb.State != audience.SandboxDeleting {
		t.Errorf("%+v, %v", sb, err)
	}
	w.drain()
	_, err = w.Sandbox(t.Context(), w.editor, "dev")
	wantCode(t, "the deleted sandbox", err, audience.NotFound)
	if _, err := w.store.Connection(t.Context(), dev.Scope, conn.ID); !errors.Is(err, meta.ErrNotFound) {
		t.Errorf("its connection: %v", err)
	}
	if _, err := os.Stat(w.landing("../dev")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its landing zone: %v", err)
	}
	if n := w.lake.count(); n != 2 { // of prod: the audience, and the submit, which has ended meanwhile
		t.Errorf("%d datasets are left, want 2", n)
	}
	w.profile.mu.Lock()
	for _, ref := range w.profile.drops {
		if ref.Sandbox != sb.Num {
			t.Errorf("an audience of another sandbox was dropped: %+v", ref)
		}
	}
	if len(w.profile.drops) < 2 {
		t.Errorf("dropped %+v", w.profile.drops)
	}
	w.profile.mu.Unlock()
	if _, err := w.Audience(t.Context(), w.editor, kept.ID); err != nil {
		t.Error(err)
	}
	if _, err := w.Connection(t.Context(), w.editor, keptConn.ID); err != nil {
		t.Error(err)
	}
	w.handle(sandboxJob(sb)) // repeated

	again, err := w.CreateSandbox(t.Context(), w.administrator(), audience.Sandbox{Name: "dev", Title: "Development"})
	if err != nil || again.Num == sb.Num {
		t.Errorf("%+v, %v", again, err)
	}
	if list, n, err := w.Audiences(t.Context(), dev, audience.AudienceQuery{}); err != nil || n != 0 || len(list) != 0 {
		t.Errorf("the new sandbox has %+v, %v", list, err)
	}
}

func TestResetSandbox(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	aud, conn, _ := w.fill(w.editor)
	before, err := w.Sandbox(t.Context(), w.editor, "prod")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.ResetSandbox(t.Context(), w.administrator(), "prod"); err != nil {
		t.Fatal(err)
	}
	w.drain()
	after, err := w.Sandbox(t.Context(), w.editor, "prod")
	if err != nil || after != before {
		t.Errorf("%+v, %v, want %+v", after, err, before)
	}
	_, err = w.Audience(t.Context(), w.editor, aud.ID)
	wantCode(t, "its audience", err, audience.NotFound)
	_, err = w.Connection(t.Context(), w.editor, conn.ID)
	wantCode(t, "its connection", err, audience.NotFound)
	if files := w.landed(); len(files) != 0 || w.lake.count() != 0 {
		t.Errorf("left: %v, %d datasets", files, w.lake.count())
	}
	w.fill(w.editor) // the sandbox can be used as before
}
