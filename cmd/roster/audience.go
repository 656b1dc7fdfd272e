package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"roster/client"
)

func newAudience() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audience",
		Short: "List audiences, and delete them",
		Long: "List the audiences of the sandbox, and delete them. " +
			withoutServer +
			"\n\n" +
			exitCodes,
	}
	return group(cmd, newAudienceList(), newAudienceDelete())
}

func newAudienceList() *cobra.Command {
	return newList("List the audiences, newest first", "NAME\tMEMBERS\tCREATED\tID",
		func(ctx context.Context, c *client.Client, start string) ([]client.Audience, string, error) {
			page, err := c.Audiences(ctx, start, 0)
			return page.Audiences, page.Page.Next, err
		},
		func(w io.Writer, a client.Audience) error {
			_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", a.Name, count(a.AudienceMeta.Members), time.Unix(a.CreatedAt, 0).Format(time.DateTime), a.AudienceID)
			return err
		})
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
			a, err := theAudience(cmd.Context(), conn.client, args[0])
			if err != nil {
				return err
			}
			if err := conn.client.DeleteAudience(cmd.Context(), a.AudienceID); err != nil {
				return err
			}
			_, err = fmt.Fprintf(out, "Deleted the audience %q, which had %s.\n", a.Name, memberCount(a.AudienceMeta.Members))
			return err
		})
	}
	return cmd
}
