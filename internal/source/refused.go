package source

import (
	"errors"

	"roster/internal/audience"
)

// Refused says what is wrong with a connection whose store refuses to be read at all; nil for other errors.
func Refused(err error) error {
	switch {
	case errors.Is(err, ErrCredentials):
		return audience.Errorf(audience.BadGateway, "the store refuses the connection: %s; correct its auth.params", Reason(err, ErrCredentials))
	case errors.Is(err, ErrNoBucket):
		return audience.Errorf(audience.BadGateway, "there is no such bucket or container as the connection, or the first part of the path, names; correct its auth.params, or the path")
	case errors.Is(err, ErrUnreachable):
		return audience.Errorf(audience.BadGateway, "the store cannot be reached: %s; correct the address in the connection's auth.params", Reason(err, ErrUnreachable))
	case errors.Is(err, ErrFailed):
		return audience.Errorf(audience.BadGateway, "%s; try again, and check the connection's auth.params if that fails as well", Reason(err, ErrFailed))
	}
	return nil
}
