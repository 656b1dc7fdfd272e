package members

import (
	"context"
	"time"

	"roster/internal/audience"
	"roster/internal/identity"
)

// Member is the row of a member, and where it comes from.
type Member struct {
	Since     time.Time // when it began
	Qualified time.Time // when it was last brought, by name or by a full run
	Expires   time.Time // when it ends, or ended
	// Run brought the row; without an ID when it is not known any more, or the member has expired.
	Run  audience.Run
	File audience.PlannedFile // the zero value when it is not known any more
	Line int64
}

// Find returns the member of a key as of a time, which may have expired; false when the dataset has no such row.
func Find(ctx context.Context, src Source, aud *audience.Audience, key identity.Key, now time.Time) (m Member, found bool, err error) {
	rec, found, err := src.Dataset.Find(ctx, key)
	if err != nil || !found {
		return m, false, err
	}
	defer rec.Release()
	t, err := termsOf(aud, src.Dataset, now)
	if err != nil {
		return m, false, err
	}
	b := Batch{terms: t, runs: newRuns(src.Runs, aud)}
	b.take(rec, int(rec.NumCols())-len(systemColumns), 0, 1)
	m = Member{Since: time.UnixMicro(b.Since(0)), Qualified: time.UnixMicro(t.Qualified(b.Seen(0))), Expires: time.UnixMicro(b.Expires(0))}
	if len(b.Rows) == 0 {
		return m, true, nil // it has expired
	}
	r, err := b.runs.get(ctx, b.run[0])
	if err != nil {
		return m, false, err
	}
	m.Run, m.File, m.Line = *r, fileOf(r, b.file[0]), b.Line(0)
	return m, true, nil
}
