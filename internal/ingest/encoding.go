package ingest

import (
	"fmt"
	"sync"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/input"
)

// misencoded are the rows of a file that were rejected because they are not in its encoding.
type misencoded struct {
	mu     sync.Mutex
	rows   int64
	looked int
	guess  input.EncodingGuess
}

// add counts a reject. One of JSON is looked at, too: of CSV the text around it is.
func (m *misencoded) add(r *tabular.Reject) {
	const enough = 1000 // rows
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rows++; m.looked == 0 && m.rows <= enough {
		m.guess.Add(r.Raw)
	}
}

// look takes a stretch of a CSV file into account that is not valid UTF-8.
func (m *misencoded) look(text []byte) {
	const enough = 4 // stretches
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.looked++; m.looked <= enough {
		m.guess.Add(text)
	}
}

// likelyEncoding names the encoding that a file is probably in when most of its rejects are not in the one that it was read by; ""
// when nothing is known.
func (f *fileRead) likelyEncoding() string {
	m := &f.encoding
	m.mu.Lock()
	defer m.mu.Unlock()
	if rejected := f.rejected.Load(); m.rows == 0 || 2*m.rows < rejected || f.header.Format.Encoding != "utf-8" {
		return ""
	}
	return m.guess.Likely()
}

// encodingHint says of the first file whose rejects are mostly of another encoding how it can be read, "" when there is none.
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
