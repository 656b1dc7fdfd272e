package ingest

import (
	"context"
	"fmt"
	"strings"

	"roster/internal/audience"
)

// Guards check a run before its commit (design, section 2). The results of all checked guards are stored with the run.
// A guard that trips ends the run, unless the run is forced or dry.

// guardFiles checks the rows that were read.
func (a *attempt) guardFiles() error {
	if !a.spec.Run.Request.Traits().Guarded {
		return nil
	}
	if err := a.guardRejects(); err != nil {
		return err
	}
	return a.guardColumns()
}

func (a *attempt) guardRejects() error {
	var rows, rejected, lines int64
	for i := range a.reads {
		rows += a.reads[i].rows.Load()
		rejected += a.reads[i].rejected.Load()
		lines += a.reads[i].rejectedLines.Load()
	}
	if rows == 0 {
		return nil
	}
	limit := limitOf(a.spec.Audience.Guards.MaxRejectedPercent, audience.DefaultMaxRejectedPercent)
	detail := fmt.Sprintf("%d of %d rows were rejected", rejected, rows)
	if lines > rejected {
		detail += fmt.Sprintf(", which take in %d lines", lines)
	}
	detail += a.encodingHint()
	return a.guard(audience.GuardRejected, percent(lines, rows-rejected+lines), limit, detail,
		"correct the rows, which the run's rejects name, or the audience's fields; raise guards.maxRejectedPercent of the audience")
}

// guardColumns checks for missing columns. The first run of an audience always passes, because no earlier columns are
// known.
func (a *attempt) guardColumns() error {
	if _, ran := a.dataset.Current(); !ran {
		return nil
	}
	missing := 0
	var details []string
	for i, f := range a.files {
		if f.Status != audience.FileRead {
			continue
		}
		h := a.reads[i].header
		missing += len(h.Missing)
		if len(h.Missing) > 0 && len(details) < 3 {
			text := fmt.Sprintf("%s has no column %s", f.Path, quoted(h.Missing))
			if len(h.Extra) > 0 {
				text += fmt.Sprintf(" but %s, which no field names: was one renamed?", quoted(h.Extra))
			}
			details = append(details, text)
		}
	}
	if missing == 0 || a.spec.Audience.Guards.AllowMissingColumns || a.spec.Run.Request.AllowMissingColumns {
		return nil
	}
	return a.guard(audience.GuardColumns, float64(missing), 0, strings.Join(details, "; "),
		"add the column to the file; let files without it pass by guards.allowMissingColumns of the audience, and its values are null")
}

// guardMembers checks the changes of the members.
func (a *attempt) guardMembers(ctx context.Context, result *audience.RunResult) error {
	defer func() { result.Guards = a.guards }()
	m, g := result.Members, a.spec.Audience.Guards
	if !a.spec.Run.Request.Traits().Guarded || m.Before == 0 {
		return nil
	}
	if err := a.guardExpired(ctx, m); err != nil {
		return err
	}
	// It is unknown who the unreadable members were. At best, the added members are those.
	m.Removed -= min(result.Unreadable, result.Rows.Added)
	if a.spec.Run.Request.Replaces() {
		detail := fmt.Sprintf("%d of %d members would leave, since the files do not have them", m.Removed, m.Before)
		deleted := result.Rows.Deleted // a wrongly filled flag column is as dangerous as a truncated file
		if deleted > 0 {
			detail = fmt.Sprintf("%d of %d members would leave: the files do not have %d of them, and %d are deleted by their rows",
				m.Removed+deleted, m.Before, m.Removed, deleted)
		}
		err := a.guard(audience.GuardRemoved, percent(m.Removed+deleted, m.Before), limitOf(g.MaxRemovedPercent, audience.DefaultMaxRemovedPercent), detail,
			"check whether the files are the complete list (otherwise start a differential run) and their columns of deletion and consent; raise guards.maxRemovedPercent of the audience")
		if err != nil {
			return err
		}
	}
	if g.MaxGrowthPercent == nil {
		return nil
	}
	detail := fmt.Sprintf("the audience would grow from %d to %d members", m.Before, m.After)
	return a.guard(audience.GuardGrowth, max(percent(m.After-m.Before, m.Before), 0), *g.MaxGrowthPercent, detail,
		"check the files; raise guards.maxGrowthPercent of the audience")
}

// guardExpired compares the members that would expire with the ledgers of earlier runs. According to the ledgers, some
// members cannot have expired yet. If they would expire, their times in the dataset, or the time at which all members
// were renewed, are wrong. Any number of members may expire if the ledgers agree.
func (a *attempt) guardExpired(ctx context.Context, m audience.Members) error {
	if m.Expired == 0 {
		return nil
	}
	fresh, err := a.spec.Host.Fresh(ctx, a.spec.Run.CreatedAt.Add(-a.spec.Audience.TTL()))
	if err != nil {
		return fmt.Errorf("read the ledgers of earlier runs: %w", err)
	}
	early := m.Expired - max(m.Before-fresh, 0)
	if early <= 0 {
		return nil
	}
	return a.guard(audience.GuardExpired, percent(early, m.Before), limitOf(a.spec.Audience.Guards.MaxRemovedPercent, audience.DefaultMaxRemovedPercent),
		fmt.Sprintf("%d of %d members would expire, but runs within the last %d days brought at least %d members who have not left", m.Expired, m.Before, a.spec.Audience.TTLDays, fresh),
		"find out whether another program changed the columns _roster_seen of the dataset; start a full run, which renews every member; raise guards.maxRemovedPercent of the audience")
}

// guard records the result of a guard, and returns the error that ends the run if the guard trips.
func (a *attempt) guard(name string, value, limit float64, detail, remedy string) error {
	r := audience.GuardResult{Guard: name, Value: value, Limit: limit, Tripped: value > limit, Detail: detail}
	a.guards = append(a.guards, r)
	if !r.Tripped || !a.spec.Run.Request.StopsAtGuards() {
		return nil
	}
	than := fmt.Sprintf("%.4g %%, and at most %.4g %% are allowed", value, limit)
	if name == audience.GuardColumns {
		than = "the fields of the audience name it"
	}
	return audience.Errorf(audience.Impossible, "the guard %q stopped the run before anything changed: %s (%s). To go on: %s; or start the run with \"force\": true",
		name, detail, than, remedy)
}

func limitOf(set *float64, otherwise float64) float64 {
	if set != nil {
		return *set
	}
	return otherwise
}

func percent(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}

// quoted formats the first columns of a list.
func quoted(names []string) string {
	const most = 5
	var b strings.Builder
	for i, n := range names[:min(len(names), most)] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.64q", n)
	}
	if len(names) > most {
		fmt.Fprintf(&b, " and %d more", len(names)-most)
	}
	return b.String()
}
