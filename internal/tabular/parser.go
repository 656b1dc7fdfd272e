package tabular

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"roster/internal/audience"
)

// maxRaw is how much of a rejected row is kept.
const maxRaw = 64 << 10

// parser parses chunks into batches. Each goroutine has its own; a batch is valid until the next one.
type parser struct {
	columns  []Column
	layout   []int // for each column of the file, the wanted one, or -1
	missing  []int // wanted columns that the file does not have
	builders []*builder
	schema   *arrow.Schema
	split    splitter
	batch    Batch
	arrays   []arrow.Array
	rows     int
}

func newParser(columns []Column, layout []int) *parser {
	p := &parser{columns: columns, layout: layout}
	have := make([]bool, len(columns))
	for _, want := range layout {
		if want >= 0 {
			have[want] = true
		}
	}
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		if !have[i] {
			p.missing = append(p.missing, i)
		}
		p.builders = append(p.builders, newBuilder(c.Type))
		fields[i] = arrow.Field{Name: c.Name, Type: arrowType(c.Type), Nullable: true}
	}
	p.schema = arrow.NewSchema(fields, nil)
	return p
}

// parse turns a chunk into a batch.
func (p *parser) parse(ch chunk) *Batch {
	for _, b := range p.builders {
		b.reset()
	}
	p.rows = 0
	p.batch.Lines, p.batch.Rejects = p.batch.Lines[:0], p.batch.Rejects[:0]
	p.batch.Bytes = int64(len(ch.buf)) + ch.extra
	quotes := bytes.IndexByte(ch.buf, quote) >= 0
	valid := utf8.Valid(ch.buf)
	line := ch.line
	for pos := 0; pos < len(ch.buf); {
		if isLineEnd(ch.buf[pos:]) {
			pos += bytes.IndexByte(ch.buf[pos:], '\n') + 1
			line++
			continue
		}
		end := p.split.next(ch.buf, pos, quotes)
		raw := ch.buf[pos:end]
		p.row(raw, line, ch.offset+int64(pos), valid)
		if quotes {
			line += int64(bytes.Count(raw, []byte{'\n'}))
		} else {
			line++
		}
		pos = end
	}
	p.arrays = p.arrays[:0]
	for _, b := range p.builders {
		p.arrays = append(p.arrays, b.array())
	}
	p.batch.Record = array.NewRecordBatch(p.schema, p.arrays, int64(p.rows))
	return &p.batch
}

// row takes the record that was split last as a row or as a reject.
func (p *parser) row(raw []byte, line, offset int64, valid bool) {
	reject := Reject{Line: line, Offset: offset}
	switch {
	case p.split.unclosed:
		reject.Code = CodeQuote
		reject.Reason = fmt.Sprintf("a quote is opened and never closed: the row takes in the rest of the file, %d lines", bytes.Count(raw, []byte{'\n'})+1)
	case p.split.malformed:
		reject.Code, reject.Reason = CodeQuote, "text follows a closing quote"
	case len(p.split.fields) != len(p.layout):
		reject.Code = CodeColumnCount
		reject.Reason = fmt.Sprintf("the row has %d columns, the header %d", len(p.split.fields), len(p.layout))
	default:
		if p.values(&reject, valid) {
			p.rows++
			p.batch.Lines = append(p.batch.Lines, line)
			return
		}
	}
	reject.Raw = append([]byte(nil), raw[:min(len(raw), maxRaw)]...)
	p.batch.Rejects = append(p.batch.Rejects, reject)
}

// values appends the row's values, or takes back what it appended and fills the reject.
func (p *parser) values(reject *Reject, valid bool) bool {
	for i, v := range p.split.fields {
		want := p.layout[i]
		if want < 0 {
			continue
		}
		if code := p.builders[want].add(v, valid); code != "" {
			reject.Column, reject.Code = p.columns[want].Name, code
			reject.Reason = reasonOf(code, p.columns[want].Type)
			for _, b := range p.builders {
				b.truncate(p.rows)
			}
			return false
		}
	}
	for _, i := range p.missing {
		p.builders[i].null()
	}
	return true
}

// reasonOf says which rule a value breaks.
func reasonOf(code string, t audience.Type) string {
	switch code {
	case CodeEncoding:
		return "the value is not valid UTF-8"
	case CodeRange:
		return "the value is out of range for " + rule(t)
	}
	return "the value is not " + rule(t)
}
