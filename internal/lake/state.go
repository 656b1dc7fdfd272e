package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sort"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/iceberg-go"
)

// StateOptions say what of the state is read.
type StateOptions struct {
	Identities []string // names of further identity columns
}

// State is the members of the current snapshot, as a merge needs them: key, content hash and time stamps.
type State struct {
	ctx     context.Context
	dataset *Dataset
	opts    StateOptions
	files   []DataFile
	deleted []bitmap // per file; nil when nothing of it is deleted
	deletes []iceberg.DataFile
}

type bitmap []uint64

func (b bitmap) has(pos int64) bool { return b != nil && b[pos>>6]&(1<<(pos&63)) != 0 }

// OpenState opens the state; it reads which rows are deleted.
func (d *Dataset) OpenState(ctx context.Context, opts StateOptions) (*State, error) {
	s := &State{ctx: ctx, dataset: d, opts: opts}
	live, deletes, err := d.liveFiles(ctx)
	if err != nil {
		return nil, err
	}
	s.deletes = deletes
	index := map[string]int{}
	for i, f := range live {
		s.files = append(s.files, dataFileOf(f))
		index[f.FilePath()] = i
	}
	s.deleted = make([]bitmap, len(s.files))
	for _, del := range deletes {
		if err := s.readDeletes(del.FilePath(), index); err != nil {
			return nil, fmt.Errorf("read the position deletes %s: %w", del.FilePath(), err)
		}
	}
	return s, nil
}

// liveFiles returns the data files and the delete files of the current snapshot.
func (d *Dataset) liveFiles(ctx context.Context) (data, deletes []iceberg.DataFile, err error) {
	snap := d.table.CurrentSnapshot()
	if snap == nil {
		return nil, nil, nil
	}
	fs, err := d.table.FS(ctx)
	if err != nil {
		return nil, nil, err
	}
	manifests, err := snap.Manifests(fs)
	if err != nil {
		return nil, nil, fmt.Errorf("read the manifests of snapshot %d: %w", snap.SnapshotID, err)
	}
	for _, m := range manifests {
		for e, err := range m.Entries(fs, true) {
			if err != nil {
				return nil, nil, fmt.Errorf("read the manifest %s: %w", m.FilePath(), err)
			}
			if df := e.DataFile(); df.ContentType() == iceberg.EntryContentData {
				data = append(data, df)
			} else {
				deletes = append(deletes, df)
			}
		}
	}
	return data, deletes, nil
}

func (s *State) readDeletes(location string, index map[string]int) error {
	r, f, err := openParquet(location)
	if err != nil {
		return err
	}
	defer f.Close()
	const batch = 1 << 14
	paths := make([]parquet.ByteArray, batch)
	positions := make([]int64, batch)
	for g := range r.NumRowGroups() {
		rg := r.RowGroup(g)
		pathCol, err := columnOf[*file.ByteArrayColumnChunkReader](rg, 0)
		if err != nil {
			return err
		}
		posCol, err := columnOf[*file.Int64ColumnChunkReader](rg, 1)
		if err != nil {
			return err
		}
		for left := rg.NumRows(); left > 0; {
			n, _, err := pathCol.ReadBatch(min(left, batch), paths, nil, nil)
			if err != nil || n == 0 {
				return errors.Join(err, errShort(n))
			}
			if err := readFull(posCol, positions[:n]); err != nil {
				return err
			}
			s.markDeleted(paths[:n], positions[:n], index)
			left -= n
		}
	}
	return nil
}

func (s *State) markDeleted(paths []parquet.ByteArray, positions []int64, index map[string]int) {
	for i, p := range paths {
		at, ok := index[string(p)]
		if !ok {
			continue // a file that is no longer part of the table
		}
		if s.deleted[at] == nil {
			s.deleted[at] = make(bitmap, (s.files[at].Rows+63)/64)
		}
		s.deleted[at][positions[i]>>6] |= 1 << (positions[i] & 63)
	}
}

// Files are the data files of the state; StateRows.File is an index in them.
func (s *State) Files() []DataFile { return s.files }

// Cursor returns a reader of the state. Each goroutine needs its own.
func (s *State) Cursor() *StateCursor {
	return &StateCursor{state: s, open: make([]*stateFile, len(s.files)), bounds: make([]*fileBounds, len(s.files))}
}

// StateRows are rows of the state, sorted by key. Times are epoch microseconds.
type StateRows struct {
	IDs        []Key
	Row        []int64
	Since      []int64
	Seen       []int64
	File       []int32
	Pos        []int64
	identities []identityAt // only when identities are read
}

type identityAt struct {
	group *stateGroup
	row   int32
}

// Identity returns the n-th further identity of row i as an element of an array.
func (r *StateRows) Identity(n, i int) (col arrow.Array, row int) {
	at := r.identities[i]
	return at.group.identities[n], int(at.row)
}

