package landing

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roster/internal/blob"
	"roster/internal/blob/faulty"
	"roster/internal/blob/local"
	"roster/internal/meta"
)

// failing is a metadata store whose transactions may fail, before or after their commit.
type failing struct {
	meta.Store
	at faulty.At
}

func (s failing) Update(ctx context.Context, fn func(meta.Tx) error) error {
	return around(s.at, "meta", func() error { return s.Store.Update(ctx, fn) })
}

func around(at faulty.At, call string, do func() error) error {
	if err := at(call); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return at(call + faulty.Done)
}

// failingDisk is a store on the local disk whose own calls may fail.
type failingDisk struct {
	*local.Store
	at faulty.At
}

func (s failingDisk) Append(ctx context.Context, path string, size int64) (w blob.Writer, err error) {
	err = around(s.at, "append", func() error { w, err = s.Store.Append(ctx, path, size); return err })
	if err != nil && w != nil {
		w.Abort()
	}
	return w, err
}

func (s failingDisk) Move(ctx context.Context, from, to string) error {
	return around(s.at, "move", func() error { return s.Store.Move(ctx, from, to) })
}

// TestEveryCallFails has each call of the stores fail once, before and after its effect, while a client sends a file by
// ranges. The client asks for the progress and continues. No acknowledged byte is lost, the file is whole, and nothing
// is left.
func TestEveryCallFails(t *testing.T) {
	t.Parallel()
	for name, stores := range map[string]func(s *local.Store, at faulty.At) blob.Store{
		"bucket": func(s *local.Store, at faulty.At) blob.Store { return faulty.New(s, "files", at) },
		"disk":   func(s *local.Store, at faulty.At) blob.Store { return failingDisk{s, at} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1_000_000)
			calls, fails := 0, 0
			at := func(string) error {
				if calls++; calls == fails {
					return errors.New("the store failed")
				}
				return nil
			}
			w.Files, w.Store = stores(w.Files.(*local.Store), at), failing{w.Store.(meta.Store), at}
			const text = "0123456789"
			for fails = 1; calls >= fails-1; fails++ {
				calls = 0
				name := fmt.Sprintf("%d.csv", fails)
				w.send(name, text)
				if got, err := os.ReadFile(filepath.Join(w.dir, "prod", name)); err != nil || string(got) != text {
					t.Errorf("call %d: %q, %v", fails, got, err)
				}
			}
			fails = -1
			if err := w.removeOrphans(t.Context(), time.Now().Add(time.Hour)); err != nil {
				t.Error(err)
			}
			if left := w.parts(); len(left) > 0 {
				t.Errorf("parts are left: %v", left)
			}
			if all, err := w.Store.Uploads(t.Context(), prod); err != nil || len(all) > 0 {
				t.Errorf("uploads are left: %+v, %v", all, err)
			}
		})
	}
}

// send uploads a file by ranges, as a client does: after an error it asks for the progress and continues.
func (w *world) send(name, text string) {
	w.t.Helper()
	received := int64(0)
	for errs := 0; errs < 3; {
		s, err := w.part(name, text, -1, -1, nil)
		for err == nil && s.File == nil {
			if s.Received < received {
				w.t.Fatalf("%s: %d bytes were acknowledged, %d are there", name, received, s.Received)
			}
			received = s.Received
			next := min(int(received)+4, len(text))
			s, err = w.part(name, text, int(received), next-1, strings.NewReader(text[received:next]))
		}
		if err == nil {
			return
		}
		errs++
	}
	w.t.Errorf("%s: the upload does not end", name)
}
