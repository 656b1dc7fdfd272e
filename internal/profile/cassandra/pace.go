package cassandra

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// pace limits the requests in flight and repeats those that the cluster was too busy for. Every statement of the store
// is idempotent, so repeating one is safe. The limit is halved when the cluster is overloaded, and grows by one after
// as many successes as the limit.
type pace struct {
	mu       sync.Mutex
	free     *sync.Cond
	most     int
	limit    int
	inFlight int
	good     int           // successes since the limit last changed
	patience time.Duration // for which a request is repeated
	attempt  time.Duration // after which an attempt counts as lost; 0 leaves this to the driver's timeout
}

func newPace(most int, patience, attempt time.Duration) *pace {
	p := &pace{most: most, limit: most, patience: patience, attempt: attempt}
	p.free = sync.NewCond(&p.mu)
	return p
}

const (
	firstPause = 50 * time.Millisecond
	mostPause  = 2 * time.Second
)

// do calls fn until it succeeds, fails with an error that repetition does not cure, or patience ends.
func (p *pace) do(ctx context.Context, fn func(ctx context.Context) error) error {
	deadline := time.Now().Add(p.patience)
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		err := p.once(ctx, fn)
		if err == nil || ctx.Err() != nil || !passing(err) {
			return explain(err)
		}
		wait := pause/2 + rand.N(pause)
		if time.Now().Add(wait).After(deadline) {
			return fmt.Errorf("repeated for %s: %w", p.patience, explain(err))
		}
		select {
		case <-ctx.Done():
			return explain(err)
		case <-time.After(wait):
		}
	}
}

func (p *pace) once(ctx context.Context, fn func(ctx context.Context) error) error {
	p.mu.Lock()
	for p.inFlight >= p.limit {
		p.free.Wait()
	}
	p.inFlight++
	p.mu.Unlock()
	attempt, cancel := ctx, context.CancelFunc(func() {})
	if p.attempt > 0 {
		attempt, cancel = context.WithTimeout(ctx, p.attempt)
	}
	err := fn(attempt)
	cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
	switch {
	case err == nil:
		if p.good++; p.good >= p.limit {
			p.good, p.limit = 0, min(p.limit+1, p.most)
		}
	case overloaded(err):
		p.good, p.limit = 0, max(p.limit/2, 1)
	}
	p.free.Broadcast()
	return err
}

// overloaded reports whether an error shows that the cluster has more work than it can do.
func overloaded(err error) bool {
	var busy *gocql.RequestErrOverloaded
	var write *gocql.RequestErrWriteTimeout
	var read *gocql.RequestErrReadTimeout
	return errors.As(err, &busy) || errors.As(err, &write) || errors.As(err, &read) || errors.Is(err, gocql.ErrTimeoutNoResponse) ||
		errors.Is(err, gocql.ErrNoStreams) || errors.Is(err, context.DeadlineExceeded)
}

// passing reports whether the same request may succeed later: unless the cluster understood and refused it.
func passing(err error) bool {
	var answer gocql.RequestError
	if !errors.As(err, &answer) {
		return !errors.Is(err, gocql.ErrSessionClosed) && !errors.Is(err, gocql.ErrNotFound)
	}
	switch answer.Code() {
	case gocql.ErrCodeServer, gocql.ErrCodeUnavailable, gocql.ErrCodeOverloaded, gocql.ErrCodeBootstrapping, gocql.ErrCodeWriteTimeout, gocql.ErrCodeReadTimeout,
		gocql.ErrCodeReadFailure, gocql.ErrCodeWriteFailure, gocql.ErrCodeCASWriteUnknown:
		return true
	}
	return false
}

// explain adds to an error of the driver what it means.
func explain(err error) error {
	var few *gocql.RequestErrUnavailable
	var write *gocql.RequestErrWriteTimeout
	switch {
	case errors.As(err, &few):
		return fmt.Errorf("the Cassandra cluster: %s needs %d replicas, and %d of them are up: %w", few.Consistency, few.Required, few.Alive, err)
	case errors.As(err, &write):
		return fmt.Errorf("the Cassandra cluster: %d of %d replicas confirmed a write in time: %w", write.Received, write.BlockFor, err)
	case errors.Is(err, gocql.ErrNoConnections):
		return fmt.Errorf("the Cassandra cluster: no node of the data centre answers: %w", err)
	case err != nil:
		return fmt.Errorf("the Cassandra cluster: %w", err)
	}
	return nil
}
