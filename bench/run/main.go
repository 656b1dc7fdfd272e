// Command run measures Roster, DuckDB and PostgreSQL doing the same work on the same files, side by side, and prints
// one table. Each piece of work is a separate process; the figures come from the operating system.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"roster/bench/server"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// figures are the costs of one process.
type figures struct {
	Wall float64 `json:"wallSeconds"`
	CPU  float64 `json:"cpuSeconds"`
	Peak int64   `json:"peakBytes"`
	// Written is the number of bytes that the process wrote to disk, scratch files included; 0 if the engine's server
	// writes.
	Written int64 `json:"writtenBytes,omitempty"`
}

// counts are the results that an engine reports. All engines must agree.
type counts struct {
	Members int64 `json:"members"`
	Added   int64 `json:"added"`
	Updated int64 `json:"updated"`
	Removed int64 `json:"removed"`
}

// engine does the work on files. begin gives it an empty state; end removes the state, also after a failed begin.
type engine interface {
	name() string
	begin(ctx context.Context) error
	do(ctx context.Context, w work) (figures, counts, error)
	end() error
}

// work is one step. The steps of a state follow each other.
type work struct {
	Name  string
	File  string
	Full  bool
	Fresh bool // begin with an empty state
}

// result is the median of an engine's repetitions of a work.
type result struct {
	Work   string  `json:"work"`
	Engine string  `json:"engine"`
	Median figures `json:"median"`
	Counts counts  `json:"counts"`
}

// settings are the flags.
type settings struct {
	rows, repeat             int
	python, postgres, memory string
	json                     bool
}

func main() {
	var s settings
	flag.IntVar(&s.rows, "rows", 1_000_000, "people in the file")
	flag.IntVar(&s.repeat, "repeat", 3, "repetitions; the table has the medians")
	flag.StringVar(&s.python, "python", "", "a Python with the module duckdb; DuckDB is omitted without it")
	flag.StringVar(&s.postgres, "postgres-bin", "", "folder of PostgreSQL's programs; PostgreSQL is omitted without it")
	flag.StringVar(&s.memory, "memory", "", "Roster's --memory")
	flag.BoolVar(&s.json, "json", false, "print JSON instead of a table")
	limit := flag.Duration("limit", 2*time.Hour, "give up after this time")
	flag.Parse()
	if flag.NArg() > 0 || s.rows < 1 || s.repeat < 1 {
		flag.Usage()
		os.Exit(2)
	}
	server.Main("bench", *limit, func(ctx context.Context) error { return run(ctx, s) })
}

func run(ctx context.Context, s settings) (err error) {
	dir, err := os.MkdirTemp("", "roster-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL runs as another user
		return err
	}
	works, err := prepare(ctx, dir, s.rows)
	if err != nil {
		return err
	}
	engines := []engine{&roster{dir: dir, memory: s.memory}}
	if s.python != "" {
		engines = append(engines, &duck{dir: dir, python: s.python})
	}
	if s.postgres != "" {
		engines = append(engines, &postgreSQL{dir: dir, bin: s.postgres})
	}
	runs := map[[2]string][]figures{}
	said := map[[2]string]counts{}
	for range s.repeat {
		for _, e := range engines {
			if err := repetition(ctx, e, works, runs, said); err != nil {
				return fmt.Errorf("%s: %w", e.name(), err)
			}
		}
	}
	var results []result
	for _, w := range works {
		for _, e := range engines {
			key := [2]string{w.Name, e.name()}
			results = append(results, result{w.Name, e.name(), median(runs[key]), said[key]})
			if want := said[[2]string{w.Name, engines[0].name()}]; said[key] != want {
				err = errors.Join(err, fmt.Errorf("%s: %s counts %+v, %s %+v", w.Name, e.name(), said[key], engines[0].name(), want))
			}
		}
	}
	if s.json {
		return errors.Join(err, json.NewEncoder(os.Stdout).Encode(results))
	}
	info, statErr := os.Stat(works[0].File)
	if statErr != nil {
		return errors.Join(err, statErr)
	}
	fmt.Printf("%d people, a file of %d MB, %d cores, medians of %d\n\n", s.rows, info.Size()/1e6, runtime.NumCPU(), s.repeat)
	printTable(results)
	return err
}

