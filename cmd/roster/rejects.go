package main

import (
	"bufio"
	"context"
	"errors"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"roster/client"
	"roster/internal/audience"
)

// rejectsOptions are the flags of the command rejects.
type rejectsOptions struct {
	name, run   string
	escape      string
	csv, ndjson bool
	connector   connector
}

func newRejects() *cobra.Command {
	var o rejectsOptions
	cmd := &cobra.Command{
		Use:   "rejects AUDIENCE",
		Short: "Write the rejected rows of a run to standard output",
		Long: "Write every row that a run of an audience rejected to standard output: its file, line and column, and the " +
			"reason. The list is CSV, or with --json one JSON object per line. Rejects are kept for 30 days, also " +
			"those of dry runs and of runs that FAILED; the text of the rows is included if the audience keeps it. " +
			"Values are exact; for a CSV file that is opened in a spreadsheet use --escape spreadsheet. " +
			withoutServer +
			"\n\nExit codes: 0 done, 1 failed (the output is incomplete), 2 usage, 3 the server refused, 130 " +
			"interrupted.",
		Example: "  roster rejects people > rejects.csv\n" +
			"  roster rejects people --run 3 --json",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name = args[0]
			return runRejects(cmd, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.run, "run", latestRun, "the run: its id, its number (the audience's first run is 1), or "+latestRun+" for the last one that read files and ended")
	f.BoolVar(&o.csv, "csv", false, "write CSV (default)")
	addEscape(f, &o.escape)
	f.BoolVar(&o.ndjson, "json", false, "write one JSON object per line")
	o.connector.addFlags(cmd)
	return cmd
}

// latestRun is the value of --run that means the last run.
const latestRun = "latest"

func runRejects(cmd *cobra.Command, o rejectsOptions) error {
	if o.csv && o.ndjson {
		return usagef("--csv and --json exclude each other")
	}
	if err := checkEscape(o.escape, !o.ndjson); err != nil {
		return err
	}
	conn, err := o.connector.dial(cmd)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(cmd.OutOrStdout(), 256<<10)
	err = writeRejects(cmd.Context(), conn.client, o, out)
	return errors.Join(err, out.Flush(), conn.close())
}

func writeRejects(ctx context.Context, c *client.Client, o rejectsOptions, out *bufio.Writer) error {
	a, err := theAudience(ctx, c, o.name)
	if err != nil {
		return err
	}
	run, err := findRun(ctx, c, a, o.run)
	if err != nil {
		return err
	}
	form := client.RejectsCSV
	switch {
	case o.ndjson:
		form = client.RejectsNDJSON
	case o.escape == audience.Spreadsheet:
		form = client.RejectsSpreadsheet
	}
	return c.Rejects(ctx, a.AudienceID, run, form, out)
}

// findRun returns the id of the run that --run names by its number, as the last one, or by its id.
func findRun(ctx context.Context, c *client.Client, a client.Audience, name string) (string, error) {
	if name == latestRun {
		return lastRead(ctx, c, a)
	}
	number, err := strconv.Atoi(name)
	if err != nil {
		return name, nil
	}
	if number < 1 {
		return "", usagef("--run %d: runs are counted from 1", number)
	}
	list, err := c.Runs(ctx, a.AudienceID, url.Values{"sortBy": {"createdAt"}, "start": {strconv.Itoa(number - 1)}, "limit": {"1"}})
	if err != nil {
		return "", err
	}
	if len(list.Runs) == 0 {
		return "", usagef("--run %d: the audience %q has %d runs", number, a.Name, list.Page.TotalCount)
	}
	return list.Runs[0].RunID, nil
}

// lastRead returns the id of the last run that read files and ended.
func lastRead(ctx context.Context, c *client.Client, a client.Audience) (string, error) {
	for start := ""; ; {
		query := url.Values{}
		if start != "" {
			query.Set("start", start)
		}
		list, err := c.Runs(ctx, a.AudienceID, query) // newest first
		if err != nil {
			return "", err
		}
		for _, r := range list.Runs {
			if r.Status != client.Processing && (r.Kind == "" || r.Kind == "resubmit") {
				return r.RunID, nil
			}
		}
		if start = list.Page.Next; start == "" {
			return "", usagef("no run of the audience %q has read files and ended", a.Name)
		}
	}
}