func (r *StateRows) reset() {
	*r = StateRows{r.IDs[:0], r.Row[:0], r.Since[:0], r.Seen[:0], r.File[:0], r.Pos[:0], r.identities[:0]}
}

// StateCursor reads ranges of the state, best in ascending order. It is not safe for concurrent use.
type StateCursor struct {
	state  *State
	open   []*stateFile
	bounds []*fileBounds
	rows   StateRows
	merged StateRows
	starts []int
}

// fileBounds are the keys of a file's row groups.
type fileBounds struct {
	min, max []Key
	first    []int64 // position of each group's first row
}

// stateFile is an open data file with the row group that was read last.
type stateFile struct {
	f     *os.File
	r     *file.Reader
	group *stateGroup
}

// stateGroup is a decoded row group.
type stateGroup struct {
	index      int
	ids        []byte // 16 bytes a row
	content    []int64
	since      []int64
	seen       []int64
	identities []arrow.Array
}

func (g *stateGroup) id(i int) []byte { return g.ids[i*16 : i*16+16] }

// Range returns the live rows with lo <= key < hi; a nil hi means to the end. The result is valid until the
// next call.
func (c *StateCursor) Range(lo Key, hi *Key) (*StateRows, error) {
	c.rows.reset()
	c.starts = c.starts[:0]
	for i := range c.state.files {
		before := len(c.rows.IDs)
		if err := c.rangeOf(i, lo, hi); err != nil {
			return nil, fmt.Errorf("read %s: %w", c.state.files[i].Path, err)
		}
		if len(c.rows.IDs) > before {
			c.starts = append(c.starts, before)
		}
	}
	if len(c.starts) < 2 {
		return &c.rows, nil
	}
	return c.merge(), nil
}

// rangeOf appends the rows of one file.
func (c *StateCursor) rangeOf(i int, lo Key, hi *Key) error {
	b := c.bounds[i]
	if b == nil {
		var err error
		if b, err = c.readBounds(i); err != nil {
			return err
		}
		c.bounds[i] = b
	}
	for g := range b.min {
		if bytes.Compare(b.max[g][:], lo[:]) < 0 || (hi != nil && bytes.Compare(b.min[g][:], hi[:]) >= 0) {
			continue
		}
		group, err := c.readGroup(i, g)
		if err != nil {
			return err
		}
		c.append(i, b.first[g], group, lo, hi)
	}
	if n := len(b.max); n == 0 || (hi != nil && bytes.Compare(b.max[n-1][:], hi[:]) < 0) {
		c.closeFile(i) // everything after this range lies in other files
	}
	return nil
}

func (c *StateCursor) append(fileIndex int, first int64, g *stateGroup, lo Key, hi *Key) {
	n := len(g.content)
	from := sort.Search(n, func(i int) bool { return bytes.Compare(g.id(i), lo[:]) >= 0 })
	to := n
	if hi != nil {
		to = sort.Search(n, func(i int) bool { return bytes.Compare(g.id(i), hi[:]) >= 0 })
	}
	deleted := c.state.deleted[fileIndex]
	r := &c.rows
	for i := from; i < to; i++ {
		pos := first + int64(i)
		if deleted.has(pos) {
			continue
		}
		r.IDs = append(r.IDs, Key(g.id(i)))
		r.Row = append(r.Row, g.content[i])
		r.Since = append(r.Since, g.since[i])
		r.Seen = append(r.Seen, g.seen[i])
		r.File = append(r.File, int32(fileIndex))
		r.Pos = append(r.Pos, pos)
		if g.identities != nil {
			r.identities = append(r.identities, identityAt{g, int32(i)})
		}
	}
}

// merge sorts the rows of several files; each file's are sorted already.
func (c *StateCursor) merge() *StateRows {
	order := make([]int, len(c.rows.IDs))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return bytes.Compare(c.rows.IDs[a][:], c.rows.IDs[b][:]) })
	c.merged.reset()
	for _, i := range order {
		c.merged.IDs = append(c.merged.IDs, c.rows.IDs[i])
		c.merged.Row = append(c.merged.Row, c.rows.Row[i])
		c.merged.Since = append(c.merged.Since, c.rows.Since[i])
		c.merged.Seen = append(c.merged.Seen, c.rows.Seen[i])
		c.merged.File = append(c.merged.File, c.rows.File[i])
		c.merged.Pos = append(c.merged.Pos, c.rows.Pos[i])
		if len(c.rows.identities) > 0 {
			c.merged.identities = append(c.merged.identities, c.rows.identities[i])
		}
	}
	return &c.merged
}

func (c *StateCursor) file(i int) (*stateFile, error) {
	if c.open[i] == nil {
		r, f, err := openParquet(c.state.files[i].Path)
		if err != nil {
			return nil, err
		}
		c.open[i] = &stateFile{f: f, r: r}
	}
	return c.open[i], nil
}

