package servertest

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Fault is a change that a Proxy makes to an answer.
type Fault struct {
	// Status answers in place of the server, with that body; 0 asks the server. If After is set, the server is asked first,
	// and its answer is lost; without a status the connection is closed.
	Status int
	Body   string
	After  bool
	// Cut closes the connection after this many bytes of the answer's body; 0 does not.
	Cut int64
	// Pause is the delay before each 64 KiB of the answer's body.
	Pause time.Duration
	// Edit changes the answer's body.
	Edit func(body string) string
}

// Proxy forwards requests to the server at an address, with the faults that a function chooses. It returns the proxy's
// address.
func Proxy(t testing.TB, to string, choose func(r *http.Request) Fault) (address string) {
	t.Helper()
	forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: to})
	forward.ErrorLog = log.New(io.Discard, "", 0)
	forward.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	forward.ModifyResponse = func(resp *http.Response) error {
		f, _ := resp.Request.Context().Value(faultKey{}).(Fault)
		if f.Edit != nil {
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				return err
			}
			edited := f.Edit(string(body))
			resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(edited)), int64(len(edited))
			resp.Header.Del("Content-Length")
		}
		resp.Body = &faulty{ReadCloser: resp.Body, fault: f, left: f.Cut}
		return nil
	}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := choose(r)
		if f.After {
			forward.ServeHTTP(httptest.NewRecorder(), r)
			if f.Status == 0 {
				panic(http.ErrAbortHandler)
			}
		}
		if f.Status != 0 {
			w.WriteHeader(f.Status)
			_, _ = io.WriteString(w, f.Body)
			return
		}
		forward.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), faultKey{}, f)))
	}))
	t.Cleanup(proxy.Close)
	return proxy.Listener.Addr().String()
}

type faultKey struct{}

// faulty is the body of an answer with a fault.
type faulty struct {
	io.ReadCloser
	fault Fault
	left  int64
}

func (b *faulty) Read(p []byte) (int, error) {
	if b.fault.Pause > 0 {
		time.Sleep(b.fault.Pause)
		p = p[:min(len(p), 64<<10)]
	}
	if b.fault.Cut > 0 {
		if b.left == 0 {
			return 0, io.ErrUnexpectedEOF
		}
		p = p[:min(int64(len(p)), b.left)]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}
