package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"roster/internal/audience"
	"roster/internal/background"
	"roster/internal/identity"
	"roster/internal/lake"
	"roster/internal/profile"
)

// A rollback is like a full run whose input is an earlier version of the dataset. Each row of the version counts as
// added, updated or unchanged. Members who are not in the version leave. The new snapshot has the files of the version,
// so the dataset has exactly the same rows, with their times and their origins. If the time of a member of the version
// is over, the row comes back as well, and expires like any other: look-ups show the member as expired at once, and the
// next run removes the row.

// planRollback returns the manifest of a rollback: the version of the earlier run, pinned by its snapshot.
func (a *attempt) planRollback(ctx context.Context) ([]audience.PlannedFile, error) {
	snap, ok := a.dataset.FindVersion(a.spec.Run.Request.Of)
	if !ok {
		return nil, a.versionGone()
	}
	then, err := a.dataset.At(snap.ID)
	if err != nil {
		return nil, err
	}
	if err := then.Complete(ctx); errors.Is(err, lake.ErrNotExist) {
		return nil, audience.Errorf(audience.Impossible, "the version of run %s cannot be restored: another program has removed files of it from the audience's table, as engines do that remove orphan files; choose a later version", snap.Version)
	} else if err != nil {
		return nil, err
	}
	return []audience.PlannedFile{{Path: fmt.Sprintf("version of run %s", snap.Version), Size: then.Bytes(), ModifiedAt: snap.Time.UTC(),
		Version: strconv.FormatInt(snap.ID, 10), Status: audience.FileRead}}, nil
}

// version opens the version that the manifest pins.
func (a *attempt) version() (*lake.Dataset, int64, error) {
	id, err := strconv.ParseInt(a.files[0].Version, 10, 64)
	if err != nil {
		return nil, 0, fmt.Errorf("the manifest of a rollback names no snapshot: %w", err)
	}
	then, err := a.dataset.At(id)
	if errors.Is(err, lake.ErrNotExist) {
		return nil, 0, a.versionGone()
	}
	return then, id, err
}

// versionGone returns the error for a version that is no longer kept.
func (a *attempt) versionGone() error {
	return audience.Errorf(audience.Impossible, "there is no version of run %s: it is another audience's, committed nothing, was removed by an erasure, or was replaced longer ago than the %s that versions are kept; "+
		"choose one of the audience's versions", a.spec.Run.Request.Of, keptFor(a.spec.Keep))
}

// keptFor formats a duration, in days if it is at least several days.
func keptFor(d time.Duration) string {
	if days := d / (24 * time.Hour); days > 1 && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", days)
	}
	return d.String()
}

// rollBack compares the current members with those of the version, range by range.
func (a *attempt) rollBack(ctx context.Context) (*merged, *audience.RunResult, error) {
	then, id, err := a.version()
	if err != nil {
		return nil, nil, err
	}
	a.reads = make([]fileRead, 1)
	m := &merged{tally: newTally(1), stateRows: a.dataset.Rows(), nRetired: a.dataset.Rows(), nWritten: then.Rows(), restore: id}
	c, err := a.comparison(ctx, then)
	if err != nil {
		return nil, nil, err
	}
	m.rules = mergeRules{now: c.rules.now, expiry: audience.Expiry{TTL: c.rules.expiry.TTL, Renewed: c.thenRefreshed}}
	result := &audience.RunResult{}
	if err := a.timed(stepMerge, func() error { return c.run(ctx, m) }); err != nil {
		return nil, nil, err
	}
	return m, result, a.fillLedger(m, result)
}

// comparison compares the current members with the members of a version.
type comparison struct {
	attempt       *attempt
	version       *lake.Dataset
	now, then     *lake.State
	rules         mergeRules // for the current members, including their expiry
	thenRefreshed int64      // microseconds since the epoch
}

func (a *attempt) comparison(ctx context.Context, then *lake.Dataset) (*comparison, error) {
	c := &comparison{attempt: a, version: then}
	refreshed, err := a.dataset.RefreshedAt(&a.spec.Audience)
	if err != nil {
		return nil, err
	}
	c.rules = rulesOf(&a.spec.Run, a.spec.Audience.TTL(), refreshed)
	if refreshed, err = then.RefreshedAt(&a.spec.Audience); err != nil {
		return nil, err
	}
	if !refreshed.IsZero() {
		c.thenRefreshed = refreshed.UnixMicro()
	}
	opts := lake.StateOptions{Identities: a.codec.secondaryNames(), Cache: a.perWorker(4)}
	if c.now, err = a.dataset.OpenState(ctx, opts); err != nil {
		return nil, fmt.Errorf("read the current members: %w", err)
	}
	if c.then, err = then.OpenState(ctx, opts); err != nil {
		return nil, fmt.Errorf("read the members of the version: %w", err)
	}
	return c, nil
}

