package web

import (
	"net/http"
	"strconv"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
)

// compress wraps a handler whose answers may be compressed.
var compress = func() func(http.Handler) http.HandlerFunc {
	wrap, err := gzhttp.NewWrapper(gzhttp.CompressionLevel(gzip.BestSpeed), gzhttp.EnableZstd(false))
	if err != nil {
		panic(err) // the options are constants
	}
	return wrap
}()

// Send answers a request with text, compressed when text is long and the client accepts gzip. It reports whether all of text was written;
// when it was not, HTTP/2 may go on to read text.
func (s *Shell) Send(w http.ResponseWriter, r *http.Request, status int, contentType string, text []byte) (written bool) {
	send := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		w.WriteHeader(status)
		_, err := w.Write(text)
		if written = err == nil; !written {
			s.LogOf(r.Context()).Debug("an answer did not arrive", "error", err)
		}
	}
	if len(text) >= gzhttp.DefaultMinSize {
		send = compress(http.HandlerFunc(send))
	}
	send(w, r)
	return written
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap gives http.ResponseController the writer below.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
