package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/lake"
	"roster/internal/reject"
)

// The erasure of a person from an audience has two steps. A run of kind RunErase removes the rows from the dataset and
// the memberships from the profile store. It takes its turn among the other runs. Then Purge removes the person's data
// that files still contain: rows that a position delete hides, versions that can be restored, and rejects.

// Held describes where an audience's dataset contains an identity.
type Held struct {
	Live bool // in a live row
	Kept bool // in any row of a file, including earlier versions and deleted rows
}

// Holds searches a dataset for an identity, primary or further.
func (p *Pipeline) Holds(ctx context.Context, table lake.TableID, aud *audience.Audience, key identity.Key) (h Held, err error) {
	dataset, err := p.Lake.Load(ctx, table)
	if err != nil {
		return h, err
	}
	if dataset, err = dataset.WithHistory(ctx); err != nil {
		return h, err
	}
	e := newEraser(dataset, aud, key)
	history, err := dataset.OpenHistory(ctx, e.options())
	if err != nil {
		return h, fmt.Errorf("read the files of the dataset: %w", err)
	}
	holders, err := e.holders(ctx, history)
	if err != nil || len(holders) == 0 {
		return h, err
	}
	h.Kept = true
	state, err := dataset.OpenState(ctx, e.options())
	if err != nil {
		return h, fmt.Errorf("read the current members: %w", err)
	}
	holders, err = e.holders(ctx, state)
	h.Live = len(holders) > 0
	return h, err
}

// PurgeSpec describes a person whose data is to be removed from the files of an audience. The audience must have no
// live row of the person.
type PurgeSpec struct {
	Table    lake.TableID
	Audience *audience.Audience
	Key      identity.Key
	Values   [][]byte // the identity; rejected rows may contain other spellings of it
	Host     PurgeHost
	// Replaced are the files that an earlier, interrupted purge had planned to remove.
	Replaced []string
}

// PurgeHost is the process that purges an audience.
type PurgeHost interface {
	AudienceRuns
	// SavePurge stores the number of versions that the purge is going to remove, and the files, so that a later purge
	// can continue.
	SavePurge(ctx context.Context, versions int, replaced []string) error
}

// Purge removes the files that contain an identity that no live row has. Purge is safe beside other work and can be
// interrupted at any point. A repeated call does the rest. The error is ErrBusy if a run is in progress or committed
// first. Purge returns the number of removed files of rejects.
func (p *Pipeline) Purge(ctx context.Context, s PurgeSpec) (rejects int, err error) {
	dataset, err := p.Lake.Load(ctx, s.Table)
	if err != nil {
		return 0, err
	}
	if rejects, err = p.purgeRejects(ctx, dataset, spellingOf(s.Values, s.Audience.Source.Format)); err != nil {
		return rejects, err
	}
	if dataset, err = dataset.WithHistory(ctx); err != nil {
		return rejects, err
	}
	e := newEraser(dataset, s.Audience, s.Key)
	history, err := dataset.OpenHistory(ctx, e.options())
	if err != nil {
		return rejects, fmt.Errorf("read the files of the dataset: %w", err)
	}
	holders, err := e.holders(ctx, history)
	if err != nil {
		return rejects, err
	}
	if len(holders) > 0 {
		if err := p.rewriteHolders(ctx, s, dataset, holders); err != nil {
			return rejects, err
		}
		if s.Replaced, err = p.expireReplaced(ctx, s); err != nil {
			return rejects, err
		}
	}
	if len(s.Replaced) == 0 {
		return rejects, nil
	}
	if dataset, err = p.Lake.Load(ctx, s.Table); err != nil {
		return rejects, err
	}
	return rejects, dataset.RemoveReplaced(ctx, s.Replaced)
}

// rewriteHolders rewrites the holders that are files of the current snapshot.
func (p *Pipeline) rewriteHolders(ctx context.Context, s PurgeSpec, dataset *lake.Dataset, holders map[string]bool) error {
	state, err := dataset.OpenState(ctx, lake.StateOptions{})
	if err != nil {
		return fmt.Errorf("read the current members: %w", err)
	}
	fold := map[string]bool{}
	for _, f := range state.Files() {
		if holders[f.Path] {
			fold[f.Path] = true
		}
	}
	if len(fold) == 0 {
		return nil
	}
	done, err := p.rewrite(ctx, dataset, fold, s.Host.Idle)
	if err == nil && !done {
		err = ErrBusy
	}
	return err
}

