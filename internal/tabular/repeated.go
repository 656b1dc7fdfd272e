package tabular

// setInitial notes how a repeated header begins the column of the primary identity.
func (p *parser) setInitial() {
	if p.primary < 0 {
		return
	}
	if name := bareName(p.columns[p.layout[p.primary]].Name); name != "" && isLetter(name[0]) {
		p.initial = name[0] | 0x20
	}
}

// addHeaders adds a fault for each row of the block that was split last which repeats the header.
func (p *parser) addHeaders() {
	k := &p.split.block
	length := len(p.columns[p.layout[p.primary]].Name)
	for row, i := 0, p.primary; row < k.rows; row, i = row+1, i+k.stride {
		// Names differ from the field's in case, accents and white space, so that their length is only about the same.
		const about = 16
		f := k.fields[i]
		if n := int(f &^ escaped >> 32); n <= length+about && n+about >= length && p.mayBeName(k, f) && p.isHeader(row) {
			p.faults.add(row, CodeHeader)
		}
	}
}

// mayBeName reports whether a value may be the name of the primary identity, by its first byte: most are not.
func (p *parser) mayBeName(k *block, f field) bool {
	first := k.text[uint32(f)]
	return first|0x20 == p.initial || p.initial == 0 || first <= ' ' || first >= 0x80 || f&escaped != 0
}

// isHeader reports whether a row has the name of each wanted column as its value.
func (p *parser) isHeader(row int) bool {
	k, b := &p.split.block, builder{}
	for i, want := range p.layout {
		if want >= 0 && foldName(string(b.value(k, k.fields[row*k.stride+i]))) != p.names[want] {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
