package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"roster/internal/app"
)

// versionText is what roster version, --version and -v print.
func versionText() string {
	commit, date := app.Revision()
	return fmt.Sprintf("roster %s, commit %s, date %s, %s, %s/%s\n", app.Version(), commit, date, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// addVersion gives the root its flag --version. Cobra's own flag takes a template, and a program that can run templates keeps every
// exported method of every type: 20 MB.
func addVersion(root *cobra.Command) {
	asked, otherwise := root.Flags().BoolP("version", "v", false, "print the version"), root.RunE
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if !*asked {
			return otherwise(cmd, args)
		}
		_, err := fmt.Fprint(cmd.OutOrStdout(), versionText())
		return err
	}
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, the commit that it was built from, and the commit's date",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), versionText())
			return err
		},
	}
}
