package ingest

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"roster/internal/audience"
	"roster/internal/background"
	"roster/internal/identity"
	"roster/internal/lake"
)

// merged contains the results of a merge.
type merged struct {
	rules     mergeRules
	tally     *tally
	files     []lake.DataFile
	retired   map[string][]int64
	doomed    map[string][]uint64 // rows of other programs that an adoption deletes, as bitmaps
	nRetired  int64
	nWritten  int64
	delta     DeltaFiles
	stateRows int64
	content   uint64 // sum of the content hashes of the members after the run, modulo 2^64
	restore   int64  // snapshot that a rollback restores
	live      *int64 // rows before the run, counted by an adoption; nil if the summary applies
	silent    bool   // an adoption that changes no member
	samples   []audience.ChangeSample
}

// mergeStep is merge, timed as a step of the run.
func (a *attempt) mergeStep(ctx context.Context) (m *merged, err error) {
	err = a.timed(stepMerge, func() (err error) {
		m, err = a.merge(ctx)
		return err
	})
	return m, err
}

// merge resolves the spilled rows against the current state, bucket by bucket, with several ranges in parallel.
func (a *attempt) merge(ctx context.Context) (*merged, error) {
	m := &merged{tally: newTally(len(a.files)), retired: map[string][]int64{}, stateRows: a.dataset.Rows()}
	if a.dataset.Anew() {
		m.stateRows = a.salvaged.Lost
	}
	state, err := a.state(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the current members: %w", err)
	}
	if m.rules, err = a.rules(state); err != nil {
		return nil, err
	}
	outs, err := a.mergeRanges(ctx, m, state)
	if err != nil {
		return nil, err
	}
	if !m.rules.replace {
		m.content = m.tally.state
	}
	for _, out := range outs {
		out.addTo(m, state.Files())
	}
	if m.delta.Members {
		for _, f := range m.files {
			m.delta.Parts = append(m.delta.Parts, f.Path)
		}
	}
	if a.salvaged != nil {
		m.tally.removed += a.salvaged.Lost // those that are in the files count as added
		m.delta.Incomplete = true
	}
	return m, nil
}

// stateColumns returns the columns that the merge reads with the state: the secondary identities, and the columns that
// other programs added.
func (a *attempt) stateColumns() []string {
	return append(a.codec.secondaryNames(), a.dataset.AddedColumns()...)
}

// state opens the current members, or the salvaged members.
func (a *attempt) state(ctx context.Context) (*lake.State, error) {
	switch {
	case a.salvaged != nil:
		return a.salvaged.State, nil
	case a.adoption != nil:
		return a.adoption.Before, nil
	}
	return a.dataset.OpenState(ctx, lake.StateOptions{Identities: a.stateColumns(), Cache: max(a.perWorker(1), leastPart)})
}

