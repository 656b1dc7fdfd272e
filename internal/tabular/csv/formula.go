package csv

import (
	"bytes"
	"slices"

	"roster/internal/audience"
	"roster/internal/tabular/input"
)

// unescapeFormulas removes from the values of the block the apostrophe that makes a spreadsheet treat a formula as
// text.
func (b *block) unescapeFormulas() {
	for i, f := range b.fields[:b.rows*b.stride] {
		start, n := uint32(f), uint32(f&^escaped>>32)
		if n > 0 && b.text[start] == '\'' {
			if v := string(b.text[start:][:n]); audience.UnescapeFormula(v) != v {
				b.fields[i] = fieldAt(int(start)+1, int(start+n)) | f&escaped
			}
		}
	}
}

// saysEscaped reports whether the header of a CSV file that begins with text has the column that marks its values as
// escaped for spreadsheets. Such a file has double quotes, no other escape and a delimiter that spreadsheets write,
// whatever the audience's format is.
func saysEscaped(text []byte) bool {
	if !bytes.Contains(text, []byte(audience.EscapedColumn)) {
		return false
	}
	for _, delimiter := range usualDelimiters {
		d := dialect{delimiter: delimiter, quote: '"'}
		start, end, _, _ := d.firstRecord(append(make([]byte, 0, len(text)+input.Spare), text...), true)
		first, _ := d.split(text[start:end], 1)
		if slices.ContainsFunc(first.values, func(name string) bool { return audience.NameKey(name) == audience.NameKey(audience.EscapedColumn) }) {
			return true
		}
	}
	return false
}
