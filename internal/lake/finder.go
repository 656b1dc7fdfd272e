package lake

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/sync/singleflight"

	"roster/internal/cache"
	"roster/internal/identity"
)

// finder reads single rows by key from the current snapshots of tables. It caches the positions of rows and the slices
// of columns that were read last. Each call asks the catalog for the current snapshot, and files never change, so the
// cache is never stale. The next look-up in a table drops the cached data of files that the table no longer has. A
// finder is safe for concurrent use.
type finder struct {
	lake    *Lake
	views   *cache.Cache[TableID, *view]
	opening singleflight.Group
	slices  *cache.Cache[sliceKey, arrow.Array]
	reads   chan struct{} // one value for each read in progress
}

const (
	viewBytes  = 32 << 20
	slicesKept = 32 << 20
	// A slice of a column has at most sliceRows rows. Together with the other columns of these rows, it has sliceBytes
	// bytes on average.
	sliceRows, sliceBytes = 1 << 10, 1 << 20
	readsAtOnce           = 4
	// footerColumn is the approximate memory for one column of a row group in a footer, in bytes.
	footerColumn = 600
)

// view is a table at its current snapshot.
type view struct {
	dataset *Dataset
	state   *State
	bySize  []int // files of the state by descending number of rows, because most members lie in the largest
}

// sliceKey identifies a slice of a column of a data file.
type sliceKey struct {
	path   string
	column string
	first  int64 // first row of the slice in the file
}

func newFinder(l *Lake) *finder {
	return &finder{lake: l, views: cache.New[TableID, *view](viewBytes), slices: cache.New[sliceKey, arrow.Array](slicesKept), reads: make(chan struct{}, readsAtOnce)}
}

// Found contains the rows that Lake.Find found.
type Found struct {
	Rows  arrow.RecordBatch // has the requested columns; freed by the garbage collector
	At    []int             // the row of each key; -1 if the snapshot has none
	Bytes int               // size of the texts
}

// FindOptions select what Find reads.
type FindOptions struct {
	Columns []string // names of fields
	// Most is the maximum size of the texts in bytes. Find returns ErrTooMuch beyond it. 0 means no limit.
	Most int
	Reading
}

// ErrTooMuch is returned by Find when the rows need more bytes than allowed.
var ErrTooMuch = errors.New("lake: the rows take too much memory")

// Find returns the rows of keys in the table's current snapshot. The error is ErrNotExist if there is no such table.
func (l *Lake) Find(ctx context.Context, id TableID, keys []identity.Key, o FindOptions) (Found, error) {
	return l.finder.find(ctx, id, keys, o)
}

func (f *finder) find(ctx context.Context, id TableID, keys []identity.Key, o FindOptions) (Found, error) {
	for try := 0; ; try++ {
		v, err := f.view(ctx, id)
		if err != nil {
			return Found{}, err
		}
		found, err := f.rows(ctx, v, keys, o)
		if err == nil || errors.Is(err, ErrTooMuch) || ctx.Err() != nil {
			return found, err
		}
		f.views.Remove(id) // the view caches the result of reading a footer
		if try > 0 {
			return found, err
		}
		// A missing file is not damage if the table has a newer snapshot.
		if at, lerr := f.lake.catalog.location(ctx, id); lerr != nil || at == v.dataset.MetadataLocation() {
			return found, err
		}
	}
}

// view returns a table at its current snapshot.
func (f *finder) view(ctx context.Context, id TableID) (*view, error) {
	location, err := f.lake.catalog.location(ctx, id)
	if err != nil {
		return nil, err
	}
	if v, ok := f.views.Get(id); ok && v.dataset.MetadataLocation() == location {
		return v, nil
	}
	opened, err, _ := f.opening.Do(location, func() (any, error) { return f.open(context.WithoutCancel(ctx), id) })
	if err != nil {
		return nil, err
	}
	return opened.(*view), ctx.Err()
}

