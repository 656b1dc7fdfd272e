package landing

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/blob"
	"roster/internal/blob/local"
	"roster/internal/meta"
)

// TestQuotaInParallel uploads 60 files at once in every way, of which a zone has room for ten.
func TestQuotaInParallel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 100)
	const text = "0123456789"
	ways := []func(name string) (State, error){
		func(name string) (State, error) { return w.whole(name, text) },
		func(name string) (State, error) {
			return w.Put(t.Context(), prod, name, Upload{Body: strings.NewReader(text), Length: -1})
		},
		func(name string) (State, error) { return w.part(name, text, 0, 9, strings.NewReader(text)) },
	}
	var wg sync.WaitGroup
	var taken atomic.Int64
	for i := range 60 {
		wg.Go(func() {
			state, err := ways[i%len(ways)](fmt.Sprintf("%d.csv", i))
			switch {
			case err == nil && state.File != nil:
				taken.Add(1)
			case audience.CodeOf(err) != audience.Impossible:
				t.Errorf("%d: %+v, %v", i, state, err)
			}
		})
	}
	wg.Wait()
	files := w.files()
	delete(files, unfinished)
	if taken.Load() != 10 || len(files) != 10 {
		t.Errorf("%d were taken, %d are there", taken.Load(), len(files))
	}
	w.noHolds()
}

// noHolds checks that the metadata store has no holds.
func (w *world) noHolds() {
	w.t.Helper()
	err := w.Store.Update(w.t.Context(), func(tx meta.Tx) error {
		holds, err := tx.QuotaHolds(w.t.Context(), prod)
		if len(holds) > 0 {
			w.t.Errorf("holds are left: %+v", holds)
		}
		return err
	})
	if err != nil {
		w.t.Error(err)
	}
}

// TestQuotaOfADeadProcess has a process die with a hold, which ends with its lease.
func TestQuotaOfADeadProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 100)
	w.now = time.Now()
	if _, err := w.room(t.Context(), fileKey{prod, "dead.csv"}, 60, false); err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("x", 60)
	_, err := w.whole("a.csv", text)
	wantCode(t, "while the hold lasts", err, audience.Impossible)
	w.now = w.now.Add(holdFor + time.Second)
	if _, err := w.whole("a.csv", text); err != nil {
		t.Error("after the lease: ", err)
	}
	w.noHolds()
}

// TestQuotaBesideRanges has the rest of a zone promised to an upload by ranges when another one of unknown length goes on.
func TestQuotaBesideRanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 100)
	text := strings.Repeat("x", 60)
	body := readFunc(func(p []byte) (int, error) {
		if _, err := w.part("ranges.csv", text, 0, 9, strings.NewReader(text[:10])); err != nil {
			t.Error(err)
		}
		return copy(p, text[:41]), io.EOF
	})
	_, err := w.Put(t.Context(), prod, "chunks.csv", Upload{Body: body, Length: -1})
	wantCode(t, "what another upload was promised", err, audience.Impossible)
	if _, err := w.Put(t.Context(), prod, "chunks.csv", Upload{Body: strings.NewReader(text[:40]), Length: -1}); err != nil {
		t.Error("what is left: ", err)
	}
	if _, err := w.part("ranges.csv", text, 10, 59, strings.NewReader(text[10:])); err != nil {
		t.Error("what was promised: ", err)
	}
}

// slow is a store whose first list is that of before something happened.
type slow struct {
	*local.Store
	first *first
}

type first struct {
	meanwhile func()
	told      atomic.Bool
}

// Below implements blob.Store.
func (s slow) Below(folder string) blob.Store {
	return slow{s.Store.Below(folder).(*local.Store), s.first}
}

// List implements blob.Store.
func (s slow) List(ctx context.Context, folder string, fn func(blob.Object) error) error {
	var list []blob.Object
	err := s.Store.List(ctx, folder, func(o blob.Object) error { list = append(list, o); return nil })
	if !s.first.told.Swap(true) {
		s.first.meanwhile()
	}
	for _, o := range list {
		if err := fn(o); err != nil {
			return err
		}
	}
	return err
}

// TestQuotaOfASlowList has an upload begin and end while another one lists the zone.
func TestQuotaOfASlowList(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("x", 60)
	for name, during := range map[string]func(w *world) error{
		"whole": func(w *world) error { _, err := w.whole("b.csv", text); return err },
		"of unknown length": func(w *world) error {
			_, err := w.Put(t.Context(), prod, "b.csv", Upload{Body: strings.NewReader(text), Length: -1})
			return err
		},
		"by ranges":       func(w *world) error { _, err := w.part("b.csv", text, 0, 59, strings.NewReader(text)); return err },
		"begun by ranges": func(w *world) error { _, err := w.part("b.csv", text, 0, 9, strings.NewReader(text[:10])); return err },
	} {
		w := newWorld(t, 100)
		store := slow{w.Files.(*local.Store), &first{}}
		w.Files = store
		store.first.meanwhile = func() {
			if err := during(w); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, err := w.whole("a.csv", text)
		wantCode(t, name, err, audience.Impossible)
		if _, err := w.whole("a.csv", text[:40]); err != nil {
			t.Errorf("%s: what is left: %v", name, err)
		}
	}
}
