package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"roster/internal/identity"
)

// stateGroup is a decoded row group: a few columns of all its rows.
type stateGroup struct {
	file, index int
	ids         []identity.Key
	content     []int64
	since       []int64
	seen        []int64
	identities  []arrow.Array // nil if no identities are read
	size        int
}

// find returns the rows with lo <= key < hi.
func (g *stateGroup) find(lo identity.Key, hi *identity.Key) (from, to int) {
	n := len(g.ids)
	from = sort.Search(n, func(i int) bool { return bytes.Compare(g.ids[i][:], lo[:]) >= 0 })
	to = n
	if hi != nil {
		to = sort.Search(n, func(i int) bool { return bytes.Compare(g.ids[i][:], hi[:]) >= 0 })
	}
	return from, max(from, to)
}

// groupCache keeps the row groups used last, the newest at the end. It keeps at least one. Several together have at
// most limit bytes.
type groupCache struct {
	limit  int
	groups []*stateGroup
	size   int
	spare  *stateGroup // an evicted row group whose memory is reused
}

// get returns a row group of a file of the state.
func (c *groupCache) get(fileIndex, index int, foot *footer) (*stateGroup, error) {
	for i, g := range c.groups {
		if g.file == fileIndex && g.index == index {
			c.groups = append(slices.Delete(c.groups, i, i+1), g)
			return g, nil
		}
	}
	g := c.spare
	c.spare = nil
	if g == nil {
		g = &stateGroup{}
	}
	g.file, g.index = fileIndex, index
	if err := g.read(foot); err != nil {
		return nil, fmt.Errorf("row group %d: %w", index, err)
	}
	c.groups = append(c.groups, g)
	c.size += g.size
	for c.size > c.limit && len(c.groups) > 1 {
		c.spare = c.groups[0]
		c.size -= c.spare.size
		c.groups = slices.Delete(c.groups, 0, 1)
	}
	return g, nil
}

// read decodes the row group into g and reuses the slices of g.
func (g *stateGroup) read(foot *footer) error {
	r, f, err := foot.open()
	if err != nil {
		return err
	}
	defer f.Close()
	rg := r.RowGroup(g.index)
	n := int(rg.NumRows())
	if g.ids, err = readKeys(rg, foot.id, resize(g.ids, n)); err != nil {
		return err
	}
	g.content, g.since, g.seen = resize(g.content, n), resize(g.since, n), resize(g.seen, n)
	for _, c := range []struct {
		column int
		to     []int64
	}{{foot.content, g.content}, {foot.since, g.since}, {foot.seen, g.seen}} {
		col, err := columnOf[*file.Int64ColumnChunkReader](rg, c.column)
		if err != nil {
			return err
		}
		if err := readFull(col, c.to); err != nil {
			return err
		}
	}
	g.size = n * (16 + 3*8)
	return g.readIdentities(r, foot)
}

func (g *stateGroup) readIdentities(r *file.Reader, foot *footer) error {
	if len(foot.identities) == 0 {
		return nil
	}
	ar, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		return err
	}
	g.identities = make([]arrow.Array, len(foot.identities)) // rows of earlier ranges may still refer to the old array
	for i, column := range foot.identities {
		if column < 0 {
			g.identities[i] = array.NewNull(len(g.ids)) // the file is older than the column
			continue
		}
		chunks, err := ar.RowGroup(g.index).Column(column).Read(context.Background())
		if err != nil {
			return err
		}
		all, err := array.Concatenate(chunks.Chunks(), memory.DefaultAllocator)
		if err != nil {
			return err
		}
		g.identities[i], err = conformed(context.Background(), all, foot.types[i])
		all.Release()
		if err != nil {
			return err
		}
		g.size += int(g.identities[i].Data().SizeInBytes())
	}
	return nil
}

// resize returns a slice of n elements, in the memory of s if they fit.
func resize[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }

// columnOf returns the reader of a column. R must match the physical type of the column.
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

// readKeys reads a column of keys and checks their order.
func readKeys(rg *file.RowGroupReader, i int, to []identity.Key) ([]identity.Key, error) {
	col, err := rg.Column(i)
	if err != nil {
		return nil, err
	}
	switch col := col.(type) {
	case *file.FixedLenByteArrayColumnChunkReader:
		return to, readKeysOf(col.ReadBatch, to)
	case *file.ByteArrayColumnChunkReader: // see storedType
		return to, readKeysOf(col.ReadBatch, to)
	}
	return nil, fmt.Errorf("column %d is a %s", i, col.Type())
}

func readKeysOf[V ~[]byte](read func(n int64, values []V, def, rep []int16) (total int64, got int, err error), to []identity.Key) error {
	batch := make([]V, min(len(to), 1<<13))
	for at := 0; at < len(to); {
		got, _, err := read(int64(min(len(batch), len(to)-at)), batch, nil, nil)
		if err != nil || got == 0 {
			return errors.Join(err, errShort(got))
		}
		for _, v := range batch[:got] {
			if len(v) != len(to[at]) {
				return fmt.Errorf("a key has %d bytes", len(v))
			}
			to[at] = identity.Key(v)
			if at > 0 && bytes.Compare(to[at-1][:], to[at][:]) > 0 {
				return errNotSorted
			}
			at++
		}
	}
	return nil
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

// errShort returns the error for a column that has fewer values than its row group.
func errShort(got int64) error {
	if got == 0 {
		return errors.New("a column ends before its row group")
	}
	return nil
}
