package json

import (
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"roster/internal/tabular"
	"roster/internal/tabular/value"
)

// jsonParser parses chunks into batches, row by row. Each goroutine has its own; a batch is valid until the next one.
type jsonParser struct {
	object jsonObject
	walk   jsonWalker
	bad    *verdict
	schema *arrow.Schema
	batch  tabular.Batch
	arrays []arrow.Array
}

func newJSONParser(object jsonObject, layout jsonLayout, bad *verdict) *jsonParser {
	fields := make([]arrow.Field, len(object.columns))
	for i, c := range object.columns {
		fields[i] = arrow.Field{Name: c.Name, Type: value.ArrowType(c.Type), Nullable: true}
	}
	p := &jsonParser{object: object, bad: bad, schema: arrow.NewSchema(fields, nil)}
	p.walk = jsonWalker{layout: layout, values: &p.object}
	return p
}

// parse turns a chunk into batches, usually one, and passes them to emit. If the rest of the file cannot be trusted, it
// records that in its verdict.
func (p *jsonParser) parse(ch jsonChunk, emit func(*tabular.Batch) error) error {
	if p.bad.final(ch.Offset) {
		return nil
	}
	w := &p.walk
	w.reset(ch)
	p.object.valid = utf8.Valid(w.text)
	p.reset()
	p.batch.Bytes = ch.Extra
	from := 0
	for {
		start, end, err := w.next()
		if err != nil {
			p.bad.add(ch.Offset+int64(w.pos), err)
			return nil
		}
		if start == end {
			p.batch.Bytes += int64(w.pos - from)
			return emit(p.finish())
		}
		p.row(start, end)
		if len(p.batch.Lines)*len(p.object.columns) >= tabular.BatchValues || len(p.batch.Rejects) >= tabular.BatchRejects {
			p.batch.Bytes += int64(w.pos - from)
			from = w.pos
			if err := emit(p.finish()); err != nil {
				return err
			}
			p.reset()
		}
	}
}

// reset begins a batch.
func (p *jsonParser) reset() {
	value.ResetAll(p.object.builders)
	p.object.rows = 0
	p.batch = tabular.Batch{Lines: p.batch.Lines[:0], Rejects: p.batch.Rejects[:0]}
}

// finish ends the batch.
func (p *jsonParser) finish() *tabular.Batch {
	p.arrays = p.arrays[:0]
	for _, b := range p.object.builders {
		p.arrays = append(p.arrays, b.Array())
	}
	p.batch.Record = array.NewRecordBatch(p.schema, p.arrays, int64(len(p.batch.Lines)))
	return &p.batch
}

// row adds the row that was read last, from a stretch of the chunk, or a reject.
func (p *jsonParser) row(start, end int) {
	w := &p.walk
	if p.object.end() {
		p.batch.Lines = append(p.batch.Lines, w.row)
		return
	}
	r := p.object.reject
	r.Line, r.Lines, r.Offset = w.row, 1+w.lines(start, end), w.chunk.Offset+int64(start)
	r.Raw = append([]byte(nil), w.text[start:min(end, start+tabular.MaxRaw)]...)
	p.batch.Rejects = append(p.batch.Rejects, r)
}
