package fair_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"roster/internal/fair"
)

// hall is a gate whose work ends when the test says so.
type hall struct {
	t     *testing.T
	gate  *fair.Gate
	mu    sync.Mutex
	began []string
	end   map[string]chan struct{}
	wg    sync.WaitGroup
}

func newHall(t *testing.T, l fair.Limits) *hall {
	return &hall{t: t, gate: fair.New(l), end: map[string]chan struct{}{}}
}

func of(org, sandbox string) fair.Work {
	return fair.Work{Owner: fair.Owner{Org: org, Sandbox: sandbox}}
}

// comes has work arrive under a name.
func (h *hall) comes(name string, w fair.Work) {
	end := make(chan struct{})
	h.end[name] = end
	h.wg.Go(func() {
		for {
			ctx, slot, err := h.gate.Enter(h.t.Context(), w)
			if err != nil {
				return
			}
			h.mu.Lock()
			h.began = append(h.began, name)
			h.mu.Unlock()
			select {
			case <-end:
			case <-ctx.Done():
			}
			outgrown := errors.Is(context.Cause(ctx), fair.ErrOutgrown)
			slot.Leave()
			slot.Leave()
			if !outgrown {
				return
			}
			w.Small = nil
		}
	})
	synctest.Wait()
}

func (h *hall) ends(names ...string) {
	for _, n := range names {
		close(h.end[n])
		synctest.Wait()
	}
}

// now requires that exactly this work has begun since the last call, in this order.
func (h *hall) now(want ...string) {
	h.t.Helper()
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Equal(h.began, want) {
		h.t.Errorf("%v began, want %v", h.began, want)
	}
	h.began = nil
}

func small(context.Context) bool { return true }

// TestFewestFirst has a sandbox flood the gate: another one waits for nobody, and then they take turns.
func TestFewestFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, fair.Limits{Slots: 3, Each: 2})
		for i := range 5 {
			h.comes(fmt.Sprint("a", i), of("o", "a"))
		}
		h.now("a0", "a1")
		h.comes("b0", of("o", "b"))
		h.now("b0")
		h.comes("b1", of("o", "b"))
		h.comes("c0", of("o", "c"))
		h.now()
		h.ends("a0")
		h.now("c0") // it has none
		h.ends("a1")
		h.now("a2") // a and b have none and one
		h.ends("b0", "c0", "a2")
		h.now("b1", "a3", "a4")
		h.ends("b1", "a3", "a4")
		h.wg.Wait()
	})
}

// TestTurns has one slot only: who got it longest ago is next, however much the other asks for.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, fair.Limits{Slots: 1})
		for i := range 3 {
			h.comes(fmt.Sprint("a", i), of("o", "a"))
		}
		h.comes("b0", of("o", "b"))
		h.comes("b1", of("o", "b"))
		h.ends("a0", "b0", "a1", "b1", "a2")
		h.now("a0", "b0", "a1", "b1", "a2")
		h.wg.Wait()
	})
}

// TestOrganizations has one with many sandboxes: it gets no more turns than one with a single sandbox.
func TestOrganizations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, fair.Limits{Slots: 2, Each: 1})
		for i := range 4 {
			h.comes(fmt.Sprint("many", i), of("many", fmt.Sprint(i)))
		}
		h.now("many0", "many1")
		h.comes("one0", of("one", "x"))
		h.comes("one1", of("one", "x"))
		h.ends("many0")
		h.now("one0")
		h.ends("one0", "one1", "many1", "many2", "many3")
		h.now("one1", "many2", "many3")
		h.wg.Wait()
	})
}

// TestUrgent goes before older work of the same sandbox, and not before that of others.
func TestUrgent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, fair.Limits{Slots: 1})
		h.comes("a0", of("o", "a"))
		h.comes("a1", of("o", "a"))
		h.comes("b0", of("o", "b"))
		urgent := of("o", "a")
		urgent.Urgent = true
		h.comes("a2", urgent)
		h.ends("a0", "b0", "a2", "a1")
		h.now("a0", "b0", "a2", "a1")
		h.wg.Wait()
	})
}

// TestSmall has long work in every slot: small work goes on beside it, one of each sandbox at a time.
func TestSmall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, fair.Limits{Slots: 2, Each: 2, Small: 1, SmallFor: time.Minute})
		h.comes("a0", of("o", "a"))
		h.comes("a1", of("o", "a"))
		quick := of("o", "b")
		quick.Small = small
		h.comes("b0", quick)
		h.now("a0", "a1", "b0")
		h.comes("b1", quick)
		h.ends("b0")
		h.now("b1")
		long := of("o", "b")
		long.Small = func(context.Context) bool { return false }
		h.comes("b2", long)
		h.now()
		h.ends("b1")
		h.now()
		h.ends("a0")
		h.now("b2")
		h.ends("a1", "b2")
		h.wg.Wait()
	})
}

// TestOutgrown has work that only looked small: it gives the slot to others, and moves or begins again.
func TestOutgrown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, fair.Limits{Slots: 1, Small: 1, SmallFor: time.Minute})
		h.comes("a0", of("o", "a"))
		quick := of("o", "b")
		quick.Small = small
		h.comes("b0", quick)
		other := of("o", "c")
		other.Small = small
		h.comes("c0", other)
		h.now("a0", "b0")
		time.Sleep(time.Minute)
		h.now("c0") // b0 waits for a usual slot
		h.ends("a0")
		h.now("b0")
		h.ends("b0")
		time.Sleep(time.Minute) // c0 moves into the free slot
		d := of("o", "d")
		d.Small = small
		h.comes("d0", d)
		h.now("d0")
		h.ends("d0", "c0")
		h.wg.Wait()
	})
}

// TestWithdrawn leaves no trace of work that does not wait any longer.
func TestWithdrawn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := fair.New(fair.Limits{Slots: 1, Small: 1, SmallFor: time.Hour})
		_, first, err := gate.Enter(t.Context(), of("o", "a"))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w := of("o", "b")
		w.Small = func(ctx context.Context) bool { <-ctx.Done(); return false }
		if _, _, err := gate.Enter(ctx, w); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		first.Leave()
		_, second, err := gate.Enter(t.Context(), of("o", "b"))
		if err != nil {
			t.Fatal(err)
		}
		second.Leave()
	})
}

// TestNeverTooMany has many owners come and go at once.
func TestNeverTooMany(t *testing.T) {
	t.Parallel()
	gate := fair.New(fair.Limits{Slots: 3, Each: 2, Small: 1, SmallFor: time.Hour})
	var mu sync.Mutex
	in, by := 0, map[string]int{}
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			w := of(fmt.Sprint(i%2), fmt.Sprint(i%5))
			w.Small = func(context.Context) bool { return i%3 == 0 }
			_, slot, err := gate.Enter(t.Context(), w)
			if err != nil {
				t.Error(err)
				return
			}
			defer slot.Leave()
			mu.Lock()
			in++
			by[w.Org+w.Sandbox]++
			if in > 4 || by[w.Org+w.Sandbox] > 3 {
				t.Errorf("%d at once, %d of one owner", in, by[w.Org+w.Sandbox])
			}
			mu.Unlock()
			defer func() { mu.Lock(); defer mu.Unlock(); in--; by[w.Org+w.Sandbox]-- }()
		})
	}
	wg.Wait()
}
