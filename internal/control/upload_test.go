package control_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/job"
	"roster/internal/landing"
)

// landed returns the files of the landing zone with their contents.
func (w *world) landed() map[string]string {
	w.t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(filepath.Join(w.dir, "landing"), func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, filepath.Join(w.dir, "landing")+"/")] = string(text)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return files
}

// whole is an upload in one piece.
func whole(r io.Reader) landing.Upload { return landing.Upload{Body: r, Length: -1} }

// half is the first or the second half of an upload of 10 bytes.
func half(first bool) landing.Upload {
	if first {
		return landing.Upload{Body: strings.NewReader("mail\n"), Length: 5, Range: &landing.Range{First: 0, Last: 4, Size: 10}}
	}
	return landing.Upload{Body: strings.NewReader("next\n"), Length: 5, Range: &landing.Range{First: 5, Last: 9, Size: 10}}
}

// TestUpload uploads in ranges, the last one to another process. The audit log has one entry for the upload.
func TestUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	entries := len(w.log())
	for _, u := range []landing.Upload{half(true), {Range: &landing.Range{First: -1, Size: 10}}} {
		state, err := w.Upload(t.Context(), w.editor, "dlz-user-container/sub/a.csv", u)
		if err != nil || state.File != nil || state.Received != 5 {
			t.Errorf("%+v, %v", state, err)
		}
	}
	if got := len(w.log()); got != entries {
		t.Errorf("%d entries of what is not whole", got-entries)
	}
	_, err := w.Upload(t.Context(), w.editor, "sub/a.csv", landing.Upload{Body: strings.NewReader("x"), Length: 1, Range: &landing.Range{First: 9, Last: 9, Size: 10}})
	wantCode(t, "a gap", err, audience.Stale, "byte 5")
	state, err := w.elsewhere().Upload(t.Context(), w.editor, "sub/a.csv", half(false))
	if err != nil || state.File == nil || state.File.Path != "sub/a.csv" || state.File.Size != 10 {
		t.Errorf("%+v, %v", state, err)
	}
	if e := w.last(); e.Action != audience.FileUpload || e.Object != "sub/a.csv" || e.After["size"] != 10.0 || e.Outcome != audience.Done {
		t.Errorf("%+v", e)
	}
	if text, err := os.ReadFile(w.landing("sub/a.csv")); string(text) != "mail\nnext\n" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := func(prefix string, want ...string) {
		t.Helper()
		files, more, err := w.Files(t.Context(), w.editor, prefix, "", 0)
		if err != nil || more || len(files) != len(want) {
			t.Fatal(files, more, err)
		}
		for i := range want {
			if files[i].Path != want[i] {
				t.Errorf("%+v", files[i])
			}
		}
	}
	if _, err := w.Upload(t.Context(), w.editor, "sub/a.csv", whole(strings.NewReader("mail\n"))); err != nil {
		t.Fatal(err)
	}
	list("", "in.csv", "sub/a.csv")
	list("dlz-user-container/sub/", "sub/a.csv")
	if err := w.DeleteFile(t.Context(), w.editor, "dlz-user-container/sub/a.csv"); err != nil {
		t.Fatal(err)
	}
	if e := w.last(); e.Action != audience.FileDelete || e.Object != "sub/a.csv" {
		t.Errorf("%+v", e)
	}
	list("", "in.csv")
	wantCode(t, "a file that is gone", w.DeleteFile(t.Context(), w.editor, "sub/a.csv"), audience.NotFound, "sub/a.csv")
	wantCode(t, "a path that leads out", w.DeleteFile(t.Context(), w.editor, "../x"), audience.Invalid, "path")
}

// TestFilesExpire removes files 7 days after they were written, except while a run may be reading them.
func TestFilesExpire(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	aud := w.submit(draft("list"))
	written := func(name string, at time.Time) {
		t.Helper()
		w.write(w.landing(name), "mail\n")
		if err := os.Chtimes(w.landing(name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	written("sub/old.csv", w.clock.now().Add(-landing.TTL-time.Minute))
	written("in.csv", w.clock.now().Add(-landing.TTL+time.Minute))
	run := w.start(aud.ID)
	w.handle(job.Job{Kind: job.Retention, ID: "all"})
	if _, err := os.Stat(w.landing("sub/old.csv")); err != nil {
		t.Errorf("while a run is in progress: %v", err)
	}
	w.handle(job.Job{Kind: job.Run, ID: string(run.ID)})
	w.handle(job.Job{Kind: job.Retention, ID: "all"})
	if files := w.landed(); len(files) != 1 || files["prod/in.csv"] == "" {
		t.Errorf("%v", files)
	}
}
