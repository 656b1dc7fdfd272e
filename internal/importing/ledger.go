package importing

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"roster/client"
	"roster/internal/audience"
)

// RowsOf returns a run's ledger of rows; zero counts if the run has none.
func RowsOf(r client.Run) client.Rows {
	if r.Rows == nil {
		return client.Rows{}
	}
	return *r.Rows
}

// MembersOf returns a run's ledger of members; zero counts if the run has none.
func MembersOf(r client.Run) client.Members {
	if r.Members == nil {
		return client.Members{}
	}
	return *r.Members
}

// FailureText returns the reason why a task or a run failed, for people.
func FailureText(f *client.Failure) string {
	if f == nil {
		return "no reason was given"
	}
	return f.Code + ": " + f.Detail
}

// Verdict judges the run of the result. Its error is a RunError if the run failed or was stopped, or if a dry run
// predicts this. forced describes the guards that would stop such a run without Force; "" if there are none.
func (im *Import) Verdict() (forced string, err error) {
	r := *im.Result.Run
	rows, stopped := RowsOf(r), im.tripped(r)
	switch {
	case r.Status != client.Success && stopped != "":
		return "", runErrorf("nothing has changed: %s", stopped)
	case r.Status != client.Success:
		return "", runErrorf("the run ended %s: %s", r.Status, FailureText(r.Error))
	case r.DryRun && rows.Read > 0 && rows.Rejected == rows.Read:
		return "", runErrorf("this was a dry run, and no row of %s fits", im.file.Name)
	case r.DryRun && stopped != "" && !im.Force:
		return "", runErrorf("this was a dry run, and the run would be stopped: %s", stopped)
	}
	return stopped, nil
}

// tripped describes the guards that stop the run and the options to continue; "" if no guard stops it.
func (im *Import) tripped(r client.Run) string {
	var texts []string
	for _, g := range r.Guards {
		if !g.Tripped {
			continue
		}
		switch g.Guard {
		case audience.GuardRejected:
			text := im.rejectedText(g.Detail, g.Value, g.Limit)
			if first := 1 + int64(im.format().SkipLines); im.headerless() && slices.ContainsFunc(r.Rejects, func(rj client.Reject) bool { return rj.Line == first }) {
				text += fmt.Sprintf(". Line %d may be a header: %s reads it so", first, im.option("header", "true"))
			}
			texts = append(texts, text)
		case audience.GuardRemoved:
			texts = append(texts, fmt.Sprintf("%s (%.4g %%, and at most %.4g %% may). If the file is not the complete list, use %s; if these members shall leave, use %s",
				g.Detail, g.Value, g.Limit, im.option("changes"), im.option("force")))
		default:
			texts = append(texts, fmt.Sprintf("%s. Correct the file, or use %s", g.Detail, im.option("force")))
		}
	}
	return strings.Join(texts, "; ")
}

// rejectedText explains that too many rows are rejects, and what to do.
func (im *Import) rejectedText(detail string, percent, limit float64) string {
	return fmt.Sprintf("%s (%.4g %%, and at most %.4g %% may be). Correct them, or set the file's format (%s, %s, %s, %s); to leave such rows out, use %s %g, or %s",
		detail, percent, limit, im.option("delimiter"), im.option("encoding"), im.option("dateFormats"), im.option("types"),
		im.option("maxRejectedPercent"), math.Ceil(percent), im.option("force"))
}
