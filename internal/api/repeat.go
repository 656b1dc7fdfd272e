package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strings"

	"roster/internal/audience"
	"roster/internal/control"
)

// Repeats stores the answers of requests with an Idempotency-Key.
type Repeats interface {
	Repeated(ctx context.Context, a audience.Actor, key, request string, about audience.ID) (audience.Answer, bool, error)
	Answered(ctx context.Context, a audience.Actor, key, request string, status int, body string) error
	Refused(ctx context.Context, a audience.Actor, key string) error
}

const (
	repeatHeader   = "Idempotency-Key"
	repeatedHeader = "Idempotent-Replayed" // marks an answer that was stored before
	maxRepeatKey   = 255
)

// once performs a call. A POST with an Idempotency-Key is performed once in 24 hours; repetitions get the first answer
// again. Errors are not stored, because they changed nothing. A POST that only reads is performed each time, because
// its answer may contain personal data, which must not be stored, and depends on the time and on the client's rights.
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
	about, _ := c.audienceID() // "" for a path without an audience
	kept, done, err := s.Service.Repeated(c.Context(), c.actor, key, request.begin, about)
	if err != nil {
		return answer{}, err
	}
	if done {
		if whole, err := request.whole(); err != nil {
			return answer{}, err
		} else if whole != kept.Request {
			return answer{}, audience.InvalidField(repeatHeader, "was used for a request with another body in the last 24 hours; use a new key for a new request")
		}
		w.Header().Set(repeatedHeader, "true")
		a := answer{status: kept.Status}
		if kept.Body != "" {
			a.body = rawJSON(kept.Body)
		}
		return a, nil
	}
	a, err := rt.do(c)
	// Even if the caller is gone, the result is stored.
	if end := s.endOnce(context.WithoutCancel(c.Context()), c.actor, key, request, a, err); end != nil {
		s.shell.LogOf(c.Context()).Warn("the answer of a request could not be stored: a repetition within a short time is refused", "error", end)
	}
	return a, err
}

func (s *server) endOnce(ctx context.Context, actor audience.Actor, key string, request *fingerprint, a answer, failed error) error {
	if failed != nil {
		return s.Service.Refused(ctx, actor, key)
	}
	var body []byte
	if t, ok := a.body.(oneTimeSecret); ok {
		a.body = t.kept
	}
	if a.body != nil {
		body = encode(a.body)
	}
	whole, err := request.whole()
	if err != nil {
		return err
	}
	return s.Service.Answered(ctx, actor, key, whole, a.status, string(body))
}

// fingerprint identifies a request.
type fingerprint struct {
	// begin is the sum of the request and its body, or of the beginning of a body larger than those of JSON, such as a
	// file. It is known before the call is performed.
	begin string
	sum   hash.Hash
	rest  io.Reader // of a larger body; reading it updates the sum
}

// fingerprint starts the fingerprint of the call. The body can still be read from its beginning.
func (c *call) fingerprint() (*fingerprint, error) {
	begin, err := io.ReadAll(io.LimitReader(c.Body, maxBody+1))
	if err != nil {
		return nil, brokenOff()
	}
	f := &fingerprint{sum: sha256.New()}
	fmt.Fprintf(f.sum, "%s\n%s\n%d\n", c.Method, c.URL.RequestURI(), c.ContentLength)
	f.sum.Write(begin)
	f.begin = hex.EncodeToString(f.sum.Sum(nil))
	rest := io.Reader(c.Body)
	if len(begin) > maxBody {
		f.rest = io.TeeReader(c.Body, f.sum)
		rest = f.rest
	}
	c.Body = rejoined{io.MultiReader(bytes.NewReader(begin), rest), c.Body}
	return f, nil
}

// whole returns the fingerprint of the whole body, and reads the unread rest for that. It begins with f.begin.
func (f *fingerprint) whole() (string, error) {
	if f.rest == nil {
		return f.begin, nil
	}
	if _, err := io.Copy(io.Discard, f.rest); err != nil {
		return "", brokenOff()
	}
	return f.begin + control.WholeRequest + hex.EncodeToString(f.sum.Sum(nil)), nil
}

// rejoined is a body whose beginning was already read.
type rejoined struct {
	io.Reader
	io.Closer
}