// expireReplaced removes all versions except the current one from the history, and returns their files.
func (p *Pipeline) expireReplaced(ctx context.Context, s PurgeSpec) (replaced []string, err error) {
	dataset, err := p.Lake.Load(ctx, s.Table)
	if err != nil {
		return nil, err
	}
	if dataset, err = dataset.WithHistory(ctx); err != nil {
		return nil, err
	}
	if replaced, err = dataset.Replaced(ctx, reject.FileName); err != nil {
		return nil, err
	}
	if err := s.Host.SavePurge(ctx, max(len(dataset.Versions())-1, 0), replaced); err != nil {
		return nil, err
	}
	if err := s.Host.Idle(ctx); err != nil {
		return nil, err
	}
	_, err = dataset.Expire(ctx, time.Unix(1<<40, 0))
	if errors.Is(err, lake.ErrConflict) {
		err = ErrBusy
	}
	return replaced, err
}

// purgeRejects removes the files of rejects that contain one of the values.
func (p *Pipeline) purgeRejects(ctx context.Context, d *lake.Dataset, values spelling) (removed int, err error) {
	locations, err := d.FilesBeside(reject.FileName)
	if err != nil {
		return 0, err
	}
	for _, location := range locations {
		_, err := reject.Read(ctx, d, location, 0, func(r audience.RejectedRow) error {
			if values.in(r.Raw) {
				return errHeld
			}
			return ctx.Err()
		})
		if errors.Is(err, errHeld) {
			removed++
			err = d.RemoveFile(location)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, fmt.Errorf("remove rejects: %w", err)
		}
	}
	return removed, nil
}

var errHeld = errors.New("ingest: a rejected row holds the identity")

// eraser searches for an identity.
type eraser struct {
	codec *rowCodec
	key   identity.Key
	// byValue is set if rows may have keys of the former rule (see rekey). Then identities are compared instead of
	// keys.
	byValue bool
}

func newEraser(d *lake.Dataset, a *audience.Audience, key identity.Key) eraser {
	byValue := !a.ExpressActivation && slices.ContainsFunc(d.Snapshots(), func(s lake.Snapshot) bool { return !keyed(s) })
	return eraser{codec: newRowCodec(a), key: key, byValue: byValue}
}

func (e eraser) options() lake.StateOptions {
	if e.byValue {
		return lake.StateOptions{Identities: e.codec.identityNames()}
	}
	return lake.StateOptions{Identities: e.codec.secondaryNames()}
}

// has reports whether row i of a state has the identity. The state must be opened with the eraser's options.
func (e eraser) has(st *lake.StateRows, i int) bool {
	if e.codec.has(st, i, e.key) {
		return true
	}
	if !e.byValue {
		return false
	}
	_, now := e.codec.keysAt(st, i, len(e.codec.secondary), e.codec.primary)
	return now == e.key
}

// holders returns the files of the state that contain the identity. Without further identities, only the rows with the
// key are read.
func (e eraser) holders(ctx context.Context, s *lake.State) (map[string]bool, error) {
	found := map[string]bool{}
	cursor := s.Cursor()
	defer cursor.Close()
	look := func(lo identity.Key, hi *identity.Key) error {
		rows, err := cursor.Range(lo, hi)
		if err != nil {
			return fmt.Errorf("read the files of the dataset: %w", err)
		}
		for i := range rows.IDs {
			if e.has(rows, i) {
				found[s.Files()[rows.File[i]].Path] = true
			}
		}
		return nil
	}
	if len(e.codec.secondary) == 0 && !e.byValue {
		return found, look(e.key, next(e.key))
	}
	return found, eachRange(ctx, look)
}

// next returns the key after k, or nil after the last one.
func next(k identity.Key) *identity.Key {
	for i := len(k) - 1; i >= 0; i-- {
		if k[i]++; k[i] != 0 {
			return &k
		}
	}
	return nil
}

// eachRange calls fn with consecutive ranges that together contain all keys.
func eachRange(ctx context.Context, fn func(lo identity.Key, hi *identity.Key) error) error {
	return eachRangeOf(ctx, [2]int{0, keyRanges}, fn)
}

// keyRanges is the number of ranges of eachRange.
const keyRanges = 1 << 10

// eachRangeOf calls fn with some of these ranges. If fn returns fs.SkipAll, the calls end without an error.
func eachRangeOf(ctx context.Context, part [2]int, fn func(lo identity.Key, hi *identity.Key) error) error {
	for i := uint64(part[0]); i < uint64(part[1]); i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		var lo identity.Key
		var hi *identity.Key
		binary.BigEndian.PutUint64(lo[:8], i<<54)
		if i+1 < keyRanges {
			hi = new(identity.Key)
			binary.BigEndian.PutUint64(hi[:8], (i+1)<<54)
		}
		if err := fn(lo, hi); errors.Is(err, fs.SkipAll) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}