// run compares all ranges in parallel and writes the delta.
func (c *comparison) run(ctx context.Context, m *merged) error {
	a := c.attempt
	changes, err := a.newChanges(c.rules.now / 1e6)
	if err != nil {
		return err
	}
	defer changes.release()
	ranges := splitRanges(len(a.spill.buckets), a.p.workers())
	tallies := make([]*tally, len(ranges))
	g, gctx := errgroup.WithContext(ctx)
	for i, r := range ranges {
		tallies[i] = newTally(1)
		if a.spec.Run.Request.DryRun {
			tallies[i].samples = newSamples()
		}
		g.Go(background.Recovering(func() error {
			w, err := changes.open(i)
			if err != nil {
				return err
			}
			if err := c.compareRange(gctx, r, tallies[i], w); err != nil {
				return err
			}
			return changes.end(i)
		}))
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, t := range tallies {
		m.tally.plus(t)
	}
	m.content = m.tally.state
	if a.spec.Run.Request.DryRun {
		m.samples, err = originSamples(ctx, c.version, tallies)
		return err
	}
	m.delta, err = changes.finish(ctx, ranges)
	return err
}

func (c *comparison) compareRange(ctx context.Context, r [2]int, t *tally, out changeWriter) error {
	now, then := c.now.Cursor(), c.then.Cursor()
	defer now.Close()
	defer then.Close()
	w := &stepBack{comparison: c, tally: t, out: out}
	for i := r[0]; i < r[1]; i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		lo, hi := c.attempt.spill.bounds(i)
		var err error
		if w.now, err = now.Range(lo, hi); err != nil {
			return fmt.Errorf("read the current members: %w", err)
		}
		if w.then, err = then.Range(lo, hi); err != nil {
			return fmt.Errorf("read the members of the version: %w", err)
		}
		if err := w.compare(); err != nil {
			return err
		}
		for _, content := range w.then.Row {
			t.state += uint64(content)
		}
		read := int64(len(w.then.IDs))
		c.attempt.reads[0].rows.Add(read)
		c.attempt.rowsRead.Add(read)
		c.attempt.merged.Add(1)
	}
	return nil
}

// stepBack compares one range of keys and writes the changes from the current members to the version's members.
type stepBack struct {
	*comparison
	now, then *lake.StateRows
	tally     *tally
	out       changeWriter
	keys      [2][]identity.Key
}

// compare counts each member and writes its changes.
func (s *stepBack) compare() error {
	i, j := 0, 0
	for i < len(s.now.IDs) || j < len(s.then.IDs) {
		order := -1 // no row in the version
		switch {
		case i == len(s.now.IDs):
			order = 1
		case j < len(s.then.IDs):
			order = bytes.Compare(s.now.IDs[i][:], s.then.IDs[j][:])
		}
		var err error
		switch {
		case order < 0:
			err = s.exit(i)
			i++
		case order > 0:
			s.tally.files[0].Added++
			s.tally.samples.add(changeAdded, rowOf(s.then.IDs[j]))
			err = s.bring(j, -1)
			j++
		default:
			if s.now.Row[i] == s.then.Row[j] {
				s.tally.files[0].Unchanged++
			} else {
				s.tally.files[0].Updated++
				s.tally.samples.add(changeUpdated, rowOf(s.then.IDs[j]))
			}
			err = s.bring(j, i)
			i, j = i+1, j+1
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// exit removes the current member i, who is not in the version.
func (s *stepBack) exit(i int) error {
	at := s.rules.now
	if over := s.rules.expiry.At(s.now.Seen[i]); over <= at {
		s.tally.expired++
		at = over
	} else {
		s.tally.removed++
	}
	primary := s.now.IDs[i]
	c := profile.Change{Member: primary, Exited: true, Since: s.now.Since[i] / 1e6, Seen: s.now.Seen[i] / 1e6, At: at / 1e6}
	s.keys[0] = s.attempt.codec.stateKeys(append(s.keys[0][:0], primary), s.now, i, primary)
	return s.writeAll(c, s.keys[0], nil)
}

// bring restores member j of the version. was is the current row of the member, or -1.
func (s *stepBack) bring(j, was int) error {
	primary := s.then.IDs[j]
	c := profile.Change{Member: primary, Since: s.then.Since[j] / 1e6, Seen: s.then.Seen[j] / 1e6}
	s.keys[0] = s.attempt.codec.stateKeys(append(s.keys[0][:0], primary), s.then, j, primary)
	if was < 0 {
		return s.writeAll(c, s.keys[0], nil)
	}
	s.keys[1] = s.attempt.codec.stateKeys(append(s.keys[1][:0], primary), s.now, was, primary)
	if s.same(j, was) {
		if err := s.writeAll(c, s.keys[0], s.keys[1]); err != nil {
			return err
		}
	} else if err := s.writeAll(c, s.keys[0], nil); err != nil {
		return err
	}
	c.Exited, c.At = true, s.rules.now/1e6
	return s.writeAll(c, s.keys[1], s.keys[0])
}

// same reports whether the profile store has the times of member j of the version. was is the current row of the
// member.
//
// The store has the time at which the member was last seen, or an earlier time if a full run has seen the member since.
// In that case, the audience's pointer contains the time of the full run. So, if both rows have the same times, the
// store has them too, unless the time is after the version's last full run and not after the current one.
func (s *stepBack) same(j, was int) bool {
	seen := s.then.Seen[j]
	return s.then.Since[j] == s.now.Since[was] && seen == s.now.Seen[was] && !(s.thenRefreshed < seen && seen <= s.rules.expiry.Renewed)
}

// writeAll writes a change for each key in keys that is not in others.
func (s *stepBack) writeAll(c profile.Change, keys, others []identity.Key) error {
	for _, k := range keys {
		if slices.Contains(others, k) {
			continue
		}
		c.Key = k
		if err := s.out.write(c); err != nil {
			return err
		}
	}
	return nil
}
