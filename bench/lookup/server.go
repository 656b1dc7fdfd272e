package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"roster/client"
)

// server is a Roster process, and a client of it.
type server struct {
	cmd        *exec.Cmd
	client     *client.Client
	connection string // to the folder of the files
}

func serve(ctx context.Context, dir, in string, s settings) (*server, error) {
	data := filepath.Join(dir, "data")
	args := []string{"serve", "--data-dir", data, "--listen", "127.0.0.1:0", "--local-roots", in, "--log-level", "warn"}
	if s.memory != "" {
		args = append(args, "--memory", s.memory)
	}
	srv := &server{cmd: exec.Command(filepath.Join(dir, "roster"), args...)}
	srv.cmd.Stderr = os.Stderr
	if err := srv.cmd.Start(); err != nil {
		return nil, err
	}
	err := srv.connect(ctx, filepath.Join(data, "credentials.json"), in)
	if err != nil {
		return nil, errors.Join(err, srv.stop())
	}
	return srv, nil
}

// connect waits until the server answers and gives it the folder of the files.
func (s *server) connect(ctx context.Context, credentials, in string) error {
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
	ref, err := s.client.CreateConnection(ctx, client.NewConnection{Name: "files",
		Auth:           &client.ConnectionAuth{SpecName: "none", Params: map[string]string{"root": in}},
		ConnectionSpec: client.ConnectionSpec{ID: "6c1f0c0e-5d0a-4f0e-9a57-0d6f7c1b2a10", Version: "1.0"}})
	s.connection = ref.ID
	return err
}

func (s *server) stop() error {
	return errors.Join(s.cmd.Process.Signal(os.Interrupt), s.cmd.Wait())
}

// importFile makes an audience of a file and runs it.
func (s *server) importFile(ctx context.Context, name string) (client.Run, error) {
	a, err := s.client.SubmitAudience(ctx, client.NewAudience{Name: name, OriginName: "CUSTOM_UPLOAD", Fields: []client.Field{
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
