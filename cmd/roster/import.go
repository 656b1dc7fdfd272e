package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
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
	columns             []string
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
	expressActivation   bool
	dryRun, force       bool
	receipt             string // a file to write the run's receipt to, or ""
	json                bool
}

func newImport() *cobra.Command {
	var o importOptions
	var ttl int
	var maxRejected float64
	cmd := &cobra.Command{
		Use:   "import FILE --name NAME [--identity COLUMN=NAMESPACE]",
		Short: "Import a file of people into an audience",
		Long: "Import a file of CSV, JSON or Parquet, compressed or not, into an audience: create the audience when there\n" +
			"is none of that name, and run it. The next file for it may have any name and lie anywhere, and needs no --identity:\n" +
			"columns that the audience does not have are left out, and fields without a column become null; both are told.\n" +
			"Columns and types are found out from the file and shown. Without --server the import works on the data\n" +
			"directory, by a server in this process that reads the file where it lies, or by the server that already\n" +
			"uses the directory.\n\n" +
			"An import that was interrupted, even by kill -9, goes on when the same command is started again.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage, 3 the server said no, 4 the run ended FAILED, 130 interrupted.",
		Example: "  roster import people.csv --name people --identity email=Email\n" +
			"  roster import tuesday.csv --name people --full\n" +
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
	f.StringVar(&o.name, "name", "", "`NAME` of the audience")
	f.StringArrayVar(&o.identities, "identity", nil, "identity column and its namespace, `COLUMN=NAMESPACE`, such as email=Email; may be given several times: the first one given makes a member. An audience that exists has its own")
	f.StringSliceVar(&o.columns, "columns", nil, "`NAMES` of the columns that are wanted, with commas between them; all when absent")
	f.StringArrayVar(&o.fields, "field", nil, "type of a column, `NAME=TYPE`, instead of the one found out; with --no-header, one for each column in their order names them")
	f.StringVar(&o.deleteColumn, "delete", "", "`COLUMN` that removes the member of its row when it is true or not 0")
	f.BoolVar(&o.full, "full", false, "the file is the complete list: members that are not in it leave")
	f.BoolVar(&o.changes, "changes", false, "the file is changes: nobody leaves but by the delete column")
	f.BoolVar(&o.changes, "differential", false, "the same as --changes")
	f.IntVar(&ttl, "ttl", audience.DefaultTTLDays, "`DAYS` that a member lives after the last run that brought it, 1 to 90")
	f.BoolVar(&o.createNamespace, "create-namespace", false, "create identity namespaces that do not exist")
	o.format.add(f)
	f.Float64Var(&maxRejected, "max-rejected", audience.DefaultMaxRejectedPercent, "`PERCENT` of rows that may be rejects; more stop the run")
	f.BoolVar(&o.anyIdentity, "allow-any-identity", false, "take values for identities that cannot be one, such as an e-mail address without @, n/a, or several in one; else they are rejects")
	f.BoolVar(&o.expressActivation, "express-activation", false, "rows of one person stay separate members that differ in the second identity; only of an audience that the command creates")
	f.BoolVar(&o.keepRejectedRows, "keep-rejected-rows", false, "keep the text of rejected rows with the rejects, for 30 days")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would happen and change nothing")
	f.BoolVar(&o.force, "force", false, "let the run pass guards that stop it")
	f.StringVar(&o.receipt, "receipt", "", "`FILE` to write the run's signed receipt to (see roster verify)")
	f.StringVar(&o.server, "server", "", "address (`URL`) of a server to upload the file to")
	f.StringVar(&o.credentials, "credentials", "", "credentials `FILE` for --server")
	f.BoolVar(&o.json, "json", false, "print one JSON document to standard output")
	addSettings(cmd, "data-dir", "memory", "database-url", "debug-listen")
	return cmd
}

// check finds what is wrong with the flags together.
func (o importOptions) check() error {
	switch {
	case o.name == "":
		return usagef("--name is missing: the name of the audience")
	case o.full && o.changes:
		return usagef("--full and --changes exclude each other")
	case o.maxRejected != nil && (*o.maxRejected < 0 || *o.maxRejected > 100):
		return usagef("--max-rejected %g is no percentage", *o.maxRejected)
	}
	return (&connector{server: o.server, credentials: o.credentials}).checkServer()
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
	MissingColumns  []string       `json:"missingColumns,omitempty"` // fields of the audience that the file does not have
	Widened         []widened      `json:"widened,omitempty"`        // columns whose types the sample had not shown
	Hints           []string       `json:"hints,omitempty"`          // columns of text that may be numbers or dates
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
	im := &importer{importOptions: o, cfg: cfg, in: cmd.InOrStdin(), out: cmd.OutOrStdout(), notes: cmd.ErrOrStderr(), began: time.Now()}
	im.asks = !o.json && isTerminal(im.in) && isTerminal(im.out)
	if o.json {
		im.out = io.Discard
	}
	im.result.Audience = o.name
	err := im.unreachable(im.run(cmd.Context()))
	im.progress.finish()
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
