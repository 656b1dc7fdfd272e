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
		Long: "Start a server on a temporary data directory and import a list of about 10,000 made-up people through its\n" +
			"HTTP API, then a day of changes; show every call, look people up, and check every number that is shown.\n" +
			"Then keep serving until Ctrl-C.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadDemoConfig(cmd)
			if err != nil {
				return err
			}
			return runDemo(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), cfg, !cmd.Flags().Changed("data-dir"), exit)
		},
	}
	cmd.Flags().BoolVar(&exit, "exit", false, "end when everything has been shown")
	cmd.Flags().String("data-dir", "", "directory to keep the data in (a temporary one when absent)")
	cmd.Flags().String("listen", "127.0.0.1:0", "host:port of the API (port 0: a free one)")
	return cmd
}

// loadDemoConfig takes nothing from the environment: a demonstration touches no installation by accident.
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

// runDemo runs the demonstration and then serves until ctx ends. A temporary one keeps its data in a directory of its own,
// which is removed at the end.
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
	fmt.Fprintln(out, "Roster demo: the way of a list of people, from a file to look-ups, through the HTTP API.")
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
