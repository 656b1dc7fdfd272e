package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"roster/bench/server"
)

// serveBare answers every request with the headers and the body in a file, with as little work as a net/http handler
// can do. It prints its address.
func serveBare(ctx context.Context, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(text)), nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	answer.Header.Del("Date") // the server adds its own
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), answer.Header)
		_, _ = w.Write(body) // an error means that the caller has gone
	})}
	go func() {
		<-ctx.Done()
		srv.Close()
	}()
	if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// startBare starts this program as the bare handler, with roster's answer to a look-up; stop ends it.
func startBare(ctx context.Context, dir string, roster target) (bare target, stop func() error, err error) {
	file := filepath.Join(dir, "answer.json")
	if err := saveAnswer(ctx, file, roster); err != nil {
		return bare, nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return bare, nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-bare", file)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return bare, nil, err
	}
	if err := cmd.Start(); err != nil {
		return bare, nil, err
	}
	stop = func() error { return server.Halt(cmd) }
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return bare, nil, errors.Join(err, stop())
	}
	return target{strings.TrimSpace(line), roster.headers, cmd.Process.Pid}, stop, nil
}

// saveAnswer saves the answer to a look-up, headers and body.
func saveAnswer(ctx context.Context, file string, roster target) error {
	c, err := dial(ctx, roster.address)
	if err != nil {
		return err
	}
	defer c.Close()
	resp, err := c.ask(lookup(0), roster.headers)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := httputil.DumpResponse(resp, true)
	if err != nil {
		return err
	}
	return os.WriteFile(file, answer, 0o644)
}
