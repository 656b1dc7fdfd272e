package source

import (
	"errors"

	"roster/internal/audience"
)

// Refused returns the problem of a connection whose store cannot be read at all; nil for other errors.
func Refused(err error) error {
	switch {
	case errors.Is(err, ErrCredentials):
		return audience.Errorf(audience.BadGateway, "the store refuses the connection: %s; correct its auth.params", Reason(err, ErrCredentials))
	case errors.Is(err, ErrNoBucket):
		return audience.Errorf(audience.BadGateway, "the bucket or container that the connection, or the first part of the path, names does not exist; correct the connection's auth.params, or the path")
	case errors.Is(err, ErrUnreachable):
		return audience.Errorf(audience.BadGateway, "the store cannot be reached: %s; correct the address in the connection's auth.params", Reason(err, ErrUnreachable))
	case errors.Is(err, ErrFailed):
		return audience.Errorf(audience.BadGateway, "%s; try again, and if that fails, check the connection's auth.params", Reason(err, ErrFailed))
	}
	return nil
}
