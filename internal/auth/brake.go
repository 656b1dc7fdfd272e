package auth

import (
	"hash/maphash"
	"maps"
	"net/netip"
	"sync"
	"time"

	"roster/internal/audience"
	"roster/internal/edge"
)

// Brake slows down those who try credentials. It counts wrong ones by the address that they come from, and by address and client, so
// that nobody keeps a client out that calls from another address. Who was right before, at an address, is not held up there by
// what others try.
type Brake struct {
	clock           func() time.Time
	client, address pace
	seed            maphash.Seed

	mu    sync.Mutex
	spent map[place]time.Time // when what was tried is forgiven; a place that is absent has tried nothing
	right *cache[place, struct{}]
}

// pace is how many wrong credentials are let through at once, and how long each counts.
type pace struct {
	burst int
	every time.Duration
}

// place is where credentials come from.
type place struct {
	address netip.Addr
	client  uint64 // a hash of its id, 0 for all clients
}

// Paces of secrets, which somebody may guess, and of tokens, which programs go on to send when they have expired.
var (
	ofSecrets = [2]pace{{10, 6 * time.Second}, {50, time.Second}}
	ofTokens  = [2]pace{{100, time.Second}, {400, 100 * time.Millisecond}}
)

// maxPlaces bounds the memory of a brake.
const maxPlaces = 20_000

// NewBrake returns a brake for secrets.
func NewBrake(clock func() time.Time) *Brake { return newBrake(clock, ofSecrets) }

func newBrake(clock func() time.Time, paces [2]pace) *Brake {
	return &Brake{clock: clock, client: paces[0], address: paces[1], seed: maphash.MakeSeed(), spent: map[place]time.Time{}, right: newCache[place, struct{}](maxPlaces)}
}

// Check refuses a try from an address, as http.Request.RemoteAddr has it, when too many were wrong.
func (b *Brake) Check(remote, client string) error { return b.count(remote, client, false) }

// Wrong counts a try that was wrong. Its error, as that of Check, says that it was one too many.
func (b *Brake) Wrong(remote, client string) error { return b.count(remote, client, true) }

// Right remembers a try that was right.
func (b *Brake) Right(remote, client string) {
	b.right.put(b.place(remote, client), struct{}{})
}

func (b *Brake) place(remote, client string) place {
	from, _ := netip.ParseAddrPort(remote) // what has no address is one place
	return place{edge.Counted(from.Addr()), max(maphash.String(b.seed, client), 1)}
}

func (b *Brake) count(remote, client string, wrong bool) error {
	p := b.place(remote, client)
	_, known := b.right.get(p)
	all := place{address: p.address}
	now := b.clock()
	b.mu.Lock()
	defer b.mu.Unlock()
	wait := b.client.wait(b.spent[p], now)
	if !known {
		wait = max(wait, b.address.wait(b.spent[all], now))
	}
	if wait > 0 {
		e := audience.Errorf(audience.TooMany, "too many wrong credentials came from this address; repeat the request in %s, with right ones", max(wait.Round(time.Second), time.Second))
		e.RetryAfter = wait
		return e
	}
	if wrong {
		b.makeRoom(now)
		b.spent[p] = b.client.spend(b.spent[p], now)
		b.spent[all] = b.address.spend(b.spent[all], now)
	}
	return nil
}

// wait is how long until another try is possible.
func (p pace) wait(spent, now time.Time) time.Duration {
	if spent.Before(now) {
		return 0
	}
	return max(spent.Sub(now)-time.Duration(p.burst-1)*p.every, 0)
}

func (p pace) spend(spent, now time.Time) time.Time {
	if spent.Before(now) {
		spent = now
	}
	return spent.Add(p.every)
}

// makeRoom forgets places when there are too many: those that are forgiven, or else any.
func (b *Brake) makeRoom(now time.Time) {
	if len(b.spent) < maxPlaces {
		return
	}
	maps.DeleteFunc(b.spent, func(_ place, until time.Time) bool { return !until.After(now) })
	for p := range b.spent {
		if len(b.spent) < maxPlaces-maxPlaces/10 {
			return
		}
		delete(b.spent, p)
	}
}
