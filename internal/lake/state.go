package lake

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/iceberg-go"

	"roster/internal/audience"
	"roster/internal/identity"
)

// StateOptions select what of the state is read.
type StateOptions struct {
	Identities []string // names of further identity columns
	// Cache is the maximum size, in bytes, of the decoded row groups that each cursor keeps. 0 means 64 MiB. In a table
	// written by one run, one row group overlaps the keys of a range. Each later run adds one more row group until the
	// table is compacted. Row groups that do not fit are decoded again for the next range.
	Cache int
}

const defaultCache = 64 << 20

// State contains the members of a snapshot in the form that a merge needs: key, content hash and time stamps. A State
// is safe for concurrent use and keeps no file open.
type State struct {
	in    files
	opts  StateOptions
	files []DataFile
	data  []*stateFile // the same files
}

// stateFile is a data file of the state.
type stateFile struct {
	DataFile
	in       files
	columns  *columns
	min, max identity.Key // smallest and largest key
	deleted  bitmap
	// footer reads the file's footer, once for all cursors. For a file of another program, footer reads the footer of
	// the sorted copy.
	footer func() (*footer, error)
}

// footer describes the columns and row groups of a data file or its sorted copy.
type footer struct {
	in                       files
	location                 string
	meta                     *metadata.FileMetaData
	sums                     *sums // nil if the file had none
	columns                  fileColumns
	groups                   []groupBounds
	id, content, since, seen int // indexes of the columns
	identities               []int
	types                    []arrow.DataType // of the identities
	// order contains, for each row of a sorted copy, its position in the data file. Nil for a data file.
	order []uint32
}

// position returns the position of a row in the data file.
func (f *footer) position(row int64) int64 {
	if f.order == nil {
		return row
	}
	return int64(f.order[row])
}

// hidden converts a set of positions in the data file to a set of rows.
func (f *footer) hidden(deleted bitmap) bitmap {
	if f.order == nil || deleted == nil {
		return deleted
	}
	rows := make(bitmap, len(deleted))
	for row, pos := range f.order {
		if deleted.has(int64(pos)) {
			rows.set(int64(row))
		}
	}
	return rows
}

// groupBounds are the smallest and largest key of a row group, and its first row.
type groupBounds struct {
	min, max identity.Key
	first    int64
}

// OpenState opens the state of the dataset's snapshot and reads which rows are deleted.
func (d *Dataset) OpenState(ctx context.Context, opts StateOptions) (*State, error) {
	s, deletes, err := d.openFiles(ctx, opts)
	if err != nil {
		return nil, err
	}
	at := make(map[string]int, len(s.data))
	for i, f := range s.data {
		at[f.Path] = i
	}
	for _, del := range deletes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := s.readDeletes(del, at); err != nil {
			return nil, fmt.Errorf("read the position deletes %s: %w", del.FilePath(), unreadable(ctx.Err(), del.FilePath(), err))
		}
	}
	return s, nil
}

// openFiles opens the state without its position deletes, and returns the files of position deletes.
func (d *Dataset) openFiles(ctx context.Context, opts StateOptions) (*State, []iceberg.DataFile, error) {
	live, deletes, err := d.liveFiles(ctx)
	if err != nil {
		return nil, nil, err
	}
	s := &State{opts: opts, in: d.lake.files}
	for _, df := range live {
		f, err := d.newStateFile(df, opts)
		if err != nil {
			return nil, nil, err
		}
		s.data = append(s.data, f)
	}
	slices.SortFunc(s.data, func(a, b *stateFile) int {
		return cmp.Or(bytes.Compare(a.min[:], b.min[:]), cmp.Compare(a.Path, b.Path))
	})
	for _, f := range s.data {
		s.files = append(s.files, f.DataFile)
	}
	return s, deletes, nil
}

func (d *Dataset) newStateFile(df iceberg.DataFile, opts StateOptions) (*stateFile, error) {
	if df.FileFormat() != iceberg.ParquetFile {
		return nil, foreignFormat("rows", df)
	}
	id := idOfField(d.columns.field(ColID))
	f := &stateFile{DataFile: dataFileOf(df), in: d.lake.files, columns: d.columns}
	for i := range f.max {
		f.max[i] = 0xff
	}
	if lower, upper := df.LowerBoundValues()[id], df.UpperBoundValues()[id]; len(lower) == 16 && len(upper) == 16 {
		f.min, f.max = identity.Key(lower), identity.Key(upper)
	}
	f.footer = sync.OnceValues(func() (*footer, error) { return d.openFooter(f, opts) })
	return f, nil
}

// foreignFormat returns the error for a file in a format that Roster does not read.
func foreignFormat(what string, df iceberg.DataFile) error {
	return audience.Errorf(audience.Impossible, "the audience's table has %s in a file of the format %s, which another program wrote; Roster reads Parquet: rewrite the table's data files with that program, with the table property write.format.default set to parquet", what, df.FileFormat())
}

// Files returns the data files of the state. StateRows.File is an index into them.
func (s *State) Files() []DataFile { return s.files }

