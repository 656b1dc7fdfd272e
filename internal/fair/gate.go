// Package fair shares a few slots for work fairly among many owners: the owner that occupies the fewest slots is next,
// so an owner with a lot of work does not delay the others. All state is in memory; the waiting work itself is stored
// elsewhere.
package fair

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Owner is the owner of work: a sandbox of an organization.
type Owner struct{ Org, Sandbox string }

// Limits configures the number of slots.
type Limits struct {
	// Slots is how many pieces of work run at a time, Each how many of them one owner may have; 0 means Slots. With a
	// smaller Each, a new owner usually finds a free slot.
	Slots, Each int
	// Small is the number of additional slots for small work; an owner may have one of them. Work that is not done
	// within SmallFor is not small: it moves to a normal slot, or ends and waits for one.
	Small    int
	SmallFor time.Duration
}

// Work is a piece of work that needs a slot.
type Work struct {
	Owner
	// Urgent work precedes other work of its owner.
	Urgent bool
	// Small reports whether the work is small. It is called only if the work has to wait; nil means not small.
	Small func(ctx context.Context) bool
}

// ErrOutgrown ends work that has occupied a small slot for too long. The work starts again in a normal slot.
var ErrOutgrown = errors.New("fair: the work is not small")

// Gate assigns slots to work.
type Gate struct {
	limits Limits

	mu      sync.Mutex
	waiting []*waiter
	large   held
	small   held
	orgs    map[string]int // slots of both kinds by organization
	served  map[any]uint64 // turn in which an Owner, or an organization as string, last got a slot
	turn    uint64         // number of slots assigned so far
}

// held counts the slots of an owner.
type held struct {
	all int
	by  map[Owner]int
}

func (h *held) add(o Owner, n int) {
	h.all += n
	if h.by[o] += n; h.by[o] == 0 {
		delete(h.by, o)
	}
}

// waiter is waiting work.
type waiter struct {
	Work
	arrived uint64
	small   bool
	slot    *Slot // set before ready is closed
	ready   chan struct{}
}

// Slot is an occupied slot, until Leave.
type Slot struct {
	gate   *Gate
	owner  Owner
	small  bool // guarded by the gate's mu
	left   bool
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// New returns a gate with free slots.
func New(l Limits) *Gate {
	l.Each = cmp.Or(l.Each, l.Slots)
	return &Gate{limits: l, large: held{by: map[Owner]int{}}, small: held{by: map[Owner]int{}}, orgs: map[string]int{}, served: map[any]uint64{}}
}

// Enter waits for a slot. The work must use the returned context: it ends with the cause ErrOutgrown if the work must
// leave a small slot. The caller must call Leave on the slot.
func (g *Gate) Enter(ctx context.Context, w Work) (context.Context, *Slot, error) {
	in := &waiter{Work: w, ready: make(chan struct{})}
	g.mu.Lock()
	g.turn++
	in.arrived = g.turn
	g.waiting = append(g.waiting, in)
	g.dispatch()
	g.mu.Unlock()
	stop := g.look(ctx, in)
	defer stop()
	select {
	case <-in.ready:
	case <-ctx.Done():
		if g.withdraw(in) {
			return nil, nil, ctx.Err()
		}
	}
	return in.slot.begin(ctx), in.slot, nil
}

// look determines in the background whether waiting work is small.
func (g *Gate) look(ctx context.Context, in *waiter) (stop func()) {
	select {
	case <-in.ready:
		return func() {}
	default:
	}
	if in.Small == nil || g.limits.Small == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		if in.Small(ctx) {
			g.mu.Lock()
			defer g.mu.Unlock()
			in.small = true
			g.dispatch()
		}
	})
	return func() { cancel(); done.Wait() }
}

// withdraw removes work from the queue; false if it has got a slot meanwhile.
func (g *Gate) withdraw(in *waiter) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, in)
	if i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	}
	return i >= 0
}

// dispatch assigns the free slots. The caller holds the lock.
func (g *Gate) dispatch() {
	for {
		next := -1
		for i, w := range g.waiting {
			if (g.fits(w.Owner) || w.small && g.fitsSmall(w.Owner)) && (next < 0 || g.compare(w, g.waiting[next]) < 0) {
				next = i
			}
		}
		if next < 0 {
			return
		}
		w := g.waiting[next]
		g.waiting = slices.Delete(g.waiting, next, next+1)
		w.slot = &Slot{gate: g, owner: w.Owner, small: !g.fits(w.Owner)}
		g.of(w.slot.small).add(w.Owner, 1)
		g.orgs[w.Org]++
		g.turn++
		g.served[w.Owner], g.served[w.Org] = g.turn, g.turn
		close(w.ready)
	}
}

func (g *Gate) of(small bool) *held {
	if small {
		return &g.small
	}
	return &g.large
}

func (g *Gate) fits(o Owner) bool {
	return g.large.all < g.limits.Slots && g.large.by[o] < g.limits.Each
}

func (g *Gate) fitsSmall(o Owner) bool { return g.small.all < g.limits.Small && g.small.by[o] == 0 }

// compare orders waiting work: by the organization with the fewest slots, and of equal ones the one that got a slot
// longest ago; then likewise by sandbox; then urgent work first, then the oldest.
func (g *Gate) compare(a, b *waiter) int {
	return cmp.Or(
		cmp.Compare(g.orgs[a.Org], g.orgs[b.Org]), cmp.Compare(g.served[a.Org], g.served[b.Org]),
		cmp.Compare(g.large.by[a.Owner]+g.small.by[a.Owner], g.large.by[b.Owner]+g.small.by[b.Owner]), cmp.Compare(g.served[a.Owner], g.served[b.Owner]),
		cmp.Compare(rank(a), rank(b)), cmp.Compare(a.arrived, b.arrived))
}

func rank(w *waiter) int {
	if w.Urgent {
		return 0
	}
	return 1
}

// begin starts the time limit of work in a small slot.
func (s *Slot) begin(ctx context.Context) context.Context {
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	ctx, s.cancel = context.WithCancelCause(ctx)
	if s.small {
		s.timer = time.AfterFunc(s.gate.limits.SmallFor, s.outgrow)
	}
	return ctx
}

// outgrow moves work from a small slot to a normal one, or ends it.
func (s *Slot) outgrow() {
	g := s.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case s.left:
	case g.fits(s.owner):
		s.small = false
		g.small.add(s.owner, -1)
		g.large.add(s.owner, 1)
		g.dispatch()
	default:
		s.cancel(ErrOutgrown)
	}
}

// Leave releases the slot. It is safe to call twice.
func (s *Slot) Leave() {
	g := s.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.left {
		return
	}
	s.left = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.cancel(nil)
	g.of(s.small).add(s.owner, -1)
	if g.orgs[s.owner.Org]--; g.orgs[s.owner.Org] == 0 {
		delete(g.orgs, s.owner.Org)
	}
	g.dispatch()
}
