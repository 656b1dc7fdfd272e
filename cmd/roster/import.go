package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"roster/client"
	"roster/internal/app"
	"roster/internal/audience"
)

// importOptions are the flags of an import.
type importOptions struct {
	file, name          string
	identities          []string
	fields              []string
	deleteColumn        string
	server, credentials string
	full, changes       bool
	ttl                 *int // nil when it was not given
	createNamespace     bool
	format              formatFlags
	maxRejected         *float64 // nil when it was not given
	keepRejectedRows    bool
	anyIdentity         bool
	dryRun, force       bool
	receipt             string // a file to write the run's receipt to, or ""
	json                bool
}

func newImport() *cobra.Command {
	var o importOptions
	var ttl int
	var maxRejected float64
	cmd := &cobra.Command{
		Use:   "import FILE --name NAME --identity COLUMN=NAMESPACE",
		Short: "Import a file of people into an audience",
		Long: "Import a file of CSV, JSON or Parquet, compressed or not, into an audience: create the audience when there\n" +
			"is none of that name, and run it.\n" +
			"Columns and types are found out from the file and shown. Without --server the import works on the data\n" +
			"directory, by a server in this process that reads the file where it lies, or by the server that already\n" +
			"uses the directory.\n\n" +
			"An import that was interrupted, even by kill -9, goes on when the same command is started again.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage, 3 the server said no, 4 the run ended FAILED, 130 interrupted.",
		Example: "  roster import people.csv --name people --identity email=Email\n" +
			"  roster import airports.csv --name airports --identity iata=IATA --create-namespace\n" +
			"  roster import people.csv --name people --identity email=Email --changes --json",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.file = args[0]
			if cmd.Flags().Changed("ttl") {
				o.ttl = &ttl
			}
			if cmd.Flags().Changed("max-rejected") {
				o.maxRejected = &maxRejected
			}
			cfg, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			return runImport(cmd, o, cfg)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.name, "name", "", "name of the audience")
	f.StringArrayVar(&o.identities, "identity", nil, "identity column and its namespace, COLUMN=NAMESPACE; the first one given makes a member")
	f.StringArrayVar(&o.fields, "field", nil, "type of a column, NAME=TYPE, instead of the one found out; with --no-header, one for each column in their order names them")
	f.StringVar(&o.deleteColumn, "delete", "", "column that removes the member of its row when it is true or not 0")
	f.BoolVar(&o.full, "full", false, "the file is the complete list: members that are not in it leave")
	f.BoolVar(&o.changes, "changes", false, "the file is changes: nobody leaves but by the delete column")
	f.BoolVar(&o.changes, "differential", false, "the same as --changes")
	f.IntVar(&ttl, "ttl", audience.DefaultTTLDays, "days that a member lives after the last run that brought it, 1 to 90")
	f.BoolVar(&o.createNamespace, "create-namespace", false, "create identity namespaces that do not exist")
	o.format.add(f)
	f.Float64Var(&maxRejected, "max-rejected", audience.DefaultMaxRejectedPercent, "percentage of rows that may be rejects; more stop the run")
	f.BoolVar(&o.anyIdentity, "allow-any-identity", false, "take values for identities that cannot be one, such as an e-mail address without @, n/a, or several in one; else they are rejects")
	f.BoolVar(&o.keepRejectedRows, "keep-rejected-rows", false, "keep the text of rejected rows with the rejects, for 30 days")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would happen and change nothing")
	f.BoolVar(&o.force, "force", false, "let the run pass guards that stop it")
	f.StringVar(&o.receipt, "receipt", "", "file to write the run's signed receipt to (see roster verify)")
	f.StringVar(&o.server, "server", "", "address of a server to upload the file to")
	f.StringVar(&o.credentials, "credentials", "", "credentials file for --server")
	f.BoolVar(&o.json, "json", false, "print one JSON document to standard output")
	addSettings(cmd, "data-dir", "memory", "database-url", "debug-listen")
	return cmd
}

// check finds what is wrong with the flags together.
func (o importOptions) check() error {
	switch {
	case o.name == "":
		return usagef("--name is missing: the name of the audience")
	case len(o.identities) == 0:
		return usagef("--identity is missing: the column that identifies people and its namespace, such as --identity email=Email")
	case o.full && o.changes:
		return usagef("--full and --changes exclude each other")
	case o.maxRejected != nil && (*o.maxRejected < 0 || *o.maxRejected > 100):
		return usagef("--max-rejected %g is no percentage", *o.maxRejected)
	case (o.server == "") != (o.credentials == ""):
		return usagef("--server and --credentials go together")
	}
	return nil
}

// importResult is what an import did; with --json it is the document on standard output.
type importResult struct {
	Audience        string         `json:"audience"`
	AudienceID      string         `json:"audienceId,omitempty"`
	Created         bool           `json:"created"`         // by this command
	Resumed         bool           `json:"resumed"`         // waited for a run that was in progress
	AlreadyImported bool           `json:"alreadyImported"` // a run had read this version of the file before
	Server          string         `json:"server,omitempty"`
	Fields          []client.Field `json:"fields,omitempty"`
	Widened         []widened      `json:"widened,omitempty"` // columns whose types the sample had not shown
	Seconds         float64        `json:"seconds"`
	Run             *client.Run    `json:"run,omitempty"`
	DryRun          *rehearsal     `json:"dryRun,omitempty"` // of an audience that does not exist yet
	Error           *importError   `json:"error,omitempty"`
}

