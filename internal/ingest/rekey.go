package ingest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/lake"
	"roster/internal/profile"
)

// Earlier versions of Roster computed the keys of identities by another rule (identity.Former). If a dataset's snapshot
// has no entry propKeys, rows may have such keys. They differ for identities with invisible or decomposed characters.
// Before a run reads such a dataset, rekey moves the rows to their present keys with a snapshot of maintenance. The
// run's delta then replaces the old keys with the new ones in the profile store. Until then, look-ups try both keys.
// Audiences with expressActivation are newer than the present rule.
const (
	propKeys  = "roster.keys"  // the rule of all keys of the dataset: keysOfNow
	propMoved = "roster.moved" // location of the changes that the next run's delta applies to the profile store
	keysOfNow = "2"
)

// movedName is the name of the file of changes in the directory of a snapshot that moved rows.
const movedName = "moved"

// keyed reports whether all keys of a snapshot's rows follow the present rule.
func keyed(snap lake.Snapshot) bool { return snap.Props[propKeys] == keysOfNow }

// keyedRow is a row of the dataset with its keys.
type keyedRow struct {
	old, now    identity.Key
	former      []identity.Key // keys of its further identities by the former rule
	further     []identity.Key // keys of its further identities by the present rule
	since, seen int64
	content     int64
	file        int32
	pos         int64
}

// rekey moves the rows of a dataset to their present keys if necessary, and returns the resulting dataset.
func (p *Pipeline) rekey(ctx context.Context, dataset *lake.Dataset, s *Spec) (*lake.Dataset, error) {
	snap, ok := dataset.Current()
	input := s.Run.Request.Traits().Input // an adoption computes the keys of the rows of other programs itself
	if !ok || keyed(snap) || s.Audience.ExpressActivation || s.Run.Request.DryRun || input == audience.FromVersion || input == audience.FromOutside {
		return dataset, nil
	}
	k := rekeying{p: p, dataset: dataset, codec: newRowCodec(&s.Audience), dir: lake.MaintenanceDir(uuid.NewString()),
		retired: map[string][]int64{}, changes: map[[2]identity.Key]profile.Change{}}
	if err := k.find(ctx); err != nil || len(k.rows) == 0 {
		return dataset, err
	}
	err := k.move(ctx)
	if err == nil {
		err = s.save(ctx) // checks the lease
	}
	if err == nil {
		err = k.commit(ctx)
	}
	if err != nil {
		if !errors.Is(err, lake.ErrUncertain) {
			discard(p.Log, dataset, k.dir)
		}
		return dataset, fmt.Errorf("bring the dataset to the present keys: %w", err)
	}
	p.logOf(s.Run.Scope).Info("brought members to the present form of their identities", "audience", s.Audience.ID, "members", len(k.rows), "merged", k.merged)
	return p.Lake.Load(ctx, s.Table)
}

// rekeying is the state of a rekey.
type rekeying struct {
	p       *Pipeline
	dataset *lake.Dataset
	codec   *rowCodec
	dir     string
	state   *lake.State
	rows    []keyedRow // rows with a key of the former rule, sorted by their present keys
	retired map[string][]int64
	files   []lake.DataFile
	changes map[[2]identity.Key]profile.Change // changes of the profile store, by key and member
	merged  int                                // members that turned out to be the same as another one
	lost    uint64                             // sum of the content hashes of their rows
}

// find collects the rows with keys of the former rule.
func (k *rekeying) find(ctx context.Context) (err error) {
	if k.state, err = k.dataset.OpenState(ctx, lake.StateOptions{Identities: k.codec.identityNames()}); err != nil {
		return fmt.Errorf("read the current members: %w", err)
	}
	cursor := k.state.Cursor()
	defer cursor.Close()
	err = eachRange(ctx, func(lo identity.Key, hi *identity.Key) error {
		st, err := cursor.Range(lo, hi)
		if err != nil {
			return fmt.Errorf("read the current members: %w", err)
		}
		for i := range st.IDs {
			if r, moves := k.codec.rekeyed(st, i); moves {
				k.rows = append(k.rows, r)
			}
		}
		return nil
	})
	slices.SortFunc(k.rows, func(a, b keyedRow) int {
		return cmp.Or(bytes.Compare(a.now[:], b.now[:]), cmp.Compare(b.seen, a.seen), bytes.Compare(a.old[:], b.old[:]))
	})
	return err
}

