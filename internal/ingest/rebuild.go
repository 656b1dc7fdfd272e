package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"roster/internal/audience"
	"roster/internal/background"
	"roster/internal/identity"
	"roster/internal/lake"
	"roster/internal/memory"
	"roster/internal/profile"
)

// The profile store is a projection: an audience's memberships can be rebuilt from its dataset. Current members come
// from the rows, with the times in the rows. Ended memberships come from the deltas of the kept versions. So
// memberships that ended before the oldest kept version are no longer shown as exited.

// Projection describes the audience to project.
type Projection struct {
	Audience *audience.Audience
	Table    lake.TableID
	Ref      profile.Ref
	// Erasures returns the identities that must not be restored. Nil means none.
	Erasures Erasures
}

// Projected is the result of a projection from the dataset.
type Projected struct {
	Pointer profile.Pointer
	Members int64 // identities of current members
	Exited  int64 // identities of former members
	// Since is the time of the oldest kept version. Members who left before are not shown as exited. Zero if nothing is
	// missing.
	Since time.Time
	// Lost contains the runs whose changes cannot be read. Members who left by these runs are not shown as exited.
	Lost []audience.RunID
}

// PointerOf returns the pointer of a snapshot's projection; false if another program made the snapshot.
func PointerOf(snap lake.Snapshot) (p profile.Pointer, known bool, err error) {
	if snap.Version == "" {
		return p, false, nil
	}
	if p.Seq, err = strconv.ParseInt(snap.Props[propSeq], 10, 64); err != nil {
		return p, false, fmt.Errorf("the dataset's snapshot %d has an unreadable %s: %w", snap.ID, propSeq, err)
	}
	at, err := snap.RefreshedAt()
	if err != nil {
		return p, false, err
	}
	if p.Run = snap.Version; !at.IsZero() {
		p.RefreshedAt = at.Unix()
	}
	return p, true, nil
}

// Behind returns the reason why a pointer of the profile store does not match the dataset. It returns "" if the pointer
// matches, or if the newest run has not ended and is about to apply its delta.
func Behind(d *lake.Dataset, newest *audience.Run, have profile.Pointer) string {
	snap, ok := lastOwn(d)
	if !ok {
		if have == (profile.Pointer{}) {
			return ""
		}
		return fmt.Sprintf("it is at run %d, and the dataset has none", have.Seq)
	}
	want, known, err := PointerOf(snap)
	switch {
	case err != nil:
		return err.Error()
	case !known, have.Same(want):
		return ""
	}
	if newest != nil && newest.Status == audience.Processing && newest.ID == snap.Run {
		var files DeltaFiles
		if err := json.Unmarshal([]byte(snap.Props[propDelta]), &files); err == nil {
			if base, known := (delta{files: files}).Base(); known && have.Same(base) {
				return ""
			}
		}
	}
	return fmt.Sprintf("it is at run %d, the dataset at run %d", have.Seq, want.Seq)
}

// lastOwn returns the snapshot that the profile store follows: Roster's last one, even if another program committed
// later. If the table has none of Roster, it is the current one.
func lastOwn(d *lake.Dataset) (lake.Snapshot, bool) {
	if len(d.Foreign()) > 0 {
		if last, known := d.LastOwn(); known {
			return last, true
		}
	}
	return d.Current()
}

// baseOf returns the base of the next delta of a dataset, or nil if it is unknown.
func baseOf(d *lake.Dataset) (*deltaBase, error) {
	snap, ok := d.Current()
	if !ok {
		return &deltaBase{}, nil
	}
	p, known, err := PointerOf(snap)
	if err != nil || !known {
		return nil, err
	}
	return &deltaBase{Seq: p.Seq, Run: p.Run}, nil
}

// alone locks the projection of an audience.
func (p *Pipeline) alone(ref profile.Ref) (unlock func()) {
	mu, _ := p.projecting.LoadOrStore(ref, &sync.Mutex{})
	mu.(*sync.Mutex).Lock()
	return mu.(*sync.Mutex).Unlock
}

// unprojectable reports whether an error of Apply means that the delta cannot be applied. Then the projection is
// rebuilt from the dataset.
func unprojectable(err error) bool {
	return errors.Is(err, profile.ErrBase) || errors.Is(err, lake.ErrDamaged) || errors.Is(err, fs.ErrNotExist)
}

