package api

import (
	"io"
	"net/http"
	"time"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
)

// stream is an answer of any length, which is sent while it is made, and compressed by gzip where the client
// accepts that. It may take as long as the client goes on reading.
type stream struct {
	contentType string
	header      map[string]string // further headers
	// write writes the body, in large parts. Its error before the first byte becomes a refusal; a later one breaks
	// the connection off, so that nobody takes a part for the whole.
	write func(w io.Writer) error
}

// partTimeout is how long a client may take to read a part of a stream.
const partTimeout = time.Minute

// compress wraps a handler whose answers may be compressed.
var compress = func() func(http.Handler) http.HandlerFunc {
	wrap, err := gzhttp.NewWrapper(gzhttp.CompressionLevel(gzip.BestSpeed), gzhttp.EnableZstd(false))
	if err != nil {
		panic(err) // the options are constants
	}
	return wrap
}()

// stream sends a streamed answer.
func (s *server) stream(w http.ResponseWriter, r *http.Request, st *stream) {
	compress(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.streamTo(w, r, st) })).ServeHTTP(w, r)
}

func (s *server) streamTo(w http.ResponseWriter, r *http.Request, st *stream) {
	w.Header().Set("Content-Type", st.contentType)
	for name, value := range st.header {
		w.Header().Set(name, value)
	}
	out := &partWriter{w: w, rc: http.NewResponseController(w)}
	var err error
	if r.Method != http.MethodHead {
		err = st.write(out)
	}
	switch {
	case err == nil && !out.begun:
		w.WriteHeader(http.StatusOK)
	case err == nil:
	case !out.begun:
		for name := range st.header {
			w.Header().Del(name)
		}
		s.fail(w, r, err)
	default:
		if r.Context().Err() == nil {
			s.logOf(r.Context()).Error("an answer broke off", "route", r.Pattern, "error", err)
		}
		panic(http.ErrAbortHandler)
	}
}

// partWriter gives the client time for every part of an answer.
type partWriter struct {
	w     io.Writer
	rc    *http.ResponseController
	begun bool
}

func (w *partWriter) Write(p []byte) (int, error) {
	w.begun = true
	_ = w.rc.SetWriteDeadline(time.Now().Add(partTimeout)) // a writer without deadlines has nobody to wait for
	return w.w.Write(p)
}