type importError struct {
	ExitCode int    `json:"exitCode"`
	Code     string `json:"code,omitempty"` // the API's, such as 100910-400
	Message  string `json:"message"`
}

// runImport imports and reports. People read standard output, unless --json has it.
func runImport(cmd *cobra.Command, o importOptions, cfg app.Config) error {
	if err := errors.Join(o.check(), o.format.check()); err != nil {
		return err
	}
	im := &importer{importOptions: o, cfg: cfg, in: cmd.InOrStdin(), out: cmd.OutOrStdout(), progressTo: cmd.ErrOrStderr(), began: time.Now()}
	if o.json {
		im.out = io.Discard
	}
	im.result.Audience = o.name
	err := im.run(cmd.Context())
	im.result.Seconds = time.Since(im.began).Seconds()
	if err == nil && im.result.Run != nil {
		err = im.report()
	}
	if o.json {
		return errors.Join(err, printJSON(cmd.Context(), cmd.OutOrStdout(), im.result, err))
	}
	return err
}

// printJSON writes the result, with the error if there is one, and marks the error as reported.
func printJSON(ctx context.Context, out io.Writer, result importResult, err error) error {
	if err != nil {
		result.Error = &importError{ExitCode: exitCode(ctx, err), Message: err.Error()}
		var refused *client.APIError
		if errors.As(err, &refused) {
			result.Error.Code = refused.Code
		}
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	if printErr := enc.Encode(result); printErr != nil || err == nil {
		return printErr
	}
	return errReported
}

// reportGuards tells people which guards would have stopped the run.
func (im *importer) reportGuards(r client.Run) {
	for _, g := range r.Guards {
		if g.Tripped && r.Status == client.Success {
			fmt.Fprintf(im.out, "\nThe guard %q trips: %s (%.4g, limit %.4g).\n", g.Guard, g.Detail, g.Value, g.Limit)
		}
	}
}

// report tells people what became of the rows.
func (im *importer) report() error {
	r := *im.result.Run
	rows := rowsOf(r)
	switch {
	case im.result.AlreadyImported:
		fmt.Fprintf(im.out, "\n%s has not changed since run %s read it; there is nothing to do. That run's ledger:\n\n", im.file, r.RunID)
	case r.Status == client.Success:
		took := time.Since(im.runBegan)
		rate := ""
		if took > time.Second {
			rate = fmt.Sprintf(", %s rows/s", count(int64(float64(rows.Read)/took.Seconds())))
		}
		fmt.Fprintf(im.out, "\nRun %s: %s in %s%s\n\n", r.RunID, r.Status, seconds(took), rate)
	default:
		fmt.Fprintf(im.out, "\nRun %s: %s\n\n", r.RunID, r.Status)
	}
	if rows.Read > 0 || r.Status == client.Success {
		printLedger(im.out, "  ", r)
	}
	if rows.Rejected > 0 {
		fmt.Fprintln(im.out, "\nRejected rows:")
		printRejects(im.out, "  ", r)
	}
	for _, f := range r.Files {
		if f.BlankRows > 0 {
			fmt.Fprintf(im.out, "\nEmpty rows of %s, of nothing but delimiters, which count as none: %s\n", f.Path, count(f.BlankRows))
		}
		if f.FilledRows > 0 {
			fmt.Fprintf(im.out, "\nRows of %s with too few columns, which have no value in the others: %s\n", f.Path, count(f.FilledRows))
		}
		if f.CommentLines > 0 {
			fmt.Fprintf(im.out, "\nComment lines of %s, which count as no rows: %s\n", f.Path, count(f.CommentLines))
		}
		if f.LikelyEncoding != "" {
			fmt.Fprintf(im.out, "\nMost rejects of %s are not UTF-8; the file looks like %s: --encoding %s\n", f.Path, f.LikelyEncoding, f.LikelyEncoding)
		}
		if len(f.ExtraColumns) > 0 {
			fmt.Fprintf(im.out, "\nColumns of %s that no field names: %s\n", f.Path, strings.Join(f.ExtraColumns, ", "))
		}
	}
	im.reportGuards(r)
	if r.DryRun && r.Status == client.Success {
		fmt.Fprintf(im.out, "\nThis was a dry run: nothing has changed. The audience %q would have %s members.\n", im.name, count(membersOf(r).After))
		return nil
	}
	if r.Status == client.Success {
		fmt.Fprintf(im.out, "\nThe audience %q has %s members (%s).\n", im.name, count(membersOf(r).After), im.result.AudienceID)
		return nil
	}
	return &exitError{exitRunFailed, fmt.Errorf("the run ended %s: %s", r.Status, failureText(r.Error))}
}
