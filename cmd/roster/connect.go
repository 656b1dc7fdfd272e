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

// Parts of the help of several commands.
const (
	withoutServer = "Without --server, the command works on the data directory: it starts a server in this process, or " +
		"uses the one that already runs there."
	exitCodes = "Exit codes: 0 done, 1 failed, 2 usage, 3 the server refused, 130 interrupted."
)

// connector says how a command reaches its server.
type connector struct {
	server, credentials string     // a server's address and the file of its credentials; "" for the data directory
	cfg                 app.Config // of the server that this process starts on the data directory
	mayMake             bool       // the command may create the data directory
	out, log            io.Writer  // for notes to the user, and for the log of a server in this process
}

// addFlags adds the flags that name the server.
func (c *connector) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.server, "server", "", "address (`URL`) of a server")
	cmd.Flags().StringVar(&c.credentials, "credentials", "", "credentials `FILE` for --server")
	addSettings(cmd, "data-dir", "memory", "database-url", "debug-listen")
}

// dial reads the flags of addFlags and connects. Notes go to standard error, because standard output is for results.
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

// checkServer reports what is wrong with the flags --server and --credentials.
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

// checkAddress reports what is wrong with the value of --server.
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
		return usagef("--server %q is not an address: %s; %s", server, strings.TrimPrefix(err.Error(), "parse "), form)
	case u.Scheme != "http" && u.Scheme != "https":
		return usagef("--server %q begins with %s://, but a Roster server speaks http or https; %s", server, u.Scheme, form)
	case u.Hostname() == "" && strings.Trim(u.Opaque+u.Path, "/") != "":
		return usagef("--server %q names no host; did you mean %s://%s?", server, u.Scheme, strings.TrimLeft(u.Opaque+u.Path, "/"))
	case u.Hostname() == "":
		return usagef("--server %q names no host; %s", server, form)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return usagef("--server must have no user, no query and no fragment; %s", form)
	}
	return nil
}

// noDataDir returns the error for a command that needs a data directory where there is none.
func noDataDir(dir, remedy string) error {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	if _, err := os.ReadDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return usagef("--data-dir: %w", err)
	}
	return usagef("no data directory at %s; %s", dir, remedy)
}

// connection is a connection to a server.
type connection struct {
	client      *client.Client
	credentials app.Credentials // of the client as which the command works
	file        string          // the path of the credentials
	dataDir     bool            // file is the credentials file of the data directory
	own         *app.App        // the server in this process; nil if the server is another process
}

// connect connects to the given server, to one that it starts in this process, or to the one that uses the data
// directory.
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

// quietRuns drops the failures of runs from a log: the command that waits for a run reports them itself.
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

// join connects to the server that holds the lock of the data directory.
func (c connector) join(ctx context.Context, locked *app.LockedError) (*connection, error) {
	holder := locked.Holder
	for deadline := time.Now().Add(30 * time.Second); holder.URL == ""; {
		if time.Now().After(deadline) {
			return nil, locked
		}
		select { // the server may still be starting
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		holder, _ = app.ReadHolder(locked.Dir)
	}
	fmt.Fprintf(c.out, "A server uses the data directory; the command works through it, at %s.\n", holder.URL)
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

// connectedHere connects to the server of a data directory with the credentials of that directory.
func connectedHere(url, dataDir string, own *app.App) (*connection, error) {
	conn, err := connected(url, app.CredentialsPath(dataDir))
	if err != nil {
		return nil, err
	}
	conn.dataDir, conn.own = true, own
	return conn, nil
}

// close stops the server if it runs in this process.
func (c *connection) close() error {
	if c.own == nil {
		return nil
	}
	return c.own.Stop(context.Background())
}
