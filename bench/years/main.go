// Command years measures how an audience ages: a first full run, then many differential runs of few rows, one right after the other. At some
// of the runs it prints what a run takes, how large the table's metadata is, how many files readers open, and how long pyiceberg and
// DuckDB read the table. At the end it erases one person. Their sums of the points are compared.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"roster/bench/server"
	"roster/client"
)

type settings struct {
	members, rows, runs, window, erase, audiences int
	at                                            []int
	python, undo                                  string
	constant                                      bool
}

func main() {
	var s settings
	flag.IntVar(&s.members, "members", 100_000, "people in the audience")
	flag.IntVar(&s.rows, "rows", 1_000, "rows of a differential run")
	flag.IntVar(&s.window, "mean", 10, "how many runs a time is the median of")
	flag.BoolVar(&s.constant, "constant", false, "change people who are there, so that the audience keeps its size")
	flag.IntVar(&s.erase, "erase", 0, "also erase this many people by one work order, at most 10,000")
	flag.IntVar(&s.audiences, "audiences", 1, "audiences of the same first file; only the first one ages")
	flag.StringVar(&s.python, "python", "", "an interpreter with pyiceberg and duckdb, to read the table")
	flag.StringVar(&s.undo, "undo-window", "", "Roster's --undo-window")
	at := flag.String("at", "10,50,100,200,500,1000", "after which runs to measure; the last one ends the benchmark")
	limit := flag.Duration("limit", time.Hour, "give up after this time")
	flag.Parse()
	for _, text := range strings.Split(*at, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			flag.Usage()
			os.Exit(2)
		}
		s.at = append(s.at, n)
	}
	s.runs = slices.Max(s.at)
	server.Main("years", *limit, func(ctx context.Context) error { return run(ctx, s) })
}

func run(ctx context.Context, s settings) (err error) {
	dir, err := os.MkdirTemp("", "roster-years-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	data, in := filepath.Join(dir, "data"), filepath.Join(dir, "in")
	people := filepath.Join(in, "people")
	if err := os.MkdirAll(people, 0o700); err != nil {
		return err
	}
	binary := filepath.Join(dir, "roster")
	for _, c := range [][]string{
		{"go", "build", "-o", binary, "./cmd/roster"},
		{"go", "build", "-o", filepath.Join(dir, "gen"), "./bench/gen"},
		{filepath.Join(dir, "gen"), "--rows", strconv.Itoa(s.members), "--out", filepath.Join(people, "first.csv")},
	} {
		if out, err := exec.CommandContext(ctx, c[0], c[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(c, " "), err, out)
		}
	}
	flags := []string{"--local-roots", in}
	if s.undo != "" {
		flags = append(flags, "--undo-window", s.undo)
	}
	srv, err := server.Start(ctx, binary, data, flags...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Stop()) }()
	connection, err := srv.Folder(ctx, in)
	if err != nil {
		return err
	}
	first, err := srv.Import(ctx, connection, "people", "folder")
	if err != nil {
		return err
	}
	for n := 1; n < s.audiences; n++ {
		if err := os.CopyFS(filepath.Join(in, fmt.Sprint("people", n)), os.DirFS(people)); err != nil {
			return err
		}
		if _, err := srv.Import(ctx, connection, fmt.Sprint("people", n), "folder"); err != nil {
			return err
		}
	}
	y := years{settings: s, dir: dir, data: data, people: people, srv: srv, audience: first.AudienceID}
	fmt.Println("run   run s  cpu s  metadata KiB  metadata files  manifests  data  deletes  lake MiB  pyiceberg s  duckdb s")
	for n := 1; n <= s.runs; n++ {
		if err := y.run(ctx, n); err != nil {
			return fmt.Errorf("run %d: %w", n, err)
		}
		if slices.Contains(s.at, n) {
			if err := y.report(ctx, n); err != nil {
				return err
			}
		}
	}
	if err := y.eraseOne(ctx); err != nil || s.erase == 0 {
		return err
	}
	return y.eraseMany(ctx)
}

// years is the audience that ages.
type years struct {
	settings
	dir, data, people string
	srv               *server.Server
	audience          string
	times             []time.Duration
	cpu               []time.Duration
}

