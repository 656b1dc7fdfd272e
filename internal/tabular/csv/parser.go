package csv

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/input"
	"roster/internal/tabular/value"
)

// parser parses chunks into batches: it splits a block of rows, then parses the block column by column. Each goroutine
// has its own parser. A batch is valid until the next one.
type parser struct {
	columns  []tabular.Column
	layout   []int    // for each column of the file, the wanted one, or -1
	names    [][]byte // of the wanted columns, without surrounding white space
	primary  int      // the column of the file that is the primary identity, or -1
	missing  []int    // wanted columns that the file does not have
	builders []*value.Builder
	format   audience.Format // how the file is read
	schema   *arrow.Schema
	split    splitter
	faults   value.Faults
	batch    tabular.Batch
	arrays   []arrow.Array
	offset   int64 // of the chunk
}

func newParser(columns []tabular.Column, layout []int, f audience.Format, patterns value.DatePatterns) *parser {
	p := &parser{columns: columns, layout: layout, primary: -1, format: f}
	p.split.block = newBlock(len(layout))
	p.faults.Bad = make([]bool, len(p.split.starts))
	have := make([]bool, len(columns))
	for i, want := range layout {
		if want >= 0 {
			have[want] = true
			if columns[want].Primary {
				p.primary = i
			}
		}
	}
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		if !have[i] {
			p.missing = append(p.missing, i)
		}
		p.names = append(p.names, bytes.TrimSpace([]byte(c.Name)))
		b := value.NewBuilder(c, patterns)
		b.Commas = f.DecimalComma
		p.builders = append(p.builders, b)
		fields[i] = arrow.Field{Name: c.Name, Type: value.ArrowType(c.Type), Nullable: true}
	}
	p.schema = arrow.NewSchema(fields, nil)
	return p
}

// parse turns a chunk into batches, usually one, and passes them to emit.
func (p *parser) parse(ch chunk, emit func(*tabular.Batch) error) error {
	p.offset = ch.Offset
	p.split.reset(ch)
	p.split.valid = utf8.Valid(ch.Buf)
	p.reset()
	p.batch.Bytes = ch.Extra
	from := 0
	for {
		more, err := p.split.next()
		if err != nil {
			return err
		}
		if !more {
			p.batch.Bytes += int64(ch.Size - from)
			if !p.split.valid {
				p.batch.NotUTF8 = ch.Buf
			}
			p.batch.Blanks, p.batch.Filled = p.split.blanks, p.split.filled
			return emit(p.finish())
		}
		p.rows()
		if len(p.batch.Lines)*len(p.columns) >= tabular.BatchValues || len(p.batch.Rejects) >= tabular.BatchRejects {
			to := min(p.split.pos, ch.Size)
			p.batch.Bytes += int64(to - from)
			from = to
			if err := emit(p.finish()); err != nil {
				return err
			}
			p.reset()
		}
	}
}

// reset begins a batch.
func (p *parser) reset() {
	value.ResetAll(p.builders)
	p.batch = tabular.Batch{Lines: p.batch.Lines[:0], Rejects: p.batch.Rejects[:0]}
}

// finish ends the batch.
func (p *parser) finish() *tabular.Batch {
	p.arrays = p.arrays[:0]
	for _, b := range p.builders {
		p.arrays = append(p.arrays, b.Array())
	}
	p.batch.Record = array.NewRecordBatch(p.schema, p.arrays, int64(len(p.batch.Lines)))
	return &p.batch
}

// rows processes the block that was split last.
func (p *parser) rows() {
	k := &p.split.block
	first := len(p.batch.Lines)
	if k.rows > 0 {
		p.batch.Lines = append(p.batch.Lines, k.lines[:k.rows]...)
		if p.primary >= 0 {
			p.addHeaders()
		}
		for i, want := range p.layout {
			if want >= 0 {
				p.add(i, want)
			}
		}
		for _, want := range p.missing {
			p.addMissing(want)
		}
	}
	if len(p.faults.List)+len(p.split.malformed) > 0 {
		p.rejects(first)
	}
}

// add processes a column of the block that was split last.
func (p *parser) add(column, want int) {
	k, b := &p.split.block, p.builders[want]
	p.faults.Want = want
	if len(p.format.NullValues) > 0 {
		emptyNulls(b, k, column, p.format.NullValues)
	}
	addColumn(b, k, column, &p.faults)
	if c := &p.columns[want]; value.IsIdentity(c) {
		addIdentities(b, k, column, c, &p.faults)
	}
}

// addMissing processes a wanted column that the file does not have.
func (p *parser) addMissing(want int) {
	rows := p.split.rows
	p.faults.Want = want
	p.builders[want].AddNulls(rows)
	if code, reason := value.Absent(&p.columns[want]); code != "" {
		for row := range rows {
			p.faults.Refuse(row, code, reason)
		}
	}
}

// rejects moves the rows that do not fit, from first on, to the rejects, in the order of the file.
func (p *parser) rejects(first int) {
	k := &p.split.block
	old := len(p.batch.Rejects)
	for _, m := range p.split.malformed {
		p.reject(m.start, m.end, tabular.Reject{Line: m.line, Code: m.code(), Reason: p.reason(m)})
	}
	if len(p.faults.List) > 0 {
		for _, f := range p.faults.List {
			r := tabular.Reject{Line: k.lines[f.Row], Code: f.Code, Reason: "the row repeats the header"}
			if f.Code != tabular.CodeHeader {
				c := p.columns[f.Want]
				r.Column, r.Reason = c.Name, cmp.Or(f.Reason, value.ReasonIn(p.format, f.Code, c.Type))
			}
			p.reject(int(k.starts[f.Row]), int(k.ends[f.Row]), r)
		}
		bad := p.faults.Bad[:k.rows]
		for _, b := range p.builders {
			b.Remove(first, bad)
		}
		to := first
		for i, out := range bad {
			if !out {
				p.batch.Lines[to] = p.batch.Lines[first+i]
				to++
			}
		}
		p.batch.Lines = p.batch.Lines[:to]
		clear(bad)
		p.faults.List = p.faults.List[:0]
	}
	slices.SortFunc(p.batch.Rejects[old:], func(a, b tabular.Reject) int { return cmp.Compare(a.Offset, b.Offset) })
}

// reject adds a reject for the row in a stretch of the chunk.
func (p *parser) reject(start, end int, r tabular.Reject) {
	raw := bytes.TrimRight(bytes.TrimSuffix(p.split.Buf[start:end], input.LineFeed), "\r")
	r.Lines = 1 + int64(bytes.Count(raw, input.LineFeed))
	if r.Lines > 1 {
		r.Reason += fmt.Sprintf("; the row extends from line %d to line %d", r.Line, r.Line+r.Lines-1)
	}
	r.Offset = p.offset + int64(start)
	r.Raw = append([]byte(nil), raw[:min(len(raw), tabular.MaxRaw)]...)
	p.batch.Rejects = append(p.batch.Rejects, r)
}

func (m malformed) code() string {
	if m.kind == wrongCount {
		return tabular.CodeColumnCount
	}
	return tabular.CodeQuote
}

// reason explains which rule the record breaks.
func (p *parser) reason(m malformed) string {
	switch m.kind {
	case textAfterQuote:
		return "text follows the closing quote of a field"
	case notClosed:
		return "a quote is not closed before the end of the file"
	}
	if !p.format.HasHeader() {
		return fmt.Sprintf("the row has %s, the audience %s", count(m.columns, "column"), count(len(p.layout), "field"))
	}
	return fmt.Sprintf("the row has %s, the header %d", count(m.columns, "column"), len(p.layout))
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