// Rebuild projects the dataset of an audience again if the profile store marks its memberships as distrusted. Otherwise
// it does nothing. Until it ends, look-ups in the sandbox return an error.
func (p *Pipeline) Rebuild(ctx context.Context, pr Projection) (Projected, error) {
	defer p.alone(pr.Ref)()
	if !slices.Contains(p.Profile.Distrusted(), pr.Ref) {
		return Projected{}, nil // a run rebuilt the projection in the meantime
	}
	return p.rebuild(ctx, pr)
}

func (p *Pipeline) rebuild(ctx context.Context, pr Projection) (out Projected, err error) {
	p.Profile.Distrust(pr.Ref)
	dataset, err := p.Lake.Load(ctx, pr.Table)
	if err != nil {
		return out, err
	}
	snap, ok := lastOwn(dataset)
	if !ok {
		return out, p.Profile.RemoveAudience(ctx, pr.Ref)
	}
	if now, _ := dataset.Current(); now.ID != snap.ID {
		if dataset, err = dataset.At(snap.ID); err != nil {
			return out, err
		}
	}
	known := false
	if out.Pointer, known, err = PointerOf(snap); err != nil {
		return out, err
	}
	if !known {
		if at, err := dataset.RefreshedAt(pr.Audience); err != nil {
			return out, err
		} else if !at.IsZero() {
			out.Pointer.RefreshedAt = at.Unix()
		}
	}
	share, err := p.share(ctx)
	if err != nil {
		return out, err
	}
	defer share.End()
	r, err := p.newRebuild(ctx, dataset, pr, share)
	if err != nil {
		return out, err
	}
	defer r.spill.close()
	if err := r.members(ctx); err != nil {
		return out, fmt.Errorf("read the current members: %w", err)
	}
	if err := r.leavers(ctx, &out); err != nil {
		return out, err
	}
	if err := p.Profile.Replace(ctx, pr.Ref, out.Pointer, r); err != nil {
		return out, fmt.Errorf("project the dataset of audience %s: %w", pr.Audience.ID, err)
	}
	out.Members, out.Exited = r.current.Load(), r.exited.Load()
	p.logOf(pr.Audience.Scope).Info("projected an audience's dataset anew", "audience", pr.Audience.ID, "run", out.Pointer.Run, "members", out.Members,
		"exited", out.Exited, "exited-before-is-lost", out.Since, "lost", out.Lost)
	return out, nil
}

// rebuild is the projection of a dataset. It implements profile.Delta.
type rebuild struct {
	p       *Pipeline
	dataset *lake.Dataset
	codec   *rowCodec
	erased  Erased
	spill   *spill
	ranges  [][2]int
	spilled atomic.Int64
	current atomic.Int64
	exited  atomic.Int64
}

var _ profile.Delta = (*rebuild)(nil)

func (p *Pipeline) newRebuild(ctx context.Context, d *lake.Dataset, pr Projection, share *memory.Share) (_ *rebuild, err error) {
	r := &rebuild{p: p, dataset: d, codec: newRowCodec(pr.Audience)}
	if pr.Erasures != nil {
		if r.erased, err = pr.Erasures.Erased(ctx); err != nil {
			return nil, err
		}
	}
	size := d.Rows() * changeSize * int64(1+len(r.codec.secondary))
	r.spill, err = newSpill(p.Scratch, recordChanges, nil, logBucketsFor(size, 4<<20), share, share.Base/4, p.workers()+1)
	if err == nil {
		r.ranges = splitRanges(len(r.spill.buckets), p.workers())
	}
	return r, err
}

// members spills the memberships of the current members.
func (r *rebuild) members(ctx context.Context) error {
	state, err := r.dataset.OpenState(ctx, lake.StateOptions{Identities: r.codec.secondaryNames()})
	if err != nil {
		return err
	}
	return eachMember(ctx, state, r.codec, r.p.workers(), r.erased.InProgress, func() (func(profile.Change) error, func() error) {
		w := &changeSpill{spill: r.spill, w: r.spill.writer()}
		return func(c profile.Change) error {
			r.spilled.Add(1)
			return w.write(c)
		}, w.w.flush
	})
}

