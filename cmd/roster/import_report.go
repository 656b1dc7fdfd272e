package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"roster/client"
	"roster/internal/audience"
)

// report tells people what became of the rows, and returns the error that the run ends the command with.
func (im *importer) report() error {
	r := *im.result.Run
	rows := rowsOf(r)
	im.nameFile(&r)
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
	im.reportFiles(r)
	if r.DryRun {
		im.reportChanges(r)
	}
	return im.verdict(r)
}

// nameFile gives the file of a run the name that it has here: on the server it may have another one.
func (im *importer) nameFile(r *client.Run) {
	if len(r.Files) != 1 {
		return
	}
	there := r.Files[0].Path
	r.Files[0].Path = im.file
	for i := range r.Rejects {
		if rj := &r.Rejects[i]; rj.File == there {
			rj.File = im.file
		}
	}
	for i := range r.Changes {
		if c := &r.Changes[i]; c.File == there {
			c.File = im.file
		}
	}
}

// reportFiles tells people what was left out of the files.
func (im *importer) reportFiles(r client.Run) {
	for _, f := range r.Files {
		if f.Reason != "" {
			fmt.Fprintf(im.out, "\nNothing was read of %s: %s\n", f.Path, f.Reason)
		}
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
			fmt.Fprintf(im.out, "\nColumns of %s that the audience does not have, left out: %s\n", f.Path, strings.Join(f.ExtraColumns, ", "))
		}
		if len(f.MissingColumns) > 0 {
			fmt.Fprintf(im.out, "\nColumns that %s does not have, null in its rows: %s\n", f.Path, strings.Join(f.MissingColumns, ", "))
		}
	}
}

// reportChanges shows samples of what a dry run found, by the lines of the file: who is meant stands there.
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
			fmt.Fprintf(im.out, "\nMembers who %s, from lines of %s: %s\n", kind.what, file, strings.Join(lines, ", "))
		}
	}
	if left := membersOf(r).Removed; left > 0 {
		fmt.Fprintf(im.out, "\nMembers who would leave, since %s does not have them: %s\n", im.file, count(left))
	}
}

// verdict is how the run ended, in the words of the command line.
func (im *importer) verdict(r client.Run) error {
	rows, stopped := rowsOf(r), im.tripped(r)
	switch {
	case r.Status != client.Success && stopped != "":
		return &exitError{exitRunFailed, fmt.Errorf("nothing has changed: %s", stopped)}
	case r.Status != client.Success:
		return &exitError{exitRunFailed, fmt.Errorf("the run ended %s: %s", r.Status, failureText(r.Error))}
	case r.DryRun && rows.Read > 0 && rows.Rejected == rows.Read:
		return &exitError{exitRunFailed, fmt.Errorf("this was a dry run, and no row of %s fits", im.file)}
	case r.DryRun && stopped != "" && !im.force:
		return &exitError{exitRunFailed, fmt.Errorf("this was a dry run, and the run would be stopped: %s", stopped)}
	case r.DryRun:
		fmt.Fprintf(im.out, "\nThis was a dry run: nothing has changed. The audience %q would have %s.\n", im.name, memberCount(membersOf(r).After))
	default:
		fmt.Fprintf(im.out, "\nThe audience %q has %s (%s).\n", im.name, memberCount(membersOf(r).After), im.result.AudienceID)
	}
	if stopped != "" {
		fmt.Fprintf(im.out, "Without --force the run is stopped: %s\n", stopped)
	}
	return nil
}

// tripped says which guards stop the run and by which flags it goes on; "" when none does.
func (im *importer) tripped(r client.Run) string {
	var texts []string
	for _, g := range r.Guards {
		if !g.Tripped {
			continue
		}
		switch g.Guard {
		case audience.GuardRejected:
			text := rejectedText(g.Detail, g.Value, g.Limit)
			if first := 1 + int64(im.format.domain().SkipLines); im.headerless() && slices.ContainsFunc(r.Rejects, func(rj client.Reject) bool { return rj.Line == first }) {
				text += fmt.Sprintf(". Line %d may be a header: --no-header=false reads it so", first)
			}
			texts = append(texts, text)
		case audience.GuardRemoved:
			texts = append(texts, fmt.Sprintf("%s (%.4g %%, and at most %.4g %% may). If the file is not the complete list say --changes; if they shall leave say --force", g.Detail, g.Value, g.Limit))
		default:
			texts = append(texts, fmt.Sprintf("%s. Correct the file, or say --force", g.Detail))
		}
	}
	return strings.Join(texts, "; ")
}

// rejectedText says that too many rows are rejects, and what to do.
func rejectedText(detail string, percent, limit float64) string {
	return fmt.Sprintf("%s (%.4g %%, and at most %.4g %% may be). Correct them, or say how the file is written (--delimiter, --encoding, --date-format, --field); "+
		"to leave such rows out say --max-rejected %g, or --force", detail, percent, limit, math.Ceil(percent))
}
