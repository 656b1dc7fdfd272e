package ingest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sync/errgroup"

	"roster/internal/audience"
	"roster/internal/background"
	"roster/internal/identity"
	"roster/internal/lake"
)

// KeepRejects is how long the rejects of a run are kept.
const KeepRejects = 30 * 24 * time.Hour

// orphanAge is how old a file must be that nothing names before it is removed: a commit that is under way has
// written its files, and is named nowhere yet.
const orphanAge = 24 * time.Hour

// Upkeep says what to maintain.
type Upkeep struct {
	Table    lake.TableID
	Audience *audience.Audience
	Keep     time.Duration // how long versions stay, beside the current one
	// Runs must be idle before anything is changed that would make a run in progress start over.
	Runs AudienceRuns
}

// ErrBusy says that a run of the audience is in progress, so that its maintenance has to wait.
var ErrBusy = errors.New("ingest: a run is in progress")

// scrubBytes is how much of an audience's files a day's maintenance reads and checks.
const scrubBytes = 1 << 30

// Maintained is what maintenance did.
type Maintained struct {
	Compacted bool
	Versions  int  // snapshots that were removed
	Orphans   int  // files that nothing named
	Overdue   bool // there are members whose time is over: an expire run would take them out
	Scrubbed  lake.Checked
	// Outside are the snapshots of other programs after Roster's last commit. Until a run has adopted them, files are only checked.
	Outside  []audience.OutsideSnapshot
	Adopt    bool // a run of kind RunAdopt is to begin
	Expiring bool // there are members whose time is over within audience.ExpiringWithin, and is not yet
}

// Maintain folds an audience's small files and dead rows, removes versions that are kept no longer and the files
// that nothing names any more. It is safe beside runs and beside itself, and can be cut off anywhere. It does not
// change the audience.
func (p *Pipeline) Maintain(ctx context.Context, u Upkeep) (m Maintained, err error) {
	if err := u.Runs.Idle(ctx); err != nil {
		return m, err
	}
	dataset, err := p.Lake.Load(ctx, u.Table)
	if err != nil {
		return m, err
	}
	if m.Scrubbed, err = p.scrub(ctx, dataset); err != nil {
		return m, err
	}
	if m.Outside = outsideOf(dataset); len(m.Outside) > 0 {
		m.Adopt = !p.RefuseForeign
		return m, nil
	}
	if m.Overdue, m.Expiring, err = p.ageing(ctx, dataset, u.Audience); err != nil {
		return m, err
	}
	if m.Compacted, err = p.Compact(ctx, u.Table, u.Runs.Idle); err != nil {
		return m, err
	}
	if dataset, err = p.Lake.Load(ctx, u.Table); err != nil {
		return m, err
	}
	now := p.Clock()
	if m.Versions, err = dataset.Expire(ctx, now.Add(-u.Keep)); err != nil && !errors.Is(err, lake.ErrConflict) {
		return m, err
	}
	m.Orphans, _, err = dataset.RemoveOrphans(ctx, lake.OrphanOptions{
		Before: now.Add(-orphanAge), Keep: map[string]time.Time{rejectsName: now.Add(-KeepRejects)}, InUse: func(id audience.RunID) bool { return u.Runs.InProgress(ctx, id) },
	})
	return m, err
}

// scrub reads some of the dataset's files.
func (p *Pipeline) scrub(ctx context.Context, d *lake.Dataset) (c lake.Checked, err error) {
	var g errgroup.Group
	g.Go(background.Recovering(func() error {
		c, err = d.Scrub(ctx, scrubBytes)
		return err
	}))
	if err := g.Wait(); err != nil {
		return c, fmt.Errorf("scrub the dataset: %w", err)
	}
	return c, nil
}

// ageing reports whether the dataset has a member whose time is over, and one whose time is over soon. It reads until it
// has found both, and nothing when the last run that renewed everybody says that there are none.
func (p *Pipeline) ageing(ctx context.Context, d *lake.Dataset, aud *audience.Audience) (overdue, soon bool, err error) {
	if d.Rows() == 0 {
		return false, false, nil
	}
	refreshed, err := RefreshedAt(d, aud)
	if err != nil {
		return false, false, err
	}
	expiry, start := audience.ExpiryOf(aud.TTL(), refreshed), p.Clock()
	now, within := start.UnixMicro(), start.Add(audience.ExpiringWithin).UnixMicro()
	if !expiry.Over(0, within) {
		return false, false, nil
	}
	state, err := d.OpenState(ctx, lake.StateOptions{})
	if err != nil {
		return false, false, fmt.Errorf("read the current members: %w", err)
	}
	cursor := state.Cursor()
	defer cursor.Close()
	err = eachRange(ctx, func(lo identity.Key, hi *identity.Key) error {
		rows, err := cursor.Range(lo, hi)
		if err != nil {
			return fmt.Errorf("read the current members: %w", err)
		}
		for _, seen := range rows.Seen {
			over := expiry.Over(seen, now)
			overdue = overdue || over
			soon = soon || !over && expiry.Over(seen, within)
		}
		if soon && (overdue || !expiry.Over(0, now)) {
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		return false, false, err
	}
	return overdue, soon, nil
}