// move writes the rows under their present keys.
func (k *rekeying) move(ctx context.Context) error {
	w, err := k.dataset.NewFile(k.dir)
	if err != nil {
		return err
	}
	defer w.Abort() // no effect after Close
	cursor := k.state.Cursor()
	defer cursor.Close()
	written := 0
	for from, to := 0, 0; from < len(k.rows); from = to {
		if err := ctx.Err(); err != nil {
			return err
		}
		for to = from; to < len(k.rows) && k.rows[to].now == k.rows[from].now; to++ {
		}
		stays, err := k.keepLatest(cursor, k.rows[from:to])
		if err != nil {
			return err
		}
		if stays.old == stays.now {
			continue // this row already has its present key
		}
		if err := k.write(ctx, w, stays); err != nil {
			return err
		}
		if written++; written%rowGroupRows == 0 {
			w.EndRowGroup()
		}
	}
	if written > 0 {
		f, err := w.Close()
		k.files = []lake.DataFile{f}
		return err
	}
	return nil
}

// keepLatest decides which row of a person stays: the one that was seen last. The candidates are the rows with former
// keys, the last seen first, and possibly a row with the present key. The other rows are deleted.
func (k *rekeying) keepLatest(cursor *lake.StateCursor, same []keyedRow) (stays keyedRow, err error) {
	stays = same[0]
	key := stays.now
	st, err := cursor.Range(key, next(key))
	if err != nil {
		return stays, fmt.Errorf("read the current members: %w", err)
	}
	isTwin := func(r keyedRow) bool { return r.old == r.now }
	if len(st.IDs) > 0 && !slices.ContainsFunc(same, isTwin) {
		if twin := k.codec.keyedRow(st, 0); isTwin(twin) {
			same = append(slices.Clone(same), twin)
		}
	}
	for _, r := range same {
		if r.seen > stays.seen || r.seen == stays.seen && isTwin(r) {
			stays = r
		}
	}
	for _, r := range same {
		if isTwin(r) && r.old == stays.old {
			k.enter(r)
			continue
		}
		path := k.state.Files()[r.file].Path
		k.retired[path] = append(k.retired[path], r.pos)
		for _, key := range append(r.former, r.old) {
			k.change(profile.Change{Key: key, Member: r.old, Since: r.since / 1e6, Seen: r.seen / 1e6, Erased: true})
		}
		if r.old == stays.old {
			k.enter(r)
			continue
		}
		k.merged++
		k.lost += uint64(r.content)
	}
	return stays, nil
}

// enter adds changes so that the profile store finds a member by its present keys.
func (k *rekeying) enter(r keyedRow) {
	for _, key := range append(r.further, r.now) {
		k.change(profile.Change{Key: key, Member: r.now, Since: r.since / 1e6, Seen: r.seen / 1e6})
	}
	for _, key := range r.former {
		if !slices.Contains(r.further, key) {
			k.change(profile.Change{Key: key, Member: r.now, Since: r.since / 1e6, Seen: r.seen / 1e6, Erased: true})
		}
	}
}

// change records a change. If one row of a person ends a membership and another row begins it, the membership
// continues.
func (k *rekeying) change(c profile.Change) {
	at := [2]identity.Key{c.Key, c.Member}
	if have, ok := k.changes[at]; !ok || have.Erased {
		k.changes[at] = c
	}
}

// write writes the row of a member under its present key.
func (k *rekeying) write(ctx context.Context, w *lake.FileWriter, r keyedRow) error {
	rec, ok, err := k.dataset.Find(ctx, r.old)
	if err == nil && !ok {
		err = errors.New("a row that was read before is not found any more")
	}
	if err != nil {
		return err
	}
	defer rec.Release()
	ids := array.NewFixedSizeBinaryBuilder(memory.DefaultAllocator, &arrow.FixedSizeBinaryType{ByteWidth: len(r.now)})
	defer ids.Release()
	ids.Append(r.now[:])
	id := ids.NewArray()
	defer id.Release()
	columns := slices.Clone(rec.Columns())
	columns[rec.Schema().FieldIndices(lake.ColID)[0]] = id
	moved := array.NewRecordBatch(rec.Schema(), columns, 1)
	defer moved.Release()
	return w.Write(moved)
}