func (f *finder) open(ctx context.Context, id TableID) (*view, error) {
	d, err := f.lake.Load(ctx, id)
	if err != nil {
		return nil, err
	}
	v := &view{dataset: d}
	if v.state, err = d.OpenState(ctx, StateOptions{}); err != nil {
		return nil, err
	}
	size, live := int64(4<<10), map[string]bool{}
	for i, file := range v.state.data {
		v.bySize = append(v.bySize, i)
		live[file.Path] = true
		groups := max(file.Rows/maxRowGroup, file.Bytes/(defaultFileMemory/4)) + 1
		size += groups*int64(d.columns.own.NumFields())*footerColumn + int64(8*len(file.deleted)) + file.Bytes/sumsBlock*8
	}
	slices.SortStableFunc(v.bySize, func(a, b int) int { return cmp.Compare(v.state.data[b].Rows, v.state.data[a].Rows) })
	f.views.Put(id, v, size)
	table := d.Location() + "/"
	f.slices.RemoveFunc(func(k sliceKey) bool { return strings.HasPrefix(k.path, table) && !live[k.path] })
	return v, nil
}

// spot is the place of a row, and the index of its key.
type spot struct {
	file, key int
	pos       int64
}

func (f *finder) rows(ctx context.Context, v *view, keys []identity.Key, o FindOptions) (Found, error) {
	schema, err := columnsNamed(v.dataset.columns.own, o.Columns)
	if err != nil {
		return Found{}, err
	}
	out := Found{At: make([]int, len(keys))}
	var spots []spot
	for i, k := range keys {
		out.At[i] = -1
		at, ok, err := f.locate(ctx, v, k, o.Reading)
		if err != nil {
			return Found{}, err
		}
		if ok {
			at.key = i
			spots = append(spots, at)
		}
	}
	slices.SortFunc(spots, func(a, b spot) int { return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.pos, b.pos)) })
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	most := cmp.Or(o.Most, math.MaxInt)
	for row, at := range spots {
		columns, first, err := f.read(ctx, v.state.data[at.file], schema, at.pos, o.Reading)
		if err != nil {
			return Found{}, err
		}
		in := int(at.pos - first)
		for i, c := range columns {
			if text, ok := c.(*array.String); ok {
				out.Bytes += text.ValueLen(in)
			}
			if out.Bytes > most {
				return Found{}, ErrTooMuch
			}
			if err := appendRows(b.Field(i), c, in, in+1); err != nil {
				return Found{}, err
			}
		}
		out.At[at.key] = row
	}
	out.Rows = b.NewRecordBatch()
	return out, nil
}

// locate finds the live row of a key.
func (f *finder) locate(ctx context.Context, v *view, key identity.Key, reading Reading) (spot, bool, error) {
	for _, i := range v.bySize {
		if err := ctx.Err(); err != nil {
			return spot{}, false, err
		}
		file := v.state.data[i]
		pos, ok, err := f.search(ctx, file, v.dataset.columns.own, key, reading)
		if err != nil {
			return spot{}, false, err
		}
		if ok && !file.isDeleted(pos) {
			return spot{file: i, pos: pos}, true, nil
		}
	}
	return spot{}, false, nil
}

// isDeleted reports whether a row that was found is deleted.
func (f *stateFile) isDeleted(row int64) bool {
	if f.deleted == nil {
		return false
	}
	foot, err := f.footer()
	return err == nil && f.deleted.has(foot.position(row)) // a row was found, so its file has a footer
}

