package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"

	"roster/internal/audience"
)

const (
	repeatHeader   = "Idempotency-Key"
	repeatedHeader = "Idempotent-Replayed" // of an answer that was given before
	maxRepeatKey   = 255
)

// once does a call. A POST with an Idempotency-Key is done once in 24 hours: whoever repeats it gets the first
// answer again. An error has changed nothing, so that it is not kept. A POST that only reads is done each time: its answer
// may hold personal data, which is kept nowhere else, and is that of a moment and of what the client may see then.
func (s *server) once(w http.ResponseWriter, rt route, c *call) (answer, error) {
	key := c.Header.Get(repeatHeader)
	if c.Method != http.MethodPost || key == "" {
		return rt.do(c)
	}
	if len(key) > maxRepeatKey || strings.IndexFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
		return answer{}, audience.InvalidField(repeatHeader, "must be 1 to %d printable ASCII characters", maxRepeatKey)
	}
	if rt.reads {
		return rt.do(c)
	}
	request, err := c.fingerprint()
	if err != nil {
		return answer{}, err
	}
	kept, done, err := s.Service.Repeated(c.Context(), c.actor, key, request)
	if err != nil {
		return answer{}, err
	}
	if done {
		w.Header().Set(repeatedHeader, "true")
		a := answer{status: kept.Status}
		if kept.Body != "" {
			a.body = rawJSON(kept.Body)
		}
		return a, nil
	}
	a, err := rt.do(c)
	// The caller may be gone; what was done is kept all the same.
	if end := s.endOnce(context.WithoutCancel(c.Context()), c.actor, key, request, a, err); end != nil {
		s.logOf(c.Context()).Warn("the answer of a request was not kept: repeated soon, it is refused", "error", end)
	}
	return a, err
}

func (s *server) endOnce(ctx context.Context, actor audience.Actor, key, request string, a answer, failed error) error {
	if failed != nil {
		return s.Service.Refused(ctx, actor, key)
	}
	var body []byte
	if t, ok := a.body.(toldOnce); ok {
		a.body = t.kept
	}
	if a.body != nil {
		body = encode(a.body)
	}
	return s.Service.Answered(ctx, actor, key, request, a.status, string(body))
}

// fingerprint tells a request from others. Of a body that is larger than those of JSON, such as a file, the
// beginning and the length count.
func (c *call) fingerprint() (string, error) {
	begin, err := io.ReadAll(io.LimitReader(c.Body, maxBody+1))
	if err != nil {
		return "", audience.Errorf(audience.Invalid, "the body could not be read: it broke off")
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n%d\n", c.Method, c.URL.RequestURI(), c.ContentLength)
	sum.Write(begin)
	c.Body = rejoined{io.MultiReader(bytes.NewReader(begin), c.Body), c.Body}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// rejoined is a body whose beginning has been read.
type rejoined struct {
	io.Reader
	io.Closer
}
