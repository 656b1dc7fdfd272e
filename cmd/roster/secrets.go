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
		Short: "Rotate the keys that encrypt secrets",
		Long: "Rotate the keys that encrypt the secrets of connections and webhooks. The keys are in the data directory, " +
			"encrypted by the master key. The settings of the server say where the master key is.\n\n" +
			exitCodes,
	}
	return group(cmd, newSecretsRotate(), newSecretsRewrap(), newSecretsReplaceLost())
}

func newSecretsRotate() *cobra.Command {
	var c connector
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Create a new key and encrypt every secret with it",
		Long: "Create a new key and encrypt every secret with it, without an interruption. Earlier backups can still be " +
			"opened, because the earlier keys are kept.",
		Args: cobra.NoArgs,
	}
	c.addFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.administer(cmd, func(conn *connection, out io.Writer) error {
			done, err := conn.client.RotateSecrets(cmd.Context())
			if err == nil {
				_, err = fmt.Fprintf(out, "%d secrets are encrypted with a new key.\n", done.Resealed)
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
		Short: "Encrypt the keys with another master key",
		Long: "Encrypt the keys of secrets with another master key: one in a file, or one in a key service. No server " +
			"may be using the data directory. Afterwards, start the server with the new master key, and destroy the " +
			"old one.",
		Example: "  roster secrets rewrap --to-master-key-url 'awskms://alias/roster?region=eu-west-1'",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().StringVar(&to.File, "to-master-key-file", "", "file with the new key, 32 bytes in base64")
	cmd.Flags().StringVar(&to.URL, "to-master-key-url", "", "URL of the new key in a key service")
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
		_, err = fmt.Fprintln(cmd.OutOrStdout(), "The keys are encrypted with the new master key. Start the server with it.")
		return err
	}
	return cmd
}

func newSecretsReplaceLost() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replace-lost",
		Short: "Replace lost keys with new ones",
		Long: "Replace keys that are lost and in no backup. A server does not start without them. Afterwards the tokens, " +
			"receipts and certificates that a lost signing key signed are no longer valid, and the secrets of " +
			"connections and webhooks that lost keys encrypted must be entered again. Existing keys stay. No server " +
			"may be using the data directory.",
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
