package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"roster/client"
	"roster/internal/app"
	"roster/internal/importing"
)

func newImport() *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:   "import FILE --name NAME [--identity COLUMN=NAMESPACE]",
		Short: "Import a file of people into an audience",
		Long: "Import a file of CSV, JSON or Parquet, compressed or not, into an audience: create the audience if none " +
			"has that name, and run it. Later files for the audience may have any name and lie in any folder, and need " +
			"no --identity: columns that the audience does not have are left out, fields without a column become null, " +
			"and the command reports both. The command finds columns and types in the file and shows them. Without " +
			"--server, the import works on the data directory: it starts a server in this process, which reads the " +
			"file in place, or uses the server that already runs there.\n\nAn interrupted import, even one ended by " +
			"kill -9, continues when the same command is started again.\n\nExit codes: 0 done, 1 failed, 2 usage, 3 " +
			"the server refused, 4 the run ended FAILED, 130 interrupted.",
		Example: "  roster import people.csv --name people --identity email=Email\n" +
			"  roster import tuesday.csv --name people --full\n" +
			"  roster import airports.csv --name airports --identity iata=IATA --create-namespace\n" +
			"  roster import people.csv --name people --identity email=Email --changes --json",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.file = args[0]
			cfg, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			return runImport(cmd, o, cfg)
		},
	}
	o.addFlags(cmd.Flags())
	addSettings(cmd, "data-dir", "memory", "database-url", "debug-listen")
	return cmd
}

// importDocument is the output with --json.
type importDocument struct {
	importing.Result
	Error *importError `json:"error,omitempty"`
}

type importError struct {
	ExitCode int    `json:"exitCode"`
	Code     string `json:"code,omitempty"` // the API's code, such as 100910-400
	Message  string `json:"message"`
}

// importer is an import from the command line.
type importer struct {
	flags importOptions
	*importing.Import
	cfg      app.Config
	terminal *terminal
}

// runImport imports a file and reports. The report for people goes to standard output, or to standard error with
// --json.
func runImport(cmd *cobra.Command, o importOptions, cfg app.Config) error {
	if err := o.read(cmd.Flags()); err != nil {
		return err
	}
	t := &terminal{name: o.Name, in: cmd.InOrStdin(), out: cmd.OutOrStdout(), notes: cmd.ErrOrStderr()}
	t.asks = !o.json && isTerminal(t.in) && isTerminal(t.out)
	if o.json {
		t.out = io.Discard
	}
	im, began := &importer{flags: o, cfg: cfg, terminal: t}, time.Now()
	result := importing.Result{Audience: o.Name}
	err := im.run(cmd.Context())
	t.bar.finish()
	if im.Import != nil {
		err = im.unreachable(err)
		if err != nil && cmd.Context().Err() != nil && im.RunID != "" && im.Result.Run == nil {
			fmt.Fprintf(t.notes, "Run %s continues when the same command is started again.\n", im.RunID)
		}
		if reported := im.report(err); err == nil {
			err = reported
		}
		result = im.Result
	}
	result.Seconds = time.Since(began).Seconds()
	if o.json {
		return errors.Join(err, printJSON(cmd.Context(), cmd.OutOrStdout(), result, err))
	}
	return err
}

// run performs the import from the file to the end of a run.
func (im *importer) run(ctx context.Context) error {
	content, file, err := openFile(im.flags.file)
	if err != nil {
		return err
	}
	defer content.Close()
	im.terminal.file = filepath.Base(file.Path)
	im.Import = importing.New(ctx, im.flags.Request, file, im.terminal)
	if im.flags.server == "" && !app.IsDataDir(im.cfg.DataDir) { // check before a data directory is created
		if err := im.Creatable(ctx); err != nil {
			return err
		}
	}
	im.cfg.LocalRoots = append(im.cfg.LocalRoots, filepath.Dir(file.Path)) // a server in this process reads it
	conn, stop, err := im.connect(ctx)
	if err != nil {
		return err
	}
	im.Result.Server = conn.client.BaseURL
	err = im.Into(ctx, conn.client, conn.own != nil)
	var mismatch *importing.MismatchError
	switch {
	case errors.As(err, &mismatch):
		err = usagef("%w. Correct the file or the flags, choose another --name, or delete the audience first: roster audience delete %q", mismatch, im.Name)
	case err == nil:
		err = im.saveReceipt(ctx, conn.client)
	}
	return errors.Join(err, stop())
}