// run writes the file of a run, and takes the time from the start of the run to its end. Half of the rows are new people,
// unless the audience keeps its size.
func (y *years) run(ctx context.Context, n int) error {
	name := filepath.Join(y.people, fmt.Sprintf("run-%05d.csv", n))
	half := y.rows / 2
	newPeople := []string{"--from", strconv.Itoa(y.members + (n-1)*half), "--rows", strconv.Itoa(half)}
	if y.constant {
		newPeople = []string{"--from", strconv.Itoa((n*104729 + half) % (y.members - half)), "--rows", strconv.Itoa(half), "--change", "1", "--seed", strconv.Itoa(n + 1)}
	}
	var parts []byte
	for i, of := range [][]string{
		newPeople,
		{"--from", strconv.Itoa((n * 7919) % (y.members - half)), "--rows", strconv.Itoa(y.rows - half), "--change", "1", "--seed", strconv.Itoa(n)},
	} {
		part := filepath.Join(y.dir, "part.csv")
		if out, err := exec.CommandContext(ctx, filepath.Join(y.dir, "gen"), append(of, "--out", part)...).CombinedOutput(); err != nil {
			return fmt.Errorf("write a file: %w: %s", err, out)
		}
		text, err := os.ReadFile(part)
		if err != nil {
			return err
		}
		if i > 0 {
			_, text, _ = bytes.Cut(text, []byte("\n"))
		}
		parts = append(parts, text...)
	}
	if err := os.WriteFile(name+".part", parts, 0o600); err != nil {
		return err
	}
	old := time.Now().Add(-time.Minute) // a file that is written no more
	if err := errors.Join(os.Chtimes(name+".part", old, old), os.Rename(name+".part", name)); err != nil {
		return err
	}
	differential := true
	before, start := server.CPU(y.srv.Pid()), time.Now()
	started, err := y.srv.Client.StartRun(ctx, y.audience, client.RunRequest{DifferentialIngestion: &differential})
	if err != nil {
		return err
	}
	r := client.Run{Status: client.Processing}
	for r.Status == client.Processing {
		time.Sleep(5 * time.Millisecond)
		if r, err = y.srv.Client.Run(ctx, y.audience, started.RunID); err != nil {
			return err
		}
	}
	if r.Status != client.Success {
		return fmt.Errorf("it ended %s: %+v", r.Status, r.Error)
	}
	y.times = append(y.times, time.Since(start))
	y.cpu = append(y.cpu, server.CPU(y.srv.Pid())-before)
	return nil
}

// mails returns the mails of some people of the first file.
func (y *years) mails(from, n int) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(y.people, "first.csv"))
	if err != nil {
		return nil, err
	}
	var mails []string
	for _, row := range strings.Split(string(text), "\n")[1+from:][:n] {
		mail, _, _ := strings.Cut(row, ",")
		mails = append(mails, mail)
	}
	return mails, nil
}

// eraseOne erases the first person and prints the time from the request to the certificate.
func (y *years) eraseOne(ctx context.Context) error {
	mails, err := y.mails(0, 1)
	if err != nil {
		return err
	}
	before, start := server.CPU(y.srv.Pid()), time.Now()
	started, err := y.srv.Client.Erase(ctx, "Email", mails[0])
	if err != nil {
		return err
	}
	for {
		e, err := y.srv.Client.Erasure(ctx, started.JobID)
		if err != nil {
			return err
		}
		if e.Status != client.Processing {
			versions := 0
			for _, a := range e.Audiences {
				versions += a.Versions
			}
			fmt.Printf("erasure of one person: %s after %.2f s, processor %.2f s, %d versions removed\n", e.Status, time.Since(start).Seconds(),
				(server.CPU(y.srv.Pid()) - before).Seconds(), versions)
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// eraseMany erases people by one work order.
func (y *years) eraseMany(ctx context.Context) error {
	mails, err := y.mails(1, y.settings.erase)
	if err != nil {
		return err
	}
	before, start := server.CPU(y.srv.Pid()), time.Now()
	order, err := y.srv.Client.EraseAll(ctx, client.NewWorkOrder{Action: "delete_identity", DatasetID: "ALL",
		NamespacesIdentities: []client.NamespaceIdentities{{Namespace: client.NamespaceCode{Code: "Email"}, IDs: mails}}})
	if err != nil {
		return err
	}
	accepted := time.Since(start)
	for order.Status != "completed" {
		time.Sleep(20 * time.Millisecond)
		if order, err = y.srv.Client.WorkOrder(ctx, order.WorkOrderID); err != nil {
			return err
		}
	}
	fmt.Printf("erasure of %d people from %d audiences: accepted after %.2f s, completed after %.2f s, processor %.2f s\n", len(mails), y.settings.audiences,
		accepted.Seconds(), time.Since(start).Seconds(), (server.CPU(y.srv.Pid()) - before).Seconds())
	return nil
}

// report prints a line.
func (y *years) report(ctx context.Context, n int) error {
	of := y.times[max(0, len(y.times)-y.window):]
	cpu := y.cpu[max(0, len(y.cpu)-y.window):]
	fmt.Printf("%4d  %6.3f  %5.2f", n, median(of).Seconds(), median(cpu).Seconds())
	metadata, err := filepath.Glob(filepath.Join(y.data, "*", "*", "*", "metadata", "*.metadata.json"))
	if err != nil || len(metadata) == 0 {
		return fmt.Errorf("no metadata in %s: %v", y.data, err)
	}
	slices.SortFunc(metadata, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
	newest := metadata[len(metadata)-1]
	info, err := os.Stat(newest)
	if err != nil {
		return err
	}
	size := int64(0)
	err = filepath.WalkDir(filepath.Dir(filepath.Dir(newest)), func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := d.Info(); err == nil {
			size += info.Size()
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Printf("  %12.1f  %14d", float64(info.Size())/1024, len(metadata))
	read := []byte("-  -  -  -  -")
	if y.python != "" {
		c := exec.CommandContext(ctx, y.python, "bench/years/read.py", newest)
		c.Stderr = os.Stderr
		if read, err = c.Output(); err != nil {
			return fmt.Errorf("read the table: %w", err)
		}
	}
	f := strings.Fields(string(read))
	fmt.Printf("  %9s  %4s  %7s  %8.1f  %11s  %8s\n", f[0], f[1], f[2], float64(size)/(1<<20), f[3], f[4])
	return nil
}

func median(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)/2]
}
