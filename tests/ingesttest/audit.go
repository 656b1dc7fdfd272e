package ingesttest

import (
	"slices"

	"roster/internal/audience"
)

// audit compares the result of a run with the stored data: the ledger (invariants 1 and 2 of docs/INVARIANTS.md), the
// dataset, the rejects file and the profile store. before are the dataset's rows before the run.
func (a *Audience) audit(run audience.Run, before []Row) {
	a.t.Helper()
	if run.Status == audience.Success || len(run.Result.Guards) > 0 { // a run that ended before has no counts
		a.auditRejects(run)
	}
	if run.Status != audience.Success {
		a.unchanged("a run that failed", before)
		return
	}
	sum := audience.Rows{}
	for _, f := range run.Result.Files {
		if !f.Rows.Balanced() {
			a.t.Errorf("invariant 1 does not hold of %s: %+v", f.Path, f.Rows)
		}
		if f.Status != audience.FileRead && f.Rows != (audience.Rows{}) {
			a.t.Errorf("%s is %s and has rows: %+v", f.Path, f.Status, f.Rows)
		}
		sum = sum.Plus(f.Rows)
	}
	rows, members := run.Result.Rows, run.Result.Members
	if rows != sum || !rows.Balanced() {
		a.t.Errorf("invariant 1 does not hold of the run: %+v, its files have %+v", rows, sum)
	}
	if !members.Balanced(rows) || members.Before != int64(len(before)) {
		a.t.Errorf("invariant 2 does not hold: %+v with %+v; there were %d members before", members, rows, len(before))
	}
	if run.Request.DryRun {
		a.unchanged("a dry run", before)
		return
	}
	a.auditMembers(run)
}

// unchanged reports a dataset that has changed.
func (a *Audience) unchanged(what string, before []Row) {
	a.t.Helper()
	same := func(x, y Row) bool { return x.ID == y.ID && x.Content == y.Content && slices.Equal(x.Values, y.Values) }
	if !slices.EqualFunc(a.Rows(), before, same) {
		a.t.Errorf("%s changed the dataset", what)
	}
}

// auditRejects counts the rejects of each file.
func (a *Audience) auditRejects(run audience.Run) {
	a.t.Helper()
	rejected := map[string]int64{}
	for _, r := range a.Rejects(run) {
		rejected[r.File]++
	}
	for _, f := range run.Result.Files {
		if rejected[f.Path] != f.Rows.Rejected {
			a.t.Errorf("invariant 17 does not hold: %s has %d rejects, %d are kept", f.Path, f.Rows.Rejected, rejected[f.Path])
		}
		delete(rejected, f.Path)
	}
	if len(rejected) > 0 {
		a.t.Errorf("rejects of files that the run did not read: %v", rejected)
	}
}

// auditMembers counts the rows of the dataset, in total and for each file of the run, and looks each member up.
func (a *Audience) auditMembers(run audience.Run) {
	a.t.Helper()
	rows := a.Rows()
	if int64(len(rows)) != run.Result.Members.After {
		a.t.Errorf("invariant 2 does not hold: the dataset has %d rows, the ledger says %d", len(rows), run.Result.Members.After)
	}
	ids := map[string]bool{}
	brought := make([]int64, len(run.Result.Files))
	sum := uint64(0)
	for _, r := range rows {
		ids[r.ID] = true
		sum += uint64(r.Content)
		if r.Run == run.Seq {
			brought[r.File]++
		}
	}
	if len(ids) != len(rows) {
		a.t.Errorf("%d rows of %d members", len(rows), len(ids))
	}
	if sum != run.Result.ContentSum {
		a.t.Errorf("the rows sum up to %d, the run says %d", sum, run.Result.ContentSum)
	}
	for i, f := range run.Result.Files {
		wrote, most := f.Rows.Added+f.Rows.Updated, f.Rows.Added+f.Rows.Updated+f.Rows.Unchanged
		if run.Request.Kind == audience.RunIngest && (brought[i] < wrote || brought[i] > most) {
			a.t.Errorf("the dataset has %d rows of %s, its ledger says %+v", brought[i], f.Path, f.Rows)
		}
	}
	a.auditProfile(rows)
}
