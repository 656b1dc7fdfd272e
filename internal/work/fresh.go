package work

import (
	"context"
	"strconv"
	"time"

	"roster/internal/audience"
)

// freshRuns limits how many runs fresh reads.
const freshRuns = 400

// fresh returns a number of members of an audience whom runs brought after a time and who are still members, according to the ledgers of
// these runs. The dataset has at least so many.
func (s *Service) fresh(ctx context.Context, aud *audience.Audience, since time.Time) (int64, error) {
	q := audience.RunQuery{Limit: 40, SortBy: "createdAt", Descending: true, Filters: []audience.RunFilter{
		{Property: "status", Op: "=", Value: string(audience.Success)},
		{Property: "createdAt", Op: ">", Value: strconv.FormatInt(since.Unix(), 10)},
	}}
	var f freshness
	for seen := 0; seen < freshRuns; {
		runs, _, err := s.cfg.Store.Runs(ctx, aud.Scope, aud.ID, q)
		if err != nil {
			return 0, err
		}
		for i := range runs {
			if !f.add(&runs[i]) {
				return f.members, nil
			}
		}
		if len(runs) < q.Limit {
			break
		}
		seen += len(runs)
		last := &runs[len(runs)-1]
		q.After = &audience.Position{At: last.CreatedAt, Seq: last.Seq, ID: string(last.ID)}
	}
	return f.members, nil
}

// freshness counts over the ledgers of runs, the newest first. members is the most that one run brought, without all that left by later runs.
type freshness struct{ members, left int64 }

// add counts a run. It returns false if the run set the times of members to earlier ones, so that runs before it do not count.
func (f *freshness) add(r *audience.Run) bool {
	if !r.Committed() {
		return true
	}
	rows, traits := r.Result.Rows, r.Request.Traits()
	switch {
	case r.Request.Renews():
		f.members = max(f.members, r.Result.Members.After-f.left)
	case traits.ReadsFiles():
		f.members = max(f.members, rows.Added+rows.Updated+rows.Unchanged-f.left)
	case traits.Input != audience.FromMembers:
		return false
	}
	f.left += rows.Deleted + r.Result.Members.Removed + r.Result.Members.Expired
	return true
}
