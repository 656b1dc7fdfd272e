package main

import (
	"fmt"
	"strings"
	"time"

	"roster/client"
	"roster/internal/importing"
)

// report shows the outcome of the rows of an import that ended with the error failed, and returns the error that ends
// the command.
func (im *importer) report(failed error) error {
	switch {
	case im.Result.DryRun != nil:
		im.reportDryRun(*im.Result.DryRun)
		return nil
	case failed != nil || im.Result.Run == nil:
		return nil
	}
	r := *im.Result.Run
	rows := importing.RowsOf(r)
	im.nameFile(&r)
	switch {
	case im.Result.AlreadyImported:
		fmt.Fprintf(im.terminal.out, "\n%s has not changed since run %s read it; there is nothing to do. That run's ledger:\n\n", im.flags.file, r.RunID)
	case r.Status == client.Success:
		took := time.Since(im.RunBegan)
		rate := ""
		if took > time.Second {
			rate = fmt.Sprintf(", %s rows/s", count(int64(float64(rows.Read)/took.Seconds())))
		}
		fmt.Fprintf(im.terminal.out, "\nRun %s: %s in %s%s\n\n", r.RunID, r.Status, seconds(took), rate)
	default:
		fmt.Fprintf(im.terminal.out, "\nRun %s: %s\n\n", r.RunID, r.Status)
	}
	if rows.Read > 0 || r.Status == client.Success {
		printLedger(im.terminal.out, "  ", r)
	}
	if rows.Rejected > 0 {
		fmt.Fprintln(im.terminal.out, "\nRejected rows:")
		printRejects(im.terminal.out, "  ", r)
	}
	im.reportFiles(r)
	if r.DryRun {
		im.reportChanges(r)
	}
	return im.reportVerdict(r)
}

// reportDryRun shows the outcome of the rows of a dry run that the server did not need a run for.
func (im *importer) reportDryRun(r importing.DryRun) {
	out := im.terminal.out
	fmt.Fprintf(out, "\n%s rows, of which %s would be rejected.\n", count(r.RowsRead), count(r.RowsRejected))
	if r.RowsRejected > 0 {
		printRejects(out, "  ", client.Run{Rejects: r.Rejects, Rows: &client.Rows{Rejected: r.RowsRejected}})
	}
	fmt.Fprintf(out, "\nThis was a dry run: there is no audience %q yet, and none was created.\n", im.Name)
}

// nameFile gives the file of a run its name on this machine, because the server may know it by another one.
func (im *importer) nameFile(r *client.Run) {
	if len(r.Files) != 1 {
		return
	}
	there := r.Files[0].Path
	r.Files[0].Path = im.flags.file
	for i := range r.Rejects {
		if rj := &r.Rejects[i]; rj.File == there {
			rj.File = im.flags.file
		}
	}
	for i := range r.Changes {
		if c := &r.Changes[i]; c.File == there {
			c.File = im.flags.file
		}
	}
}

// reportFiles shows what the run left out of the files.
func (im *importer) reportFiles(r client.Run) {
	for _, f := range r.Files {
		if f.Reason != "" {
			fmt.Fprintf(im.terminal.out, "\nNothing was read of %s: %s\n", f.Path, f.Reason)
		}
		if f.BlankRows > 0 {
			fmt.Fprintf(im.terminal.out, "\nEmpty rows of %s (only delimiters), which are not counted: %s\n", f.Path, count(f.BlankRows))
		}
		if f.FilledRows > 0 {
			fmt.Fprintf(im.terminal.out, "\nRows of %s with too few columns, null in the others: %s\n", f.Path, count(f.FilledRows))
		}
		if f.CommentLines > 0 {
			fmt.Fprintf(im.terminal.out, "\nComment lines of %s, which are not counted: %s\n", f.Path, count(f.CommentLines))
		}
		if f.LikelyEncoding != "" {
			fmt.Fprintf(im.terminal.out, "\nMost rejects of %s are not UTF-8; the file looks like %s: --encoding %s\n", f.Path, f.LikelyEncoding, f.LikelyEncoding)
		}
		if len(f.ExtraColumns) > 0 {
			fmt.Fprintf(im.terminal.out, "\nColumns of %s that the audience does not have, left out: %s\n", f.Path, strings.Join(f.ExtraColumns, ", "))
		}
		if len(f.MissingColumns) > 0 {
			fmt.Fprintf(im.terminal.out, "\nColumns that %s does not have, null in its rows: %s\n", f.Path, strings.Join(f.MissingColumns, ", "))
		}
	}
}

// reportChanges shows samples of what a dry run found, by their lines in the file. It prints no identities; the lines
// lead to them.
func (im *importer) reportChanges(r client.Run) {
	for _, kind := range []struct{ change, what string }{
		{"added", "would join"}, {"updated", "would get other values"}, {"deleted", "would leave by their rows"},
	} {
		var lines []string
		file := ""
		for _, c := range r.Changes {
			if c.Change == kind.change {
				lines, file = append(lines, fmt.Sprint(c.Line)), c.File
			}
		}
		if len(lines) > 0 {
			fmt.Fprintf(im.terminal.out, "\nMembers who %s, from lines of %s: %s\n", kind.what, file, strings.Join(lines, ", "))
		}
	}
	if left := importing.MembersOf(r).Removed; left > 0 {
		fmt.Fprintf(im.terminal.out, "\nMembers who would leave, since %s does not have them: %s\n", im.flags.file, count(left))
	}
}

// reportVerdict shows the audience's new state, or returns the error that ends the command.
func (im *importer) reportVerdict(r client.Run) error {
	forced, err := im.Verdict()
	if err != nil {
		return err
	}
	members := memberCount(importing.MembersOf(r).After)
	if r.DryRun {
		fmt.Fprintf(im.terminal.out, "\nThis was a dry run: nothing has changed. The audience %q would have %s.\n", im.Name, members)
	} else {
		fmt.Fprintf(im.terminal.out, "\nThe audience %q has %s (%s).\n", im.Name, members, im.Result.AudienceID)
	}
	if forced != "" {
		fmt.Fprintf(im.terminal.out, "Without --force the run would be stopped: %s\n", forced)
	}
	return nil
}
