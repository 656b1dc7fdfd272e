package control_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"sync"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/identity"
	"roster/internal/ingest"
	"roster/internal/job"
	"roster/internal/profile"
	"roster/internal/work"
)

// observed is an Observer that stores all observations.
type observed struct {
	mu       sync.Mutex
	runs     []*audience.Run
	lookups  map[control.LookupOutcome]int
	attempts map[audience.DeliveryState]int
}

func (o *observed) RunEnded(r *audience.Run) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.runs = append(o.runs, r)
}

func (o *observed) LookedUp(outcome control.LookupOutcome, identities int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lookups == nil {
		o.lookups = map[control.LookupOutcome]int{}
	}
	o.lookups[outcome] += identities
}

func (o *observed) Attempted(s audience.DeliveryState) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.attempts == nil {
		o.attempts = map[audience.DeliveryState]int{}
	}
	o.attempts[s]++
}

func (o *observed) Working(job.Kind) func() { return func() {} }

// unwell is a profile store whose look-ups fail.
type unwell struct {
	*fakeProfile
	err error
}

func (u unwell) Lookup(context.Context, uint32, []identity.Key) ([][]profile.Membership, error) {
	return nil, u.err
}

func TestObservedLookups(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("a"))
	w.profile.member("Email", "ada@example.com", profile.Membership{Audience: a.Num, Primary: true, Since: w.clock.now().Unix(), Seen: w.clock.now().Unix()})
	three := []control.IdentityRef{{ID: "ada@example.com", Namespace: "email"}, {ID: "b@example.com", Namespace: "email"}, {ID: "c@example.com", Namespace: "email"}}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx   context.Context
		store profile.Store
		ids   []control.IdentityRef
		want  map[control.LookupOutcome]int
	}{
		"well":          {t.Context(), w.profile, three, map[control.LookupOutcome]int{control.LookupFound: 1, control.LookupUnknown: 2}},
		"no namespace":  {t.Context(), w.profile, []control.IdentityRef{{ID: "a", Namespace: "nonsense"}}, map[control.LookupOutcome]int{control.LookupRefused: 1}},
		"too many":      {t.Context(), w.profile, make([]control.IdentityRef, control.MaxLookup+1), map[control.LookupOutcome]int{control.LookupRefused: control.MaxLookup + 1}},
		"rebuilding":    {t.Context(), unwell{w.profile, profile.ErrRebuilding}, three, map[control.LookupOutcome]int{control.LookupUnavailable: 3}},
		"broken":        {t.Context(), unwell{w.profile, errors.New("broken")}, three, map[control.LookupOutcome]int{control.LookupFailed: 3}},
		"a client left": {gone, unwell{w.profile, context.Canceled}, three, nil},
	} {
		seen, cfg := &observed{}, w.config("observer")
		cfg.Observer, cfg.Profile = seen, c.store
		s, _ := cfg.start(w.jobs)
		_, _ = s.Lookup(c.ctx, w.editor, c.ids, control.LookupOptions{})
		maps.DeleteFunc(seen.lookups, func(_ control.LookupOutcome, n int) bool { return n == 0 })
		if !maps.Equal(seen.lookups, c.want) {
			t.Errorf("%s: %v, want %v", name, seen.lookups, c.want)
		}
	}
}

// TestWaiting starts more runs than a sandbox has slots. Each one waits or continues, and in the end none waits.
func TestWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const runs = 5
	begun, release := make(chan struct{}, runs), make(chan struct{})
	w.pipeline.set(func(ctx context.Context, s ingest.Spec) (audience.Run, error) {
		begun <- struct{}{}
		<-release
		return succeed(ctx, s)
	})
	var working sync.WaitGroup
	for i := range runs {
		j := runJob(w.start(w.submit(draft(fmt.Sprint("audience ", i))).ID))
		working.Go(func() { w.handle(j) })
	}
	<-begun
	deadline := time.Now().Add(time.Minute)
	for w.Waiting(job.Run).Jobs+w.pipeline.calls() < runs && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	if now := w.Waiting(job.Run); now.Jobs < 1 || now.Jobs+w.pipeline.calls() != runs || now.Oldest <= 0 {
		t.Errorf("%+v waits, %d go on", now, w.pipeline.calls())
	}
	close(release)
	working.Wait()
	for _, k := range job.Kinds {
		if now := w.Waiting(k); now != (work.Waiting{}) {
			t.Errorf("%s: %+v waits", k, now)
		}
	}
}
