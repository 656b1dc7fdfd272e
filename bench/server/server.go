// Package server starts Roster as a process for benchmarks and measures its cost.
package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"roster/client"
)

// Server is a Roster process, with the address and credentials for calls.
type Server struct {
	Client  *client.Client
	Address string // host:port
	Headers string // of a call, each with its line end

	cmd *exec.Cmd
}

// Start starts a server on a data directory, with flags, and waits until it answers.
func Start(ctx context.Context, binary, data string, flags ...string) (*Server, error) {
	args := append([]string{"serve", "--data-dir", data, "--listen", "127.0.0.1:0", "--log-level", "warn"}, flags...)
	srv := &Server{cmd: exec.Command(binary, args...)}
	srv.cmd.Stderr = os.Stderr
	if err := srv.cmd.Start(); err != nil {
		return nil, err
	}
	if err := srv.wait(ctx, filepath.Join(data, "credentials.json")); err != nil {
		return nil, errors.Join(err, srv.Stop())
	}
	return srv, nil
}

func (s *Server) Pid() int { return s.cmd.Process.Pid }

// wait waits until the server answers.
func (s *Server) wait(ctx context.Context, credentials string) error {
	for {
		c, err := client.LoadCredentials(credentials)
		if err == nil {
			if _, err = c.Sandboxes(ctx); err == nil {
				s.Client = c
				break
			}
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	c := s.Client
	s.Address = strings.TrimPrefix(c.BaseURL, "http://")
	resp, err := http.PostForm(c.BaseURL+"/ims/token/v3", url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret}})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var t client.Token
	if err := json.NewDecoder(resp.Body).Decode(&t); err != nil {
		return err
	}
	s.Headers = "Authorization: Bearer " + t.AccessToken + "\r\nx-api-key: " + c.ClientID + "\r\nx-gw-ims-org-id: " + c.Org + "\r\nx-sandbox-name: " + c.Sandbox + "\r\n"
	return nil
}

// Folder creates a connection to a folder of the machine and returns its id.
func (s *Server) Folder(ctx context.Context, root string) (string, error) {
	return s.Connect(ctx, "6c1f0c0e-5d0a-4f0e-9a57-0d6f7c1b2a10", client.ConnectionAuth{SpecName: "none", Params: client.ConnectionParams{"root": root}})
}

// Connect creates a connection of a kind and returns its id.
func (s *Server) Connect(ctx context.Context, spec string, auth client.ConnectionAuth) (string, error) {
	ref, err := s.Client.CreateConnection(ctx, client.NewConnection{Name: fmt.Sprintf("files, %d", time.Now().UnixNano()), Auth: &auth,
		ConnectionSpec: client.ConnectionSpec{ID: spec, Version: "1.0"}})
	return ref.ID, err
}

// Stop asks the process to end and waits for its end.
func (s *Server) Stop() error {
	if s.cmd.ProcessState != nil {
		return nil
	}
	return Halt(s.cmd)
}

// Halt asks a process to end and waits for its end.
func Halt(cmd *exec.Cmd) error {
	return errors.Join(cmd.Process.Signal(os.Interrupt), cmd.Wait())
}

// CPU returns the processor time of a process, which Linux counts in hundredths of a second.
func CPU(pid int) time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// Peak returns the largest memory use of a process, in bytes.
func Peak(pid int) int64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := strings.Cut(string(data), "VmHWM:")
	kib, _ := strconv.ParseInt(strings.TrimSpace(strings.SplitN(after, "kB", 2)[0]), 10, 64)
	return kib << 10
}

// Import creates an audience from a file or a folder of a connection, with the columns of bench/gen, and runs it.
func (s *Server) Import(ctx context.Context, connection, name, typ string) (client.Run, error) {
	a, err := s.Client.SubmitAudience(ctx, client.NewAudience{Name: fmt.Sprintf("%s, %d", name, time.Now().UnixNano()), OriginName: "CUSTOM_UPLOAD", Fields: []client.Field{
		{Name: "ppid", Type: "string", IdentityNs: "Email"}, {Name: "name", Type: "string"}, {Name: "city", Type: "string"},
		{Name: "birth", Type: "date"}, {Name: "score", Type: "number"}, {Name: "points", Type: "long"},
		{Name: "opted_in", Type: "boolean"}, {Name: "last_seen", Type: "datetime"},
	}, SourceSpec: client.SourceSpec{SourceParams: client.SourceParams{Path: name, Type: typ, SourceType: "Cloud Storage", BaseConnectionID: connection}}})
	if err != nil {
		return client.Run{}, err
	}
	task, err := s.Client.WaitTask(ctx, a.TaskID)
	if err == nil && task.Status != client.Success {
		err = fmt.Errorf("the audience of %s: %+v", name, task.Error)
	}
	if err != nil {
		return client.Run{}, err
	}
	full := false
	started, err := s.Client.StartRun(ctx, task.AudienceID, client.RunRequest{DifferentialIngestion: &full})
	if err != nil {
		return client.Run{}, err
	}
	r, err := s.Client.WaitRun(ctx, task.AudienceID, started.RunID, nil)
	if err == nil && r.Status != client.Success {
		err = fmt.Errorf("the run of %s: %+v", name, r.Error)
	}
	return r, err
}
