// Command profile measures a profile store: it loads memberships as one run, applies a differential run, and looks
// identities up one by one and in batches. It uses the store directly, without a server, and prints wall time and CPU
// seconds of this process and of the store's servers.
package main

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"roster/bench/server"
	"roster/internal/identity"
	"roster/internal/profile"
	"roster/internal/profile/cassandra"
	"roster/internal/profile/pebble"
)

type settings struct {
	url     string
	members int
	batches int
	pids    []string
}

func main() {
	var s settings
	flag.StringVar(&s.url, "url", "", "profile store, cassandra://…; default a Pebble directory")
	flag.IntVar(&s.members, "members", 1_000_000, "memberships")
	flag.IntVar(&s.batches, "batches", 20, "batch look-ups of 1,000 identities, and 50 times as many single ones")
	pids := flag.String("pids", "", "process ids of the store's servers on this machine, separated by commas")
	limit := flag.Duration("limit", time.Hour, "give up after this time")
	flag.Parse()
	if *pids != "" {
		s.pids = strings.Split(*pids, ",")
	}
	server.Main("profile", *limit, func(ctx context.Context) error { return run(ctx, s) })
}

func open(ctx context.Context, s settings, dir string) (profile.Store, error) {
	if s.url == "" {
		return pebble.Open(filepath.Join(dir, "profile"), pebble.Options{})
	}
	a, err := cassandra.Parse(s.url)
	if err != nil {
		return nil, err
	}
	return cassandra.Open(ctx, a, cassandra.Options{Owner: "bench"})
}

func run(ctx context.Context, s settings) (err error) {
	dir, err := os.MkdirTemp("", "roster-profile-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	store, err := open(ctx, s, dir)
	if err != nil {
		return err
	}
	defer store.Close()
	ref := profile.Ref{Sandbox: 1, Audience: 1}
	first := newDelta(s.members, 1, 100)
	if err := s.measure("load", s.members, func() error { return store.Apply(ctx, ref, profile.Pointer{Seq: 1, Run: "1"}, first) }); err != nil {
		return err
	}
	few := newDelta(s.members/100, 1, 200)
	if err := s.measure("differential run", s.members/100, func() error { return store.Apply(ctx, ref, profile.Pointer{Seq: 2, Run: "2"}, few) }); err != nil {
		return err
	}
	lookUp := func(batch, times int) error {
		var took []time.Duration
		keys := make([]identity.Key, batch)
		err := s.measure(fmt.Sprintf("look-ups of %d", batch), batch*times, func() error {
			for range times {
				for i := range keys {
					keys[i] = key(rand.IntN(s.members))
				}
				begun := time.Now()
				found, err := store.Lookup(ctx, ref.Sandbox, keys)
				if err != nil {
					return err
				}
				took = append(took, time.Since(begun))
				if slices.ContainsFunc(found, func(m []profile.Membership) bool { return len(m) != 1 }) {
					return fmt.Errorf("a member was not found")
				}
			}
			return nil
		})
		slices.Sort(took)
		if len(took) > 0 {
			fmt.Printf("  one look-up: median %v, 99th percentile %v\n", took[len(took)/2].Round(time.Microsecond), took[len(took)*99/100].Round(time.Microsecond))
		}
		return err
	}
	if err := lookUp(1, 50*s.batches); err != nil {
		return err
	}
	if err := lookUp(1000, s.batches); err != nil {
		return err
	}
	return s.measure("remove the audience", s.members, func() error { return store.RemoveAudience(ctx, ref) })
}

// measure prints what a step takes.
func (s settings) measure(what string, n int, step func() error) error {
	own, servers, begun := ownCPU(), s.serverCPU(), time.Now()
	if err := step(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	wall := time.Since(begun)
	fmt.Printf("%s: %d in %.2f s, %.0f/s; CPU of this process %.2f s, of the servers %.2f s\n", what, n, wall.Seconds(), float64(n)/wall.Seconds(),
		(ownCPU() - own).Seconds(), s.serverCPU()-servers)
	return nil
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// serverCPU returns the CPU seconds of the servers until now.
func (s settings) serverCPU() (seconds float64) {
	const ticks = 100 // per second, of every Linux that Go runs on
	for _, pid := range s.pids {
		text, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		for _, at := range []int{11, 12} {
			n, _ := strconv.Atoi(fields[at])
			seconds += float64(n) / ticks
		}
	}
	return seconds
}

func key(n int) identity.Key {
	return identity.KeyOf("bench", binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// delta is a run that n members entered.
type delta []profile.Change

func newDelta(n int, since, seen int64) delta {
	d := make(delta, n)
	for i := range d {
		d[i] = profile.Change{Key: key(i), Member: key(i), Since: since, Seen: seen}
	}
	slices.SortFunc(d, func(a, b profile.Change) int { return slices.Compare(a.Key[:], b.Key[:]) })
	return d
}

func (d delta) Parts() int                    { return 1 }
func (d delta) Count() int64                  { return int64(len(d)) }
func (d delta) Base() (profile.Pointer, bool) { return profile.Pointer{}, false }
func (d delta) Open(context.Context, int) (profile.ChangeReader, error) {
	return &reader{d}, nil
}

type reader struct{ left delta }

func (r *reader) Next() (profile.Change, error) {
	if len(r.left) == 0 {
		return profile.Change{}, io.EOF
	}
	c := r.left[0]
	r.left = r.left[1:]
	return c, nil
}

func (r *reader) Close() error { return nil }