// Cursor returns a cursor over the state. Each goroutine needs its own cursor.
func (s *State) Cursor() *StateCursor {
	return &StateCursor{state: s, hid: map[int]bitmap{}, cache: groupCache{limit: cmp.Or(s.opts.Cache, defaultCache)}}
}

// overlaps reports whether a key in [min, max] can satisfy lo <= key < hi. A nil hi means no upper limit.
func overlaps(min, max *identity.Key, lo identity.Key, hi *identity.Key) bool {
	return bytes.Compare(max[:], lo[:]) >= 0 && (hi == nil || bytes.Compare(min[:], hi[:]) < 0)
}

// groupOf returns the index of the row group that contains row pos of the file.
func (f *footer) groupOf(pos int64) int {
	return sort.Search(len(f.groups), func(g int) bool { return f.groups[g].first > pos }) - 1
}

// openFooter reads the footer of a data file. For a file of another program, openFooter reads the footer of the sorted
// copy.
func (d *Dataset) openFooter(f *stateFile, opts StateOptions) (*footer, error) {
	r, file, err := f.in.openParquet(f.Path, nil)
	if err != nil {
		return nil, err
	}
	out := &footer{in: f.in, location: f.Path, meta: r.MetaData(), sums: file.sums}
	if err := file.Close(); err != nil {
		return nil, err
	}
	out.columns = d.columns.in(out.meta.Schema)
	if out.meta.GetCreatedBy() != createdBy {
		if out, err = d.sortedCopy(f, out); err != nil {
			return nil, err
		}
	}
	return out, out.find(d.columns, opts)
}

// find finds the columns and the row groups that a state needs.
func (f *footer) find(columns *columns, opts StateOptions) (err error) {
	for _, c := range []struct {
		name string
		to   *int
	}{{ColID, &f.id}, {ColContent, &f.content}, {ColSince, &f.since}, {ColSeen, &f.seen}} {
		if *c.to, err = f.columns.leaf(columns.field(c.name)); err != nil {
			return err
		}
	}
	for _, name := range opts.Identities {
		column := columns.field(name)
		i := -1
		if found, ok := f.columns[idOfField(column)]; ok {
			i = found.root
		} else if column.Name == "" {
			return fmt.Errorf("the table has no column %q", name)
		}
		f.identities, f.types = append(f.identities, i), append(f.types, column.Type)
	}
	first := int64(0)
	for g := range f.meta.NumRowGroups() {
		rg := f.meta.RowGroup(g)
		b, err := boundsOf(rg, f.id)
		if err != nil {
			return fmt.Errorf("row group %d: %w", g, err)
		}
		b.first = first
		if g > 0 && bytes.Compare(b.min[:], f.groups[g-1].max[:]) < 0 {
			return errNotSorted
		}
		f.groups = append(f.groups, b)
		first += rg.NumRows()
	}
	return nil
}

var errNotSorted = errors.New("its rows are not sorted by " + ColID)

func boundsOf(rg *metadata.RowGroupMetaData, idColumn int) (b groupBounds, err error) {
	chunk, err := rg.ColumnChunk(idColumn)
	if err != nil {
		return b, err
	}
	stats, err := chunk.Statistics()
	if err != nil {
		return b, err
	}
	if stats == nil || !stats.HasMinMax() || len(stats.EncodeMin()) != 16 || len(stats.EncodeMax()) != 16 {
		return b, errors.New("it has no bounds of " + ColID)
	}
	b.min, b.max = identity.Key(stats.EncodeMin()), identity.Key(stats.EncodeMax())
	return b, nil
}

// groupsIn returns the range of the row groups that may contain keys in lo <= key < hi.
func (f *footer) groupsIn(lo identity.Key, hi *identity.Key) (from, to int) {
	n := len(f.groups)
	from = sort.Search(n, func(g int) bool { return bytes.Compare(f.groups[g].max[:], lo[:]) >= 0 })
	to = n
	if hi != nil {
		to = sort.Search(n, func(g int) bool { return bytes.Compare(f.groups[g].min[:], hi[:]) >= 0 })
	}
	return from, to
}

// open opens the file of the footer.
func (f *footer) open(opts ...file.ReadOption) (*file.Reader, *sumFile, error) {
	return f.in.openParquet(f.location, f, opts...)
}

// openParquet opens a file of the table. If its footer is already known, foot is the footer. Reads check the file's
// checksums.
func (fs files) openParquet(location string, foot *footer, opts ...file.ReadOption) (_ *file.Reader, _ *sumFile, err error) {
	path, err := fs.pathOf(location)
	if err != nil {
		return nil, nil, err
	}
	var f *sumFile
	if foot != nil && foot.sums != nil {
		f, err = fs.openKnown(path, foot.sums)
	} else {
		f, err = fs.openSums(path)
	}
	if err != nil {
		return nil, nil, opened(path, err)
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	defer recovered(&err)
	if foot != nil {
		opts = append(opts, file.WithMetadata(foot.meta))
	}
	r, err := file.NewParquetReader(f, opts...)
	return r, f, err
}

// recovered converts a panic to an error. arrow-go panics on some damaged files, and files without checksums may be
// damaged.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("its content cannot be decoded: %v", p)
	}
}