// openFile opens the file and finds its full path.
func openFile(name string) (*os.File, importing.File, error) {
	if err := isFile(name); err != nil {
		return nil, importing.File{}, err
	}
	abs, err := filepath.Abs(name)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return nil, importing.File{}, usagef("%w", named(err))
	}
	f, err := os.Open(abs)
	if err != nil {
		return nil, importing.File{}, usagef("%w", named(err))
	}
	info, err := f.Stat()
	if err != nil {
		return nil, importing.File{}, errors.Join(err, f.Close())
	}
	return f, importing.File{Name: name, Path: abs, Size: info.Size(), Modified: info.ModTime(), Content: f}, nil
}

// connect connects to the server. A dry run without a data directory works on a temporary one, which stop removes.
func (im *importer) connect(ctx context.Context) (_ *connection, stop func() error, err error) {
	remove := func() error { return nil }
	if im.DryRun && im.flags.server == "" && !app.IsDataDir(im.cfg.DataDir) {
		dir, err := os.MkdirTemp("", "roster-dry-run-")
		if err != nil {
			return nil, nil, err
		}
		remove = func() error { return os.RemoveAll(dir) }
		im.cfg = app.Config{DataDir: dir, Memory: im.cfg.Memory, LogLevel: im.cfg.LogLevel}
	}
	conn, err := connector{server: im.flags.server, credentials: im.flags.credentials, cfg: im.cfg, out: im.terminal.out, log: im.terminal.notes}.connect(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	if conn.own == nil {
		conn.client.Patience, conn.client.OnOutage = patience, func(reason error) { im.terminal.outage(conn.client.BaseURL, reason) }
	}
	return conn, func() error { return errors.Join(conn.close(), remove()) }, nil
}

// saveReceipt writes the receipt of the run to the file of --receipt.
func (im *importer) saveReceipt(ctx context.Context, c *client.Client) error {
	run := im.Result.Run
	if im.flags.receipt == "" || run == nil || im.Result.AlreadyImported || run.Status != client.Success || run.DryRun {
		return nil
	}
	signed, err := c.Receipt(ctx, run.AudienceID, run.RunID)
	if err != nil {
		return fmt.Errorf("the run ended SUCCESS, but reading its receipt failed: %w", err)
	}
	text, err := json.Marshal(signed)
	if err != nil {
		return err
	}
	return os.WriteFile(im.flags.receipt, append(text, '\n'), 0o600)
}

// unreachable adds to the error about a server that does not answer: whether the run continues without the command, and
// how to follow it.
func (im *importer) unreachable(err error) error {
	var gone *client.UnreachableError
	switch {
	case !errors.As(err, &gone):
		return err
	case im.RunID != "":
		return fmt.Errorf("%w. Run %s continues without this command when the server is back; start the same command again to wait for its end", err, im.RunID)
	}
	return fmt.Errorf("%w. No run was started; start the same command again to continue", err)
}

// printJSON writes the result, with the error if there is one, and marks the error as reported.
func printJSON(ctx context.Context, out io.Writer, result importing.Result, err error) error {
	doc := importDocument{Result: result}
	if err != nil {
		doc.Error = &importError{ExitCode: exitCode(ctx, err), Message: err.Error()}
		var refused *client.APIError
		if errors.As(err, &refused) {
			doc.Error.Code = refused.Code
		}
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	if printErr := enc.Encode(doc); printErr != nil || err == nil {
		return printErr
	}
	return errReported
}
