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
	"roster/internal/reject"
)

// orphanAge is the minimum age of an unnamed file before it is removed. A commit in progress has written files that
// nothing names yet.
const orphanAge = 24 * time.Hour

// Upkeep describes the maintenance of one audience.
type Upkeep struct {
	Table    lake.TableID
	Audience *audience.Audience
	Keep     time.Duration // retention period of versions other than the current one
	// Runs must be idle before any change that would force a run in progress to start again.
	Runs AudienceRuns
}

// ErrBusy means that a run of the audience is in progress, so the work must wait.
var ErrBusy = errors.New("ingest: a run is in progress")

// scrubBytes is the amount of an audience's files that daily maintenance reads and checks, in bytes.
const scrubBytes = 1 << 30

// Maintained is the result of maintenance.
type Maintained struct {
	Compacted bool
	Moved     int  // number of attempts of an earlier version whose files were moved out of the table's directory
	Versions  int  // number of removed snapshots
	Orphans   int  // number of removed orphan files
	Overdue   bool // some members have expired; an expire run would remove them
	Scrubbed  lake.Checked
	// Outside contains the snapshots of other programs after Roster's last commit. Until a run adopts them, maintenance
	// only checks files.
	Outside  []audience.OutsideSnapshot
	Adopt    bool // a run of kind RunAdopt must start
	Expiring bool // some members expire within audience.ExpiringWithin
}

// Maintain compacts an audience's files, removes versions after their retention period, and removes files that nothing
// names. Maintain is safe beside runs and beside other calls of Maintain, and can be interrupted at any point. It does
// not change the members.
func (p *Pipeline) Maintain(ctx context.Context, u Upkeep) (m Maintained, err error) {
	if err := u.Runs.Idle(ctx); err != nil {
		return m, err
	}
	dataset, err := p.Lake.Load(ctx, u.Table)
	if err != nil {
		return m, err
	}
	if m.Moved, err = dataset.MoveBeside(ctx); err != nil { // the files are read where they are
		p.logOf(u.Audience.Scope).Warn("files of earlier runs stay in the directory of a dataset, where other programs may remove them", "audience", u.Audience.ID, "error", err)
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
	if err := p.giveUpLost(ctx, u.Table); err != nil && !errors.Is(err, lake.ErrConflict) {
		return m, err
	}
	m.Orphans, _, err = dataset.RemoveOrphans(ctx, p.orphans(ctx, now.Add(-orphanAge), u.Runs))
	return m, err
}

// orphans selects the orphans that are older than a time.
func (p *Pipeline) orphans(ctx context.Context, before time.Time, runs AudienceRuns) lake.OrphanOptions {
	return lake.OrphanOptions{Before: before, Keep: map[string]time.Time{reject.FileName: p.Clock().Add(-reject.Keep)},
		InUse: func(id audience.RunID) bool { return runs.InProgress(ctx, id) }}
}

// giveUpLost removes the versions from the history whose files another program has removed.
func (p *Pipeline) giveUpLost(ctx context.Context, table lake.TableID) error {
	dataset, err := p.Lake.Load(ctx, table)
	if err != nil {
		return err
	}
	history, err := dataset.ReadHistory(ctx, nil)
	if err != nil {
		return err
	}
	lost := history.Naming(nil)
	if len(lost) == 0 {
		return nil
	}
	p.Log.Warn("another program removed files of earlier versions of an audience's dataset; these versions can no longer be restored",
		"table", table.Namespace+"."+table.Name, "versions", len(history.VersionsOf(lost)))
	return history.Dataset().Drop(ctx, lost)
}

// scrub checks some of the dataset's files.
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

// ageing reports whether the dataset has an expired member, and a member that expires soon. It stops reading when it
// has found both. It reads nothing if the last run that renewed every member shows that there are none.
func (p *Pipeline) ageing(ctx context.Context, d *lake.Dataset, aud *audience.Audience) (overdue, soon bool, err error) {
	if d.Rows() == 0 {
		return false, false, nil
	}
	refreshed, err := d.RefreshedAt(aud)
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
