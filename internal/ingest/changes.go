package ingest

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"golang.org/x/sync/errgroup"

	"roster/internal/audience"
	"roster/internal/background"
	"roster/internal/identity"
	"roster/internal/profile"
)

// changes writes the parts of a run's delta, one part for each range of buckets. Without further identities, the
// changes of a range arrive in order and are written to its part at once. With further identities, the changes are
// spilled, sorted and written at the end. A first run without further identities needs no parts: see DeltaFiles.Members.
type changes struct {
	run   *attempt
	now   int64
	spill *spill // nil without further identities
	parts []*deltaWriter
	outs  []*changeSpill
	names []string
	// moved contains the changes of a snapshot that moved rows. See rekey.
	moved map[profile.Change]bool
	// joined counts the new members of each range of a first run. Nil if the delta has parts.
	joined []joined
}

func (a *attempt) newChanges(now int64) (*changes, error) {
	n := a.p.workers()
	c := &changes{run: a, now: now, parts: make([]*deltaWriter, n), outs: make([]*changeSpill, n), names: make([]string, n)}
	var err error
	snap, ran := a.dataset.Current()
	if ran && a.spec.Run.Request.Traits().Input != audience.FromVersion {
		if c.moved, err = movedBefore(a.dataset, snap); err != nil {
			return nil, err
		}
	}
	if !ran && a.adoption == nil && len(a.codec.secondary) == 0 {
		c.joined = make([]joined, n)
		return c, nil
	}
	if len(a.codec.secondary) == 0 && len(c.moved) == 0 {
		return c, nil
	}
	s, err := newSpill(a.p.Scratch, recordChanges, nil, 64-a.spill.shift, a.share, a.share.Base/8, n)
	c.spill = s
	return c, err
}

func (c *changes) release() {
	if c.spill != nil {
		c.spill.close()
	}
}

// open returns the writer for the changes of range i.
func (c *changes) open(i int) (changeWriter, error) {
	if c.joined != nil {
		c.joined[i].now = c.now
		return &c.joined[i], nil
	}
	if c.spill != nil {
		c.outs[i] = &changeSpill{spill: c.spill, w: c.spill.writer()}
		return c.outs[i], nil
	}
	return c.openPart(i)
}

func (c *changes) openPart(i int) (*deltaWriter, error) {
	w, name, err := c.run.dataset.CreateFile(c.run.dir, fmt.Sprintf("delta-%03d", i))
	if err != nil {
		return nil, fmt.Errorf("create a delta part: %w", err)
	}
	c.names[i] = name
	c.parts[i], err = newDeltaWriter(w, c.now)
	return c.parts[i], err
}

// end ends the changes of range i.
func (c *changes) end(i int) error {
	if c.joined != nil {
		return nil
	}
	if c.spill != nil {
		return c.outs[i].w.flush()
	}
	return c.parts[i].close()
}

// finish returns the delta. Every range must have ended.
func (c *changes) finish(ctx context.Context, ranges [][2]int) (DeltaFiles, error) {
	if c.joined != nil {
		d := DeltaFiles{Members: true, Time: c.now}
		for i := range c.joined {
			d.Changes += c.joined[i].count
		}
		return d, nil
	}
	if c.spill != nil { // may have fewer buckets than the spill of the rows
		if err := c.spillMoved(); err != nil {
			return DeltaFiles{}, err
		}
		ranges = splitRanges(len(c.spill.buckets), len(ranges))
		if err := c.sortParts(ctx, ranges); err != nil {
			return DeltaFiles{}, err
		}
	}
	d := DeltaFiles{Parts: c.names[:len(ranges)], Time: c.now}
	for _, p := range c.parts[:len(ranges)] {
		d.Changes += p.count
	}
	return d, nil
}

// joined counts the changes of a range, which must all be new members.
type joined struct{ now, count int64 }

var errNotJoined = errors.New("ingest: a first run with a change other than a new member")

