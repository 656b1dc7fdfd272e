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

// membersOptions are the flags of the command members.
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
		Long: "Write the members of an audience to standard output, one per line: the fields, the start and the end of " +
			"the membership, and the run, file and line of its row. Values are exactly those of the dataset. Because a " +
			"spreadsheet computes values that begin with =, +, - or @ (a phone number, for example), use --escape " +
			"spreadsheet for a CSV file that is opened in one. " +
			withoutServer +
			"\n\nExit codes: 0 done, 1 failed (the output is incomplete), 2 usage, 3 the server refused, 130 " +
			"interrupted.",
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
	f.StringVar(&o.format, "format", "ndjson", "format of the list, ndjson or csv")
	addEscape(f, &o.escape)
	f.StringVar(&o.asOf, "as-of", "", "id of a run: write the members as of that run")
	f.StringVar(&o.fields, "fields", "", "names of the fields to write, separated by commas (default: all)")
	f.StringArrayVar(&o.filters, "filter", nil, "write only members that fulfil the condition, such as tier==gold, 'points>=10' or tier==null; may be repeated, then all must hold")
	o.connector.addFlags(cmd)
	return cmd
}

// query returns the query parameters of the API's list.
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

// addEscape adds the flag --escape.
func addEscape(f *pflag.FlagSet, escape *string) {
	f.StringVar(escape, "escape", "", "spreadsheet: in CSV, put an apostrophe before each value that a spreadsheet would compute as a formula, "+
		"and add a column "+audience.EscapedColumn+" that says so, from which an import restores the exact values; none: write exact values (default)")
}

func checkEscape(escape string, csv bool) error {
	switch {
	case escape == "" || escape == audience.None:
		return nil
	case escape != audience.Spreadsheet:
		return usagef("--escape must be %s or %s, not %q", audience.Spreadsheet, audience.None, escape)
	case !csv:
		return usagef("--escape %s works only with CSV", audience.Spreadsheet)
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

// behindHeader writes everything except the first line.
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
