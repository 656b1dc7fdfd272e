package ingest_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/ingest"
	"roster/internal/lake"
	"roster/internal/profile"
)

func (w *world) projection() ingest.Projection {
	return ingest.Projection{Audience: &w.aud, Table: w.table, Ref: profile.Ref{Sandbox: 3, Audience: w.aud.Num}}
}

// wantAgrees compares the digest of the profile store with that of the dataset.
func (w *world) wantAgrees() {
	w.t.Helper()
	all, err := w.store.Digests(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	stored := all[profile.Ref{Sandbox: 3, Audience: w.aud.Num}]
	want, ok, err := w.pipeline.Digest(w.t.Context(), w.table, &w.aud, stored.Pointer)
	if err != nil || !ok || stored != want {
		w.t.Fatalf("the profile store has %+v, the dataset %+v: %v %v", stored, want, ok, err)
	}
}

// wantRebuilt projects the dataset again and compares the results of look-ups. Members who left before the oldest
// version may be absent.
func (h *history) wantRebuilt(n int) {
	h.t.Helper()
	before := [2]map[string]profile.Membership{h.memberships("Email", h.mails), h.memberships("Phone", h.phones)}
	h.store.Distrust(h.projection().Ref)
	if _, err := h.pipeline.Rebuild(h.t.Context(), h.projection()); err != nil {
		h.t.Fatal(err)
	}
	h.wantAgrees()
	for i, after := range [2]map[string]profile.Membership{h.memberships("Email", h.mails), h.memberships("Phone", h.phones)} {
		for id, was := range before[i] {
			is, found := after[id]
			switch {
			case was.Exited && was.At < h.now.Add(-audience.ExitedFor).Unix():
			case was.Exited && h.expired && (!found || is.Exited && is.At <= was.At):
			case !found, is.Exited != was.Exited, is.Since != was.Since, is.At != was.At, is.Member != was.Member,
				!is.Exited && !is.Expiry(h.aud.TTL()).Equal(was.Expiry(h.aud.TTL())):
				h.t.Fatalf("step %d: rebuilt, %s is %+v, was %+v", n, id, is, was)
			}
		}
		for id, is := range after {
			if _, ok := before[i][id]; !ok {
				h.t.Fatalf("step %d: rebuilt, %s is %+v and was nothing", n, id, is)
			}
		}
	}
}

// If the changes of a run cannot be read, or do not follow the state of the store, the projection is rebuilt from the
// dataset.
func TestProjectWithoutDelta(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(w *world){
		"the store lost the audience": func(w *world) {
			if err := w.store.RemoveAudience(w.t.Context(), w.projection().Ref); err != nil {
				w.t.Fatal(err)
			}
		},
		"the changes are gone": func(w *world) {
			w.store.(*harmed).before = func() { w.eachDelta(func(path string) { os.Remove(path) }) }
		},
		"the changes are damaged": func(w *world) {
			w.store.(*harmed).before = func() {
				w.eachDelta(func(path string) {
					b, _ := os.ReadFile(path)
					b[len(b)/2] ^= 1
					os.WriteFile(path, b, 0o600)
				})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, defaultFields)
			w.store = &harmed{Store: w.store}
			w.pipeline.Profile = w.store
			w.put("a.csv", people(0, 20, 0))
			w.mustRun(true)
			w.clear()
			w.put("b.csv", people(10, 30, 0))
			harm(w)
			w.mustRun(true)
			w.wantAgrees()
			if refs := w.store.Distrusted(); len(refs) != 0 {
				t.Errorf("distrusted: %v", refs)
			}
		})
	}
}

// TestFirstRunWithoutDelta interrupts a first run at each of its checkpoints and executes it again. It is projected from
// its data files, and writes no delta.
func TestFirstRunWithoutDelta(t *testing.T) {
	t.Parallel()
	for _, rows := range []int{3, 25_000} { // written to the profile store as a batch, and as sorted tables
		for stop := 1; ; stop++ {
			w := newWorld(t, defaultFields)
			w.put("a.csv", people(0, rows, 0))
			s := w.spec(true)
			saved, stopped := stopAt(&s, stop)
			if _, err := w.pipeline.Run(t.Context(), s); *stopped {
				if err == nil {
					t.Fatalf("checkpoint %d: no error", stop)
				}
				s.Run = *saved
				checkpoints(&s, func() error { return nil })
				if _, err := w.pipeline.Run(t.Context(), s); err != nil {
					t.Fatalf("checkpoint %d: %v", stop, err)
				}
			}
			w.wantAgrees()
			if w.rows() != int64(rows) {
				t.Fatalf("checkpoint %d: %d members", stop, w.rows())
			}
			w.eachDelta(func(path string) { t.Errorf("the first run wrote %s", path) })
			if !*stopped {
				break
			}
		}
	}
}

// harmed is a profile store that calls a function before changes are applied.
type harmed struct {
	profile.Store
	before func()
}

func (f *harmed) Apply(ctx context.Context, ref profile.Ref, p profile.Pointer, d profile.Delta) error {
	if f.before != nil {
		f.before()
	}
	return f.Store.Apply(ctx, ref, p, d)
}

func (w *world) eachDelta(fn func(path string)) {
	paths, err := filepath.Glob(filepath.Join(w.pipeline.Lake.Warehouse(), "*", "*-files", "roster", "*", "delta-*"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range paths {
		if filepath.Ext(p) == "" {
			fn(p)
		}
	}
}

// allErased knows an erasure of every member that the dataset ever had.
type allErased struct{ w *world }

// Erased implements ingest.Erasures.
func (a allErased) Erased(ctx context.Context) (ingest.Erased, error) {
	history, err := a.w.dataset().ReadHistory(ctx, nil)
	if err != nil {
		return ingest.Erased{}, err
	}
	state, err := history.State(lake.StateOptions{})
	if err != nil {
		return ingest.Erased{}, err
	}
	rows, err := state.Cursor().Range(identity.Key{}, nil)
	keys := map[identity.Key]bool{}
	for _, id := range rows.IDs {
		keys[id] = true
	}
	return ingest.Erased{All: keys}, err
}

// A rebuild does not restore an erased identity from old changes.
func TestRebuildWithoutErased(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.put("a.csv", people(0, 20, 0))
	w.mustRun(true)
	w.clear()
	w.put("b.csv", people(10, 30, 0))
	w.mustRun(true)
	all, err := w.store.Digests(t.Context())
	if err != nil || all[w.projection().Ref].Count == 0 {
		t.Fatal(all, err)
	}
	pr := w.projection()
	w.store.Distrust(pr.Ref)
	whole, err := w.pipeline.Rebuild(t.Context(), pr)
	if err != nil || whole.Exited == 0 {
		t.Fatalf("%+v %v", whole, err)
	}
	pr.Erasures = allErased{w}
	w.store.Distrust(pr.Ref)
	if again, err := w.pipeline.Rebuild(t.Context(), pr); err != nil || again.Exited >= whole.Exited || again.Members != whole.Members {
		t.Errorf("%+v %v", again, err)
	}
}
