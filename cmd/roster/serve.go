package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"roster/internal/app"
)

func newServe() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: "Run the server until SIGTERM or Ctrl-C. The server then finishes the requests in progress; the next start " +
			"continues running imports. A second signal ends the process at once, and loses nothing either.\n\nThe " +
			"first start on an empty data directory creates an organization, the sandbox prod and an administrator " +
			"client. It writes the client's credentials to credentials.json there.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), cmd.OutOrStdout(), cfg)
		},
	}
	addSettings(cmd)
	return cmd
}

// serve runs a server until ctx ends.
func serve(ctx context.Context, out io.Writer, cfg app.Config) error {
	limitMemory(cfg)
	a, err := startServer(ctx, cfg)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Roster runs at %s\nCredentials: %s\n", a.URL(), app.CredentialsPath(a.DataDir()))
	return errors.Join(waitUntilDone(ctx, a), a.Stop(context.Background()))
}

// startServer starts a server in this process. After an error nothing is left running.
func startServer(ctx context.Context, cfg app.Config) (*app.App, error) {
	for name, file := range map[string]string{"--master-key-file": cfg.MasterKey.File, "--metrics-token-file": cfg.MetricsTokenFile} {
		if _, err := os.Stat(file); file != "" && err != nil { // check before a data directory is created
			return nil, usagef("%s: %w", name, named(err))
		}
	}
	a, err := app.New(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := a.Start(ctx); err != nil {
		_ = a.Stop(context.Background()) // an error of Stop only follows from the first error
		return nil, err
	}
	return a, nil
}

// waitUntilDone waits until ctx ends or the server stops by itself.
func waitUntilDone(ctx context.Context, a *app.App) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-a.Failed():
		return fmt.Errorf("the server stopped: %w", err)
	}
}
