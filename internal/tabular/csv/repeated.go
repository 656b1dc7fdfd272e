package csv

import (
	"bytes"

	"roster/internal/tabular"
	"roster/internal/tabular/input"
	"roster/internal/tabular/value"
)

// addHeaders adds a fault for each row of the block that was split last which repeats the header.
func (p *parser) addHeaders() {
	k := &p.split.block
	name := p.names[p.layout[p.primary]]
	for row, i := 0, p.primary; row < k.rows; row, i = row+1, i+k.stride {
		// Names differ from the field's in case and white space, so that their length is only about the same.
		const about = 16
		n := int(k.fields[i] &^ escaped >> 32)
		if n <= len(name)+about && n+about >= len(name) && p.isHeader(row) {
			p.faults.Add(row, tabular.CodeHeader)
		}
	}
}

// isHeader reports whether a row has the name of each wanted column as its value.
func (p *parser) isHeader(row int) bool {
	k, b := &p.split.block, &value.Builder{}
	for i, want := range p.layout {
		if want < 0 {
			continue
		}
		v := valueOf(b, k, k.fields[row*k.stride+i])
		if i == 0 && bytes.HasPrefix(v, input.Utf8Mark) {
			v = bytes.Trim(v[len(input.Utf8Mark):], `"`) // no quote opens a field behind a byte order mark
		}
		if !bytes.EqualFold(bytes.TrimSpace(v), p.names[want]) {
			return false
		}
	}
	return true
}
