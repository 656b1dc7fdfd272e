package parquet

import (
	"cmp"
	"context"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/value"
)

// parquetReader reads row groups into batches, block by block, and each block column by column. Each goroutine has its
// own. A batch is valid until the next one.
type parquetReader struct {
	file     *parquetFile
	memory   fenced
	space    pageSpace
	flat     *schema.Schema // of the columns, for the library
	wanted   []tabular.Column
	columns  []parquetColumn // in the order of the file
	missing  []int           // wanted columns that the file does not have
	nulls    []string        // texts that mean null
	builders []*value.Builder
	schema   *arrow.Schema
	faults   value.Faults
	block    int // number of rows that are read at a time
	batch    tabular.Batch
	arrays   []arrow.Array
}

// fewRows is the number of rows that are read first, while the length of rows is unknown.
const fewRows = 32

func newParquetReader(p *parquetFile, flat *schema.Schema, found []parquetColumn, wanted []tabular.Column, f audience.Format, patterns value.DatePatterns) *parquetReader {
	r := &parquetReader{file: p, memory: fenced{fence: &p.fence}, space: pageSpace{pages: pages{fence: &p.fence}}, flat: flat, wanted: wanted, columns: append([]parquetColumn(nil), found...), nulls: f.NullValues, block: fewRows}
	r.faults.Bad = make([]bool, parquetRows)
	have := make([]bool, len(wanted))
	for _, c := range found {
		have[c.want] = true
	}
	fields := make([]arrow.Field, len(wanted))
	for i, c := range wanted {
		if !have[i] {
			r.missing = append(r.missing, i)
		}
		b := value.NewBuilder(c, patterns)
		r.builders = append(r.builders, b)
		fields[i] = arrow.Field{Name: c.Name, Type: value.ArrowType(c.Type), Nullable: true}
	}
	r.schema = arrow.NewSchema(fields, nil)
	return r
}

// read reads a row group.
func (r *parquetReader) read(ctx context.Context, g parquetGroup, emit func(*tabular.Batch) error) error {
	defer r.close()
	if err := r.file.reading(func() error { return r.open(g) }); err != nil {
		return err
	}
	r.reset()
	begun := int64(0)
	for done := int64(0); done < g.rows; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := int(min(int64(r.block), g.rows-done))
		text, err := r.next(n)
		if err != nil {
			return err
		}
		r.rows(g.first+done, n)
		if done += int64(n); done == g.rows {
			if err := r.file.reading(r.finishPages); err != nil {
				return err
			}
		}
		if done == g.rows || r.full() {
			r.batch.Bytes = r.bytes(g.first+done-1) - r.bytes(g.first+begun-1)
			if err := emit(r.finish()); err != nil {
				return err
			}
			r.reset()
			begun = done
		}
		r.adapt(n, text)
	}
	return nil
}

// open opens the columns of a row group.
func (r *parquetReader) open(g parquetGroup) error {
	group, err := r.file.openGroup(g, r.columns, r.flat, &r.memory, &r.space)
	if err != nil {
		return err
	}
	for i := range r.columns {
		if err := r.columns[i].open(group, i); err != nil {
			return err
		}
	}
	return nil
}

func (r *parquetReader) close() {
	for i := range r.columns {
		r.columns[i].close()
	}
	r.memory.close()
	r.space.close()
}

// next reads the next rows of all columns and returns how many bytes of text they have.
func (r *parquetReader) next(n int) (text int, err error) {
	err = r.file.reading(func() error {
		for i := range r.columns {
			c := &r.columns[i]
			err := c.next(n)
			if c.gate.err != nil {
				return c.gate.err // instead of the library's error that follows from it
			}
			if err != nil {
				return c.gate.damaged(err)
			}
			text += len(c.text)
		}
		if all := r.file.text.Add(int64(text)); all > bombText && all/bombRatio > r.file.source.file.Size {
			return bomb("bytes of text")
		}
		return nil
	})
	return text, err
}

