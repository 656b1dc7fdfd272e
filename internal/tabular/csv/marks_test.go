package csv

import (
	"bytes"
	"testing"

	"roster/internal/tabular/input"
)

func TestFileMarks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"": 0, "a": 0, "\x00a": 0, "a\x00": 0, "\x1aa": 1, "\ufeffa": 3, "\x1a\ufeff\x1aa\x00": 5, "\xef\xbb": 0,
		"\x00": 1, "\x1a\x00\x1a": 3, "\ufeff": 3, "\ufeff\x00": 4, "\x00\ufeff\x00": 0, "\ufeff\x00\ufeff": 3,
	} {
		if got := fileMarks([]byte(text)); got != want {
			t.Errorf("%q begins with %d bytes of marks, want %d", text, got, want)
		}
	}
	// Looking at all the padding again for each mark would take hours.
	const many = 4 << 20
	text := append(append(bytes.Repeat([]byte{input.ControlZ}, many), 'x'), make([]byte, many)...)
	if got := fileMarks(text); got != many {
		t.Errorf("a record of marks, a letter and padding begins with %d bytes of marks, want %d", got, many)
	}
}
