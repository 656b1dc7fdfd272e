package control_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/meta"
)

// validate inspects a file of a connection, or of the landing zone if the connection is nil, for the fields of draft.
func (w *world) validate(a audience.Actor, path string, conn *audience.Connection) (control.Validation, error) {
	d := draft("")
	d.Source.Path = path
	if conn != nil {
		d.Source.CloudType, d.Source.BaseConnectionID = "", conn.ID
	}
	return w.Validate(w.t.Context(), a, d, 10, true)
}

// settled writes a file that is older than the settle age.
func (w *world) settled(path, text string) {
	w.t.Helper()
	w.write(path, text)
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		w.t.Fatal(err)
	}
}

// TestValidateTenancy checks that callers see only files of their own sandbox.
func TestValidateTenancy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settled(w.root+"/in.csv", "mail,points\nada@example.com,1\n")
	conn := w.connect("files", w.root)
	v, err := w.validate(w.editor, "in.csv", &conn)
	if err != nil || v.Rows != 1 || len(v.Problems) > 0 || *v.Preview[0][0] != "ada@example.com" {
		t.Fatalf("%+v, %v", v, err)
	}
	w.settled(w.landing("in.csv"), "mail\nada@example.com\n")
	if v, err = w.validate(w.editor, "in.csv", nil); err != nil || len(v.Problems) != 1 || v.Problems[0].Path != "fields[1].name" {
		t.Errorf("%+v, %v", v, err)
	}

	stranger := w.editor
	stranger.Scope.Org = "OTHER@RosterOrg"
	theirs := audience.Sandbox{ID: "theirs", Org: stranger.Scope.Org, Name: "prod", Type: "production", CreatedAt: w.clock.now()}
	dev := audience.Sandbox{ID: "dev", Org: w.editor.Scope.Org, Name: "dev", Type: "development", CreatedAt: w.clock.now()}
	w.update(func(tx meta.Tx) error {
		return errors.Join(tx.CreateOrganization(t.Context(), theirs.Org), tx.CreateSandbox(t.Context(), &theirs), tx.CreateSandbox(t.Context(), &dev))
	})
	elsewhere := w.editor
	elsewhere.Scope.Sandbox = "dev"
	for _, a := range []audience.Actor{stranger, elsewhere} {
		_, err := w.validate(a, "in.csv", &conn)
		wantCode(t, a.Scope.Org+"/"+a.Scope.Sandbox, err, audience.Invalid, "sourceSpec.baseConnectionId", "does not exist")
	}
	_, err = w.validate(elsewhere, "in.csv", nil)
	wantCode(t, "the landing zone of another sandbox", err, audience.Impossible, "does not exist")

	viewer := w.editor
	viewer.Role = audience.Viewer
	_, err = w.validate(viewer, "in.csv", &conn)
	wantCode(t, "a viewer", err, audience.Forbidden)
}

// TestValidateUnreadable checks that an error names the file that cannot be read.
func TestValidateUnreadable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settled(w.landing("cut.csv"), "\x1f\x8b\x08\x00cut off")
	_, err := w.validate(w.editor, "cut.csv", nil)
	wantCode(t, "a damaged file", err, audience.Impossible, "cut.csv")
	_, err = w.validate(w.editor, "absent.csv", nil)
	wantCode(t, "an absent file", err, audience.Impossible, "absent.csv")
	w.write(w.landing("new.csv"), "mail\n")
	_, err = w.validate(w.editor, "new.csv", nil)
	wantCode(t, "a new file", err, audience.Impossible, "new.csv", "ask again")
	w.pipeline.surveyFails = context.DeadlineExceeded
	_, err = w.validate(w.editor, "cut.csv", nil)
	wantCode(t, "a slow source", err, audience.BadGateway, "did not answer")
}
