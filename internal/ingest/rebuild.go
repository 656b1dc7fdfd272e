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

// The profile store is a projection: an audience's memberships can be made again from its dataset. Current members come from the
// rows, with the times that they have there. Memberships that ended come from the deltas that the kept versions name, so that
// those which ended before the oldest kept version are not shown as exited any more.

// Projection says which audience to project.
type Projection struct {
	Audience *audience.Audience
	Table    lake.TableID
	Ref      profile.Ref
	// Gone returns who is not brought back; nil is nobody.
	Gone func(ctx context.Context) (Gone, error)
}

// Gone are identities that were erased from a sandbox.
type Gone struct {
	Erased  map[identity.Key]bool // they are not shown as exited
	Leaving map[identity.Key]bool // their erasure has not ended: they are no members either
}

// Projected is what a projection from the dataset found.
type Projected struct {
	Pointer profile.Pointer
	Members int64 // identities of current members
	Exited  int64 // identities of members that left
	// Since is the time of the oldest version kept: who left before is not shown as exited. Zero when nothing is missing.
	Since time.Time
	// Lost are the runs whose changes cannot be read: who left by them is not shown as exited.
	Lost []audience.RunID
}

// PointerOf returns where the projection of a snapshot's dataset is; false when another program made the snapshot.
func PointerOf(snap lake.Snapshot) (p profile.Pointer, known bool, err error) {
	if snap.Version == "" {
		return p, false, nil
	}
	if p.Seq, err = strconv.ParseInt(snap.Props[propSeq], 10, 64); err != nil {
		return p, false, fmt.Errorf("the dataset's snapshot %d has an unreadable %s: %w", snap.ID, propSeq, err)
	}
	at, err := refreshedAt(snap)
	if err != nil {
		return p, false, err
	}
	if p.Run = snap.Version; !at.IsZero() {
		p.RefreshedAt = at.Unix()
	}
	return p, true, nil
}

// Behind says why a pointer of the profile store is not where the dataset is, "" when it is, or when the newest run, which has not
// ended, is about to lead it there.
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

// lastOwn returns the snapshot that the profile store follows: Roster's last one, also if another program committed later, or the current
// one if the table has none of Roster.
func lastOwn(d *lake.Dataset) (lake.Snapshot, bool) {
	if len(d.Foreign()) > 0 {
		if last, known := d.LastOwn(); known {
			return last, true
		}
	}
	return d.Current()
}

// baseOf returns what the next delta of a dataset follows; nil when that is not known.
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

// unprojectable reports whether an error of Apply says that the delta cannot lead to the run: the dataset can.
func unprojectable(err error) bool {
	return errors.Is(err, profile.ErrBase) || errors.Is(err, lake.ErrDamaged) || errors.Is(err, fs.ErrNotExist)
}

