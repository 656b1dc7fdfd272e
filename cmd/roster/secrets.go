package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"roster/internal/app"
)

func newSecrets() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secrets",
		Short: "Rotate the keys that secrets are sealed by",
		Long: "Rotate the keys that the secrets of connections and webhooks are sealed by. These keys lie in the data directory,\n" +
			"encrypted by the master key, which is elsewhere if the server was told so.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage, 3 the server said no, 130 interrupted.",
	}
	return group(cmd, newSecretsRotate(), newSecretsRewrap(), newSecretsReplaceLost())
}

func newSecretsRotate() *cobra.Command {
	var c connector
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Make a new key, and seal every secret by it",
		Long: "Make a new key, and seal every secret by it. Nothing is interrupted. Backups from before can still be opened, since\n" +
			"the earlier keys stay.",
		Args: cobra.NoArgs,
	}
	c.addFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.administer(cmd, func(conn *connection, out io.Writer) error {
			done, err := conn.client.RotateSecrets(cmd.Context())
			if err == nil {
				_, err = fmt.Fprintf(out, "%d secrets are sealed by a new key.\n", done.Resealed)
			}
			return err
		})
	}
	return cmd
}

func newSecretsRewrap() *cobra.Command {
	var to app.MasterKey
	cmd := &cobra.Command{
		Use:   "rewrap",
		Short: "Have the keys opened by another master key from now on",
		Long: "Have the keys that secrets are sealed by opened by another master key from now on: one in a file, or one that a key\n" +
			"service keeps. No server may be using the data directory. Start it with the new key afterwards, and destroy the old one.",
		Example: "  roster secrets rewrap --to-master-key-url 'awskms://alias/roster?region=eu-west-1'",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().StringVar(&to.File, "to-master-key-file", "", "file with the new key, 32 bytes in base64")
	cmd.Flags().StringVar(&to.URL, "to-master-key-url", "", "key service that has the new key")
	addSettings(cmd, "data-dir", "master-key-file", "master-key-url")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if (to.File == "") == (to.URL == "") {
			return usagef("give one of --to-master-key-file and --to-master-key-url")
		}
		if _, err := os.Stat(to.File); to.File != "" && err != nil {
			return usagef("--to-master-key-file: %w", named(err))
		}
		cfg, err := loadExisting(cmd)
		if err != nil {
			return err
		}
		if err := app.RewrapSecrets(cmd.Context(), cfg, to); err != nil {
			return err
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), "The new master key opens the secrets. Start the server with it.")
		return err
	}
	return cmd
}

func newSecretsReplaceLost() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replace-lost",
		Short: "Make new keys in place of lost ones",
		Long: "Make new keys in place of those that are lost, when no backup has them. A server does not start without them. Afterwards\n" +
			"the tokens, receipts and certificates that a lost signing key made are not valid any more, and the secrets of\n" +
			"connections and webhooks that lost keys sealed have to be given again. Keys that are there stay. No server may be\n" +
			"using the data directory.",
		Args: cobra.NoArgs,
	}
	addSettings(cmd, "data-dir", "master-key-file", "master-key-url")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := loadExisting(cmd)
		if err != nil {
			return err
		}
		made, err := app.ReplaceLostKeys(cmd.Context(), cfg)
		for _, path := range made {
			fmt.Fprintln(cmd.OutOrStdout(), "Made", path)
		}
		if err == nil && len(made) == 0 {
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "No key is lost.")
		}
		return err
	}
	return cmd
}
