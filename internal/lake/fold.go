package lake

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/iceberg-go/table"

	"roster/internal/identity"
)

// stageFold stages the snapshot of a Commit with Fold. All manifests are rewritten as two: one of data files and one of
// position deletes. So a reader opens two manifests after a fold, regardless of the number of earlier runs.
func (d *Dataset) stageFold(ctx context.Context, c Commit) (stagedCommit, error) {
	if c.Replace || c.Run != "" || d.snap == nil {
		return nil, errors.New("a fold of a run, or of nothing")
	}
	manifests, err := d.manifests(ctx)
	if err != nil {
		return nil, err
	}
	deletes, err := d.deletesBut(ctx, c)
	if err != nil {
		return nil, err
	}
	s, err := d.newSnapshot()
	if err != nil {
		return nil, err
	}
	for _, m := range manifests {
		for _, e := range m.entries {
			if df := e.DataFile(); !isData(df) || c.Fold[df.FilePath()] {
				s.remove(e)
			} else {
				s.keep(e)
			}
		}
	}
	for _, added := range c.Add {
		s.add(added.file)
	}
	if err := d.addDeletes(ctx, s, c.Dir, deletes); err != nil {
		return nil, fmt.Errorf("write the position deletes: %w", err)
	}
	return s.write(table.OpReplace, d.summaryOf(c, d.Rows()))
}

// deletesBut returns the deleted positions of the dataset after a fold, by the path of the data file.
func (d *Dataset) deletesBut(ctx context.Context, c Commit) (map[string]bitmap, error) {
	state, err := d.OpenState(ctx, StateOptions{})
	if err != nil {
		return nil, err
	}
	deletes := map[string]bitmap{}
	for _, f := range c.Add {
		if positions := c.Deletes[f.Path]; len(positions) > 0 {
			deletes[f.Path] = bitmapOf(positions, f.Rows)
		}
	}
	folded := 0
	for _, f := range state.data {
		if c.Fold[f.Path] {
			folded++
		} else if f.deleted.count() > 0 {
			deletes[f.Path] = f.deleted
		}
	}
	if folded != len(c.Fold) {
		return nil, fmt.Errorf("%w: files that were folded are not the table's any more", ErrConflict)
	}
	return deletes, nil
}

// errMoved means that the rows of a commit were not found in the files of a later snapshot.
var errMoved = errors.New("lake: rows are not where another commit has put them")

// rebased reloads the dataset and returns it with a commit that makes the same change as c makes to d. False means that
// the commits in between change what c must do. A run can follow maintenance, which moves rows to other files. A fold
// can follow runs, which add and delete rows.
func (d *Dataset) rebased(ctx context.Context, c Commit) (*Dataset, Commit, bool, error) {
	now, err := d.lake.load(ctx, d.id)
	if err != nil || d.snap == nil || now.snap == nil || now.table.Metadata().TableUUID() != d.table.Metadata().TableUUID() {
		return nil, c, false, err
	}
	own := func(s Snapshot) bool { return s.Run == "" && s.Version == snapshotOf(d.snap).Version }
	if c.Run == "" {
		own = func(s Snapshot) bool { return s.Run != "" }
	}
	if c.Run == "" && c.Fold == nil || snapshotOf(d.snap).Version == "" || !now.descends(d.snap.SnapshotID, own) {
		return nil, c, false, nil
	}
	if c.Fold != nil {
		if c.Props = c.Carry(snapshotOf(now.snap)); c.Props == nil {
			return nil, c, false, nil
		}
		c.Deletes, err = d.deletedSince(ctx, now, c)
	} else if len(c.Deletes) > 0 {
		c.Deletes, err = d.movedTo(ctx, now, c.Deletes)
	}
	if errors.Is(err, errMoved) {
		return nil, c, false, nil
	}
	return now, c, err == nil, err
}

// descends reports whether own is true for all snapshots after the given one.
func (d *Dataset) descends(from int64, own func(Snapshot) bool) bool {
	for s, steps := d.snap, 0; s != nil && steps < 1000; steps++ {
		if s.SnapshotID == from {
			return true
		}
		if !own(snapshotOf(s)) || s.ParentSnapshotID == nil {
			return false
		}
		s = d.table.SnapshotByID(*s.ParentSnapshotID)
	}
	return false
}

// states opens the states of a table before and after other commits.
func states(ctx context.Context, was, now *Dataset) (before, after *State, err error) {
	if before, err = was.OpenState(ctx, StateOptions{}); err != nil {
		return nil, nil, err
	}
	after, err = now.OpenState(ctx, StateOptions{})
	return before, after, err
}

