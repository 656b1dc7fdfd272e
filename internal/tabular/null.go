package tabular

import (
	"bytes"
	"unicode/utf8"
)

// emptyNulls makes the values of a column that are one of texts empty, and so null in every type.
func (b *builder) emptyNulls(k *block, column int, texts []string) {
	for i := column; i < k.rows*k.stride; i += k.stride {
		f := k.fields[i]
		if isOneOf(b.value(k, f), texts) {
			k.fields[i] = fieldAt(int(uint32(f)), int(uint32(f)))
		}
	}
}

func isOneOf(v []byte, texts []string) bool {
	for _, text := range texts {
		if string(v) == text {
			return true
		}
	}
	return false
}

// addEmpty adds a fault for each row whose value is null or only white space.
func (b *builder) addEmpty(k *block, column int, bad *faults) {
	for row, i := 0, column; row < k.rows; row, i = row+1, i+k.stride {
		f := k.fields[i]
		if n := uint32(f >> 32); n > 0 && f&escaped == 0 {
			if c := k.text[uint32(f)]; ' ' < c && c < utf8.RuneSelf {
				continue
			}
		}
		if len(bytes.TrimSpace(b.value(k, f))) == 0 {
			bad.add(row, CodeIdentity)
		}
	}
}
