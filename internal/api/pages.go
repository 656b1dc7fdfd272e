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

// pages describes how a list continues from page to page: with a token that the server created. A token is valid only
// for this list in the same organization and sandbox, with the same query.
type pages struct {
	parameter string   // the query parameter with the token
	of        []string // parameters that select the list's entries
}

// pageToken is the content of a token: the position in the list, and the parameters of the list, since some clients
// send only the token back.
type pageToken struct {
	Query url.Values      `json:"q,omitempty"`
	Place json.RawMessage `json:"p"`
}

// sealSize is the length of a token's seal, in bytes.
const sealSize = 16

// seal authenticates data as created by this server for the caller's sandbox and the call's path.
func (c *call) seal(data []byte) []byte {
	h := hmac.New(sha256.New, c.pageKey)
	for _, part := range []string{c.actor.Scope.Org, c.actor.Scope.Sandbox, c.URL.Path, string(data)} {
		h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	return h.Sum(nil)[:sealSize]
}

// token returns the token for the position after a page. It contains no "=", because clients split at it.
func (p pages) token(q *query, place any) string {
	at, err := json.Marshal(place)
	if err != nil {
		panic(err) // it contains only texts and numbers
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

// read decodes the position of a page into place, a pointer; false for the first page. Parameters of the list that the
// query omits come from the token.
func (p pages) read(q *query, place any) bool {
	text := q.Get(p.parameter)
	if text == "" {
		return false
	}
	t, ok := q.call.opened(text)
	if !ok || json.Unmarshal(t.Place, place) != nil {
		q.problems.Add(p.parameter, "must be the token of the page before, of the same list in the same sandbox")
		return false
	}
	for _, name := range p.of {
		if q.Has(name) && !slices.Equal(q.Values[name], t.Query[name]) {
			q.problems.Add(p.parameter, "belongs to a list with another %s; repeat the value of the first page, or omit it", name)
		}
	}
	for name, values := range t.Query {
		if !q.Has(name) {
			q.Values[name] = values
		}
	}
	return true
}

// opened returns the content of a token; false for a text that is not a token of this server for the call.
func (c *call) opened(text string) (t pageToken, ok bool) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(data) < sealSize || !hmac.Equal(data[:sealSize], c.seal(data[sealSize:])) {
		return t, false
	}
	return t, json.Unmarshal(data[sealSize:], &t) == nil
}

// timePages are the pages of lists that are ordered by time and have no filter.
var timePages = pages{parameter: "start"}

// timeCursor is the position after a page of a list that is ordered by time, the newest first.
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
