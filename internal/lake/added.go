package lake

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// AddedValues collects the values of the columns that other programs added, for rows that are rewritten. The rows
// between two calls of Join are all added by AddRow, or all by AddEncoded.
type AddedValues struct {
	columns *columns
	pieces  [][]piece        // for each of these columns
	encoded []*encodedColumn // values of AddEncoded, for each of these columns
}

// piece is a range of a column. Without an array, the values of the range are null.
type piece struct {
	col      arrow.Array
	from, to int
}

// NewAddedValues returns an empty collector of values.
func (d *Dataset) NewAddedValues() *AddedValues { return newAddedValues(d.columns) }

func newAddedValues(c *columns) *AddedValues {
	out := &AddedValues{columns: c, pieces: make([][]piece, len(c.added()))}
	for _, f := range c.added() {
		out.encoded = append(out.encoded, newEncodedColumn(f.Type))
	}
	return out
}

// AddedColumns returns the names of the columns that other programs added, for use in StateOptions.
func (d *Dataset) AddedColumns() []string {
	var names []string
	for _, f := range d.columns.added() {
		names = append(names, f.Name)
	}
	return names
}

// AddRow appends the values of row i of a state. The added columns begin at the first-th further column of the state.
// If i is -1, the values are null.
func (c *AddedValues) AddRow(st *StateRows, first, i int) {
	for n := range c.pieces {
		if i < 0 {
			c.add(n, nil, 0, 1)
			continue
		}
		col, row := st.Identity(first+n, i)
		c.add(n, col, row, row+1)
	}
}

// AddEncoded appends the values at the start of p, which AppendEncoded encoded for each added column.
func (c *AddedValues) AddEncoded(p []byte) {
	for _, col := range c.encoded {
		p = col.append(p)
	}
}

// add appends a range of values of a column.
func (c *AddedValues) add(n int, col arrow.Array, from, to int) {
	if col != nil && col.DataType().ID() == arrow.NULL {
		col, from, to = nil, 0, to-from
	}
	if last := len(c.pieces[n]) - 1; last >= 0 {
		p := &c.pieces[n][last]
		if p.col == nil && col == nil {
			p.to += to - from
			return
		}
		if p.col == col && p.to == from {
			p.to = to
			return
		}
	}
	if col != nil {
		col.Retain()
	}
	c.pieces[n] = append(c.pieces[n], piece{col, from, to})
}

// Join appends the collected values as columns to rec and begins a new collection. The caller releases both batches.
func (c *AddedValues) Join(rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	if len(c.pieces) == 0 {
		rec.Retain()
		return rec, nil
	}
	cols := append([]arrow.Array(nil), rec.Columns()...)
	for n, f := range c.columns.added() {
		if c.encoded[n].n > 0 {
			col := c.encoded[n].array()
			c.pieces[n] = append(c.pieces[n], piece{col, 0, col.Len()})
		}
		col, err := joined(c.pieces[n], f.Type)
		if err != nil {
			return nil, err
		}
		defer col.Release()
		cols = append(cols, col)
		c.release(n)
	}
	return array.NewRecordBatch(c.columns.all, cols, rec.NumRows()), nil
}

// joined concatenates pieces into one array.
func joined(pieces []piece, t arrow.DataType) (arrow.Array, error) {
	arrays := make([]arrow.Array, len(pieces))
	for i, p := range pieces {
		if p.col == nil {
			arrays[i] = array.MakeArrayOfNull(memory.DefaultAllocator, t, p.to-p.from)
		} else {
			arrays[i] = array.NewSlice(p.col, int64(p.from), int64(p.to))
		}
		defer arrays[i].Release()
		col, err := conformed(context.Background(), arrays[i], t)
		if err != nil {
			return nil, err
		}
		defer col.Release()
		arrays[i] = col
	}
	return array.Concatenate(arrays, memory.DefaultAllocator)
}

func (c *AddedValues) release(n int) {
	for _, p := range c.pieces[n] {
		if p.col != nil {
			p.col.Release()
		}
	}
	c.pieces[n] = c.pieces[n][:0]
}

// Release releases the collected values.
func (c *AddedValues) Release() {
	for n := range c.pieces {
		c.release(n)
	}
}