// Rebuild projects the dataset of an audience anew whose memberships are distrusted; it does nothing for another one. Look-ups in
// its sandbox are refused until then.
func (p *Pipeline) Rebuild(ctx context.Context, pr Projection) (Projected, error) {
	defer p.alone(pr.Ref)()
	if !slices.Contains(p.Profile.Distrusted(), pr.Ref) {
		return Projected{}, nil // a run did it meanwhile
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
		if at, err := RefreshedAt(dataset, pr.Audience); err != nil {
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

// rebuild is the projection of a dataset; it implements profile.Delta.
type rebuild struct {
	p       *Pipeline
	dataset *lake.Dataset
	codec   *rowCodec
	gone    Gone
	spill   *spill
	ranges  [][2]int
	spilled atomic.Int64
	current atomic.Int64
	exited  atomic.Int64
}

var _ profile.Delta = (*rebuild)(nil)

func (p *Pipeline) newRebuild(ctx context.Context, d *lake.Dataset, pr Projection, share *memory.Share) (_ *rebuild, err error) {
	r := &rebuild{p: p, dataset: d, codec: newRowCodec(pr.Audience)}
	if pr.Gone != nil {
		if r.gone, err = pr.Gone(ctx); err != nil {
			return nil, err
		}
	}
	size := d.Rows() * changeSize * int64(1+len(r.codec.secondary))
	r.spill, err = newSpill(p.Scratch, recordChanges, logBucketsFor(size, 4<<20), share, share.Base/4, p.workers()+1)
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
	return eachMember(ctx, state, r.codec, r.p.workers(), r.gone.Leaving, func() (func(profile.Change) error, func() error) {
		w := &changeSpill{spill: r.spill, w: r.spill.writer()}
		return func(c profile.Change) error {
			r.spilled.Add(1)
			return w.write(c)
		}, w.w.flush
	})
}

// eachMember calls what begin returns with a change for each identity of each member of a state but those who are leaving, several
// at once, and then its end.
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

// leavers spills the memberships that ended, as far as kept versions tell.
func (r *rebuild) leavers(ctx context.Context, out *Projected) error {
	w := &changeSpill{spill: r.spill, w: r.spill.writer()}
	after := r.p.Clock().Add(-audience.ExitedFor).Unix()
	full, err := r.dataset.WithHistory(ctx)
	if err != nil {
		return err
	}
	snapshots := full.Snapshots()
	if first := snapshots[0]; first.Seq > 1 && first.Time.Unix() > after {
		out.Since = first.Time
	}
	erased, err := r.erasedMembers(ctx, snapshots)
	if err != nil {
		return err
	}
	for _, snap := range snapshots {
		err := r.eachChange(ctx, snap, func(c profile.Change, now int64) error {
			if c.Erased {
				c.At = now
			}
			if !c.Erased && !c.Exited || c.At < after || r.gone.Erased[c.Key] || r.gone.Erased[c.Member] || erased[c.Member] {
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

// erasedMembers returns the members who had an erased identity, as far as the changes of snapshots tell.
func (r *rebuild) erasedMembers(ctx context.Context, snapshots []lake.Snapshot) (map[identity.Key]bool, error) {
	if len(r.gone.Erased) == 0 {
		return nil, nil
	}
	erased := map[identity.Key]bool{}
	for _, snap := range snapshots {
		err := r.eachChange(ctx, snap, func(c profile.Change, _ int64) error {
			if r.gone.Erased[c.Key] {
				erased[c.Member] = true
			}
			return nil
		})
		if err != nil && ctx.Err() != nil { // leavers tells of what cannot be read
			return nil, err
		}
	}
	return erased, nil
}

// spillError is an error of the scratch file.
type spillError struct{ error }

func (e *spillError) Unwrap() error { return e.error }

// eachChange calls fn with the changes of a snapshot's run and its time.
func (r *rebuild) eachChange(ctx context.Context, snap lake.Snapshot, fn func(c profile.Change, now int64) error) error {
	d := delta{dataset: r.dataset}
	text := snap.Props[propDelta]
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), &d.files); err != nil {
		return err
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

// eachOf calls fn with the changes of a part.
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

// Count implements profile.Delta. Some of what was spilled is of the same membership.
func (r *rebuild) Count() int64 { return r.spilled.Load() }

// Base implements profile.Delta.
func (r *rebuild) Base() (profile.Pointer, bool) { return profile.Pointer{}, false }

// Open implements profile.Delta.
func (r *rebuild) Open(_ context.Context, part int) (profile.ChangeReader, error) {
	return &rebuildReader{rebuild: r, next: r.ranges[part][0], end: r.ranges[part][1]}, nil
}

// rebuildReader reads the memberships of a range of buckets, each once.
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
			if r.buf, err = r.spill.load(r.next, r.buf); err != nil {
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

// later reports whether a, which was written after b, is what became of a membership that b tells of, too. A current member is one.
func later(a, b *profile.Change) bool {
	aEnded, bEnded := a.Exited || a.Erased, b.Exited || b.Erased
	if aEnded != bEnded {
		return bEnded
	}
	return a.At >= b.At
}

// Close implements profile.ChangeReader.
func (r *rebuildReader) Close() error { return nil }

// Digest sums up the memberships that a projection at the pointer has, computed from the dataset; false when the dataset is not
// kept as it was then.
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

// versionAt returns the dataset as of a pointer.
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
