package lake

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/iceberg-go"
	"github.com/google/uuid"
	"github.com/zeebo/xxh3"

	"roster/internal/blob"
)

// A data file of another program may have rows in any order, row groups of any size without bounds, columns of promoted
// types, and any codec. Roster reads such a file once and keeps a sorted copy outside the table's directory. The copy
// has the form of Roster's own files, with a column for the position of each row in the data file. All other code reads
// the copy. Compaction and full runs replace the data file and the copy.

const (
	sortedFolder = "sorted"
	// sortedMemory is the approximate memory for the values while a copy is made, in bytes. Only one copy is made at a
	// time.
	sortedMemory = 32 << 20
	colPosition  = "_roster_pos"
	positionID   = 2147483545 // Iceberg's field id of a column of positions
)

// filesDir returns the directory, next to the table's directory, for files that Roster keeps for a table and that are
// not part of the table.
func filesDir(dir string) string { return dir + "-files" }

// sortedOf returns the folder, below filesDir, of the copies of a data file.
func sortedOf(p string) string {
	sum := xxh3.HashString128(p).Bytes()
	return path.Join(sortedFolder, hex.EncodeToString(sum[:]))
}

// sortedCopy returns the footer of the sorted copy of a data file. If there is no copy, sortedCopy makes one.
func (d *Dataset) sortedCopy(f *stateFile, foot *footer) (*footer, error) {
	if f.Rows > math.MaxUint32 {
		return nil, fmt.Errorf("it has %d rows, and Roster reads files of other programs with at most %d", f.Rows, uint32(math.MaxUint32))
	}
	ctx := context.Background()
	c, err := d.copies(f)
	if err != nil {
		return nil, err
	}
	d.lake.copying.Lock()
	defer d.lake.copying.Unlock()
	location, err := c.existing(ctx)
	if err == nil && location == "" {
		location, err = c.make(ctx, f, foot)
	}
	if err != nil {
		return nil, err
	}
	return c.open(location)
}

// copies makes and opens the sorted copies of a data file for a schema.
type copies struct {
	*Dataset        // dir is filesDir; the last column is the position
	dir      string // directory of the copy, below filesDir
}

func (d *Dataset) copies(f *stateFile) (*copies, error) {
	of := d.columns
	fields := append(slices.Clone(of.written.Fields()), iceberg.NestedField{ID: positionID, Name: colPosition, Type: iceberg.PrimitiveTypes.Int64})
	position := arrow.Field{Name: colPosition, Type: arrow.PrimitiveTypes.Int64, Nullable: true, Metadata: arrow.NewMetadata([]string{fieldID}, []string{strconv.Itoa(positionID)})}
	with := *d
	with.dir, with.folder = filesDir(d.dir), sortedFolder
	withPosition := func(s *arrow.Schema) *arrow.Schema {
		return arrow.NewSchema(append(slices.Clone(s.Fields()), position), nil)
	}
	with.columns = &columns{own: of.own, all: withPosition(of.all), written: iceberg.NewSchema(0, fields...), stored: withPosition(of.stored), byName: of.byName}
	p, err := d.lake.files.pathOf(f.Path)
	schema := d.table.Schema().ID // each schema has its own copy
	return &copies{&with, path.Join(sortedOf(p), strconv.Itoa(schema))}, err
}

// existing returns the location of the copy, or "" if there is none.
func (c *copies) existing(ctx context.Context) (location string, err error) {
	err = c.store().List(ctx, c.dir, func(o blob.Object) error {
		if strings.HasSuffix(o.Path, ".parquet") && !blob.Unfinished(o.Path) {
			location = c.lake.files.locationOf(path.Join(c.Dataset.dir, o.Path))
		}
		return nil
	})
	return location, unlessAbsent(err)
}

