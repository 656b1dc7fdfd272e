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
		Long: "Run the server until SIGTERM or Ctrl-C, which lets requests in flight finish and leaves running imports\n" +
			"to the next start. A second signal ends it at once; nothing is lost by that either.\n\n" +
			"The first start on an empty data directory creates an organization, the sandbox prod and an\n" +
			"administrator client, whose credentials it writes to credentials.json there.",
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
	fmt.Fprintf(out, "Roster serves at %s\nCredentials: %s\n", a.URL(), app.CredentialsPath(a.DataDir()))
	return errors.Join(waitUntilDone(ctx, a), a.Stop(context.Background()))
}

// startServer starts a server in this process, or leaves nothing running.
func startServer(ctx context.Context, cfg app.Config) (*app.App, error) {
	for name, file := range map[string]string{"--master-key-file": cfg.MasterKey.File, "--metrics-token-file": cfg.MetricsTokenFile} {
		if _, err := os.Stat(file); file != "" && err != nil { // before a data directory is made
			return nil, usagef("%s: %w", name, named(err))
		}
	}
	a, err := app.New(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := a.Start(ctx); err != nil {
		_ = a.Stop(context.Background()) // what fails then follows from the error, which is the one to tell
		return nil, err
	}
	return a, nil
}

// waitUntilDone waits for the end of ctx, or for a server that ends by itself.
func waitUntilDone(ctx context.Context, a *app.App) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-a.Failed():
		return fmt.Errorf("the server stopped: %w", err)
	}
}
