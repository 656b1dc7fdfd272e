package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/url"
	"slices"
	"time"

	"roster/internal/audience"
)

// pages is how a list goes on from page to page: by a token that the server made. Only a token of this list is taken, for the
// same organization, sandbox and query.
type pages struct {
	parameter string   // of the query, which has the token
	of        []string // parameters that decide what is in the list
}

// pageToken is what a token carries: where the list goes on, and the parameters of the list, since some clients send nothing
// but the token back.
type pageToken struct {
	Query url.Values      `json:"q,omitempty"`
	Place json.RawMessage `json:"p"`
}

// sealSize is the length of a token's seal, in bytes.
const sealSize = 16

// seal authenticates data as one of this server's for the caller's sandbox and the call's path.
func (c *call) seal(data []byte) []byte {
	h := hmac.New(sha256.New, c.pageKey)
	for _, part := range []string{c.actor.Scope.Org, c.actor.Scope.Sandbox, c.URL.Path, string(data)} {
		h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	return h.Sum(nil)[:sealSize]
}

// token is where the list of a query goes on. It has no "=", at which clients split.
func (p pages) token(q *query, place any) string {
	at, err := json.Marshal(place)
	if err != nil {
		panic(err) // it holds nothing but texts and numbers
	}
	t := pageToken{Query: url.Values{}, Place: at}
	for _, name := range p.of {
		if q.Has(name) {
			t.Query[name] = q.Values[name]
		}
	}
	data, err := json.Marshal(t)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(append(q.call.seal(data), data...))
}

// read reads where a page begins into place, a pointer; false for the first page. What the query leaves out of the list's
// parameters it gets from the token.
func (p pages) read(q *query, place any) bool {
	text := q.Get(p.parameter)
	if text == "" {
		return false
	}
	t, ok := q.call.opened(text)
	if !ok || json.Unmarshal(t.Place, place) != nil {
		q.problems.Add(p.parameter, "must be the one that the page before had, of the same list in the same sandbox")
		return false
	}
	for _, name := range p.of {
		if q.Has(name) && !slices.Equal(q.Values[name], t.Query[name]) {
			q.problems.Add(p.parameter, "is of a list with another %s; repeat what the first page was asked for, or leave it out", name)
		}
	}
	for name, values := range t.Query {
		if !q.Has(name) {
			q.Values[name] = values
		}
	}
	return true
}

// opened is what a token carries; false for a text that is no token of this server's for the call.
func (c *call) opened(text string) (t pageToken, ok bool) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(data) < sealSize || !hmac.Equal(data[:sealSize], c.seal(data[sealSize:])) {
		return t, false
	}
	return t, json.Unmarshal(data[sealSize:], &t) == nil
}

// timePages are those of lists that are ordered by time and have no filter.
var timePages = pages{parameter: "start"}

// timeCursor is where a page of a list goes on that is ordered by time, the newest first.
type timeCursor struct {
	At int64  `json:"t"` // microseconds
	ID string `json:"i"`
}

// after reads where a page of a list that is ordered by time begins; nil for the first page.
func (p pages) after(q *query) *audience.Position {
	var from timeCursor
	if !p.read(q, &from) {
		return nil
	}
	return &audience.Position{At: time.UnixMicro(from.At), ID: from.ID}
}

// next returns the token of the page after the item with this time and id.
func (p pages) next(q *query, at time.Time, id string) string {
	return p.token(q, timeCursor{At: at.UnixMicro(), ID: id})
}

// page returns the page of a list that was read with one item more than the limit. last is the last item of the page if
// another page follows, otherwise nil.
func page[T any](list []T, limit int) (items []T, last *T) {
	if len(list) <= limit {
		return list, nil
	}
	return list[:limit], &list[limit-1]
}

// readOn reads parts of a list until the page is full, the list ends, or maxFilterReads parts were read: few items of a
// part may pass the filters. more is what the last read returned.
func readOn(full func() bool, read func() (more bool, err error)) (more bool, err error) {
	for range maxFilterReads {
		if more, err = read(); err != nil || !more || full() {
			break
		}
	}
	return more, err
}
