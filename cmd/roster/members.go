package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"roster/client"
	"roster/internal/audience"
)

// membersOptions are the flags of a member list.
type membersOptions struct {
	name, format, asOf, fields, escape string
	filters                            []string
	connector                          connector
}

func newMembers() *cobra.Command {
	var o membersOptions
	cmd := &cobra.Command{
		Use:   "members NAME",
		Short: "Write the members of an audience to standard output",
		Long: "Write the members of an audience to standard output, one a line: its fields, then since when and until\n" +
			"when each is a member, and the run, file and line that its row comes from. Values are exactly those of the\n" +
			"dataset; a spreadsheet computes those that begin with =, +, - or @, a phone number for one: for CSV that is\n" +
			"opened in a spreadsheet say --escape spreadsheet. Without --server the command\n" +
			"works on the data directory, by a server in this process or the one that already uses the directory.\n\n" +
			"Exit codes: 0 done, 1 failed (what was written is not the whole list), 2 usage, 3 the server said no,\n" +
			"130 interrupted.",
		Example: "  roster members people --format csv > people.csv\n" +
			"  roster members people --format csv --escape spreadsheet > to-open-in-a-spreadsheet.csv\n" +
			"  roster members people --filter tier==gold --filter 'points>=10'\n" +
			"  roster members people --fields email,points --as-of 6a7a1e2c-9d2f-4c8e-8a51-0b7a3b1b6d10",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name = args[0]
			return runMembers(cmd, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "ndjson", "form of the list, ndjson or csv")
	addEscape(f, &o.escape)
	f.StringVar(&o.asOf, "as-of", "", "id of a run: the members as of that run")
	f.StringVar(&o.fields, "fields", "", "names of the fields that are wanted, with commas between them; all when empty")
	f.StringArrayVar(&o.filters, "filter", nil, "only members whose value compares so, such as tier==gold, 'points>=10' or tier==null; repeated, all must hold")
	o.connector.addFlags(cmd)
	return cmd
}

// query is the list's query in the API.
func (o membersOptions) query() url.Values {
	q := url.Values{"format": {o.format}}
	if o.escape != "" {
		q.Set("escape", o.escape)
	}
	if o.asOf != "" {
		q.Set("asOf", o.asOf)
	}
	if o.fields != "" {
		q.Set("fields", o.fields)
	}
	if len(o.filters) > 0 {
		q["filter"] = o.filters
	}
	return q
}

// addEscape adds the flag by which a list is made for spreadsheets.
func addEscape(f *pflag.FlagSet, escape *string) {
	f.StringVar(escape, "escape", "", "spreadsheet: in CSV an apostrophe comes before each value that a spreadsheet would compute as a formula, "+
		"and a column "+audience.EscapedColumn+" says so: imported again, the file brings the exact values; none: exact values, the default")
}

func checkEscape(escape string, csv bool) error {
	switch {
	case escape == "" || escape == audience.None:
		return nil
	case escape != audience.Spreadsheet:
		return usagef("--escape must be %s or %s, not %q", audience.Spreadsheet, audience.None, escape)
	case !csv:
		return usagef("--escape %s goes with CSV only", audience.Spreadsheet)
	}
	return nil
}

func runMembers(cmd *cobra.Command, o membersOptions) error {
	if o.format != "ndjson" && o.format != "csv" {
		return usagef("--format must be ndjson or csv, not %q", o.format)
	}
	if err := checkEscape(o.escape, o.format == "csv"); err != nil {
		return err
	}
	conn, err := o.connector.dial(cmd)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(cmd.OutOrStdout(), 256<<10)
	err = writeMembers(cmd.Context(), conn.client, o, out)
	return errors.Join(err, out.Flush(), conn.close())
}

func writeMembers(ctx context.Context, c *client.Client, o membersOptions, out *bufio.Writer) error {
	a, err := theAudience(ctx, c, o.name)
	if err != nil {
		return err
	}
	query, to := o.query(), io.Writer(out)
	for { // a filtered list comes in pages
		next, err := c.Members(ctx, a.AudienceID, query, to)
		if err != nil || next == "" {
			return err
		}
		query.Set("cursor", next)
		if o.format == "csv" {
			to = &behindHeader{to: out}
		}
	}
}

// behindHeader writes what follows the first line.
type behindHeader struct {
	to   io.Writer
	past bool
}

func (b *behindHeader) Write(p []byte) (int, error) {
	n := len(p)
	if !b.past {
		_, p, b.past = bytes.Cut(p, []byte{'\n'})
	}
	_, err := b.to.Write(p)
	return n, err
}
