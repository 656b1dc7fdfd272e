package blob

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"roster/internal/netguard"
)

// TestUnanswered says what is wrong with the way to a store, and no address, which may hold a signature.
func TestUnanswered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cause, want error
		text        string
	}{
		{io.EOF, ErrFailed, "broke off"},
		{io.ErrUnexpectedEOF, ErrFailed, "broke off"},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, ErrFailed, "broke off"},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, ErrUnreachable, ""},
		{&net.OpError{Op: "dial", Err: fmt.Errorf("10.0.0.1: %w", netguard.ErrForbidden)}, ErrUnreachable, "not a public one"},
		{os.ErrDeadlineExceeded, ErrFailed, "in time"},
		{errors.New("malformed"), ErrFailed, "cannot be understood"},
	} {
		got := Unanswered(&url.Error{Op: "Get", URL: "https://store.example.com/a?sig=planted", Err: c.cause})
		if !errors.Is(got, c.want) || !strings.Contains(got.Error(), c.text) || strings.Contains(got.Error(), "planted") || strings.Contains(got.Error(), "10.0.0.1") {
			t.Errorf("%v: %v", c.cause, got)
		}
	}
}
