// Command upload measures what an upload by ranges costs a server: processor time, bytes written to the disk and peak
// memory. Several programs, such as that of a commit before, take turns.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"roster/bench/server"
)

type settings struct {
	programs    []string
	size, piece int64
	repeat      int
	flags       []string
}

func main() {
	var s settings
	flag.Int64Var(&s.size, "size", 1<<30, "bytes of the file")
	flag.Int64Var(&s.piece, "range", 8<<20, "bytes of a range")
	flag.IntVar(&s.repeat, "repeat", 3, "uploads for each program")
	more := flag.String("flags", "", "flags of the server, separated by spaces")
	limit := flag.Duration("limit", 30*time.Minute, "give up after this time")
	flag.Parse()
	if s.programs, s.flags = flag.Args(), strings.Fields(*more); len(s.programs) == 0 || min(s.size, s.piece, int64(s.repeat)) < 1 {
		fmt.Fprintln(os.Stderr, "upload [flags] PROGRAM...")
		flag.Usage()
		os.Exit(2)
	}
	server.Main("upload", *limit, func(ctx context.Context) error { return run(ctx, s) })
}

func run(ctx context.Context, s settings) error {
	piece := bytes.Repeat([]byte("somebody@example.com,Somebody,Somewhere\n"), int(s.piece/40)+1)[:s.piece]
	sum := sha256.New()
	for at := int64(0); at < s.size; at += s.piece {
		sum.Write(piece[:min(s.piece, s.size-at)])
	}
	digest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum.Sum(nil)) + ":"
	fmt.Println("program  wall s  last range s  CPU s  MiB written  peak MiB")
	for range s.repeat {
		for _, program := range s.programs {
			if err := s.once(ctx, program, piece, digest); err != nil {
				return fmt.Errorf("%s: %w", program, err)
			}
		}
	}
	return nil
}

// once starts a server, uploads the file and prints the cost.
func (s settings) once(ctx context.Context, program string, piece []byte, digest string) (err error) {
	dir, err := os.MkdirTemp("", "roster-upload-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	srv, err := server.Start(ctx, program, filepath.Join(dir, "data"), s.flags...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Stop()) }()
	cpu, wrote, start := server.CPU(srv.Pid()), written(srv.Pid()), time.Now()
	last := start
	for at := int64(0); at < s.size; at += s.piece {
		last = time.Now()
		n := min(s.piece, s.size-at)
		if err := put(ctx, srv, piece[:n], fmt.Sprintf("bytes %d-%d/%d", at, at+n-1, s.size), digest); err != nil {
			return err
		}
	}
	fmt.Printf("%s  %.2f  %.2f  %.2f  %d  %d\n", program, time.Since(start).Seconds(), time.Since(last).Seconds(), (server.CPU(srv.Pid()) - cpu).Seconds(),
		(written(srv.Pid())-wrote)>>20, server.Peak(srv.Pid())>>20)
	return nil
}

// put sends a range.
func put(ctx context.Context, srv *server.Server, piece []byte, part, digest string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+srv.Address+"/landing/people.csv", bytes.NewReader(piece))
	if err != nil {
		return err
	}
	for line := range strings.SplitSeq(strings.TrimSpace(srv.Headers), "\r\n") {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Range", part)
	req.Header.Set("Repr-Digest", digest)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode > 202 {
		return fmt.Errorf("%s: %s", part, resp.Status)
	}
	return nil
}

// written returns the bytes that a process has caused to be written to the disk.
func written(pid int) int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	_, after, _ := strings.Cut(string(text), "\nwrite_bytes: ")
	n, _ := strconv.ParseInt(strings.SplitN(after, "\n", 2)[0], 10, 64)
	return n
}
