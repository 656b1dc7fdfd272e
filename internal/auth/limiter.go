package auth

import (
	"hash/maphash"
	"maps"
	"net/netip"
	"sync"
	"time"

	"roster/internal/audience"
	"roster/internal/cache"
	"roster/internal/edge"
)

// AttemptLimiter limits the rate of wrong credentials. It counts them by address, and by address and client together, so that an
// attacker cannot lock out a client that calls from another address. A client that has presented the right secret from
// an address before is not limited by attempts of others from there.
type AttemptLimiter struct {
	clock           func() time.Time
	client, address pace
	seed            maphash.Seed

	mu    sync.Mutex
	spent map[place]time.Time // when the attempts of a place expire; absent without attempts
	right *cache.Cache[place, struct{}]
}

// pace is the number of wrong credentials that are allowed at once, and how long each counts.
type pace struct {
	burst int
	every time.Duration
}

// place is the origin of credentials: an address, and perhaps a client.
type place struct {
	address netip.Addr
	client  uint64 // a hash of its id, 0 for all clients
}

// Paces for secrets, and for tokens. Those for tokens are higher, because programs continue to send tokens that have
// become invalid.
var (
	ofSecrets = [2]pace{{10, 6 * time.Second}, {50, time.Second}}
	ofTokens  = [2]pace{{100, time.Second}, {400, 100 * time.Millisecond}}
)

// maxPlaces limits the memory of a limiter.
const maxPlaces = 20_000

// NewAttemptLimiter returns a limiter for secrets.
func NewAttemptLimiter(clock func() time.Time) *AttemptLimiter {
	return newAttemptLimiter(clock, ofSecrets)
}

func newAttemptLimiter(clock func() time.Time, paces [2]pace) *AttemptLimiter {
	return &AttemptLimiter{clock: clock, client: paces[0], address: paces[1], seed: maphash.MakeSeed(), spent: map[place]time.Time{}, right: cache.New[place, struct{}](maxPlaces)}
}

// Check refuses an attempt from an address, in the form of http.Request.RemoteAddr, after too many wrong ones.
func (b *AttemptLimiter) Check(remote, client string) error { return b.count(remote, client, false) }

// Wrong counts a wrong attempt. Like Check, it returns an error if there are now too many.
func (b *AttemptLimiter) Wrong(remote, client string) error { return b.count(remote, client, true) }

// Right records a successful attempt.
func (b *AttemptLimiter) Right(remote, client string) {
	b.right.Put(b.place(remote, client), struct{}{}, 1)
}

func (b *AttemptLimiter) place(remote, client string) place {
	from, _ := netip.ParseAddrPort(remote) // requests without an address share one place
	return place{edge.Counted(from.Addr()), max(maphash.String(b.seed, client), 1)}
}

func (b *AttemptLimiter) count(remote, client string, wrong bool) error {
	p := b.place(remote, client)
	_, known := b.right.Get(p)
	all := place{address: p.address}
	now := b.clock()
	b.mu.Lock()
	defer b.mu.Unlock()
	wait := b.client.wait(b.spent[p], now)
	if !known {
		wait = max(wait, b.address.wait(b.spent[all], now))
	}
	if wait > 0 {
		e := audience.Errorf(audience.TooMany, "too many wrong credentials came from this address; repeat the request in %s, with valid ones", max(wait.Round(time.Second), time.Second))
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

// wait returns the time until another attempt is allowed.
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

// makeRoom removes places when there are too many: expired ones, or else any.
func (b *AttemptLimiter) makeRoom(now time.Time) {
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
