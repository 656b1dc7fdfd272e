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

func newDemo() *cobra.Command {
	var exit bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole product on sample data",
		Long: "Start a server on a temporary data directory and import a list of about 10,000 made-up people through its " +
			"HTTP API, then a day of changes. The demo shows every call, looks people up, and checks every number that " +
			"it shows. Then the server keeps running until Ctrl-C.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadDemoConfig(cmd)
			if err != nil {
				return err
			}
			return runDemo(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), cfg, !cmd.Flags().Changed("data-dir"), exit)
		},
	}
	cmd.Flags().BoolVar(&exit, "exit", false, "end after the last step instead of serving on")
	cmd.Flags().String("data-dir", "", "directory for the data (default: a temporary one)")
	cmd.Flags().String("listen", "127.0.0.1:0", "host:port of the API (port 0: a free one)")
	return cmd
}

// loadDemoConfig ignores environment variables, so that a demo never changes an installation by accident.
func loadDemoConfig(cmd *cobra.Command) (app.Config, error) {
	given := map[string]string{"log-level": "error"}
	for _, name := range []string{"data-dir", "listen"} {
		if v, _ := cmd.Flags().GetString(name); v != "" {
			given[name] = v
		}
	}
	cfg, err := app.Load(given, func(string) (string, bool) { return "", false }, "")
	if err != nil {
		return cfg, &exitError{exitUsage, err}
	}
	return cfg, nil
}

// runDemo runs the demo and then serves until ctx ends. With temporary set, it removes its data directory at the end.
func runDemo(ctx context.Context, out, progressTo io.Writer, cfg app.Config, temporary, exit bool) error {
	limitMemory(cfg)
	if temporary {
		dir, err := os.MkdirTemp("", "roster-demo-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		cfg.DataDir = dir
	}
	fmt.Fprintln(out, "Roster demo: a list of people becomes an audience, through the HTTP API, from a file to look-ups.")
	a, err := startServer(ctx, cfg)
	if err != nil {
		return err
	}
	d := &demo{out: out, progressTo: progressTo, app: a, sample: newSample(), tap: &tap{}}
	err = d.show(ctx)
	switch {
	case err != nil:
	case exit:
		d.whereNextAfter(!temporary)
	default:
		d.whereNext()
		end := "Ctrl-C ends it."
		if temporary {
			end = "Ctrl-C ends it and removes its data; --data-dir keeps the data."
		}
		fmt.Fprintln(out, "\nThe server keeps running.", end)
		err = waitUntilDone(ctx, a)
	}
	return errors.Join(err, a.Stop(context.Background()))
}
