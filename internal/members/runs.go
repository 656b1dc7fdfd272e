package members

import (
	"context"
	"errors"
	"fmt"

	"roster/internal/audience"
	"roster/internal/meta"
)

// runs finds runs of an audience by their sequence numbers. It is not safe for concurrent use.
type runs struct {
	store meta.Runs
	aud   *audience.Audience
	found map[int64]*audience.Run // with no ID when there is none
	last  *audience.Run           // the one found last: neighbours often have the same
	seq   int64                   // its number
}

func newRuns(store meta.Runs, aud *audience.Audience) *runs {
	return &runs{store: store, aud: aud, found: map[int64]*audience.Run{}}
}

// get returns the run of a number; one without an ID when there is none.
func (r *runs) get(ctx context.Context, seq int64) (*audience.Run, error) {
	if r.last != nil && r.seq == seq {
		return r.last, nil
	}
	run, ok := r.found[seq]
	if !ok {
		found, err := r.store.RunBySeq(ctx, r.aud.Scope, r.aud.ID, seq)
		if err != nil && !errors.Is(err, meta.ErrNotFound) {
			return nil, fmt.Errorf("run %d of audience %s: %w", seq, r.aud.ID, err)
		}
		run = &found
		r.found[seq] = run
	}
	r.last, r.seq = run, seq
	return run, nil
}

// fileOf returns a file of the run's manifest, the zero value when it is not known.
func fileOf(r *audience.Run, n int32) audience.PlannedFile {
	if n < 0 || int(n) >= len(r.Planned) {
		return audience.PlannedFile{}
	}
	return r.Planned[n]
}