// search finds the row with the key in a file, deleted or not.
func (f *finder) search(ctx context.Context, file *stateFile, schema *arrow.Schema, key identity.Key, reading Reading) (pos int64, ok bool, err error) {
	foot, g, ok, err := file.groupWith(key)
	if err != nil {
		return 0, false, fmt.Errorf("read %s: %w", file.Path, unreadable(ctx.Err(), file.Path, err))
	}
	if !ok {
		return 0, false, nil
	}
	ids, err := columnsNamed(schema, []string{ColID})
	if err != nil {
		return 0, false, err
	}
	from, to := foot.groups[g].first, foot.end(g)
	for at, try := guess(&foot.groups[g], to, key), 0; from < to; try++ {
		columns, first, err := f.read(ctx, file, ids, at, reading)
		if err != nil {
			return 0, false, err
		}
		keys := columns[0].(*array.FixedSizeBinary)
		n := keys.Len()
		i := sort.Search(n, func(i int) bool { return bytes.Compare(keys.Value(i), key[:]) >= 0 })
		switch {
		case i < n && bytes.Equal(keys.Value(i), key[:]):
			return first + int64(i), true, nil
		case i == 0:
			to, at = first, first-1
		case i == n:
			from = first + int64(n)
			at = from
		default:
			return 0, false, nil
		}
		if try > 0 { // the first guess is usually close
			at = from + (to-from)/2
		}
	}
	return 0, false, nil
}

// guess returns the approximate row of a key in a row group that ends before row end. Keys are hashes, so they are
// evenly distributed.
func guess(g *groupBounds, end int64, key identity.Key) int64 {
	of := func(k identity.Key) float64 { return float64(binary.BigEndian.Uint64(k[:])) }
	share := 0.
	if width := of(g.max) - of(g.min); width > 0 {
		share = (of(key) - of(g.min)) / width
	}
	return min(g.first+int64(share*float64(end-g.first)), end-1)
}

// end returns the first row after a row group.
func (f *footer) end(g int) int64 { return f.groups[g].first + f.meta.RowGroup(g).NumRows() }

// read returns the slices of columns that contain a row of a file, and the first row of the slices.
func (f *finder) read(ctx context.Context, file *stateFile, schema *arrow.Schema, pos int64, reading Reading) (columns []arrow.Array, first int64, err error) {
	foot, err := file.footer()
	if err != nil {
		return nil, 0, fmt.Errorf("read %s: %w", file.Path, unreadable(ctx.Err(), file.Path, err))
	}
	g := foot.groupOf(pos)
	meta := foot.meta.RowGroup(g)
	rows := min(max(sliceBytes/max(meta.TotalByteSize()/max(meta.NumRows(), 1), 1), 1), sliceRows)
	first = pos - (pos-foot.groups[g].first)%rows
	rows = min(rows, foot.end(g)-first)
	columns = make([]arrow.Array, schema.NumFields())
	var missing []arrow.Field
	for i, c := range schema.Fields() {
		if a, ok := f.slices.Get(sliceKey{file.Path, c.Name, first}); ok {
			columns[i] = a
		} else {
			missing = append(missing, c)
		}
	}
	if len(missing) == 0 {
		return columns, first, nil
	}
	rec, err := f.decode(ctx, file, arrow.NewSchema(missing, nil), first, rows, reading)
	if err != nil {
		return nil, 0, fmt.Errorf("read %s: %w", file.Path, unreadable(ctx.Err(), file.Path, err))
	}
	next := 0
	for i, c := range schema.Fields() {
		if columns[i] == nil {
			columns[i] = rec.Column(next)
			f.slices.Put(sliceKey{file.Path, c.Name, first}, columns[i], int64(columns[i].Data().SizeInBytes())+256)
			next++
		}
	}
	return columns, first, nil
}

// decode reads the given number of rows of columns of a file, including deleted rows.
func (f *finder) decode(ctx context.Context, file *stateFile, schema *arrow.Schema, first, rows int64, reading Reading) (arrow.RecordBatch, error) {
	select {
	case f.reads <- struct{}{}:
		defer func() { <-f.reads }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	reading.Memory = math.MaxInt64 // there are few rows
	rec, err := readBatch(ctx, file, schema, rowOptions{from: first, batch: int(rows), few: true, dead: true, Reading: reading})
	if err != nil {
		return nil, err
	}
	if rec.NumRows() != rows {
		return nil, fmt.Errorf("it has %d of the rows %d to %d", rec.NumRows(), first, first+rows-1)
	}
	return rec, nil
}
