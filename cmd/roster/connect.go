package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"roster/client"
	"roster/internal/app"
)

// connector says where a command finds its server.
type connector struct {
	server, credentials string     // a server's address and the credentials for it; "" for the data directory
	cfg                 app.Config // of a server in this process, on the data directory
	mayMake             bool       // a data directory where there is none
	out, log            io.Writer  // for what people should know, and for the server's log
}

// addFlags gives a command the flags that say where its server is.
func (c *connector) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.server, "server", "", "address (`URL`) of a server")
	cmd.Flags().StringVar(&c.credentials, "credentials", "", "credentials `FILE` for --server")
	addSettings(cmd, "data-dir", "memory", "database-url", "debug-listen")
}

// dial reads the flags of addFlags and connects. Standard output is left to what the command reads.
func (c *connector) dial(cmd *cobra.Command) (*connection, error) {
	err := c.checkServer()
	if err != nil {
		return nil, err
	}
	if c.cfg, err = loadConfig(cmd); err != nil {
		return nil, err
	}
	if c.server == "" && !c.mayMake && !app.IsDataDir(c.cfg.DataDir) {
		return nil, noDataDir(c.cfg.DataDir, "name one with --data-dir, or a server with --server")
	}
	c.out, c.log = cmd.ErrOrStderr(), cmd.ErrOrStderr()
	return c.connect(cmd.Context())
}

// checkServer finds what is wrong with the flags --server and --credentials.
func (c *connector) checkServer() error {
	if err := checkAddress(c.server); err != nil {
		return err
	}
	switch {
	case c.server != "" && c.credentials == "":
		return usagef("--server needs --credentials: a file with the credentials of an API client, such as credentials.json in the server's data directory, " +
			"or what roster client create writes")
	case c.server == "" && c.credentials != "":
		return usagef("--credentials needs --server: the address of the server that knows the client")
	}
	return nil
}

// checkAddress finds what is wrong with the value of --server.
func checkAddress(server string) error {
	if server == "" {
		return nil
	}
	const form = "it must be like http://127.0.0.1:8080 or https://roster.example.com"
	if !strings.Contains(server, "://") && !strings.HasPrefix(server, "http:") && !strings.HasPrefix(server, "https:") {
		return usagef("--server %q does not begin with http:// or https://; did you mean http://%s?", server, strings.TrimLeft(server, "/"))
	}
	u, err := url.Parse(server)
	switch {
	case err != nil:
		return usagef("--server %q is no address: %s; %s", server, strings.TrimPrefix(err.Error(), "parse "), form)
	case u.Scheme != "http" && u.Scheme != "https":
		return usagef("--server %q begins with %s://, which no Roster server speaks; %s", server, u.Scheme, form)
	case u.Hostname() == "" && strings.Trim(u.Opaque+u.Path, "/") != "":
		return usagef("--server %q names no host; did you mean %s://%s?", server, u.Scheme, strings.TrimLeft(u.Opaque+u.Path, "/"))
	case u.Hostname() == "":
		return usagef("--server %q names no host; %s", server, form)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return usagef("--server must have no user, no query and no fragment; %s", form)
	}
	return nil
}

// noDataDir says that there is no data directory where a command needs one.
func noDataDir(dir, remedy string) error {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	if _, err := os.ReadDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return usagef("--data-dir: %w", err)
	}
	return usagef("no data directory at %s; %s", dir, remedy)
}

// connection is a server that was found.
type connection struct {
	client      *client.Client
	credentials app.Credentials // that the client works with
	file        string          // which has them
	dataDir     bool            // the file is that of the data directory
	own         *app.App        // in this process; nil for another one
}

// connect finds the server: the given one, one in this process, or the one that uses the data directory.
func (c connector) connect(ctx context.Context) (*connection, error) {
	if c.server != "" {
		return connected(c.server, c.credentials)
	}
	c.cfg.Private = true
	c.cfg.Logger = slog.New(quietRuns{app.NewLogger(c.log, max(c.cfg.LogLevel, slog.LevelWarn), "text").Handler()})
	limitMemory(c.cfg)
	a, err := startServer(ctx, c.cfg)
	var locked *app.LockedError
	if errors.As(err, &locked) {
		return c.join(ctx, locked)
	}
	if err != nil {
		return nil, err
	}
	conn, err := connectedHere(a.URL(), a.DataDir(), a)
	if err != nil {
		return nil, errors.Join(err, a.Stop(context.Background()))
	}
	return conn, nil
}

// quietRuns leaves the failures of runs out of a log: the command that waits for a run tells them.
type quietRuns struct{ slog.Handler }

func (q quietRuns) Handle(ctx context.Context, r slog.Record) error {
	run := false
	r.Attrs(func(a slog.Attr) bool {
		run = run || a.Key == "run"
		return !run
	})
	if run && r.Level >= slog.LevelError {
		return nil
	}
	return q.Handler.Handle(ctx, r)
}

func (q quietRuns) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quietRuns{q.Handler.WithAttrs(attrs)}
}

func (q quietRuns) WithGroup(name string) slog.Handler { return quietRuns{q.Handler.WithGroup(name)} }

// join uses the server that holds the data directory.
func (c connector) join(ctx context.Context, locked *app.LockedError) (*connection, error) {
	holder := locked.Holder
	for deadline := time.Now().Add(30 * time.Second); holder.URL == ""; {
		if time.Now().After(deadline) {
			return nil, locked
		}
		select { // it is still starting
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		holder, _ = app.ReadHolder(locked.Dir)
	}
	fmt.Fprintf(c.out, "The data directory is in use; working through the server at %s.\n", holder.URL)
	return connectedHere(holder.URL, locked.Dir, nil)
}

func connected(url, credentials string) (*connection, error) {
	creds, err := app.ReadCredentials(credentials)
	if err != nil {
		return nil, usagef("--credentials: %w", named(err))
	}
	c := &client.Client{BaseURL: strings.TrimRight(url, "/"), Org: creds.OrgID, Sandbox: creds.Sandbox, ClientID: creds.ClientID, ClientSecret: creds.ClientSecret}
	return &connection{client: c, credentials: creds, file: credentials}, nil
}

// connectedHere connects to the server of a data directory as the client whose credentials lie in it.
func connectedHere(url, dataDir string, own *app.App) (*connection, error) {
	conn, err := connected(url, app.CredentialsPath(dataDir))
	if err != nil {
		return nil, err
	}
	conn.dataDir, conn.own = true, own
	return conn, nil
}

// close ends the server if it is in this process.
func (c *connection) close() error {
	if c.own == nil {
		return nil
	}
	return c.own.Stop(context.Background())
}
