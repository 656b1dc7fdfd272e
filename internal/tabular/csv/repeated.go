package csv

import (
	"bytes"

	"roster/internal/tabular"
	"roster/internal/tabular/input"
	"roster/internal/tabular/value"
)

// addHeaders adds a fault for each row of the last block that repeats the header.
func (p *parser) addHeaders() {
	k := &p.split.block
	name := p.names[p.layout[p.primary]]
	for row, i := 0, p.primary; row < k.rows; row, i = row+1, i+k.stride {
		// Names may differ from the field in case and white space, so their length is only similar.
		const about = 16
		n := int(k.fields[i] &^ escaped >> 32)
		if n <= len(name)+about && n+about >= len(name) && p.isHeader(row) {
			p.faults.Add(row, tabular.CodeHeader)
		}
	}
}

// isHeader reports whether the values of a row are the names of the wanted columns.
func (p *parser) isHeader(row int) bool {
	k, b := &p.split.block, &value.Builder{}
	for i, want := range p.layout {
		if want < 0 {
			continue
		}
		v := valueOf(b, k, k.fields[row*k.stride+i])
		if i == 0 && bytes.HasPrefix(v, input.Utf8Mark) {
			v = bytes.Trim(v[len(input.Utf8Mark):], `"`) // after a byte order mark a quote does not open a field
		}
		if !bytes.EqualFold(bytes.TrimSpace(v), p.names[want]) {
			return false
		}
	}
	return true
}
