package cassandra

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"roster/internal/identity"
)

// refusal is an answer of a cluster.
type refusal int

func (r refusal) Code() int       { return int(r) }
func (r refusal) Message() string { return "refused" }
func (r refusal) Error() string   { return fmt.Sprintf("refused %#x", int(r)) }

// TestPace overloads a cluster that does four requests at once. Fewer and fewer are sent, all end well, and the limit
// grows again.
func TestPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPace(64, time.Hour, 0)
		var inFlight, most, refused atomic.Int64
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				err := p.do(t.Context(), func(context.Context) error {
					n := inFlight.Add(1)
					defer inFlight.Add(-1)
					if n > most.Load() {
						most.Store(n)
					}
					time.Sleep(time.Millisecond)
					if n > 4 {
						refused.Add(1)
						return &gocql.RequestErrOverloaded{}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if most.Load() != 64 || refused.Load() == 0 || refused.Load() > 5000 {
			t.Errorf("%d requests were in flight, %d were refused", most.Load(), refused.Load())
		}
		for range 10_000 {
			if err := p.do(t.Context(), func(context.Context) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if p.limit != 64 {
			t.Errorf("after the overload the limit is %d", p.limit)
		}
	})
}

// TestPatience repeats what may succeed later, with growing pauses and until patience ends, and nothing else.
func TestPatience(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err     error
		repeats bool
	}{
		"too few replicas":   {&gocql.RequestErrUnavailable{Required: 2, Alive: 1}, true},
		"no connection":      {gocql.ErrNoConnections, true},
		"a closed one":       {gocql.ErrConnectionClosed, true},
		"no answer":          {gocql.ErrTimeoutNoResponse, true},
		"an error of a node": {refusal(gocql.ErrCodeServer), true},
		"a wrong statement":  {refusal(gocql.ErrCodeSyntax), false},
		"no permission":      {refusal(gocql.ErrCodeUnauthorized), false},
		"a closed store":     {gocql.ErrSessionClosed, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				attempts := 0
				begun := time.Now()
				err := newPace(1, 30*time.Second, 0).do(t.Context(), func(context.Context) error { attempts++; return c.err })
				if !errors.Is(err, c.err) || c.repeats != (attempts > 1) {
					t.Errorf("%d attempts: %v", attempts, err)
				}
				if took := time.Since(begun); took > 30*time.Second || c.repeats && (took < 20*time.Second || attempts > 40) {
					t.Errorf("%d attempts in %v", attempts, took)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		begun := time.Now()
		if err := newPace(1, time.Hour, 0).do(ctx, func(context.Context) error { return gocql.ErrNoConnections }); err == nil || time.Since(begun) > 2*time.Second {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
	})
}

// TestLevels spreads the rows of a generation over partitions of bounded size.
func TestLevels(t *testing.T) {
	t.Parallel()
	for rows, level := range map[int64]int{0: 0, partitionRows - 1: 0, partitionRows: 1, 1_000_000: 4, 1_000_000_000: 14, 1 << 50: mostLevel} {
		if got := levelOf(rows); got != level {
			t.Errorf("%d rows are on level %d, not %d", rows, got, level)
		}
	}
	for level := range mostLevel + 1 {
		if first, last := bucketOf(identity.Key{}, level), bucketOf(identity.Key{255, 255, 255}, level); first != 0 || last != 1<<level-1 {
			t.Errorf("the buckets of level %d are %d to %d", level, first, last)
		}
	}
}
