package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	out, log            io.Writer  // for what people should know, and for the server's log
}

// addFlags gives a command that only reads the flags that say where its server is.
func (c *connector) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.server, "server", "", "address of a server")
	cmd.Flags().StringVar(&c.credentials, "credentials", "", "credentials file for --server")
	addSettings(cmd, "data-dir", "memory", "database-url", "debug-listen")
}

// dial reads the flags of addFlags and connects. Standard output is left to what the command reads.
func (c *connector) dial(cmd *cobra.Command) (*connection, error) {
	if (c.server == "") != (c.credentials == "") {
		return nil, usagef("--server and --credentials go together")
	}
	var err error
	if c.cfg, err = loadConfig(cmd); err != nil {
		return nil, err
	}
	c.out, c.log = cmd.ErrOrStderr(), cmd.ErrOrStderr()
	return c.connect(cmd.Context())
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
	c.cfg.Logger = app.NewLogger(c.log, max(c.cfg.LogLevel, slog.LevelWarn), "text")
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
		return nil, usagef("credentials: %w", err)
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
