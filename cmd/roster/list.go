package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"roster/client"
)

// newList makes the list command of a group. page reads one page of the list and returns where the next one starts, ""
// after the last; row formats an entry as a line of the table.
func newList[T any](short, header string, page func(ctx context.Context, c *client.Client, start string) (list []T, next string, err error), row func(w io.Writer, one T) error) *cobra.Command {
	var c connector
	var asJSON bool
	cmd := &cobra.Command{Use: "list", Short: short, Args: cobra.NoArgs}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object per line")
	c.addFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.administer(cmd, func(conn *connection, out io.Writer) error {
			w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
			write := row
			if asJSON {
				write = func(w io.Writer, one T) error { return json.NewEncoder(w).Encode(one) }
			} else {
				fmt.Fprintln(w, header)
			}
			for start := ""; ; {
				list, next, err := page(cmd.Context(), conn.client, start)
				if err != nil {
					return err
				}
				for _, one := range list {
					if err := write(w, one); err != nil {
						return err
					}
				}
				if start = next; start == "" {
					return w.Flush()
				}
			}
		})
	}
	return cmd
}
