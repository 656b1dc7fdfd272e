package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"roster/client"
	"roster/internal/app"
	"roster/internal/audience"
	"roster/internal/tabular"
)

// importer is an import in progress.
type importer struct {
	importOptions
	cfg      app.Config
	in       io.Reader
	asks     bool // in and out are terminals, where a person answers
	out      io.Writer
	notes    io.Writer // standard error
	progress *progress // of the upload, when there is one, and the run
	began    time.Time
	runBegan time.Time
	runID    string // of the run that is waited for, "" before

	path  string // of the file, absolute, links resolved
	info  os.FileInfo
	found tabular.Inferred // what the file's first rows say
	// foundOut are the options that the file needs beside what the flags say, for people. utf8 says that it has characters beyond
	// ASCII and is UTF-8.
	foundOut []string
	utf8     bool
	before   []client.Field // the fields of the audience that exists
	// hadFormat is how that audience read its files until now.
	hadFormat audience.Format
	unread    error          // that the file cannot be read by itself, as the audience may
	has       []client.Field // the fields of the audience, nil when there is none yet
	client    *client.Client
	// inPlace: the server runs in this process and reads the file where it lies.
	inPlace bool
	result  importResult
}

// run goes from the file to the end of a run.
func (im *importer) run(ctx context.Context) error {
	if err := im.locate(); err != nil {
		return err
	}
	im.unread = im.inspect(ctx)
	if im.server == "" && !app.IsDataDir(im.cfg.DataDir) { // before a data directory is made
		if im.unread != nil {
			return im.unread
		}
		if err := im.identified(ctx); err != nil {
			return err
		}
	}
	stop, err := im.connect(ctx)
	if err != nil {
		return err
	}
	return errors.Join(im.ingest(ctx), stop())
}

func (im *importer) ingest(ctx context.Context) error {
	a, alike, found, err := im.client.AudienceNamed(ctx, im.name)
	if err != nil {
		return err
	}
	if len(alike) > 0 {
		fmt.Fprintf(im.out, "There is an audience %q, too; upper and lower case make different names.\n", alike[0])
	}
	if !found && im.unread != nil {
		return im.unread
	}
	if found {
		if err := im.readAsBefore(ctx, a); err != nil {
			return err
		}
	}
	if err := im.resolveNamespaces(ctx); err != nil {
		return err
	}
	if found {
		a, err = im.useExisting(ctx, a)
		if errors.Is(err, errRehearse) {
			found = false
		} else if err != nil {
			return err
		}
	}
	if !found {
		if err := im.identified(ctx); err != nil {
			return err
		}
		im.showColumns(ctx)
		if err := im.widen(ctx); err != nil {
			return err
		}
		if im.dryRun {
			return im.rehearse(ctx)
		}
		if a, err = im.create(ctx); err != nil {
			return err
		}
	}
	im.result.AudienceID, im.result.Fields = a.AudienceID, a.Fields
	return im.runAudience(ctx, a)
}

// identified refuses to create an audience of people whom nothing identifies.
func (im *importer) identified(ctx context.Context) error {
	if len(im.identities) > 0 {
		return nil
	}
	return usagef("there is no audience %q yet, and --identity is missing: the column that identifies people and its namespace, such as --identity email=Email; %s",
		im.name, im.columnNames(ctx))
}

// runAudience waits for the run in progress if there is one, and else starts one, unless the file has been
// read already and nobody asked for another run.
func (im *importer) runAudience(ctx context.Context, a client.Audience) error {
	running, err := im.running(ctx, a.AudienceID)
	if err != nil {
		return err
	}
	if running != "" {
		im.result.Resumed = true
		fmt.Fprintf(im.out, "Run %s of this audience is in progress; waiting for it.\n", running)
		return im.watch(ctx, a.AudienceID, running)
	}
	if !im.full && !im.changes && !im.dryRun {
		done, err := im.alreadyImported(ctx, a)
		if done || err != nil {
			return err
		}
	}
	full, err := im.mode(ctx, a)
	if err != nil {
		return err
	}
	restore, err := im.deliver(ctx, a)
	if err != nil {
		return err
	}
	return errors.Join(im.startRun(ctx, a, full), restore())
}

// startRun starts a run and waits for its end.
func (im *importer) startRun(ctx context.Context, a client.Audience, full bool) error {
	start, differential := int64(0), !full
	started, err := im.client.StartRun(ctx, a.AudienceID, client.RunRequest{DataFilterStartTime: &start, DifferentialIngestion: &differential,
		DryRun: &im.dryRun, Force: &im.force, AllowMissingColumns: new(len(im.result.MissingColumns) > 0)})
	if err != nil {
		return err
	}
	return im.watch(ctx, a.AudienceID, started.RunID)
}

func (im *importer) watch(ctx context.Context, audienceID, runID string) error {
	im.runBegan, im.runID = time.Now(), runID
	run, err := watchRun(ctx, im.client, audienceID, runID, im.showProgress())
	im.progress.finish()
	if err != nil {
		if ctx.Err() != nil {
			fmt.Fprintf(im.notes, "Run %s goes on when the same command is started again.\n", runID)
		}
		return err
	}
	im.result.Run = &run
	return im.saveReceipt(ctx, run)
}

// saveReceipt writes the receipt of a run that has one to the file that was asked for.
func (im *importer) saveReceipt(ctx context.Context, run client.Run) error {
	if im.receipt == "" || run.Status != "SUCCESS" || run.DryRun {
		return nil
	}
	signed, err := im.client.Receipt(ctx, run.AudienceID, run.RunID)
	if err != nil {
		return fmt.Errorf("the run ended SUCCESS, but its receipt cannot be read: %w", err)
	}
	text, err := json.Marshal(signed)
	if err != nil {
		return err
	}
	return os.WriteFile(im.receipt, append(text, '\n'), 0o600)
}