func (c *StateCursor) readBounds(i int) (*fileBounds, error) {
	sf, err := c.file(i)
	if err != nil {
		return nil, err
	}
	meta := sf.r.MetaData()
	idColumn := meta.Schema.ColumnIndexByName(colID)
	b := &fileBounds{}
	first := int64(0)
	for g := range sf.r.NumRowGroups() {
		rg := meta.RowGroup(g)
		chunk, err := rg.ColumnChunk(idColumn)
		if err != nil {
			return nil, err
		}
		stats, err := chunk.Statistics()
		if err != nil || stats == nil || !stats.HasMinMax() {
			return nil, fmt.Errorf("row group %d has no bounds of %s: %w", g, colID, err)
		}
		b.min = append(b.min, Key(stats.EncodeMin()))
		b.max = append(b.max, Key(stats.EncodeMax()))
		b.first = append(b.first, first)
		first += rg.NumRows()
	}
	return b, nil
}

// readGroup returns a decoded row group, the one read last without reading it again.
func (c *StateCursor) readGroup(i, g int) (*stateGroup, error) {
	sf, err := c.file(i)
	if err != nil {
		return nil, err
	}
	if sf.group != nil && sf.group.index == g {
		return sf.group, nil
	}
	rg := sf.r.RowGroup(g)
	n := int(rg.NumRows())
	out := &stateGroup{index: g, content: make([]int64, n), since: make([]int64, n), seen: make([]int64, n)}
	schema := sf.r.MetaData().Schema
	if out.ids, err = readKeys(rg, schema.ColumnIndexByName(colID), n); err != nil {
		return nil, err
	}
	for _, c := range []struct {
		name string
		to   []int64
	}{{colContent, out.content}, {colSince, out.since}, {colSeen, out.seen}} {
		col, err := columnOf[*file.Int64ColumnChunkReader](rg, schema.ColumnIndexByName(c.name))
		if err != nil {
			return nil, err
		}
		if err := readFull(col, c.to); err != nil {
			return nil, err
		}
	}
	if out.identities, err = c.readIdentities(sf.r, g); err != nil {
		return nil, err
	}
	sf.group = out
	return out, nil
}

func (c *StateCursor) readIdentities(r *file.Reader, g int) ([]arrow.Array, error) {
	if len(c.state.opts.Identities) == 0 {
		return nil, nil
	}
	ar, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	var out []arrow.Array
	for _, name := range c.state.opts.Identities {
		chunks, err := ar.RowGroup(g).Column(r.MetaData().Schema.ColumnIndexByName(name)).Read(c.state.ctx)
		if err != nil {
			return nil, err
		}
		col, err := array.Concatenate(chunks.Chunks(), memory.DefaultAllocator)
		if err != nil {
			return nil, err
		}
		out = append(out, col)
	}
	return out, nil
}

func (c *StateCursor) closeFile(i int) {
	if sf := c.open[i]; sf != nil {
		sf.f.Close()
		c.open[i] = nil
	}
}

// Close closes the cursor's files.
func (c *StateCursor) Close() {
	for i := range c.open {
		c.closeFile(i)
	}
}

func openParquet(location string) (*file.Reader, *os.File, error) {
	path, err := filePath(location)
	if err != nil {
		return nil, nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	r, err := file.NewParquetReader(f)
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return r, f, nil
}

// columnOf returns the reader of a column, of the type that its physical type has.
func columnOf[R file.ColumnChunkReader](rg *file.RowGroupReader, i int) (R, error) {
	var none R
	col, err := rg.Column(i)
	if err != nil {
		return none, err
	}
	typed, ok := col.(R)
	if !ok {
		return none, fmt.Errorf("column %d is a %s", i, col.Type())
	}
	return typed, nil
}

func readKeys(rg *file.RowGroupReader, i, n int) ([]byte, error) {
	col, err := columnOf[*file.FixedLenByteArrayColumnChunkReader](rg, i)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, n*16)
	batch := make([]parquet.FixedLenByteArray, min(n, 1<<14))
	for len(out) < n*16 {
		got, _, err := col.ReadBatch(int64(min(len(batch), n-len(out)/16)), batch, nil, nil)
		if err != nil || got == 0 {
			return nil, errors.Join(err, errShort(got))
		}
		for _, v := range batch[:got] {
			out = append(out, v...)
		}
	}
	return out, nil
}

func readFull(col *file.Int64ColumnChunkReader, to []int64) error {
	for len(to) > 0 {
		got, _, err := col.ReadBatch(int64(len(to)), to, nil, nil)
		if err != nil || got == 0 {
			return errors.Join(err, errShort(got))
		}
		to = to[got:]
	}
	return nil
}

// errShort is an error when a column ended before its row group did.
func errShort(got int64) error {
	if got == 0 {
		return errors.New("a column ends before its row group")
	}
	return nil
}
