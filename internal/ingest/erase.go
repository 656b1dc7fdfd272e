package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/lake"
	"roster/internal/profile"
	"roster/internal/reject"
)

// The erasure of people from an audience has two steps. A run of kind RunErase removes the rows from the dataset and the
// memberships from the profile store. It takes its turn among the other runs. Then Purge removes the data that files still
// contain: rows that a position delete hides, versions that can be restored, and rejects.

// Live reports whether a live row of a dataset has one of the identities, primary or further.
func (p *Pipeline) Live(ctx context.Context, table lake.TableID, aud *audience.Audience, keys map[identity.Key]bool) (bool, error) {
	dataset, err := p.Lake.Load(ctx, table)
	if err != nil {
		return false, err
	}
	e := newEraser(dataset, aud, keys)
	state, err := dataset.OpenState(ctx, e.options())
	if err != nil {
		return false, fmt.Errorf("read the current members: %w", err)
	}
	found, err := e.search(ctx, state)
	if err != nil {
		return false, fmt.Errorf("read the current members: %w", err)
	}
	return len(found.Keys) > 0, nil
}

// ErrNotKept means that the changes of a run are no longer kept.
var ErrNotKept = errors.New("ingest: the changes of the run are no longer kept")

// Erased returns how many members with each of the identities an erase run has removed. The error is ErrNotKept if the
// changes of the run are no longer kept.
func (p *Pipeline) Erased(ctx context.Context, table lake.TableID, run audience.RunID, keys map[identity.Key]bool) (map[identity.Key]int64, error) {
	dataset, err := p.Lake.Load(ctx, table)
	if err != nil {
		return nil, err
	}
	if dataset, err = dataset.WithHistory(ctx); err != nil {
		return nil, err
	}
	all := dataset.Snapshots()
	i := slices.IndexFunc(all, func(s lake.Snapshot) bool { return s.Run == run })
	if i < 0 {
		return nil, fmt.Errorf("count the members that run %s removed: %w", run, ErrNotKept)
	}
	removed := map[identity.Key]int64{}
	err = eachChange(ctx, dataset, all[i], func(c profile.Change, _ int64) error {
		if c.Erased && keys[c.Key] {
			removed[c.Key]++
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count the members that run %s removed: %w", run, err)
	}
	return removed, nil
}

// Person is a person whose data is to be removed.
type Person struct {
	Key    identity.Key
	Values [][]byte // the identity; rejected rows may contain other spellings of it
}

// PurgeSpec describes people whose data is to be removed from the files of an audience. The audience must have no live
// row of these people.
type PurgeSpec struct {
	Table    lake.TableID
	Audience *audience.Audience
	People   []Person
	Host     PurgeHost
	// Doomed are the files that an earlier, interrupted purge had planned to remove.
	Doomed []string
}

// PurgeHost is the process that purges an audience.
type PurgeHost interface {
	AudienceRuns
	// SavePurge stores what the purge is going to remove, so that a later purge can continue.
	SavePurge(ctx context.Context, plan PurgePlan) error
}

// PurgePlan is what a purge is going to remove.
type PurgePlan struct {
	Found    map[identity.Key]bool // people whose data the files contain
	Versions []lake.Snapshot       // versions that will be lost
	Doomed   []string              // files that will be removed, including PurgeSpec.Doomed
}

// Purge removes the files that contain people who have no live row. Files of the current version are rewritten without
// them. Earlier versions whose files contain them are lost. Versions that lack files, which another program has removed,
// are lost, too: nobody knows whom those files contain, and somebody may put them back. All other versions are kept.
// Purge is safe beside other work and can be interrupted at any point. A repeated call does the rest. The error is
// ErrBusy if a run is in progress or committed first. Purge returns the number of removed files of rejects that contained
// each person; the error does not matter for this result.
func (p *Pipeline) Purge(ctx context.Context, s PurgeSpec) (rejects map[identity.Key]int, err error) {
	dataset, err := p.Lake.Load(ctx, s.Table)
	if err != nil {
		return nil, err
	}
	if rejects, err = p.purgeRejects(ctx, dataset, spellingOf(s.People, s.Audience.Source.Format)); err != nil {
		return rejects, err
	}
	if at, ok := dataset.MadeAnew(); ok { // nothing names the files of the dropped table, and they may contain the people
		if _, _, err := dataset.RemoveOrphans(ctx, p.orphans(ctx, at, s.Host)); err != nil {
			return rejects, err
		}
	}
	history, err := p.purgeVersions(ctx, &s, dataset)
	for tries := 1; errors.Is(err, errOvertaken) && tries < purgeTries; tries++ {
		if dataset, err = p.Lake.Load(ctx, s.Table); err == nil {
			history, err = p.purgeVersions(ctx, &s, dataset)
		}
	}
	if err != nil || len(s.Doomed) == 0 {
		return rejects, err
	}
	if dataset, err = p.Lake.Load(ctx, s.Table); err != nil {
		return rejects, err
	}
	return rejects, dataset.RemoveUnnamed(ctx, s.Doomed, history)
}

// errOvertaken means that a run or a compaction committed before a purge. Unless a run is in progress, the purge can be
// repeated at once.
var errOvertaken = fmt.Errorf("%w, or another commit came first", ErrBusy)

// purgeTries is how often a purge that was overtaken is tried before it waits.
const purgeTries = 5

// purgeVersions removes the people from the current version, drops the earlier versions that contain them, and sets
// Doomed to the files that are left over.
func (p *Pipeline) purgeVersions(ctx context.Context, s *PurgeSpec, dataset *lake.Dataset) (*lake.History, error) {
	history, err := dataset.ReadHistory(ctx, nil)
	if err != nil {
		return nil, err
	}
	keys := map[identity.Key]bool{}
	for _, who := range s.People {
		keys[who.Key] = true
	}
	e := newEraser(history.Dataset(), s.Audience, keys)
	state, err := history.State(e.options())
	if err != nil {
		return nil, fmt.Errorf("read the files of the dataset: %w", err)
	}
	found, err := e.search(ctx, state)
	if err != nil {
		return nil, fmt.Errorf("read the files of the dataset: %w", err)
	}
	if len(found.Files) == 0 && !history.Incomplete() {
		return history, nil
	}
	if err := p.rewriteHolders(ctx, s, dataset, found.Files); err != nil {
		return nil, err
	}
	if dataset, err = p.Lake.Load(ctx, s.Table); err != nil {
		return nil, err
	}
	if history, err = dataset.ReadHistory(ctx, history); err != nil {
		return nil, err
	}
	gone := history.Naming(found.Files)
	doomed, err := history.OnlyOf(ctx, gone, reject.FileName)
	if err != nil {
		return nil, err
	}
	for _, path := range doomed {
		if !slices.Contains(s.Doomed, path) {
			s.Doomed = append(s.Doomed, path)
		}
	}
	if err := s.Host.SavePurge(ctx, PurgePlan{Found: found.Keys, Versions: history.VersionsOf(gone), Doomed: s.Doomed}); err != nil {
		return nil, err
	}
	if err := s.Host.Idle(ctx); err != nil {
		return nil, err
	}
	if refs := history.Refs(gone); len(refs) > 0 {
		p.Log.Warn("an erasure removes branches and tags that another program made, because their files contain people to erase",
			"audience", s.Audience.ID, "branches and tags", refs)
	}
	if err = history.Dataset().Drop(ctx, gone); errors.Is(err, lake.ErrConflict) {
		err = errOvertaken
	}
	return history, err
}

// rewriteHolders rewrites the holders that are files of the current snapshot.
func (p *Pipeline) rewriteHolders(ctx context.Context, s *PurgeSpec, dataset *lake.Dataset, holders map[string]bool) error {
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
		err = errOvertaken
	}
	return err
}

// purgeRejects removes the files of rejects that contain one of the values, and counts them for each person.
func (p *Pipeline) purgeRejects(ctx context.Context, d *lake.Dataset, values *spelling) (map[identity.Key]int, error) {
	locations, err := d.FilesBeside(reject.FileName)
	if err != nil {
		return nil, err
	}
	removed := map[identity.Key]int{}
	for _, location := range locations {
		found := map[identity.Key]bool{}
		_, err := reject.Read(ctx, d, location, 0, func(r audience.RejectedRow) error {
			values.in(r.Raw, found)
			return ctx.Err()
		})
		if err == nil && len(found) > 0 {
			err = d.RemoveFile(location)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, fmt.Errorf("remove rejects: %w", err)
		}
		for key := range found {
			removed[key]++
		}
	}
	return removed, nil
}

// eraser searches for identities.
type eraser struct {
	codec *rowCodec
	keys  map[identity.Key]bool
	// byValue is set if rows may have keys of the former rule (see rekey). Then identities are compared instead of
	// keys.
	byValue bool
}

func newEraser(d *lake.Dataset, a *audience.Audience, keys map[identity.Key]bool) eraser {
	byValue := !a.ExpressActivation && slices.ContainsFunc(d.Snapshots(), func(s lake.Snapshot) bool { return !keyed(s) })
	return eraser{codec: newRowCodec(a), keys: keys, byValue: byValue}
}

func (e eraser) options() lake.StateOptions {
	if e.byValue {
		return lake.StateOptions{Identities: e.codec.identityNames()}
	}
	return lake.StateOptions{Identities: e.codec.secondaryNames()}
}

// match calls found with each of the identities that row i of a state has. The state must be opened with the eraser's
// options.
func (e eraser) match(st *lake.StateRows, i int, found func(identity.Key)) {
	e.codec.among(st, i, e.keys, found)
	if !e.byValue {
		return
	}
	if _, now := e.codec.keysAt(st, i, len(e.codec.secondary), e.codec.primary); e.keys[now] {
		found(now)
	}
}

// search searches the files of a state for the identities. Without further identities, only the keys are read.
func (e eraser) search(ctx context.Context, s *lake.State) (*lake.Holders, error) {
	if len(e.codec.secondary) > 0 || e.byValue {
		return s.FindRows(ctx, e.match)
	}
	return s.FindKeys(ctx, slices.SortedFunc(maps.Keys(e.keys), identity.Key.Compare))
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
