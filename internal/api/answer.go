package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
)

// answer is a route's answer: a status and, unless it is nil, a body: a *web.Stream, a tagged body, a oneTimeSecret,
// rawJSON, or a value to encode as JSON.
type answer struct {
	status int
	body   any
}

// rawJSON is an encoded JSON body.
type rawJSON []byte

// written are bodies that are sent and can be reused.
var written = sync.Pool{New: func() any { return new(rawJSON) }}

// newRawJSON returns an empty body to append to.
func newRawJSON() rawJSON { return (*written.Get().(*rawJSON))[:0] }

// recycle releases a body after it was sent without an error. After an error HTTP/2 may still send it.
func (j rawJSON) recycle() {
	const most = 64 << 10 // larger ones are rare and would waste memory
	if cap(j) <= most {
		written.Put(&j)
	}
}

// encode returns an answer's body as JSON.
func encode(body any) []byte {
	if text, ok := body.(rawJSON); ok {
		return text
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		panic(fmt.Errorf("an answer cannot be encoded: %w", err))
	}
	return b.Bytes()
}

// write writes a body as JSON.
func (s *server) write(w http.ResponseWriter, r *http.Request, status int, contentType string, body any) {
	text := encode(body)
	if used, ok := body.(rawJSON); s.shell.Send(w, r, status, contentType, text) && ok {
		used.recycle()
	}
}