// add counts a new member.
func (j *joined) add(since, seen int64) error {
	if since != j.now || seen != j.now {
		return errNotJoined
	}
	j.count++
	return nil
}

func (j *joined) write(profile.Change) error { return errNotJoined }

// joinedAt is the change of a person who becomes a member at a time, in epoch seconds, with no further identity.
func joinedAt(key identity.Key, now int64) profile.Change {
	return profile.Change{Key: key, Member: key, Since: now, Seen: now}
}

// spillMoved spills the changes of moved rows.
func (c *changes) spillMoved() error {
	out := changeSpill{spill: c.spill, w: c.spill.writer()}
	for m := range c.moved {
		if err := out.write(m); err != nil {
			return err
		}
	}
	return out.w.flush()
}

// sortParts writes the parts from the spilled changes.
func (c *changes) sortParts(ctx context.Context, ranges [][2]int) error {
	g, ctx := errgroup.WithContext(ctx)
	for i, r := range ranges {
		g.Go(background.Recovering(func() error {
			w, err := c.openPart(i)
			if err != nil {
				return err
			}
			var buf []byte
			out := onceWriter{w: w, moved: c.moved}
			for b := r[0]; b < r[1] && err == nil; b++ {
				if err = ctx.Err(); err == nil {
					buf, err = c.writeBucket(&out, b, buf)
				}
			}
			if err == nil {
				err = out.end()
			}
			if err != nil {
				w.file.Close()
				return err
			}
			return w.close()
		}))
	}
	return g.Wait()
}

// onceWriter writes sorted changes. If the run and the moved rows have a change of the same key and member, only the
// change of the run is written, because it takes the moved row into account.
type onceWriter struct {
	w     *deltaWriter
	moved map[profile.Change]bool
	last  profile.Change
	held  bool // last is not yet written
}

func (o *onceWriter) write(c profile.Change) error {
	if len(o.moved) == 0 {
		return o.w.write(c)
	}
	if o.held && o.last.Key == c.Key && o.last.Member == c.Member {
		if o.moved[o.last] {
			o.last = c
		}
		return nil
	}
	err := o.end()
	o.last, o.held = c, true
	return err
}

// end writes the held change.
func (o *onceWriter) end() error {
	if !o.held {
		return nil
	}
	o.held = false
	return o.w.write(o.last)
}

// writeBucket writes the sorted changes of a bucket. If they do not fit the memory of a worker, they are sorted in runs
// and merged. The function returns buf, which may have grown.
func (c *changes) writeBucket(w changeWriter, b int, buf []byte) (_ []byte, err error) {
	defer c.spill.release(b)
	most := max(c.run.perWorker(4), leastPart)
	if c.spill.buckets[b].size <= int64(most) {
		if buf, err = c.spill.load(b, buf, nil); err != nil {
			return nil, err
		}
		return buf, writeAll(w, sortedChanges(buf))
	}
	r := partReader{spill: c.spill, bucket: &c.spill.buckets[b]}
	var runs []extent
	for {
		if buf, err = r.next(buf, most); err != nil || len(buf) == 0 {
			break
		}
		run, err := c.spill.writeRun(int64(len(buf)), spilledChanges(sortedChanges(buf)))
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	if err != nil {
		return nil, err
	}
	m, err := c.spill.mergeRuns(runs, most)
	for err == nil && m.head() != nil {
		if buf, err = m.append(buf[:0]); err == nil {
			err = w.write(spilledChange(buf))
		}
	}
	return buf, err
}

// spilledChanges encodes changes as records of a spill.
func spilledChanges(list []profile.Change) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var rec []byte
		for i := range list {
			if rec = appendSpilled(rec[:0], &list[i]); !yield(rec) {
				return
			}
		}
	}
}

func writeAll(w changeWriter, list []profile.Change) error {
	for _, c := range list {
		if err := w.write(c); err != nil {
			return err
		}
	}
	return nil
}
