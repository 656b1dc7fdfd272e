package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sort"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/iceberg-go"

	"roster/internal/identity"
)

// place is the place of a row in a data file.
type place struct {
	file *stateFile
	row  int64 // index for reading
	pos  int64 // position in position deletes
}

// findMemory is the approximate memory for the search of one row, in bytes.
const findMemory = 16 << 20

// Find returns the row of a member as a batch of one row with all columns. Columns that other programs added come last.
// The caller releases the batch. False means that the snapshot has no such member. Find reads the keys of one row group
// of each data file whose bounds include the key, the position deletes of the rows found, and one row of the other
// columns.
func (d *Dataset) Find(ctx context.Context, key identity.Key) (arrow.RecordBatch, bool, error) {
	state, deletes, err := d.openFiles(ctx, StateOptions{})
	if err != nil {
		return nil, false, err
	}
	found := map[string]place{} // by path; a file contains a key at most once
	for _, f := range state.data {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		at, ok, err := f.find(key)
		if err != nil {
			return nil, false, fmt.Errorf("read %s: %w", f.Path, unreadable(ctx.Err(), f.Path, err))
		}
		if ok {
			found[f.Path] = at
		}
	}
	for _, del := range deletes {
		if len(found) == 0 {
			break
		}
		if err := state.in.removeDeleted(del, found); err != nil {
			return nil, false, fmt.Errorf("read the position deletes %s: %w", del.FilePath(), unreadable(ctx.Err(), del.FilePath(), err))
		}
	}
	for path, at := range found {
		rec, err := at.read(ctx, d.columns.all)
		if err != nil {
			return nil, false, fmt.Errorf("read %s: %w", path, unreadable(ctx.Err(), path, err))
		}
		return rec, true, nil
	}
	return nil, false, nil
}

// groupWith returns the only row group that may contain the key; false if there is none.
func (f *stateFile) groupWith(key identity.Key) (foot *footer, g int, ok bool, err error) {
	if !overlaps(&f.min, &f.max, key, nil) || bytes.Compare(f.min[:], key[:]) > 0 {
		return nil, 0, false, nil
	}
	if foot, err = f.footer(); err != nil {
		return nil, 0, false, err
	}
	g, _ = foot.groupsIn(key, nil) // the first row group whose largest key is not below the key
	return foot, g, g < len(foot.groups) && bytes.Compare(foot.groups[g].min[:], key[:]) <= 0, nil
}

// find returns the row with the key, deleted or not.
func (f *stateFile) find(key identity.Key) (at place, ok bool, err error) {
	defer recovered(&err)
	foot, g, ok, err := f.groupWith(key)
	if err != nil || !ok {
		return at, false, err
	}
	r, osFile, err := foot.open()
	if err != nil {
		return at, false, err
	}
	defer osFile.Close()
	rg := r.RowGroup(g)
	keys, err := readKeys(rg, foot.id, make([]identity.Key, rg.NumRows()))
	if err != nil {
		return at, false, err
	}
	i := sort.Search(len(keys), func(i int) bool { return bytes.Compare(keys[i][:], key[:]) >= 0 })
	if i == len(keys) || keys[i] != key {
		return at, false, nil
	}
	row := foot.groups[g].first + int64(i)
	return place{f, row, foot.position(row)}, true, nil
}

// removeDeleted removes the places that a position delete file names.
func (fs files) removeDeleted(del iceberg.DataFile, found map[string]place) error {
	return fs.eachDelete(del, func(rg *metadata.RowGroupMetaData, path, pos int) bool { return mayName(rg, path, pos, found) },
		func(paths []parquet.ByteArray, positions []int64) error {
			for i, p := range paths {
				if at, ok := found[string(p)]; ok && at.pos == positions[i] {
					delete(found, string(p))
				}
			}
			return nil
		})
}

// mayName reports whether, by its bounds, a row group of position deletes may name one of the places.
func mayName(rg *metadata.RowGroupMetaData, path, pos int, found map[string]place) bool {
	paths, ok := boundsOfColumn[*metadata.ByteArrayStatistics](rg, path)
	if !ok {
		return true
	}
	first, last := string(paths.Min()), string(paths.Max())
	for path, at := range found {
		if path < first || path > last {
			continue
		}
		if positions, ok := boundsOfColumn[*metadata.Int64Statistics](rg, pos); ok && first == last &&
			(at.pos < positions.Min() || at.pos > positions.Max()) {
			continue
		}
		return true
	}
	return false
}

// boundsOfColumn returns the statistics of a column if they have bounds.
func boundsOfColumn[S metadata.TypedStatistics](rg *metadata.RowGroupMetaData, i int) (none S, ok bool) {
	chunk, err := rg.ColumnChunk(i)
	if err != nil {
		return none, false
	}
	stats, err := chunk.Statistics()
	if err != nil || stats == nil || !stats.HasMinMax() {
		return none, false
	}
	typed, ok := stats.(S)
	return typed, ok
}

// read reads the columns of the row.
func (p place) read(ctx context.Context, schema *arrow.Schema) (arrow.RecordBatch, error) {
	return readBatch(ctx, p.file, schema, rowOptions{from: p.row, dead: true, batch: 1, Reading: Reading{Memory: findMemory}})
}

// readBatch reads the first batch of rows of a file.
func readBatch(ctx context.Context, f *stateFile, schema *arrow.Schema, o rowOptions) (_ arrow.RecordBatch, err error) {
	defer recovered(&err)
	r, ok, err := openRows(ctx, f, schema, o)
	if err != nil || !ok {
		return nil, errors.Join(err, errShort(0))
	}
	defer r.close()
	rec, _, ok, err := r.read(ctx)
	if err != nil || !ok {
		return nil, errors.Join(err, errShort(0))
	}
	return rec, nil
}