// open returns the footer of a copy.
func (c *copies) open(location string) (*footer, error) {
	r, f, err := c.lake.files.openParquet(location, nil)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := &footer{in: c.lake.files, location: location, meta: r.MetaData(), sums: f.sums, columns: c.columns.in(r.MetaData().Schema)}
	leaf, err := out.columns.leaf(c.columns.field(colPosition))
	if err != nil {
		return nil, err
	}
	out.order = make([]uint32, 0, r.NumRows())
	for g := range r.NumRowGroups() {
		if out.order, err = appendPositions(out.order, r.RowGroup(g), leaf); err != nil {
			return nil, fmt.Errorf("row group %d: %w", g, err)
		}
	}
	return out, nil
}

func appendPositions(to []uint32, rg *file.RowGroupReader, leaf int) (_ []uint32, err error) {
	defer recovered(&err)
	col, err := columnOf[*file.Int64ColumnChunkReader](rg, leaf)
	if err != nil {
		return nil, err
	}
	batch := make([]int64, min(rg.NumRows(), 1<<13))
	for left := rg.NumRows(); left > 0; left -= int64(len(batch)) {
		batch = batch[:min(int64(len(batch)), left)]
		if err := readFull(col, batch); err != nil {
			return nil, err
		}
		for _, pos := range batch {
			to = append(to, uint32(pos))
		}
	}
	return to, nil
}

// make makes the copy. It sorts as many rows at a time as fit into memory, and then merges these parts.
func (c *copies) make(ctx context.Context, f *stateFile, foot *footer) (location string, err error) {
	interim := path.Join(path.Dir(c.dir), "interim-"+uuid.NewString())
	defer func() {
		err = errors.Join(err, c.store().RemoveAll(context.WithoutCancel(ctx), interim))
	}()
	parts, err := c.sortParts(ctx, f, foot, strings.TrimPrefix(interim, sortedFolder+"/"))
	if err != nil {
		return "", err
	}
	made, err := c.rewrite(ctx, parts, RewriteOptions{Dir: strings.TrimPrefix(c.dir, sortedFolder+"/"), Memory: sortedMemory, FileSize: math.MaxInt64})
	if err != nil {
		return "", err
	}
	if len(made) != 1 || made[0].Rows != f.Rows {
		return "", fmt.Errorf("its sorted copy does not have the %d rows that the table's metadata say", f.Rows)
	}
	return made[0].Path, nil
}

