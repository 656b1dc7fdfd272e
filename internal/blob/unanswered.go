package blob

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"roster/internal/netguard"
)

// Unanswered translates an error of the way to a store, or of an answer that cannot be understood.
func Unanswered(err error) error {
	var inNet *net.OpError
	var certificate *tls.CertificateVerificationError
	var late net.Error
	switch {
	case errors.Is(err, netguard.ErrForbidden):
		return fmt.Errorf("%w: %w", ErrUnreachable, netguard.ErrForbidden)
	case errors.As(err, &certificate):
		return fmt.Errorf("%w: its certificate is not one to trust", ErrUnreachable)
	case errors.As(err, &inNet) && inNet.Op == "dial":
		return ErrUnreachable
	case errors.As(err, &late) && late.Timeout():
		return fmt.Errorf("%w: it has not answered in time", ErrFailed)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("%w: the connection broke off", ErrFailed)
	}
	return fmt.Errorf("%w: its answer cannot be understood", ErrFailed)
}
