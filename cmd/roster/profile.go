package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"roster/internal/app"
)

func newProfile() *cobra.Command {
	cmd := &cobra.Command{Use: "profile", Short: "Repair the profile store, which answers look-ups"}
	return group(cmd, newProfileRebuild())
}

func newProfileRebuild() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "rebuild [AUDIENCE]",
		Short: "Rebuild memberships from the datasets",
		Long: "Rebuild the memberships of all audiences, or of the one with the given id, from their datasets. If a " +
			"server uses the data directory, that server does the work and refuses look-ups in the sandbox meanwhile; " +
			"otherwise this process does. Members stay the same. People who left show as exited again, as far back as " +
			"versions of the audience are kept.\n\nExit codes: 0 done, 1 failed, 2 usage, 130 interrupted.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadExisting(cmd)
			if err != nil {
				return err
			}
			only := ""
			if len(args) > 0 {
				only = args[0]
			}
			done, err := app.RebuildProfiles(cmd.Context(), cfg, only)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(done)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d audiences were rebuilt.\n", done.Audiences)
			return err
		},
	}
	addSettings(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}
