package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func newAudience() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audience",
		Short: "List audiences, and delete them",
		Long: "List the audiences of the sandbox, and delete them. Without --server the commands work on the data directory, by a\n" +
			"server in this process or the one that already uses the directory.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage, 3 the server said no, 130 interrupted.",
	}
	cmd.AddCommand(newAudienceList(), newAudienceDelete())
	return cmd
}

func newAudienceList() *cobra.Command {
	var c connector
	var asJSON bool
	cmd := &cobra.Command{Use: "list", Short: "List the audiences, newest first", Args: cobra.NoArgs}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object a line")
	c.addFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.administer(cmd, func(conn *connection, out io.Writer) error {
			w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
			if !asJSON {
				fmt.Fprintln(w, "NAME\tMEMBERS\tCREATED\tID")
			}
			for start := ""; ; {
				page, err := conn.client.Audiences(cmd.Context(), start, 0)
				if err != nil {
					return err
				}
				for _, a := range page.Audiences {
					if asJSON {
						err = json.NewEncoder(w).Encode(a)
					} else {
						_, err = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", a.Name, count(a.AudienceMeta.Members), time.Unix(a.CreatedAt, 0).Format(time.DateTime), a.AudienceID)
					}
					if err != nil {
						return err
					}
				}
				if start = page.Page.Next; start == "" {
					return w.Flush()
				}
			}
		})
	}
	return cmd
}

func newAudienceDelete() *cobra.Command {
	var c connector
	cmd := &cobra.Command{
		Use:     "delete NAME",
		Short:   "Delete an audience with its members, its dataset and its runs",
		Example: "  roster audience delete people",
		Args:    cobra.ExactArgs(1),
	}
	c.addFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.administer(cmd, func(conn *connection, out io.Writer) error {
			a, found, err := findAudience(cmd.Context(), conn.client, args[0])
			if err != nil {
				return err
			}
			if !found {
				return usagef("there is no audience %q", args[0])
			}
			if err := conn.client.DeleteAudience(cmd.Context(), a.AudienceID); err != nil {
				return err
			}
			_, err = fmt.Fprintf(out, "Deleted the audience %q, which had %s members.\n", a.Name, count(a.AudienceMeta.Members))
			return err
		})
	}
	return cmd
}
