package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"roster/internal/app"
)

func newCheck() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check that everything in a data directory is consistent",
		Long: "Compare everything in a data directory: the metadata, the catalog, the checksums of every file of every " +
			"dataset, the rejected rows, the profile store, and the records of uploads. The command changes nothing. " +
			"If a server uses the directory, that server does the work; otherwise this process does. All files of all " +
			"datasets are read.\n\nExit codes: 0 everything is consistent, 1 something is not, 2 the check failed, 130 " +
			"interrupted.",
		Example: "  roster check --data-dir /var/lib/roster\n  roster check --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadExisting(cmd)
			if err != nil {
				return err
			}
			found, err := app.Check(cmd.Context(), cfg)
			if err != nil {
				if cmd.Context().Err() != nil {
					return cmd.Context().Err()
				}
				return &exitError{exitUsage, err}
			}
			out := cmd.OutOrStdout()
			if asJSON {
				enc := json.NewEncoder(out)
				enc.SetIndent("", "  ")
				err = enc.Encode(found)
			} else {
				for _, f := range found.Findings {
					where := f.Part
					if f.Audience != "" {
						where = fmt.Sprintf("%s, audience %s in sandbox %s", f.Part, f.Audience, f.Sandbox)
					}
					fmt.Fprintf(out, "%s: %s\n", where, f.What)
				}
				_, err = fmt.Fprintf(out, "%d audiences, %d files, %d bytes: %d findings\n", found.Audiences, found.Files, found.Bytes, len(found.Findings))
				noteUnchecked(out, found.Unchecked)
			}
			if err == nil && len(found.Findings) > 0 {
				return &exitError{exitFailed, errReported}
			}
			return err
		},
	}
	addSettings(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the findings as JSON")
	return cmd
}

func noteUnchecked(out io.Writer, files int64) {
	if files > 0 {
		fmt.Fprintf(out, "%d files of an earlier version have no checksums yet; the next maintenance computes them.\n", files)
	}
}
