package json

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"roster/internal/tabular"
	"roster/internal/tabular/input"
)

// jsonWalker iterates over the values of a chunk. It reads the separators itself.
type jsonWalker struct {
	layout jsonLayout
	values interface {
		// read reads the value at the beginning of text, which is at offset in the file. It returns the value's length,
		// or an error and its position.
		read(text []byte, offset int64) (n int, err error)
		// spoil reports that the last value is on a line that is not an object, with the reason.
		spoil(err error)
	}

	chunk jsonChunk
	text  []byte // of the chunk
	pos   int    // after the last value and its separator
	line  int64  // of pos
	row   int64  // line of the last value, by the numbering of rows
}

// reset begins a chunk.
func (w *jsonWalker) reset(ch jsonChunk) {
	w.chunk, w.text = ch, ch.Buf[:ch.Size]
	w.pos, w.line, w.row = 0, ch.Line, ch.row
}

// next reads the next value and returns its position in the chunk; both are 0 at the end. Its error is one of the file,
// at pos.
func (w *jsonWalker) next() (start, end int, err error) {
	if w.layout == jsonLines {
		return w.nextLine()
	}
	if w.pos == len(w.text) {
		return 0, 0, nil
	}
	start = w.pos + input.Spaces(w.text[w.pos:])
	if w.layout == jsonValues {
		start = w.pos + input.SpacesAndMarks(w.text[w.pos:])
	}
	w.skipTo(start)
	if start == len(w.text) {
		if w.layout == jsonArray { // a chunk ends with the separator of elements
			return 0, 0, cutOff(w.line)
		}
		return 0, 0, nil
	}
	n, err := w.values.read(w.text[start:], w.chunk.Offset+int64(start))
	end = start + n
	if err == nil && w.layout == jsonValues && w.text[start] != '{' && w.text[start] != '[' {
		end, err = start, errNoObject
	}
	if err != nil {
		return 0, 0, w.malformed(end, err)
	}
	w.row = max(w.row+1, w.line)
	w.skipTo(end)
	if w.layout == jsonArray {
		err = w.separator()
	}
	return start, end, err
}

// nextLine reads the next line that is not blank.
func (w *jsonWalker) nextLine() (start, end int, err error) {
	for w.pos < len(w.text) {
		size := bytes.IndexByte(w.text[w.pos:], '\n') + 1
		if size == 0 {
			size = len(w.text) - w.pos
		}
		if size > tabular.MaxRecord {
			return 0, 0, input.TooLong(w.line)
		}
		line := w.text[w.pos : w.pos+size]
		start = w.pos + input.SpacesAndMarks(line)
		w.row = w.line
		w.pos += size
		w.line++
		if text := bytes.TrimRight(w.text[start:w.pos], " \t\r\n\x00\x1a"); len(text) > 0 {
			n, err := w.values.read(text, w.chunk.Offset+int64(start))
			if err == nil && n < len(text) {
				err = errTextBehind
			}
			if err != nil {
				w.values.spoil(err)
			}
			return start, start + len(text), nil
		}
	}
	return 0, 0, nil
}

// separator reads the text after an element of an array: a comma, or the closing bracket and nothing else.
func (w *jsonWalker) separator() error {
	w.skipTo(w.pos + input.Spaces(w.text[w.pos:]))
	switch {
	case w.pos == len(w.text):
		return cutOff(w.line)
	case w.text[w.pos] == ',', w.text[w.pos] == ']' && w.pos+1 == len(w.text):
		w.pos++
		return nil
	}
	return w.malformed(w.pos, nil)
}

// skipTo moves to a position in the chunk.
func (w *jsonWalker) skipTo(pos int) {
	w.line += w.lines(w.pos, pos)
	w.pos = pos
}

// lines counts the line ends in a stretch of the chunk.
func (w *jsonWalker) lines(start, end int) int64 {
	return int64(bytes.Count(w.text[start:end], input.LineFeed))
}

// malformed returns the error for malformed JSON at a position in the chunk, within the text that begins at pos.
func (w *jsonWalker) malformed(at int, err error) error {
	line := w.line + w.lines(w.pos, at)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return cutOff(line)
	}
	what := "malformed JSON"
	if rule := ruleOf(err); rule != nil {
		what = rule.Error()
	}
	return &tabular.FileError{Code: tabular.CodeJSON, Message: fmt.Sprintf("line %d, byte %d of the file: %s; nothing after it can be read", line, w.chunk.Offset+int64(at)+1, what)}
}
