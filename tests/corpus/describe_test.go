package corpus

import (
	"encoding/json"
	"fmt"
	"strings"

	"roster/internal/audience"
	"roster/internal/survey"
	"roster/tests/ingesttest"
)

// describeRun describes a run, one fact per line.
func describeRun(w *strings.Builder, asked run, r audience.Run, rejects []audience.RejectedRow) {
	fmt.Fprintf(w, "run %s: %s\n", nameOf(asked), r.Status)
	if r.Error != nil {
		fmt.Fprintf(w, "  %s\n", r.Error.Message)
	}
	if r.Status == audience.Success {
		fmt.Fprintf(w, "rows %s\n", rowsOf(r.Result.Rows))
		m := r.Result.Members
		fmt.Fprintf(w, "members before %d, removed %d, expired %d, after %d\n", m.Before, m.Removed, m.Expired, m.After)
	}
	settled := r.Status == audience.Success || len(r.Result.Guards) > 0 // otherwise the run ended before it counted
	for _, f := range r.Result.Files {
		if settled {
			describeFile(w, f)
		}
	}
	for _, g := range r.Result.Guards {
		if g.Tripped {
			fmt.Fprintf(w, "guard %s tripped: %s\n", g.Guard, g.Detail)
		}
	}
	for _, x := range rejects {
		lines := fmt.Sprintf("line %d", x.Line)
		if x.Lines > 1 {
			lines = fmt.Sprintf("lines %d-%d", x.Line, x.Line+x.Lines-1)
		}
		fmt.Fprintf(w, "reject %s %s column %q %s: %s\n", x.File, lines, x.Column, x.Code, x.Reason)
		if x.Raw != nil {
			fmt.Fprintf(w, "  %q\n", x.Raw)
		}
	}
}

// describeSurvey describes a proposal.
func describeSurvey(w *strings.Builder, found survey.Result) {
	if p := found.Proposed; p != nil {
		text, err := json.Marshal(p)
		fmt.Fprintf(w, "format proposed %s\n", text)
		if err != nil {
			panic(err)
		}
	}
	for _, p := range found.Problems {
		fmt.Fprintf(w, "problem %s: %s\n", p.Path, p.Message)
	}
	for _, f := range found.Fields {
		fmt.Fprintf(w, "field %s %s", f.Name, f.Type)
		if f.IdentityNs != "" {
			fmt.Fprintf(w, ", identity %s", f.IdentityNs)
		}
		w.WriteByte('\n')
	}
}

func nameOf(asked run) string {
	name := "full"
	if asked.Differential {
		name = "differential"
	}
	if asked.DryRun {
		name += ", dry"
	}
	if asked.Force {
		name += ", forced"
	}
	if asked.Folder != "" {
		name += " of " + asked.Folder
	}
	return name
}

func rowsOf(r audience.Rows) string {
	return fmt.Sprintf("read %d = rejected %d + duplicates %d + added %d + updated %d + unchanged %d + deleted %d + deletedNotMember %d",
		r.Read, r.Rejected, r.Duplicates, r.Added, r.Updated, r.Unchanged, r.Deleted, r.DeletedNotMember)
}

func describeFile(w *strings.Builder, f audience.FileResult) {
	fmt.Fprintf(w, "file %s: %s", f.Path, f.Status)
	if f.Reason != "" {
		fmt.Fprintf(w, ", %s", f.Reason)
	}
	if f.Status == audience.FileRead {
		fmt.Fprintf(w, "%s\n  %s", formatOf(f.Format), rowsOf(f.Rows))
	}
	w.WriteByte('\n')
	if len(f.SkippedFiles) > 0 {
		fmt.Fprintf(w, "  skipped in it %q\n", f.SkippedFiles)
	}
	if f.BlankRows > 0 {
		fmt.Fprintf(w, "  blank rows %d\n", f.BlankRows)
	}
	if f.FilledRows > 0 {
		fmt.Fprintf(w, "  filled rows %d\n", f.FilledRows)
	}
	if f.CommentLines > 0 {
		fmt.Fprintf(w, "  comment lines %d\n", f.CommentLines)
	}
	if f.LikelyEncoding != "" {
		fmt.Fprintf(w, "  probably %s\n", f.LikelyEncoding)
	}
	if len(f.MissingColumns) > 0 {
		fmt.Fprintf(w, "  missing %q\n", f.MissingColumns)
	}
	if len(f.ExtraColumns) > 0 {
		fmt.Fprintf(w, "  extra %q\n", f.ExtraColumns)
	}
}

// formatOf describes how a file was read; "" for a run that failed.
func formatOf(f *audience.Format) string {
	if f == nil {
		return ""
	}
	text := fmt.Sprintf(" as %s", f.Type)
	if f.Type == audience.CSV {
		text += fmt.Sprintf(", delimiter %q, quote %s, escape %s", f.Delimiter, f.Quote, f.Escape)
		if !f.HasHeader() {
			text += ", no header"
		}
	}
	if f.Encoding != "" {
		text += ", " + f.Encoding
	}
	if f.Compression != audience.None {
		text += ", " + f.Compression
	}
	return text
}

// describeMembers lists the members at the end.
func describeMembers(w *strings.Builder, a *ingesttest.Audience) {
	for _, r := range a.Rows() {
		fmt.Fprintf(w, "member %s\n", r)
	}
}
