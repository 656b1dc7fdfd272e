package main

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

// server is a Roster process, and what it is called with.
type server struct {
	cmd        *exec.Cmd
	client     *client.Client
	address    string
	headers    string // of a call, each with its end of line
	dir        string // that has the files in "in"
	connection string // to the folder of the files
}

func serve(ctx context.Context, dir string, s settings) (*server, error) {
	data := filepath.Join(dir, "data")
	args := []string{"serve", "--data-dir", data, "--listen", "127.0.0.1:0", "--local-roots", filepath.Join(dir, "in"), "--log-level", "warn"}
	if s.memory != "" {
		args = append(args, "--memory", s.memory)
	}
	srv := &server{cmd: exec.Command(filepath.Join(dir, "roster"), args...), dir: dir}
	srv.cmd.Stderr = os.Stderr
	if err := srv.cmd.Start(); err != nil {
		return nil, err
	}
	if err := srv.wait(ctx, filepath.Join(data, "credentials.json")); err != nil {
		return nil, errors.Join(err, srv.stop())
	}
	return srv, nil
}

// wait waits until the server answers.
func (s *server) wait(ctx context.Context, credentials string) error {
	for {
		c, err := client.LoadCredentials(credentials)
		if err == nil {
			if _, err = c.Sandboxes(ctx); err == nil {
				s.client = c
				break
			}
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	c := s.client
	s.address = strings.TrimPrefix(c.BaseURL, "http://")
	resp, err := http.PostForm(c.BaseURL+"/ims/token/v3", url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret}})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var t client.Token
	if err := json.NewDecoder(resp.Body).Decode(&t); err != nil {
		return err
	}
	s.headers = "Authorization: Bearer " + t.AccessToken + "\r\nx-api-key: " + c.ClientID + "\r\nx-gw-ims-org-id: " + c.Org + "\r\nx-sandbox-name: " + c.Sandbox + "\r\n"
	conn, found, err := c.ConnectionNamed(ctx, connectionName)
	if found {
		s.connection = conn.ID
	}
	return err
}

const connectionName = "files"

// connect gives the server the folder of the files.
func (s *server) connect(ctx context.Context) error {
	ref, err := s.client.CreateConnection(ctx, client.NewConnection{Name: connectionName,
		Auth:           &client.ConnectionAuth{SpecName: "none", Params: map[string]string{"root": filepath.Join(s.dir, "in")}},
		ConnectionSpec: client.ConnectionSpec{ID: "6c1f0c0e-5d0a-4f0e-9a57-0d6f7c1b2a10", Version: "1.0"}})
	s.connection = ref.ID
	return err
}

func (s *server) stop() error {
	if s.cmd.ProcessState != nil {
		return nil
	}
	return halt(s.cmd)
}

// halt asks a process to end and waits until it has.
func halt(cmd *exec.Cmd) error {
	return errors.Join(cmd.Process.Signal(os.Interrupt), cmd.Wait())
}

// cpu is the time that a process has computed, as Linux counts it in hundredths of a second.
func cpu(pid int) time.Duration {
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

// peak is the most memory that a process had, in bytes.
func peak(pid int) int64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := strings.Cut(string(data), "VmHWM:")
	kib, _ := strconv.ParseInt(strings.TrimSpace(strings.SplitN(after, "kB", 2)[0]), 10, 64)
	return kib << 10
}

// importFile makes an audience of a file and runs it.
func (s *server) importFile(ctx context.Context, name string) (client.Run, error) {
	a, err := s.client.SubmitAudience(ctx, client.NewAudience{Name: fmt.Sprintf("%s, %d", name, time.Now().UnixNano()), OriginName: "CUSTOM_UPLOAD", Fields: []client.Field{
		{Name: "ppid", Type: "string", IdentityNs: "Email"}, {Name: "name", Type: "string"}, {Name: "city", Type: "string"},
		{Name: "birth", Type: "date"}, {Name: "score", Type: "number"}, {Name: "points", Type: "long"},
		{Name: "opted_in", Type: "boolean"}, {Name: "last_seen", Type: "datetime"},
	}, SourceSpec: client.SourceSpec{SourceParams: client.SourceParams{Path: name, Type: "file", SourceType: "Cloud Storage", BaseConnectionID: s.connection}}})
	if err != nil {
		return client.Run{}, err
	}
	task, err := s.client.WaitTask(ctx, a.TaskID)
	if err == nil && task.Status != client.Success {
		err = fmt.Errorf("the audience of %s: %+v", name, task.Error)
	}
	if err != nil {
		return client.Run{}, err
	}
	full := false
	started, err := s.client.StartRun(ctx, task.AudienceID, client.RunRequest{DifferentialIngestion: &full})
	if err != nil {
		return client.Run{}, err
	}
	r, err := s.client.WaitRun(ctx, task.AudienceID, started.RunID, nil)
	if err == nil && r.Status != client.Success {
		err = fmt.Errorf("the run of %s: %+v", name, r.Error)
	}
	return r, err
}