// connect finds the server; one in this process may read the file's folder.
func (im *importer) connect(ctx context.Context) (stop func() error, err error) {
	im.cfg.LocalRoots = append(im.cfg.LocalRoots, filepath.Dir(im.path))
	remove := func() error { return nil }
	if im.dryRun && im.server == "" && !app.IsDataDir(im.cfg.DataDir) { // a dry run leaves nothing
		dir, err := os.MkdirTemp("", "roster-dry-run-")
		if err != nil {
			return nil, err
		}
		remove = func() error { return os.RemoveAll(dir) }
		im.cfg = app.Config{DataDir: dir, Memory: im.cfg.Memory, LogLevel: im.cfg.LogLevel}
	}
	conn, err := connector{server: im.server, credentials: im.credentials, cfg: im.cfg, out: im.out, log: im.notes}.connect(ctx)
	if err != nil {
		return nil, errors.Join(err, remove())
	}
	im.client, im.inPlace, im.result.Server = conn.client, conn.own != nil, conn.client.BaseURL
	if conn.own == nil {
		im.client.Patience, im.client.OnOutage = patience, im.tellOutage
	}
	return func() error { return errors.Join(conn.close(), remove()) }, nil
}

// patience is how long an import waits for a server that restarts.
const patience = time.Minute

// tellOutage tells that the server does not answer, and that it does again.
func (im *importer) tellOutage(reason error) {
	notes := im.notes
	if im.progress != nil {
		notes = im.progress.above(notes)
	}
	if reason == nil {
		fmt.Fprintln(notes, "The server answers again.")
		return
	}
	fmt.Fprintf(notes, "The server at %s does not answer (%v); waiting for it, %s at most.\n", im.client.BaseURL, reason, patience)
}

// unreachable adds to the error about a server that does not answer what goes on without the command, and how to look.
func (im *importer) unreachable(err error) error {
	var gone *client.UnreachableError
	switch {
	case !errors.As(err, &gone):
		return err
	case im.runID != "":
		return fmt.Errorf("%w. Run %s goes on without this command when the server is back; the same command, started again, waits for its end", err, im.runID)
	}
	return fmt.Errorf("%w. No run was started; the same command, started again, goes on where this one ended", err)
}

// showProgress begins to show the progress of the steps and of the run behind them, unless that was begun before.
func (im *importer) showProgress(before ...step) *progress {
	if im.progress == nil {
		im.progress = newProgress(im.notes, append(before, runSteps...)...)
		im.out = im.progress.above(im.out)
	}
	return im.progress
}

// running returns the run of the audience that is in progress, "" when there is none.
func (im *importer) running(ctx context.Context, audienceID string) (string, error) {
	list, err := im.client.Runs(ctx, audienceID, nil) // newest first; one at a time can be in progress
	if err != nil || len(list.Runs) == 0 || list.Runs[0].Status != client.Processing {
		return "", err
	}
	return list.Runs[0].RunID, nil
}

// alreadyImported finds out whether the last good run has read this very version of the file where it lies.
// An import that was killed after its run had ended, and is started again, must not ask or fail.
func (im *importer) alreadyImported(ctx context.Context, a client.Audience) (bool, error) {
	if !im.inPlace || a.AudienceMeta == nil || a.AudienceMeta.LastRunID == "" {
		return false, nil
	}
	if reads, err := im.readsThisFile(ctx, a); err != nil || !reads {
		return false, err
	}
	run, err := im.client.Run(ctx, a.AudienceID, a.AudienceMeta.LastRunID)
	if err != nil {
		return false, err
	}
	for _, f := range run.Files {
		if f.Status == "read" && f.Size == im.info.Size() && f.ModifiedAt == im.info.ModTime().Unix() {
			im.result.Run, im.result.AlreadyImported = &run, true
			return true, nil
		}
	}
	return false, nil
}

// readsThisFile reports whether the audience reads the file where it lies, as the flags say.
func (im *importer) readsThisFile(ctx context.Context, a client.Audience) (bool, error) {
	where := a.SourceSpec.Where()
	if where.BaseConnectionID == "" || !reflect.DeepEqual(where.Format, im.format.submitted()) {
		return false, nil
	}
	conn, err := im.client.Connection(ctx, where.BaseConnectionID)
	return err == nil && filepath.Join(conn.Auth.Params.Text("root"), filepath.FromSlash(where.Path)) == im.path, err
}

// mode decides whether the file is the complete list. For an audience without members both are the same.
func (im *importer) mode(ctx context.Context, a client.Audience) (full bool, err error) {
	switch {
	case im.full || im.changes:
		return im.full, nil
	case a.AudienceMeta == nil || a.AudienceMeta.LastRunID == "":
		return true, nil
	case !im.asks:
		return false, usagef("the audience %q has %s; say what the file is: --full (the complete list, whoever is not in it leaves) or --changes (nobody leaves)",
			im.name, memberCount(a.AudienceMeta.Members))
	}
	fmt.Fprintf(im.out, "The audience %q has %s. Is %s the complete list (whoever is not in it leaves), or changes (nobody leaves)? [full/changes] ",
		im.name, memberCount(a.AudienceMeta.Members), filepath.Base(im.path))
	answer, err := readLine(ctx, im.in)
	if err != nil {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "full", "f":
		return true, nil
	case "changes", "c":
		return false, nil
	}
	return false, usagef("the answer must be full or changes")
}

// readLine reads a line that a person types, or ends with ctx.
func readLine(ctx context.Context, in io.Reader) (string, error) {
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(in).ReadString('\n')
		line <- text
	}()
	select {
	case text := <-line:
		return text, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