// mergeRanges merges the ranges of buckets in parallel and writes the delta.
func (a *attempt) mergeRanges(ctx context.Context, m *merged, state *lake.State) ([]sink, error) {
	changes, err := a.newChanges(m.rules.now / 1e6)
	if err != nil {
		return nil, err
	}
	defer changes.release()
	dry := a.spec.Run.Request.DryRun
	ranges := splitRanges(len(a.spill.buckets), a.p.workers())
	outs := make([]sink, len(ranges))
	tallies := make([]*tally, len(ranges))
	g, gctx := errgroup.WithContext(ctx)
	for i, r := range ranges {
		tallies[i] = newTally(len(a.files))
		if dry {
			tallies[i].samples = newSamples()
		}
		g.Go(background.Recovering(func() error {
			if dry {
				outs[i] = &dryOutput{}
				return a.mergeRange(gctx, r, state, m.rules, tallies[i], outs[i])
			}
			w, err := changes.open(i)
			if err != nil {
				return err
			}
			out := newOutput(a, m.rules, len(state.Files()), w)
			outs[i] = out
			if err := a.mergeRange(gctx, r, state, m.rules, tallies[i], out); err != nil {
				out.abort()
				return err
			}
			return changes.end(i)
		}))
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, t := range tallies {
		m.tally.plus(t)
	}
	if dry {
		m.samples = changeSamples(tallies, a.files)
		return outs, nil
	}
	m.delta, err = changes.finish(ctx, ranges)
	return outs, err
}

// rules returns the rules of the merge. A full run rewrites the dataset if it changes a large part of the members, and
// otherwise adds to it. Keys are hashes, so the first bucket is a sample of all.
func (a *attempt) rules(state *lake.State) (mergeRules, error) {
	refreshed, err := a.dataset.RefreshedAt(&a.spec.Audience)
	if err != nil && !(errors.Is(err, lake.ErrRefreshLost) && (a.spec.Run.Request.Replaces() || a.spec.renewed)) {
		return mergeRules{}, err
	}
	rules := rulesOf(&a.spec.Run, a.spec.Audience.TTL(), refreshed)
	if a.p.ClockTrusted != nil && !a.p.ClockTrusted() {
		rules.expiry = rules.expiry.Suspended()
	}
	if a.spec.Run.Request.Traits().Erases {
		rules.erased = func(st *lake.StateRows, i int) (erased bool) {
			a.codec.among(st, i, a.spec.Erase, func(identity.Key) { erased = true })
			return erased
		}
	}
	if a.salvaged != nil {
		rules.replace = true
		return rules, nil
	}
	if !rules.full || a.dataset.Rows() == 0 {
		return rules, nil
	}
	t := newTally(len(a.files))
	cursor := state.Cursor()
	defer cursor.Close()
	st, err := a.mergeOne(0, cursor, &mergeBuffers{}, rules, t, &dryOutput{}, false)
	if err != nil {
		return rules, err
	}
	sum := t.rows()
	changed := sum.Added + sum.Updated + sum.Deleted + t.removed + t.expired
	live, dead := a.dataset.Rows(), int64(0)
	for _, f := range state.Files() {
		dead += f.Rows
	}
	dead -= live
	rules.replace = changed*4 > int64(st) || dead*4 > live
	return rules, nil
}

// mergeBuffers are the buffers of one goroutine, reused for each bucket.
type mergeBuffers struct {
	buf    []byte
	sorter sorter
	unpack unpacker
}

// mergeOne merges one bucket and returns the number of its members in the state.
func (a *attempt) mergeOne(bucket int, cursor *lake.StateCursor, b *mergeBuffers, rules mergeRules, t *tally, out sink, last bool) (int, error) {
	members := 0
	err := a.eachPart(bucket, b, t.files, last, func(p part) error {
		st, err := cursor.Range(p.lo, p.hi)
		if err != nil {
			return fmt.Errorf("read the current members: %w", err)
		}
		members += len(st.IDs)
		if p.large() {
			a.large.Lock()
			defer a.large.Unlock()
		}
		out.bind(p.buf, st)
		for _, content := range st.Row {
			t.state += uint64(content)
		}
		if a.adoption != nil {
			err = a.adoption.mergeBucket(rules, p, st, t, out.(adoptionSink))
		} else {
			err = mergeBucket(rules, p.buf, p.rows, st, t, out)
		}
		if err != nil {
			return err
		}
		return out.endPart()
	})
	return members, err
}

func (a *attempt) mergeRange(ctx context.Context, r [2]int, state *lake.State, rules mergeRules, t *tally, out sink) error {
	cursor := state.Cursor()
	defer cursor.Close()
	var b mergeBuffers
	for i := r[0]; i < r[1]; i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := a.mergeOne(i, cursor, &b, rules, t, out, true); err != nil {
			return err
		}
		a.merged.Add(1)
	}
	return out.close()
}

// splitRanges divides n buckets into up to parts contiguous ranges.
func splitRanges(n, parts int) [][2]int {
	parts = min(parts, n)
	ranges := make([][2]int, parts)
	for i := range ranges {
		ranges[i] = [2]int{i * n / parts, (i + 1) * n / parts}
	}
	return ranges
}