// commit makes the snapshot.
func (k *rekeying) commit(ctx context.Context) error {
	snap, _ := k.dataset.Current()
	props := compactionProps(snap)
	props[propKeys] = keysOfNow
	if sum, err := strconv.ParseUint(props[propContent], 10, 64); err == nil {
		props[propContent] = strconv.FormatUint(sum-k.lost, 10)
	}
	var err error
	if props[propMoved], err = writeMoved(k.dataset, k.dir, maps.Values(k.changes)); err != nil {
		return err
	}
	_, err = k.dataset.Commit(ctx, lake.Commit{Add: k.files, Deletes: k.retired, Dir: k.dir, Props: props})
	return err
}

// writeMoved writes the changes that the next run applies to the profile store.
func writeMoved(d *lake.Dataset, dir string, changes iter.Seq[profile.Change]) (location string, err error) {
	w, location, err := d.CreateFile(dir, movedName)
	if err != nil {
		return "", err
	}
	var text []byte
	for c := range changes {
		text = appendSpilled(text, &c)
	}
	_, err = w.Write(text)
	return location, errors.Join(err, w.Close())
}

// movedBefore reads the changes of a snapshot that no run has applied to the profile store yet.
func movedBefore(d *lake.Dataset, snap lake.Snapshot) (map[profile.Change]bool, error) {
	location := snap.Props[propMoved]
	if location == "" {
		return nil, nil
	}
	f, err := d.OpenFile(location)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("read the members that were moved: %w", err)
	}
	moved := make(map[profile.Change]bool, len(text)/changeSize)
	for _, c := range sortedChanges(text) {
		moved[c] = true
	}
	return moved, nil
}

// identityNames returns the names of the identity fields, the primary one last.
func (c *rowCodec) identityNames() []string {
	return append(c.secondaryNames(), c.fields[c.primary.field].Name)
}

// rekeyed returns row i of a state with its keys, and whether a key changes. The state must have the identities of
// identityNames. A row whose identity is no longer valid stays unchanged until it expires.
func (c *rowCodec) rekeyed(st *lake.StateRows, i int) (r keyedRow, moves bool) {
	r = c.keyedRow(st, i)
	return r, r.now != (identity.Key{}) && (r.old != r.now || !slices.Equal(r.former, r.further))
}

func (c *rowCodec) keyedRow(st *lake.StateRows, i int) keyedRow {
	r := keyedRow{old: st.IDs[i], since: st.Since[i], seen: st.Seen[i], content: st.Row[i], file: st.File[i], pos: st.Pos[i]}
	_, r.now = c.keysAt(st, i, len(c.secondary), c.primary)
	for n, id := range c.secondary {
		former, now := c.keysAt(st, i, n, id)
		for _, k := range []struct {
			list    *[]identity.Key
			key     identity.Key
			primary identity.Key
		}{{&r.former, former, r.old}, {&r.further, now, r.now}} {
			if k.key != (identity.Key{}) && k.key != k.primary && !slices.Contains(*k.list, k.key) {
				*k.list = append(*k.list, k.key)
			}
		}
	}
	return r
}

// keysAt returns the keys of the n-th identity of row i by the former and by the present rule. They are zero if there
// is no identity.
func (c *rowCodec) keysAt(st *lake.StateRows, i, n int, id idField) (former, now identity.Key) {
	col, row := st.Identity(n, i)
	if col.IsNull(row) {
		return former, now
	}
	v := valuesOf(col)
	text := appendCanonical(nil, c.fields[id.field].Type, v.append(nil, row))
	if norm := identity.Normalise(id.namespace, text, nil); len(norm) > 0 {
		now = identity.KeyOf(id.namespace, norm)
	}
	if norm, same := identity.Former(id.namespace, text, nil); same {
		former = now
	} else if len(norm) > 0 {
		former = identity.KeyOf(id.namespace, norm)
	}
	return former, now
}
