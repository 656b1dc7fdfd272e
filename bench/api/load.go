package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"roster/bench/server"
)

// kind is a kind of call, with a function that returns the path of the n-th call.
type kind struct {
	name string
	path func(n int) string
}

func lookup(person int) string {
	return fmt.Sprintf("/data/core/ups/access/entities?schema.name=_xdm.context.profile&entityIdNS=email&entityId=%s", url.QueryEscape(fmt.Sprintf("p%d@ex.org", person)))
}

// conn is a connection that sends one request after the other. It does little work and waits in the kernel, because it
// shares the machine with the server.
type conn struct {
	*os.File
	in *bufio.Reader
}

func dial(ctx context.Context, address string) (*conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		return nil, err
	}
	f.Fd() // makes the connection blocking
	return &conn{f, bufio.NewReaderSize(f, 64<<10)}, nil
}

// ask sends a request and returns its answer, which must have status 200. The caller must close the body before the
// next request.
func (c *conn) ask(path, headers string) (*http.Response, error) {
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: bench\r\n"+headers+"\r\n"); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return nil, fmt.Errorf("GET %s: %s: %s", path, resp.Status, text)
	}
	return resp, nil
}

// get sends a request and reads the answer, which must have status 200.
func (c *conn) get(path, headers string) error {
	resp, err := c.ask(path, headers)
	if err != nil {
		return err
	}
	return resp.Body.Close() // reads to the end
}

// load calls on several connections at once. Each connection repeats call until it returns false. load returns the
// times, sorted.
func load(ctx context.Context, s settings, address string, call func(*conn) (took time.Duration, more bool, err error)) ([]time.Duration, error) {
	taken, failed := make([][]time.Duration, s.connections), make([]error, s.connections)
	var workers sync.WaitGroup
	for i := range taken {
		workers.Go(func() {
			runtime.LockOSThread()
			c, err := dial(ctx, address)
			if err != nil {
				failed[i] = err
				return
			}
			defer c.Close()
			for {
				took, more, err := call(c)
				if err != nil || !more {
					failed[i] = err
					return
				}
				taken[i] = append(taken[i], took)
			}
		})
	}
	workers.Wait()
	all := slices.Concat(taken...)
	slices.Sort(all)
	if len(all) == 0 {
		failed = append(failed, errors.New("no call was made"))
	}
	return all, errors.Join(failed...)
}

// over reports whether the time of a measurement is over.
func (d span) over(since time.Time) bool {
	if d.ended == nil {
		return time.Since(since) >= d.time
	}
	select {
	case <-d.ended:
		return true
	default:
		return false
	}
}

// target is a process that answers calls.
type target struct {
	address string
	headers string
	pid     int
}

// throughput looks up as fast as possible, alternately from Roster and from a bare handler that answers the same bytes.
func throughput(ctx context.Context, roster, bare target, s settings, during span) error {
	const turns = 3
	began := time.Now()
	var rates [2][]float64
	var costs [2][]float64
	for turn := 0; turn < turns && (turn == 0 || during.ended == nil || !during.over(began)); turn++ {
		for i, of := range []target{roster, bare} {
			used, start := server.CPU(of.pid), time.Now()
			all, err := load(ctx, s, of.address, func(c *conn) (time.Duration, bool, error) {
				at := time.Now()
				if at.Sub(start) > s.during/turns {
					return 0, false, nil
				}
				err := c.get(lookup(rand.IntN(s.members)), of.headers)
				return time.Since(at), true, err
			})
			if err != nil {
				return err
			}
			rates[i] = append(rates[i], float64(len(all))/time.Since(start).Seconds())
			costs[i] = append(costs[i], (server.CPU(of.pid)-used).Seconds()*1e6/float64(len(all)))
		}
	}
	fmt.Printf("look-ups beside %s: %.0f/s of Roster, %.0f/s of a bare handler with the same bytes: %.2f; CPU %.0f and %.0f µs each\n", during.beside,
		median(rates[0]), median(rates[1]), median(rates[0])/median(rates[1]), median(costs[0]), median(costs[1]))
	return nil
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// steady makes calls at a fixed rate, with the kinds in turn, and prints the latencies of each kind. A latency counts
// from the moment at which the call was due, so calls that wait for a connection count as late. Each connection has its
// own thread, which sleeps and waits in the kernel, because Go's timers are a millisecond late on an idle machine.
func steady(ctx context.Context, of target, s settings, rate int, kinds []kind, during span) error {
	var mu sync.Mutex
	taken := make([][]time.Duration, len(kinds))
	var turn atomic.Int64
	start := time.Now()
	_, err := load(ctx, s, of.address, func(c *conn) (time.Duration, bool, error) {
		n := int(turn.Add(1) - 1)
		due := start.Add(time.Duration(n) * time.Second / time.Duration(rate))
		if err := sleep(time.Until(due)); err != nil || during.over(start) || ctx.Err() != nil {
			return 0, false, errors.Join(err, ctx.Err())
		}
		k := n % len(kinds)
		if err := c.get(kinds[k].path(rand.Int()), of.headers); err != nil {
			return 0, false, err
		}
		took := time.Since(due)
		mu.Lock()
		defer mu.Unlock()
		taken[k] = append(taken[k], took)
		return took, true, nil
	})
	if err != nil {
		return err
	}
	fmt.Printf("\n%d calls a second beside %s, in milliseconds; peak memory of the server %d MiB\n\n| call | calls | p50 | p90 | p99 | p99.9 |\n| --- | ---: | ---: | ---: | ---: | ---: |\n", rate, during.beside, server.Peak(of.pid)>>20)
	kinds, taken = append(kinds, kind{name: "all of them"}), append(taken, slices.Concat(taken...))
	if len(kinds) == 2 {
		kinds, taken = kinds[:1], taken[:1]
	}
	for i, all := range taken {
		slices.Sort(all)
		at := func(q float64) float64 { return all[min(int(q*float64(len(all))), len(all)-1)].Seconds() * 1000 }
		if len(all) > 0 {
			fmt.Printf("| %s | %d | %.2f | %.2f | %.2f | %.2f |\n", kinds[i].name, len(all), at(.5), at(.9), at(.99), at(.999))
		}
	}
	return nil
}

// sleep blocks the thread for a time.
func sleep(d time.Duration) error {
	for left := syscall.NsecToTimespec(int64(d)); d > 0; {
		err := syscall.Nanosleep(&left, &left)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
	return nil
}
