package lake

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"roster/internal/identity"
)

// StateRows are rows of the state, sorted by key. Times are in microseconds since the epoch.
type StateRows struct {
	IDs        []identity.Key
	Row        []int64
	Since      []int64
	Seen       []int64
	File       []int32 // index into State.Files
	Pos        []int64
	identities []identityAt // set only when identities are read
}

type identityAt struct {
	columns []arrow.Array
	row     int32
}

// Identity returns the n-th further identity of row i, as an array and an index into it.
func (r *StateRows) Identity(n, i int) (col arrow.Array, row int) {
	at := r.identities[i]
	return at.columns[n], int(at.row)
}

func (r *StateRows) reset() {
	*r = StateRows{r.IDs[:0], r.Row[:0], r.Since[:0], r.Seen[:0], r.File[:0], r.Pos[:0], r.identities[:0]}
}

// appendGroup appends the rows in [from, to) of a row group, except deleted rows.
func (r *StateRows) appendGroup(fileIndex int, foot *footer, g *stateGroup, from, to int, hidden bitmap) {
	first := foot.groups[g.index].first
	for from < to {
		end := to
		if hidden != nil {
			for end = from; end < to && !hidden.has(first+int64(end)); end++ {
			}
		}
		r.IDs = append(r.IDs, g.ids[from:end]...)
		r.Row = append(r.Row, g.content[from:end]...)
		r.Since = append(r.Since, g.since[from:end]...)
		r.Seen = append(r.Seen, g.seen[from:end]...)
		for i := from; i < end; i++ {
			r.File = append(r.File, int32(fileIndex))
			r.Pos = append(r.Pos, foot.position(first+int64(i)))
		}
		if g.identities != nil {
			for i := from; i < end; i++ {
				r.identities = append(r.identities, identityAt{g.identities, int32(i)})
			}
		}
		from = end + 1 // the row at end is deleted
	}
}

// appendRows appends the rows in [from, to) of other rows.
func (r *StateRows) appendRows(o *StateRows, from, to int) {
	r.IDs = append(r.IDs, o.IDs[from:to]...)
	r.Row = append(r.Row, o.Row[from:to]...)
	r.Since = append(r.Since, o.Since[from:to]...)
	r.Seen = append(r.Seen, o.Seen[from:to]...)
	r.File = append(r.File, o.File[from:to]...)
	r.Pos = append(r.Pos, o.Pos[from:to]...)
	if len(o.identities) > 0 {
		r.identities = append(r.identities, o.identities[from:to]...)
	}
}

// StateCursor reads ranges of the state. Ascending ranges are the fastest. A StateCursor is not safe for concurrent
// use.
type StateCursor struct {
	state  *State
	cache  groupCache
	hid    map[int]bitmap // results of hidden for files with sorted copies
	rows   StateRows      // of all files, one file after the other
	merged StateRows
	sorted []segment // the sorted segments of rows
}

// segment is a sorted range of rows.
type segment struct{ at, end int }

// Range returns the live rows with lo <= key < hi. A nil hi means no upper limit. The result is valid until the next
// call.
func (c *StateCursor) Range(lo identity.Key, hi *identity.Key) (*StateRows, error) {
	c.rows.reset()
	c.sorted = c.sorted[:0]
	for i, f := range c.state.data {
		if !overlaps(&f.min, &f.max, lo, hi) {
			continue
		}
		before := len(c.rows.IDs)
		if err := c.read(i, lo, hi); err != nil {
			return nil, fmt.Errorf("read %s: %w", f.Path, unreadable(nil, f.Path, err))
		}
		c.endSegment(before)
	}
	if len(c.sorted) < 2 {
		return &c.rows, nil
	}
	c.merge()
	return &c.merged, nil
}

// hidden returns the deleted rows of a file.
func (c *StateCursor) hidden(i int, foot *footer) bitmap {
	f := c.state.data[i]
	if foot.order == nil || f.deleted == nil {
		return f.deleted
	}
	rows, ok := c.hid[i]
	if !ok {
		rows = foot.hidden(f.deleted)
		c.hid[i] = rows
	}
	return rows
}

// read appends the rows of one file.
func (c *StateCursor) read(i int, lo identity.Key, hi *identity.Key) (err error) {
	defer recovered(&err)
	f := c.state.data[i]
	foot, err := f.footer()
	if err != nil {
		return err
	}
	hidden := c.hidden(i, foot)
	for n, end := foot.groupsIn(lo, hi); n < end; n++ {
		g, err := c.cache.get(i, n, foot)
		if err != nil {
			return err
		}
		from, to := g.find(lo, hi)
		c.rows.appendGroup(i, foot, g, from, to, hidden)
	}
	return nil
}

// endSegment makes a segment of the rows from at on. If they continue the order of the previous segment, they extend
// that segment.
func (c *StateCursor) endSegment(at int) {
	end := len(c.rows.IDs)
	if at == end {
		return
	}
	if at > 0 && bytes.Compare(c.rows.IDs[at-1][:], c.rows.IDs[at][:]) <= 0 {
		c.sorted[len(c.sorted)-1].end = end
		return
	}
	c.sorted = append(c.sorted, segment{at, end})
}

// merge merges the segments. They form a heap ordered by their first keys. Each step takes all rows of the top segment
// that come before the first keys of the others.
func (c *StateCursor) merge() {
	c.merged.reset()
	for i := len(c.sorted)/2 - 1; i >= 0; i-- {
		c.sink(i)
	}
	for len(c.sorted) > 0 {
		top := &c.sorted[0]
		from := top.at
		if next := c.second(); next < 0 {
			top.at = top.end
		} else {
			limit := &c.rows.IDs[c.sorted[next].at]
			for top.at++; top.at < top.end && bytes.Compare(c.rows.IDs[top.at][:], limit[:]) < 0; top.at++ {
			}
		}
		c.merged.appendRows(&c.rows, from, top.at)
		if top.at == top.end {
			last := len(c.sorted) - 1
			c.sorted[0] = c.sorted[last]
			c.sorted = c.sorted[:last]
		}
		c.sink(0)
	}
}

func (c *StateCursor) less(i, j int) bool {
	return bytes.Compare(c.rows.IDs[c.sorted[i].at][:], c.rows.IDs[c.sorted[j].at][:]) < 0
}

// second returns the segment that comes after the top one, or -1 if there is none.
func (c *StateCursor) second() int {
	switch len(c.sorted) {
	case 0, 1:
		return -1
	case 2:
		return 1
	}
	if c.less(2, 1) {
		return 2
	}
	return 1
}

// sink moves segment i down to its position in the heap.
func (c *StateCursor) sink(i int) {
	for {
		child := 2*i + 1
		if child >= len(c.sorted) {
			return
		}
		if child+1 < len(c.sorted) && c.less(child+1, child) {
			child++
		}
		if !c.less(child, i) {
			return
		}
		c.sorted[i], c.sorted[child] = c.sorted[child], c.sorted[i]
		i = child
	}
}

// Close releases the memory of the cursor, which must not be used afterwards.
func (c *StateCursor) Close() { *c = StateCursor{} }