// sortParts writes the rows as sorted parts.
func (c *copies) sortParts(ctx context.Context, f *stateFile, foot *footer, dir string) (parts []*stateFile, err error) {
	defer recovered(&err)
	plain := *f
	plain.footer = func() (*footer, error) { return foot, nil }
	if foot.groups, foot.id, err = c.anyOrder(foot); err != nil {
		return nil, err
	}
	without := arrow.NewSchema(c.columns.all.Fields()[:c.columns.all.NumFields()-1], nil)
	r, ok, err := openRows(ctx, &plain, without, rowOptions{batch: defaultBatchRows, dead: true, Reading: Reading{Memory: sortedMemory / 2}})
	if err != nil || !ok {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	p := sortedPart{copies: c, dir: dir}
	defer p.release()
	for {
		rec, next, ok, err := r.read(ctx)
		if err != nil {
			return nil, err
		}
		if ok {
			p.add(rec, next-rec.NumRows())
		}
		if p.bytes >= sortedMemory || !ok && p.bytes > 0 {
			part, err := p.write(ctx)
			if err != nil {
				return nil, err
			}
			parts = append(parts, part)
		}
		if !ok {
			return parts, nil
		}
	}
}

// anyOrder returns the row groups of a data file with unknown keys.
func (c *copies) anyOrder(foot *footer) (groups []groupBounds, id int, err error) {
	if id, err = foot.columns.leaf(c.columns.field(ColID)); err != nil {
		return nil, 0, err
	}
	first := int64(0)
	for g := range foot.meta.NumRowGroups() {
		groups = append(groups, groupBounds{first: first})
		first += foot.meta.RowGroup(g).NumRows()
	}
	return groups, id, nil
}

// sortedPart contains rows that are sorted in memory.
type sortedPart struct {
	*copies
	dir   string
	recs  []arrow.RecordBatch
	first []int64 // position of the first row of each batch
	bytes int
}

func (p *sortedPart) add(rec arrow.RecordBatch, first int64) {
	if rec.NumRows() == 0 {
		rec.Release()
		return
	}
	p.recs, p.first = append(p.recs, rec), append(p.first, first)
	p.bytes += bytesOf(rec) + 32*int(rec.NumRows())
}

func (p *sortedPart) release() {
	for _, rec := range p.recs {
		rec.Release()
	}
	p.recs, p.first, p.bytes = nil, nil, 0
}

// write writes the rows ordered by key. Rows with equal keys are ordered by position.
func (p *sortedPart) write(ctx context.Context) (*stateFile, error) {
	defer p.release()
	all, order, positions, err := p.gather()
	if err != nil {
		return nil, err
	}
	w, err := p.NewFile(p.dir, FileOptions{Memory: sortedMemory / 4})
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	for some := range slices.Chunk(order, rewriteRows) {
		if err := p.writeRows(ctx, w, all, some, positions); err != nil {
			return nil, err
		}
		w.EndRowGroup()
	}
	f, err := w.Close()
	if err != nil {
		return nil, err
	}
	return p.newStateFile(f.file, StateOptions{})
}

// gather returns the columns of all rows, the order of the rows by key, and their positions.
func (p *sortedPart) gather() (columns []arrow.Array, order []uint32, positions []int64, err error) {
	for i := range p.recs[0].NumCols() {
		chunks := make([]arrow.Array, len(p.recs))
		for n, rec := range p.recs {
			chunks[n] = rec.Column(int(i))
		}
		col, err := array.Concatenate(chunks, memory.DefaultAllocator)
		if err != nil {
			return nil, nil, nil, err
		}
		columns = append(columns, col)
	}
	for n, rec := range p.recs {
		for i := range rec.NumRows() {
			positions = append(positions, p.first[n]+i)
		}
	}
	ids := columns[p.columns.all.FieldIndices(ColID)[0]].(*array.FixedSizeBinary)
	order = make([]uint32, len(positions))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int {
		return cmp.Or(bytes.Compare(ids.Value(int(a)), ids.Value(int(b))), cmp.Compare(a, b))
	})
	return columns, order, positions, nil
}

func (p *sortedPart) writeRows(ctx context.Context, w *FileWriter, columns []arrow.Array, rows []uint32, positions []int64) error {
	b := array.NewUint32Builder(memory.DefaultAllocator)
	defer b.Release()
	b.AppendValues(rows, nil)
	take := b.NewUint32Array()
	defer take.Release()
	at := array.NewInt64Builder(memory.DefaultAllocator)
	defer at.Release()
	for _, i := range rows {
		at.Append(positions[i])
	}
	cols := make([]arrow.Array, len(columns)+1)
	for i, col := range columns {
		taken, err := compute.TakeArray(ctx, col, take)
		if err != nil {
			return err
		}
		defer taken.Release()
		cols[i] = taken
	}
	cols[len(columns)] = at.NewInt64Array()
	defer cols[len(columns)].Release()
	rec := array.NewRecordBatch(p.columns.all, cols, int64(len(rows)))
	defer rec.Release()
	return w.Write(rec)
}

// removeCopies removes the copies of a data file.
func (d *Dataset) removeCopies(ctx context.Context, p string) error {
	return unlessAbsent(d.lake.files.store.Below(filesDir(d.dir)).RemoveAll(ctx, sortedOf(p)))
}

// removeOrphanCopies removes the copies of data files whose paths are not in named.
func (d *Dataset) removeOrphanCopies(ctx context.Context, named map[string]bool) error {
	live := map[string]bool{}
	for p := range named {
		live[sortedOf(p)] = true
	}
	store := d.lake.files.store.Below(filesDir(d.dir))
	var doomed []string
	err := store.Browse(ctx, sortedFolder, func(o blob.Object, folder bool) error {
		if p := strings.TrimSuffix(o.Path, "/"); folder && !live[p] {
			doomed = append(doomed, p)
		}
		return nil
	})
	if err := unlessAbsent(err); err != nil {
		return err
	}
	for _, p := range doomed {
		if err := store.RemoveAll(ctx, p); err != nil {
			return err
		}
	}
	return nil
}