// finishPages reads the current pages to their ends, where their integrity is checked.
func (r *parquetReader) finishPages() error {
	for i := range r.columns {
		if err := r.columns[i].gate.finish(); err != nil {
			return err
		}
	}
	return nil
}

// adapt makes blocks larger, or smaller if the rows have much text.
func (r *parquetReader) adapt(rows, text int) {
	r.block = min(2*r.block, parquetRows)
	if most := parquetText * rows / max(text, 1); r.block > most {
		r.block = max(most, 1)
	}
}

// rows adds the current block to the batch.
func (r *parquetReader) rows(line int64, n int) {
	first := len(r.batch.Lines)
	for i := range n {
		r.batch.Lines = append(r.batch.Lines, line+int64(i))
	}
	for i := range r.columns {
		c := &r.columns[i]
		r.faults.Want = c.want
		c.appendTo(r.builders[c.want], r.wanted[c.want], r.nulls, &r.faults)
	}
	for _, want := range r.missing {
		r.faults.Want = want
		r.builders[want].AddNulls(n)
		if code, reason := value.Absent(&r.wanted[want]); code != "" {
			for row := range n {
				r.faults.Refuse(row, code, reason)
			}
		}
	}
	if len(r.faults.List) > 0 {
		r.rejects(first, n)
	}
}

// rejects moves those of the last n rows of the batch that do not fit to the rejects, in the order of the file.
func (r *parquetReader) rejects(first, n int) {
	reasons := make([]value.Fault, n)
	for _, f := range r.faults.List {
		reasons[f.Row] = f
	}
	bad := r.faults.Bad[:n]
	to := first
	for row, out := range bad {
		line := r.batch.Lines[first+row]
		if !out {
			r.batch.Lines[to] = line
			to++
			continue
		}
		f, c := reasons[row], r.wanted[reasons[row].Want]
		r.batch.Rejects = append(r.batch.Rejects, tabular.Reject{Line: line, Lines: 1, Offset: -1, Column: c.Name, Code: f.Code, Reason: cmp.Or(f.Reason, value.ReasonOf(f.Code, c.Type)), Raw: r.raw(row)})
	}
	r.batch.Lines = r.batch.Lines[:to]
	for _, b := range r.builders {
		b.Remove(first, bad)
	}
	clear(bad)
	r.faults.List = r.faults.List[:0]
}

// raw returns a row of the block as a JSON object of the wanted columns.
func (r *parquetReader) raw(row int) []byte {
	dst := []byte{'{'}
	for i := range r.columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		c := &r.columns[i]
		dst = append(appendQuoted(dst, c.name), ':')
		dst = c.appendJSON(dst, row)
	}
	dst = append(dst, '}')
	return dst[:min(len(dst), tabular.MaxRaw)]
}

// full reports whether the batch has enough rows, values, text or rejects.
func (r *parquetReader) full() bool {
	const rows = 16 << 10
	text := 0
	for _, b := range r.builders {
		text += len(b.Text)
	}
	n := len(r.batch.Lines)
	return n >= rows || n*len(r.builders) >= tabular.BatchValues || len(r.batch.Rejects) >= tabular.BatchRejects || text >= 2*parquetText
}

// bytes returns the number of bytes of the file that its first rows stand for.
func (r *parquetReader) bytes(rows int64) int64 {
	hi, lo := bits.Mul64(uint64(r.file.source.file.Size), uint64(rows))
	n, _ := bits.Div64(hi, lo, uint64(r.file.rows))
	return int64(n)
}

// reset begins a batch.
func (r *parquetReader) reset() {
	value.ResetAll(r.builders)
	r.batch = tabular.Batch{Lines: r.batch.Lines[:0], Rejects: r.batch.Rejects[:0]}
}

// finish ends the batch.
func (r *parquetReader) finish() *tabular.Batch {
	r.arrays = r.arrays[:0]
	for _, b := range r.builders {
		r.arrays = append(r.arrays, b.Array())
	}
	r.batch.Record = array.NewRecordBatch(r.schema, r.arrays, int64(len(r.batch.Lines)))
	return &r.batch
}
