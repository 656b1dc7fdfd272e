package web

import (
	"io"
	"net/http"

	"roster/internal/background"
)

// Stream is an answer of any length. It is sent while it is made, and compressed by gzip where the client
// accepts that. It may take as long as the client goes on reading, which package edge sees to.
type Stream struct {
	ContentType string
	Header      map[string]string // further headers
	// Write writes the body, in large parts. An error before the first byte fails the request; a later one breaks
	// the connection off, so that nobody takes a part for the whole.
	Write func(w io.Writer) error
}

// Stream sends a streamed answer.
func (s *Shell) Stream(w http.ResponseWriter, r *http.Request, st *Stream) {
	compress(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.streamTo(w, r, st) })).ServeHTTP(w, r)
}

func (s *Shell) streamTo(w http.ResponseWriter, r *http.Request, st *Stream) {
	w.Header().Set("Content-Type", st.ContentType)
	for name, value := range st.Header {
		w.Header().Set(name, value)
	}
	out := &begun{w: w}
	var err error
	if r.Method != http.MethodHead {
		err = apart(func() error {
			defer out.end()
			return st.Write(out)
		})
	}
	switch {
	case err == nil && !out.yet:
		w.WriteHeader(http.StatusOK)
	case err == nil:
	case !out.yet:
		for name := range st.Header {
			w.Header().Del(name)
		}
		s.Fail(w, r, err)
	default:
		if r.Context().Err() == nil {
			s.LogOf(r.Context()).Error("an answer broke off", "route", r.Pattern, "error", err)
		}
		panic(http.ErrAbortHandler)
	}
}

// apart makes a streamed answer on a goroutine of its own, so that a large one can make way for others. A panic stays one of
// the request.
func apart(write func() error) error {
	type result struct {
		err   error
		panic any
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			r.panic = recover()
			done <- r
		}()
		r.err = write()
	}()
	r := <-done
	if r.panic != nil {
		panic(r.panic)
	}
	return r.err
}

// largeAnswer is how many bytes of an answer are made at the priority of requests. What is beyond makes way for them.
const largeAnswer = 256 << 10

// begun is where a streamed answer goes, on a goroutine of its own.
type begun struct {
	w       io.Writer
	yet     bool // something was written
	written int
	large   bool
	leave   func() // ends the thread of a large answer
}

// end says that the answer has ended, on the goroutine that wrote it.
func (b *begun) end() {
	if b.large {
		b.leave()
		background.Working(-1)
	}
}

func (b *begun) Write(p []byte) (int, error) {
	b.yet = true
	if b.written += len(p); b.written > largeAnswer && !b.large {
		b.large = true
		background.Working(1)
		b.leave = background.Thread()
	}
	return b.w.Write(p)
}
