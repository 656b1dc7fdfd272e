package audience

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Code is a stable error code of the contract (section 1). Its last three digits are the HTTP status.
type Code string

// The codes.
const (
	Invalid       Code = "100910-400" // a request that fails validation
	BadToken      Code = "100911-400" // a token that is unreadable, expired or forged
	MissingHeader Code = "100920-401"
	WrongOrg      Code = "100921-401"
	Forbidden     Code = "100922-401"
	NotFound      Code = "100940-404"
	Duplicate     Code = "100950-409"
	Stale         Code = "100910-412" // a change of something that has changed since it was read
	Impossible    Code = "100960-422" // well-formed but impossible now
	TooMany       Code = "100910-429" // more than a limit allows
	Internal      Code = "100970-500"
	BadGateway    Code = "100970-502" // a source or a store is down
	Unavailable   Code = "100970-503" // the requested data is being repaired
)

// Problem is one problem of a request. Path names the field, such as "fields[1].type", or is "".
type Problem struct {
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
}

// Error is an error with a code of the contract. Message and the problems are shown to people: they never contain
// personal data or secrets.
type Error struct {
	Code     Code      `json:"code"`
	Message  string    `json:"message"`
	Problems []Problem `json:"problems,omitempty"`
	// RetryAfter is the time to wait before the next request; only for TooMany and Unavailable.
	RetryAfter time.Duration `json:"-"`
	cause      error
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Unwrap returns the cause, which is for logs and never for clients.
func (e *Error) Unwrap() error { return e.cause }

// Errorf returns an Error with a code. The operand of a %w verb becomes its hidden cause and part of its text.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), cause: errors.Unwrap(err)}
}

// InvalidField returns an Invalid error about one field of a request.
func InvalidField(path, format string, args ...any) *Error {
	msg := fmt.Sprintf(format, args...)
	text := msg
	if path != "" {
		text = path + ": " + msg
	}
	return &Error{Code: Invalid, Message: text, Problems: []Problem{{Path: path, Message: msg}}}
}

// WithPaths returns the error with other paths of its problems, also in the message.
func (e *Error) WithPaths(path func(string) string) *Error {
	other := *e
	other.Problems = slices.Clone(e.Problems)
	for i := range other.Problems {
		other.Problems[i].Path = path(other.Problems[i].Path)
	}
	if before := Problems(e.Problems).text(); before != "" && e.Message == before {
		other.Message = Problems(other.Problems).text()
	} else {
		other.Message = path(e.Message) // the message may begin with the path of a property
	}
	return &other
}

// CodeOf returns the code of err, and Internal for an error without one.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

// AsError returns err as an *Error; an error without a code becomes Internal with a message that hides it.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: Internal, Message: "an internal error; the server's log has the details under this request or run id", cause: err}
}
