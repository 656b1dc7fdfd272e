package web

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"roster/internal/audience"
)

// limits bounds how many requests an API client may send. A client that was idle may send those of one second at
// once.
type limits struct {
	perSecond float64  // 0 means no bound
	clients   sync.Map // of client ids, *rate.Limiter each
}

// take counts a request of a client, or returns a TooMany error that says when it is possible.
func (l *limits) take(client string, now time.Time) error {
	if l.perSecond == 0 {
		return nil
	}
	limiter, ok := l.clients.Load(client)
	if !ok {
		limiter, _ = l.clients.LoadOrStore(client, rate.NewLimiter(rate.Limit(l.perSecond), max(1, int(math.Ceil(l.perSecond)))))
	}
	r := limiter.(*rate.Limiter).ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	r.CancelAt(now)
	e := audience.Errorf(audience.TooMany, "the client sends more than the %g requests a second that it may; repeat the request in %s", l.perSecond, wait.Round(time.Millisecond))
	e.RetryAfter = wait
	return e
}
