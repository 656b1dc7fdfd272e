// Command lookup measures look-ups while a run goes on: it starts a server, imports an audience, starts a full run
// of another one, and looks identities up at a steady rate until the run has ended. Latencies are those that a
// client on loopback sees, counted from the moment at which a look-up was to be sent: one that waits for a
// connection is late, not left out.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

type settings struct {
	members, rows, rate, connections int
	memory                           string
}

func main() {
	var s settings
	flag.IntVar(&s.members, "members", 1_000_000, "people in the audience that is looked up")
	flag.IntVar(&s.rows, "rows", 10_000_000, "people in the audience that is imported meanwhile")
	flag.IntVar(&s.rate, "rate", 2000, "look-ups a second")
	flag.IntVar(&s.connections, "connections", 16, "connections they are spread over")
	flag.StringVar(&s.memory, "memory", "", "Roster's --memory")
	limit := flag.Duration("limit", 10*time.Minute, "give up after this time")
	flag.Parse()
	if flag.NArg() > 0 || min(s.members, s.rows, s.rate, s.connections) < 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, *limit)
	err := run(ctx, s)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lookup:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) (err error) {
	dir, err := os.MkdirTemp("", "roster-lookup-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for name, pkg := range map[string]string{"roster": "roster/cmd/roster", "gen": "roster/bench/gen"} {
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, name), pkg).CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
	}
	in := filepath.Join(dir, "in")
	if err := os.Mkdir(in, 0o755); err != nil {
		return err
	}
	for _, f := range []struct {
		name       string
		rows, from int
	}{{"looked-up.csv", s.members, 0}, {"imported.csv", s.rows, 2 * s.members}} {
		cmd := exec.CommandContext(ctx, filepath.Join(dir, "gen"), "-rows", strconv.Itoa(f.rows), "-from", strconv.Itoa(f.from), "-out", filepath.Join(in, f.name))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("write %s: %w\n%s", f.name, err, out)
		}
	}
	srv, err := serve(ctx, dir, in, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.stop()) }()
	if _, err := srv.importFile(ctx, "looked-up.csv"); err != nil {
		return err
	}
	c := srv.client
	if err := measure(ctx, c, s, "nothing else", 5*time.Second, nil); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		started := time.Now()
		r, err := srv.importFile(ctx, "imported.csv")
		if err == nil {
			fmt.Printf("the run of %d rows took %.1f s beside the look-ups\n", r.Rows.Read, time.Since(started).Seconds())
		}
		done <- err
	}()
	return measure(ctx, c, s, fmt.Sprintf("a full run of %d rows", s.rows), 0, done)
}