// eachMember calls the function that begin returns with a change for each identity of each member of a state, except
// members in leaving. Several workers do this in parallel. Each worker calls begin once, and the function end at its
// end.
func eachMember(ctx context.Context, state *lake.State, codec *rowCodec, workers int, leaving map[identity.Key]bool, begin func() (each func(profile.Change) error, end func() error)) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, part := range splitRanges(keyRanges, workers) {
		g.Go(background.Recovering(func() error {
			write, end := begin()
			cursor := state.Cursor()
			defer cursor.Close()
			var keys []identity.Key
			err := eachRangeOf(ctx, part, func(lo identity.Key, hi *identity.Key) error {
				rows, err := cursor.Range(lo, hi)
				if err != nil {
					return err
				}
				for i := range rows.IDs {
					c := profile.Change{Member: rows.IDs[i], Since: rows.Since[i] / 1e6, Seen: rows.Seen[i] / 1e6}
					keys = codec.stateKeys(append(keys[:0], c.Member), rows, i, c.Member)
					if len(leaving) > 0 && slices.ContainsFunc(keys, func(k identity.Key) bool { return leaving[k] }) {
						continue
					}
					for _, c.Key = range keys {
						if err := write(c); err != nil {
							return err
						}
					}
				}
				return nil
			})
			return errors.Join(err, end())
		}))
	}
	return g.Wait()
}

// leavers spills the ended memberships that the kept versions contain.
func (r *rebuild) leavers(ctx context.Context, out *Projected) error {
	w := &changeSpill{spill: r.spill, w: r.spill.writer()}
	after := r.p.Clock().Add(-audience.ExitedFor).Unix()
	full, err := r.dataset.WithHistory(ctx)
	if err != nil {
		return err
	}
	snapshots := full.Snapshots()
	seq := int64(0)
	for _, snap := range snapshots {
		if snap.Seq > seq+1 && snap.Time.Unix() > after { // the versions in between are no longer kept
			out.Since = snap.Time
		}
		seq = snap.Seq
	}
	erased, err := r.erasedMembers(ctx, snapshots)
	if err != nil {
		return err
	}
	for _, snap := range snapshots {
		err := eachChange(ctx, r.dataset, snap, func(c profile.Change, now int64) error {
			if c.Erased {
				c.At = now
			}
			if !c.Erased && !c.Exited || c.At < after || r.erased.All[c.Key] || r.erased.All[c.Member] || erased[c.Member] {
				return nil
			}
			r.spilled.Add(1)
			if err := w.write(c); err != nil {
				return &spillError{err}
			}
			return nil
		})
		if ctx.Err() != nil || errors.As(err, new(*spillError)) {
			return err
		}
		if err != nil {
			r.p.Log.Warn("the changes of a run cannot be read; who left by it is not shown as exited", "run", snap.Run, "error", err)
			out.Lost = append(out.Lost, snap.Run)
		}
	}
	return w.w.flush()
}

// erasedMembers returns the members who had an erased identity, according to the changes of the snapshots.
func (r *rebuild) erasedMembers(ctx context.Context, snapshots []lake.Snapshot) (map[identity.Key]bool, error) {
	if len(r.erased.All) == 0 {
		return nil, nil
	}
	erased := map[identity.Key]bool{}
	for _, snap := range snapshots {
		err := eachChange(ctx, r.dataset, snap, func(c profile.Change, _ int64) error {
			if r.erased.All[c.Key] {
				erased[c.Member] = true
			}
			return nil
		})
		if err != nil && ctx.Err() != nil { // leavers reports unreadable changes
			return nil, err
		}
	}
	return erased, nil
}

// spillError is an error of the scratch file.
type spillError struct{ error }

func (e *spillError) Unwrap() error { return e.error }

// eachChange calls fn with each change of a snapshot's run, and the time of the run. It omits a first run, by which
// nobody leaves, and whose members have no further identities.
func eachChange(ctx context.Context, dataset *lake.Dataset, snap lake.Snapshot, fn func(c profile.Change, now int64) error) error {
	d := delta{dataset: dataset}
	text := snap.Props[propDelta]
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), &d.files); err != nil {
		return err
	}
	if d.files.Members {
		return nil
	}
	for part := range d.Parts() {
		changes, err := d.Open(ctx, part)
		if err != nil {
			return err
		}
		err = eachOf(ctx, changes, func(c profile.Change) error { return fn(c, d.files.Time) })
		if err = errors.Join(err, changes.Close()); err != nil {
			return err
		}
	}
	return nil
}

