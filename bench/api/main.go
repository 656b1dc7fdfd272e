// Command api measures the API of a server with much data: look-ups per second compared with a bare net/http handler
// that answers the same bytes, look-ups at a steady rate, and lists and states among many audiences and runs. It
// measures each of them alone and during a run. Client and server share the machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"roster/bench/server"
)

// searchesPerSecond is a rate that one processor can sustain.
const searchesPerSecond = 5

type settings struct {
	members, rows, audiences, runs int
	lookups, calls, connections    int
	during                         time.Duration
	memory                         string
}

func main() {
	var s settings
	flag.IntVar(&s.members, "members", 1_000_000, "people in the audience of the look-ups")
	flag.IntVar(&s.rows, "rows", 5_000_000, "people in the audience of the concurrent run")
	flag.IntVar(&s.audiences, "audiences", 100_000, "other audiences")
	flag.IntVar(&s.runs, "runs", 10, "runs of each other audience")
	flag.IntVar(&s.lookups, "lookups", 2000, "steady rate of look-ups per second")
	flag.IntVar(&s.calls, "calls", 100, "steady rate of lists and states per second")
	flag.IntVar(&s.connections, "connections", 16, "connections")
	flag.DurationVar(&s.during, "during", 5*time.Second, "duration of a measurement without a concurrent run")
	flag.StringVar(&s.memory, "memory", "", "Roster's --memory")
	limit := flag.Duration("limit", 20*time.Minute, "give up after this time")
	bare := flag.String("bare", "", "internal: be the bare handler that answers the content of this file")
	flag.Parse()
	if flag.NArg() > 0 || min(s.members, s.rows, s.audiences, s.runs, s.lookups, s.calls, s.connections) < 1 {
		flag.Usage()
		os.Exit(2)
	}
	server.Main("api", *limit, func(ctx context.Context) error {
		if *bare != "" {
			return serveBare(ctx, *bare)
		}
		return run(ctx, s)
	})
}

func run(ctx context.Context, s settings) (err error) {
	dir, err := os.MkdirTemp("", "roster-api-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := prepare(ctx, dir, s); err != nil {
		return err
	}
	srv, err := serve(ctx, dir, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Stop()) }()
	files, err := srv.Folder(ctx, filepath.Join(dir, "in"))
	if err != nil {
		return err
	}
	if _, err := srv.Import(ctx, files, "looked-up.csv", "file"); err != nil {
		return err
	}
	if err := srv.Stop(); err != nil {
		return err
	}
	started := time.Now()
	made, err := fill(ctx, filepath.Join(dir, "data", "roster.db"), s)
	if err != nil {
		return fmt.Errorf("fill the database: %w", err)
	}
	fmt.Printf("%d audiences and %d runs written in %.0f s\n", s.audiences, s.audiences*s.runs, time.Since(started).Seconds())
	return measureAll(ctx, dir, files, made, s)
}

// measureAll measures a server whose database is filled.
func measureAll(ctx context.Context, dir, files string, made filled, s settings) (err error) {
	srv, err := serve(ctx, dir, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Stop()) }()
	roster := target{srv.Address, srv.Headers, srv.Pid()}
	bare, stop, err := startBare(ctx, dir, roster)
	if err != nil {
		return fmt.Errorf("the bare handler: %w", err)
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := beside(ctx, srv, files, s, func(during span) error { return throughput(ctx, roster, bare, s, during) }); err != nil {
		return err
	}
	for _, of := range []struct {
		name string
		target
	}{{"a look-up", roster}, {"the bare handler", bare}} {
		lookups := []kind{{of.name, func(n int) string { return lookup(n % s.members) }}}
		if err := beside(ctx, srv, files, s, func(during span) error { return steady(ctx, of.target, s, s.lookups, lookups, during) }); err != nil {
			return err
		}
	}
	valued := []kind{{"a look-up with values", func(n int) string { return lookup(n%s.members) + "&fields=audienceEnrichment" }}}
	if err := beside(ctx, srv, files, s, func(during span) error { return steady(ctx, roster, s, s.calls, valued, during) }); err != nil {
		return err
	}
	if err := beside(ctx, srv, files, s, func(during span) error { return steady(ctx, roster, s, s.calls, made.calls(), during) }); err != nil {
		return err
	}
	return steady(ctx, roster, s, searchesPerSecond, made.searches(), span{beside: "nothing", time: s.during})
}

func serve(ctx context.Context, dir string, s settings) (*server.Server, error) {
	flags := []string{"--local-roots", filepath.Join(dir, "in")}
	if s.memory != "" {
		flags = append(flags, "--memory", s.memory)
	}
	return server.Start(ctx, filepath.Join(dir, "roster"), filepath.Join(dir, "data"), flags...)
}

// prepare builds the server and writes the files to import.
func prepare(ctx context.Context, dir string, s settings) error {
	for name, pkg := range map[string]string{"roster": "roster/cmd/roster", "gen": "roster/bench/gen"} {
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, name), pkg).CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o755); err != nil {
		return err
	}
	for _, f := range []struct {
		name       string
		rows, from int
	}{{"looked-up.csv", s.members, 0}, {"imported.csv", s.rows, 2 * s.members}} {
		cmd := exec.CommandContext(ctx, filepath.Join(dir, "gen"), "-rows", strconv.Itoa(f.rows), "-from", strconv.Itoa(f.from), "-out", filepath.Join(dir, "in", f.name))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("write %s: %w\n%s", f.name, err, out)
		}
	}
	return nil
}

// span is the duration of a measurement: a time, or until a run has ended.
type span struct {
	beside string
	time   time.Duration
	ended  <-chan struct{}
}

// beside measures twice: without a concurrent run, and during a full run.
func beside(ctx context.Context, srv *server.Server, files string, s settings, measure func(span) error) error {
	if err := measure(span{beside: "nothing", time: s.during}); err != nil {
		return err
	}
	ended, failed := make(chan struct{}), error(nil)
	go func() {
		defer close(ended)
		started := time.Now()
		r, err := srv.Import(ctx, files, "imported.csv", "file")
		if failed = err; err == nil {
			fmt.Printf("(the run of %d rows took %.1f s)\n", r.Rows.Read, time.Since(started).Seconds())
		}
	}()
	err := measure(span{beside: fmt.Sprintf("a full run of %d rows", s.rows), ended: ended})
	<-ended
	return errors.Join(err, failed)
}
