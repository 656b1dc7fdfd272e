package lake

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// RewriteOptions configure the rewrite of a table's rows.
type RewriteOptions struct {
	Dir      string // the attempt's directory
	Memory   int64  // maximum memory in bytes
	FileSize int64  // size in bytes at which a data file ends
	// Only contains the paths of the data files whose rows are rewritten. Nil means all data files.
	Only map[string]bool
}

const (
	// rewriteSource is the approximate memory for reading one file in a rewrite: a page, a buffer and some rows for
	// each column. With very many columns, each column takes rewriteColumn.
	rewriteSource = 4 << 20
	rewriteColumn = pageSize
	rewriteBatch  = 1 << 10
	// rewriteRows and rewriteGroup are the numbers of rows in a written batch and in a row group.
	rewriteRows  = 16 << 10
	rewriteGroup = 64 << 10
)

// Rewrite writes the live rows of the snapshot, unchanged and sorted by _roster_id, into new data files whose keys do
// not overlap. The result is for a Commit with Replace, or with Fold if Only is set. If the memory does not allow to
// merge all files at once, the smallest files are merged first, into interim files that are removed at the end.
func (d *Dataset) Rewrite(ctx context.Context, o RewriteOptions) (files []DataFile, err error) {
	state, err := d.OpenState(ctx, StateOptions{})
	if err != nil {
		return nil, err
	}
	want := d.Rows()
	if o.Only != nil {
		state = state.only(func(f *stateFile) bool { return o.Only[f.Path] })
		want = 0
		for i, f := range state.files {
			want += f.Rows - state.Dead(i)
		}
	}
	interim := o.Dir + "-interim"
	defer func() {
		err = errors.Join(err, d.store().RemoveAll(context.WithoutCancel(ctx), path.Join("data", interim)))
	}()
	fan := int(max(o.Memory/max(rewriteSource, int64(d.columns.all.NumFields())*rewriteColumn), 2))
	data := state.data
	for len(data) > fan {
		slices.SortFunc(data, func(a, b *stateFile) int { return cmp.Compare(a.Bytes, b.Bytes) })
		first, err := d.rewrite(ctx, data[:fan], RewriteOptions{Dir: interim, Memory: o.Memory, FileSize: 1 << 62})
		if err != nil {
			return nil, err
		}
		data = data[fan:]
		for _, f := range first {
			s, err := d.newStateFile(f.file, StateOptions{})
			if err != nil {
				return nil, err
			}
			data = append(data, s)
		}
	}
	if files, err = d.rewrite(ctx, data, o); err != nil {
		return nil, err
	}
	rows := int64(0)
	for _, f := range files {
		rows += f.Rows
	}
	if rows != want {
		return nil, fmt.Errorf("lake: the data files of table %s.%s have %d live rows, the snapshot says %d", d.id.Namespace, d.id.Name, rows, want)
	}
	return files, nil
}

// rewrite merges files.
func (d *Dataset) rewrite(ctx context.Context, data []*stateFile, o RewriteOptions) ([]DataFile, error) {
	var m merge
	defer m.close()
	for _, f := range data {
		s := &mergeSource{file: f}
		m.open = append(m.open, s)
		if err := s.begin(ctx, d.columns.all); err != nil {
			return nil, fmt.Errorf("read %s: %w", f.Path, unreadable(ctx.Err(), f.Path, err))
		}
		if !s.ended() {
			m.heap = append(m.heap, s)
		}
	}
	heap.Init(&m.heap)
	w := newRowWriter(d, o)
	for len(m.heap) > 0 {
		if err := m.step(ctx, w); err != nil {
			w.abort()
			return nil, err
		}
	}
	return w.end()
}

// merge reads the rows of several files in the order of their keys.
type merge struct {
	open []*mergeSource
	heap mergeHeap // the sources that still have rows
}

func (m *merge) close() {
	for _, s := range m.open {
		s.close()
	}
}

// step writes the rows of the first source that come before those of all others.
func (m *merge) step(ctx context.Context, w *rowWriter) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s := m.heap[0]
	end := s.ids.Len()
	if second := m.heap.second(); second != nil {
		limit := second.key()
		for end = s.at + 1; end < s.ids.Len() && bytes.Compare(s.ids.Value(end), limit) < 0; end++ {
		}
	}
	if err := w.write(s.rec, s.at, end); err != nil {
		return err
	}
	s.at = end
	if s.at == s.ids.Len() {
		if err := s.advance(ctx); err != nil {
			return fmt.Errorf("read %s: %w", s.file.Path, unreadable(ctx.Err(), s.file.Path, err))
		}
	}
	if s.ended() {
		heap.Pop(&m.heap)
	} else {
		heap.Fix(&m.heap, 0)
	}
	return nil
}

// mergeSource is one file of a merge.
type mergeSource struct {
	file   *stateFile
	reader *rowReader        // nil if the file has no rows
	rec    arrow.RecordBatch // nil at the end
	ids    *array.FixedSizeBinary
	at     int // the next row of rec
}

func (s *mergeSource) begin(ctx context.Context, schema *arrow.Schema) error {
	r, ok, err := openRows(ctx, s.file, schema, rowOptions{batch: rewriteBatch, Reading: Reading{Memory: rewriteSource}})
	if err != nil || !ok {
		return err
	}
	s.reader = r
	return s.advance(ctx)
}

// advance goes to the next batch that has rows.
func (s *mergeSource) advance(ctx context.Context) error {
	for {
		s.release()
		rec, _, ok, err := s.reader.read(ctx)
		if err != nil || !ok {
			return err
		}
		s.rec, s.at = rec, 0
		if rec.NumRows() > 0 {
			s.ids = rec.Column(rec.Schema().FieldIndices(ColID)[0]).(*array.FixedSizeBinary)
			return nil
		}
	}
}

func (s *mergeSource) ended() bool { return s.rec == nil }

func (s *mergeSource) key() []byte { return s.ids.Value(s.at) }

func (s *mergeSource) release() {
	if s.rec != nil {
		s.rec.Release()
		s.rec = nil
	}
}

func (s *mergeSource) close() {
	s.release()
	if s.reader != nil {
		s.reader.close()
	}
}

// mergeHeap is a heap with the source with the smallest key on top.
type mergeHeap []*mergeSource

func (h mergeHeap) Len() int           { return len(h) }
func (h mergeHeap) Less(i, j int) bool { return bytes.Compare(h[i].key(), h[j].key()) < 0 }
func (h mergeHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *mergeHeap) Push(x any)        { *h = append(*h, x.(*mergeSource)) }

func (h *mergeHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// second returns the source that comes after the top one, or nil if there is none.
func (h mergeHeap) second() *mergeSource {
	switch {
	case len(h) < 2:
		return nil
	case len(h) == 2 || h.Less(1, 2):
		return h[1]
	}
	return h[2]
}
