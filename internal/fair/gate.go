// Package fair shares a few places of work among many owners, so that none of them keeps the others waiting by how much it asks for:
// whoever has the fewest places is next. It holds everything in memory; what waits is durable elsewhere.
package fair

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Owner is whose work it is: a sandbox of an organization.
type Owner struct{ Org, Sandbox string }

// Limits says how many places there are.
type Limits struct {
	// Places is how many pieces of work go on at a time, Each how many of them one owner has at most; 0 means Places. An owner that
	// comes later finds a place free as long as no others have all.
	Places, Each int
	// Small is how many places there are beside those for work that is small; an owner has one of them at most. Work that is not done
	// within SmallFor was not small: it moves to another place, or ends and waits for one.
	Small    int
	SmallFor time.Duration
}

// Work is a piece of work that wants a place.
type Work struct {
	Owner
	// Urgent work goes before other work of its owner.
	Urgent bool
	// Small finds out whether the work is small. It is asked only when the work has to wait; nil means that it is not.
	Small func(ctx context.Context) bool
}

// ErrOutgrown ends work in a place for small work that took too long. It begins again in another place.
var ErrOutgrown = errors.New("fair: the work is not small")

// Gate lets work in.
type Gate struct {
	limits Limits

	mu      sync.Mutex
	waiting []*waiter
	large   held
	small   held
	orgs    map[string]int // places of both kinds by organization
	served  map[any]uint64 // when an Owner, or an organization as string, last got a place
	turn    uint64         // counts the places that were given
}

// held counts places.
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

// waiter is work that waits.
type waiter struct {
	Work
	arrived uint64
	small   bool
	place   *Place // set before ready is closed
	ready   chan struct{}
}

// Place is what lets work go on until Leave.
type Place struct {
	gate   *Gate
	owner  Owner
	small  bool // guarded by the gate's mu
	left   bool
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// New returns a gate with free places.
func New(l Limits) *Gate {
	l.Each = cmp.Or(l.Each, l.Places)
	return &Gate{limits: l, large: held{by: map[Owner]int{}}, small: held{by: map[Owner]int{}}, orgs: map[string]int{}, served: map[any]uint64{}}
}

// Enter waits for a place. The context that it returns is the work's: it ends with ErrOutgrown as its cause when the work must leave a
// place for small work. Whoever got a place leaves it.
func (g *Gate) Enter(ctx context.Context, w Work) (context.Context, *Place, error) {
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
	return in.place.begin(ctx), in.place, nil
}

// look finds out in the background whether work that has to wait is small.
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

// withdraw takes work out of the line; false when it got a place meanwhile.
func (g *Gate) withdraw(in *waiter) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, in)
	if i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	}
	return i >= 0
}

// dispatch gives the free places away. The gate is locked.
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
		w.place = &Place{gate: g, owner: w.Owner, small: !g.fits(w.Owner)}
		g.of(w.place.small).add(w.Owner, 1)
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
	return g.large.all < g.limits.Places && g.large.by[o] < g.limits.Each
}

func (g *Gate) fitsSmall(o Owner) bool { return g.small.all < g.limits.Small && g.small.by[o] == 0 }

// compare orders work that waits: first that of the organization with the fewest places, or which got one longest ago; in it of the
// sandbox that has the fewest; in that the urgent and then the oldest.
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

// begin begins the work's time.
func (p *Place) begin(ctx context.Context) context.Context {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	ctx, p.cancel = context.WithCancelCause(ctx)
	if p.small {
		p.timer = time.AfterFunc(p.gate.limits.SmallFor, p.outgrow)
	}
	return ctx
}

// outgrow moves work out of a place for small work, or ends it.
func (p *Place) outgrow() {
	g := p.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case p.left:
	case g.fits(p.owner):
		p.small = false
		g.small.add(p.owner, -1)
		g.large.add(p.owner, 1)
		g.dispatch()
	default:
		p.cancel(ErrOutgrown)
	}
}

// Leave gives the place back. It is safe to call twice.
func (p *Place) Leave() {
	g := p.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.left {
		return
	}
	p.left = true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.cancel(nil)
	g.of(p.small).add(p.owner, -1)
	if g.orgs[p.owner.Org]--; g.orgs[p.owner.Org] == 0 {
		delete(g.orgs, p.owner.Org)
	}
	g.dispatch()
}
