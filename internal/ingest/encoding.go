package ingest

import (
	"fmt"
	"sync"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/input"
)

// misencoded counts the rows of a file that were rejected because their encoding is wrong, and guesses the encoding.
type misencoded struct {
	mu     sync.Mutex
	rows   int64
	looked int
	guess  input.EncodingGuess
}

// add counts a reject. The text of the reject is used for the guess if no text was passed to look (JSON).
func (m *misencoded) add(r *tabular.Reject) {
	const enough = 1000 // rows
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rows++; m.looked == 0 && m.rows <= enough {
		m.guess.Add(r.Raw)
	}
}

// look uses a part of a CSV file that is not valid UTF-8 for the guess.
func (m *misencoded) look(text []byte) {
	const enough = 4 // parts of the file
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.looked++; m.looked <= enough {
		m.guess.Add(text)
	}
}

// likelyEncoding returns the probable encoding of a file if at least half of its rejects have a wrong encoding.
// Otherwise, and if nothing is known, it returns "".
func (f *fileRead) likelyEncoding() string {
	m := &f.encoding
	m.mu.Lock()
	defer m.mu.Unlock()
	if rejected := f.rejected.Load(); m.rows == 0 || 2*m.rows < rejected || f.header.Format.Encoding != "utf-8" {
		return ""
	}
	return m.guess.Likely()
}

// encodingHint returns advice for the first file with mostly wrongly encoded rejects, or "" if there is none.
func (a *attempt) encodingHint() string {
	for i := range a.reads {
		read := &a.reads[i]
		switch likely := read.likelyEncoding(); {
		case likely != "":
			return fmt.Sprintf("; %d rows of %s are not UTF-8 and look like %s: %s", read.encoding.rows, a.files[i].Path, likely, audience.EncodingRemedy(likely))
		case read.encoding.rows > 0 && 2*read.encoding.rows >= read.rejected.Load():
			return fmt.Sprintf("; %d rows of %s are not %s: name the file's encoding in sourceSpec.format", read.encoding.rows, a.files[i].Path, read.header.Format.Encoding)
		}
	}
	return ""
}