func repetition(ctx context.Context, e engine, works []work, runs map[[2]string][]figures, said map[[2]string]counts) (err error) {
	defer func() { err = errors.Join(err, e.end()) }()
	if err := e.begin(ctx); err != nil {
		return err
	}
	for i, w := range works {
		if w.Fresh && i > 0 {
			if err := errors.Join(e.end(), e.begin(ctx)); err != nil {
				return err
			}
		}
		syscall.Sync() // flushes what other engines wrote, so that this one does not pay for it
		f, c, err := e.do(ctx, w)
		if err != nil {
			return fmt.Errorf("%s: %w", w.Name, err)
		}
		fmt.Fprintf(os.Stderr, "%-12s %-28s %7.2f s  %7.2f cpu s  %6d MiB\n", e.name(), w.Name, f.Wall, f.CPU, f.Peak>>20)
		key := [2]string{w.Name, e.name()}
		if before, again := said[key]; again && before != c {
			return fmt.Errorf("%s: counts %+v, %+v the time before", w.Name, c, before)
		}
		runs[key] = append(runs[key], f)
		said[key] = c
	}
	return nil
}

// prepare writes the files.
func prepare(ctx context.Context, dir string, rows int) ([]work, error) {
	gen := filepath.Join(dir, "gen")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", gen, "roster/bench/gen").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the generator: %w\n%s", err, out)
	}
	few := max(rows/100, 1)
	files := map[string][]string{
		"first.csv":   {"-rows", strconv.Itoa(rows)},
		"changed.csv": {"-rows", strconv.Itoa(rows), "-change", "0.01"},
		"delta.csv":   {"-rows", strconv.Itoa(few), "-from", strconv.Itoa(rows - few/2), "-change", "1"},
	}
	for name, args := range files {
		if out, err := exec.CommandContext(ctx, gen, append(args, "-out", filepath.Join(dir, name))...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("write %s: %w\n%s", name, err, out)
		}
	}
	if out, err := exec.CommandContext(ctx, "gzip", "-k", "-1", filepath.Join(dir, "first.csv")).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compress: %w\n%s", err, out)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	return []work{
		{Name: "full run, first, gzip", File: at("first.csv.gz"), Full: true, Fresh: true},
		{Name: "full run, first", File: at("first.csv"), Full: true, Fresh: true},
		{Name: "full run, same file", File: at("first.csv"), Full: true},
		{Name: "full run, 1 % changed", File: at("changed.csv"), Full: true},
		{Name: fmt.Sprintf("differential, %d rows", few), File: at("delta.csv")},
	}, nil
}

func median(list []figures) figures {
	pick := func(by func(figures) float64) figures {
		slices.SortFunc(list, func(a, b figures) int { return cmp.Compare(by(a), by(b)) })
		return list[len(list)/2]
	}
	return figures{
		Wall: pick(func(f figures) float64 { return f.Wall }).Wall,
		CPU:  pick(func(f figures) float64 { return f.CPU }).CPU,
		Peak: pick(func(f figures) float64 { return float64(f.Peak) }).Peak,

		Written: pick(func(f figures) float64 { return float64(f.Written) }).Written,
	}
}

func printTable(results []result) {
	fmt.Println("| work | engine | wall s | CPU s | peak MiB | written MiB | time against Roster |")
	fmt.Println("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
	base := map[string]float64{}
	for _, r := range results {
		if r.Engine == "Roster" {
			base[r.Work] = r.Median.Wall
		}
		written := "" // unknown if a server writes
		if r.Median.Written > 0 {
			written = strconv.FormatInt(r.Median.Written>>20, 10)
		}
		fmt.Printf("| %s | %s | %.2f | %.2f | %d | %s | %.2f |\n", r.Work, r.Engine, r.Median.Wall, r.Median.CPU, r.Median.Peak>>20, written, r.Median.Wall/base[r.Work])
	}
}

// measured runs a command and returns its output and figures.
func measured(cmd *exec.Cmd) ([]byte, figures, error) {
	var stderr strings.Builder
	cmd.Stderr = &stderr
	start := time.Now()
	out, err := cmd.Output()
	f := figures{Wall: time.Since(start).Seconds()}
	if err != nil {
		return out, f, fmt.Errorf("%s: %w\n%s%s", cmd.Args[0], err, out, stderr.String())
	}
	f.CPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	if ru, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		f.Peak = ru.Maxrss << 10
		f.Written = ru.Oublock << 9
	}
	return out, f, nil
}
