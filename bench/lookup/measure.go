package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"roster/client"
)

// measure looks identities up at the rate of s, for a time or until done delivers, and prints the latencies. Every
// tenth look-up is of a stranger.
func measure(ctx context.Context, c *client.Client, s settings, beside string, during time.Duration, done <-chan error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.HTTP = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: s.connections, DialContext: (&net.Dialer{}).DialContext}}
	due := make(chan time.Time, s.rate*60)
	taken := make([][]time.Duration, s.connections)
	failed := make(chan error, s.connections)
	var workers sync.WaitGroup
	for i := range taken {
		workers.Go(func() {
			for at := range due {
				n := rand.IntN(s.members * 10 / 9)
				_, found, err := c.Lookup(ctx, "Email", fmt.Sprintf("p%d@ex.org", n))
				if err == nil && found != (n < s.members) {
					err = fmt.Errorf("look-up of person %d of %d: found %t", n, s.members, found)
				}
				if err != nil {
					failed <- err
					cancel()
					return
				}
				taken[i] = append(taken[i], time.Since(at))
			}
		})
	}
	ended := schedule(ctx, due, s.rate, during, done)
	close(due)
	workers.Wait()
	select {
	case err := <-failed:
		return errors.Join(err, ended)
	default:
	}
	if ended != nil {
		return ended
	}
	all := slices.Concat(taken...)
	if len(all) == 0 {
		return errors.New("no look-up was made")
	}
	slices.Sort(all)
	at := func(q float64) time.Duration { return all[min(int(q*float64(len(all))), len(all)-1)] }
	fmt.Printf("%d look-ups at %d/s beside %s: p50 %s  p90 %s  p99 %s  p99.9 %s  max %s\n", len(all), s.rate, beside,
		round(at(.5)), round(at(.9)), round(at(.99)), round(at(.999)), round(all[len(all)-1]))
	return nil
}

func round(d time.Duration) time.Duration { return d.Round(time.Microsecond) }

// schedule hands look-ups out as they become due. It wakes up every millisecond, since timers are no finer, and
// hands out those of the millisecond together.
func schedule(ctx context.Context, due chan<- time.Time, rate int, during time.Duration, done <-chan error) error {
	start := time.Now()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-done:
			return err
		case now := <-tick.C:
			if done == nil && now.Sub(start) > during {
				return nil
			}
			for ; ; n++ {
				at := start.Add(time.Duration(n) * time.Second / time.Duration(rate))
				if at.After(now) {
					break
				}
				due <- now
			}
		}
	}
}