// eachOf calls fn with each change of a part.
func eachOf(ctx context.Context, changes profile.ChangeReader, fn func(profile.Change) error) error {
	for n := 0; ; n++ {
		if n&0xfff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		c, err := changes.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := fn(c); err != nil {
			return err
		}
	}
}

// Parts implements profile.Delta.
func (r *rebuild) Parts() int { return len(r.ranges) }

// Count implements profile.Delta. Several spilled changes may belong to one membership.
func (r *rebuild) Count() int64 { return r.spilled.Load() }

// Base implements profile.Delta.
func (r *rebuild) Base() (profile.Pointer, bool) { return profile.Pointer{}, false }

// Open implements profile.Delta.
func (r *rebuild) Open(_ context.Context, part int) (profile.ChangeReader, error) {
	return &rebuildReader{rebuild: r, next: r.ranges[part][0], end: r.ranges[part][1]}, nil
}

// rebuildReader reads the memberships of a range of buckets. Each membership appears once.
type rebuildReader struct {
	*rebuild
	next, end int
	buf       []byte
	list      []profile.Change
}

// Next implements profile.ChangeReader.
func (r *rebuildReader) Next() (profile.Change, error) {
	for {
		for len(r.list) == 0 {
			if r.next == r.end {
				return profile.Change{}, io.EOF
			}
			var err error
			if r.buf, err = r.spill.load(r.next, r.buf, nil); err != nil {
				return profile.Change{}, err
			}
			r.spill.release(r.next)
			r.list = changesOf(r.buf)
			slices.SortStableFunc(r.list, byKeys)
			r.next++
		}
		c := r.list[0]
		n := 1
		for ; n < len(r.list) && r.list[n].Key == c.Key && r.list[n].Member == c.Member; n++ {
			if later(&r.list[n], &c) {
				c = r.list[n]
			}
		}
		r.list = r.list[n:]
		switch {
		case c.Erased:
			continue
		case c.Exited:
			r.exited.Add(1)
		default:
			r.current.Add(1)
		}
		return c, nil
	}
}

// later reports whether a replaces b. Both are changes of the same membership, and a was written after b. The change of
// a current member replaces the change of an ended membership.
func later(a, b *profile.Change) bool {
	aEnded, bEnded := a.Exited || a.Erased, b.Exited || b.Erased
	if aEnded != bEnded {
		return bEnded
	}
	return a.At >= b.At
}

// Close implements profile.ChangeReader.
func (r *rebuildReader) Close() error { return nil }

// Digest returns the digest of the memberships in a projection at the pointer, computed from the dataset. False means
// that the version of the pointer is no longer kept.
func (p *Pipeline) Digest(ctx context.Context, table lake.TableID, aud *audience.Audience, at profile.Pointer) (d profile.Digest, ok bool, err error) {
	dataset, err := p.Lake.Load(ctx, table)
	if err != nil {
		return d, false, err
	}
	if dataset, err = dataset.WithHistory(ctx); err != nil {
		return d, false, err
	}
	then, ok, err := versionAt(dataset, at)
	if err != nil || !ok {
		return d, false, err
	}
	codec := newRowCodec(aud)
	state, err := then.OpenState(ctx, lake.StateOptions{Identities: codec.secondaryNames(), Cache: 16 << 20})
	if err != nil {
		return d, false, err
	}
	var mu sync.Mutex
	err = eachMember(ctx, state, codec, 1, nil, func() (func(profile.Change) error, func() error) {
		var part profile.Digest
		return func(c profile.Change) error {
				part.Count++
				part.Sum += c.Hash()
				return nil
			}, func() error {
				mu.Lock()
				defer mu.Unlock()
				d.Count, d.Sum = d.Count+part.Count, d.Sum+part.Sum
				return nil
			}
	})
	d.Pointer = at
	return d, true, err
}

// versionAt returns the dataset at the version of a pointer.
func versionAt(d *lake.Dataset, at profile.Pointer) (*lake.Dataset, bool, error) {
	for _, snap := range slices.Backward(d.Versions()) {
		p, known, err := PointerOf(snap)
		if err != nil || !known || !p.Same(at) {
			continue
		}
		then, err := d.At(snap.ID)
		return then, err == nil, err
	}
	return nil, false, nil
}