// movedTo returns the new positions of rows of d in a later snapshot that has the same rows.
func (d *Dataset) movedTo(ctx context.Context, now *Dataset, deletes map[string][]int64) (map[string][]int64, error) {
	before, after, err := states(ctx, d, now)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, f := range before.data {
		known[f.Path] = true
	}
	out, gone := map[string][]int64{}, map[string]bitmap{}
	still := map[string]bool{}
	for _, f := range after.data {
		still[f.Path] = true
	}
	for _, f := range before.data {
		if positions := deletes[f.Path]; len(positions) > 0 && still[f.Path] {
			out[f.Path] = positions
		} else if len(positions) > 0 {
			gone[f.Path] = bitmapOf(positions, f.Rows)
		}
	}
	keys, err := before.keysAt(ctx, gone)
	if err != nil {
		return nil, err
	}
	return out, after.only(func(f *stateFile) bool { return !known[f.Path] }).find(ctx, keys, out)
}

// deletedSince returns the positions, in the files that a fold adds, of rows that were deleted after d in the files
// that the fold replaces.
func (d *Dataset) deletedSince(ctx context.Context, now *Dataset, c Commit) (map[string][]int64, error) {
	before, after, err := states(ctx, d, now)
	if err != nil {
		return nil, err
	}
	then := map[string]bitmap{}
	for _, f := range before.data {
		then[f.Path] = f.deleted
	}
	gone := map[string]bitmap{}
	for _, f := range after.data {
		if !c.Fold[f.Path] {
			continue
		}
		fresh := slices.Clone(f.deleted)
		for i, word := range then[f.Path] {
			if i < len(fresh) {
				fresh[i] &^= word
			}
		}
		if len(fresh) > 0 && fresh.any(0, f.Rows) {
			gone[f.Path] = fresh
		}
	}
	keys, err := before.keysAt(ctx, gone)
	if err != nil {
		return nil, err
	}
	added := &State{opts: StateOptions{}, in: d.lake.files}
	for _, f := range c.Add {
		s, err := d.newStateFile(f.file, StateOptions{})
		if err != nil {
			return nil, err
		}
		added.data, added.files = append(added.data, s), append(added.files, f)
	}
	out := map[string][]int64{}
	return out, added.find(ctx, keys, out)
}

func bitmapOf(positions []int64, rows int64) bitmap {
	b := make(bitmap, (rows+63)/64)
	for _, pos := range positions {
		if pos >= 0 && pos < rows {
			b[pos>>6] |= 1 << (pos & 63)
		}
	}
	return b
}

// only returns the state with a part of its files.
func (s *State) only(want func(*stateFile) bool) *State {
	out := &State{opts: s.opts, in: s.in}
	for i, f := range s.data {
		if want(f) {
			out.data, out.files = append(out.data, f), append(out.files, s.files[i])
		}
	}
	return out
}

// keysAt returns the keys of the live rows at the given positions. The error is errMoved if a row is not there.
func (s *State) keysAt(ctx context.Context, at map[string]bitmap) (map[identity.Key]bool, error) {
	keys, want := map[identity.Key]bool{}, 0
	for _, b := range at {
		want += int(b.count())
	}
	files := s.only(func(f *stateFile) bool { return at[f.Path] != nil })
	err := files.each(ctx, func(rows *StateRows, i int) {
		if at[files.files[rows.File[i]].Path].has(rows.Pos[i]) {
			keys[rows.IDs[i]] = true
		}
	})
	if err == nil && len(keys) != want {
		err = errMoved
	}
	return keys, err
}

// find adds the positions of the rows with the keys to the map to. The error is errMoved if a key has no row.
func (s *State) find(ctx context.Context, keys map[identity.Key]bool, to map[string][]int64) error {
	found := 0
	err := s.each(ctx, func(rows *StateRows, i int) {
		if keys[rows.IDs[i]] {
			at := s.files[rows.File[i]].Path
			to[at] = append(to[at], rows.Pos[i])
			found++
		}
	})
	if err == nil && found != len(keys) {
		err = errMoved
	}
	return err
}

// each calls fn with each live row.
func (s *State) each(ctx context.Context, fn func(rows *StateRows, i int)) error {
	if len(s.data) == 0 {
		return nil
	}
	cursor := s.Cursor()
	defer cursor.Close()
	for b := range 256 {
		if err := ctx.Err(); err != nil {
			return err
		}
		lo, hi := identity.Key{byte(b)}, &identity.Key{byte(b + 1)}
		if b == 255 {
			hi = nil
		}
		rows, err := cursor.Range(lo, hi)
		if err != nil {
			return err
		}
		for i := range rows.IDs {
			fn(rows, i)
		}
	}
	return nil
}

// Foldable reports whether a Commit with Fold is possible. It is not possible if another program upgraded the table to
// format version 3, which has another kind of position deletes.
func (d *Dataset) Foldable() bool { return d.table.Metadata().Version() == 2 }

// Dead returns the number of deleted rows of the i-th file of Files.
func (s *State) Dead(i int) int64 { return s.data[i].deleted.count() }
