package api

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/web"
)

// problemType is the media type of every refusal.
const problemType = "application/problem+json"

// methodNotAllowed is a code of HTTP itself, which no use case returns.
const methodNotAllowed audience.Code = "100910-405"

// errorTable is the only place where error codes become HTTP. A code that is not in it is an internal error.
var errorTable = map[audience.Code]struct {
	status  int
	message string
}{
	audience.Invalid:       {http.StatusBadRequest, "BAD_REQUEST"},
	audience.BadToken:      {http.StatusBadRequest, "BAD_REQUEST"},
	audience.MissingHeader: {http.StatusUnauthorized, "UNAUTHORIZED"},
	audience.WrongOrg:      {http.StatusUnauthorized, "UNAUTHORIZED"},
	audience.Forbidden:     {http.StatusUnauthorized, "UNAUTHORIZED"},
	audience.NotFound:      {http.StatusNotFound, "NOT_FOUND"},
	methodNotAllowed:       {http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED"},
	audience.Duplicate:     {http.StatusConflict, "DUPLICATE_RESOURCE"},
	audience.Stale:         {http.StatusPreconditionFailed, "PRECONDITION_FAILED"},
	audience.TooMany:       {http.StatusTooManyRequests, "TOO_MANY_REQUESTS"},
	audience.Impossible:    {http.StatusUnprocessableEntity, "UNPROCESSABLE_ENTITY"},
	audience.Internal:      {http.StatusInternalServerError, "INTERNAL_SERVER_ERROR"},
	audience.BadGateway:    {http.StatusBadGateway, "BAD_GATEWAY"},
	audience.Unavailable:   {http.StatusServiceUnavailable, "SERVICE_UNAVAILABLE"},
}

// refusal returns the status and the body for an error.
func refusal(err error, requestID string) (int, client.ErrorBody) {
	e := audience.AsError(err)
	row, ok := errorTable[e.Code]
	if !ok {
		e = audience.AsError(errors.New("an unknown code"))
		row = errorTable[e.Code]
	}
	body := client.ErrorBody{
		Type:      "https://ns.adobe.com/aep/errors/" + string(e.Code),
		Title:     http.StatusText(row.status),
		Status:    row.status,
		Detail:    e.Message,
		RequestID: requestID,
		ErrorCode: string(e.Code),
		Message:   row.message,
	}
	if e.Code == audience.Stale {
		body.ErrorMessage = e.Message
	}
	entries := []client.ErrorEntry{}
	for _, p := range e.Problems {
		entries = append(entries, client.ErrorEntry{Code: string(e.Code), Message: p.Message, Path: p.Path})
	}
	if len(entries) == 0 {
		entries = append(entries, client.ErrorEntry{Code: string(e.Code), Message: e.Message})
	}
	body.Errors = map[string][]client.ErrorEntry{strconv.Itoa(row.status): entries}
	return row.status, body
}

// failure returns the error of a task, a run or a stage for clients; nil for nil.
func failure(e *audience.Error) *client.Failure {
	if e == nil {
		return nil
	}
	f := &client.Failure{Code: string(e.Code), Message: errorTable[e.Code].message, Detail: e.Message}
	for _, p := range e.Problems {
		f.Problems = append(f.Problems, client.Problem(p))
	}
	return f
}

// fail answers with an error.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, body := refusal(err, web.RequestID(r.Context()))
	s.refused(w, r, status, err)
	s.write(w, r, status, problemType, body)
}

// refused sets the headers of an error's answer. It logs errors of the server in full; clients see only the part that
// is meant for them.
func (s *server) refused(w http.ResponseWriter, r *http.Request, status int, err error) {
	switch {
	case status == http.StatusServiceUnavailable: // the reason is already logged
		retryAfter(w.Header(), err)
	case errors.Is(err, web.ErrPanic): // likewise
	case status >= http.StatusInternalServerError && !errors.Is(r.Context().Err(), context.Canceled):
		cause := err
		if coded := (*audience.Error)(nil); errors.As(err, &coded) && coded.Unwrap() != nil {
			cause = errors.Join(err, coded.Unwrap())
		}
		s.shell.LogOf(r.Context()).Error("a request failed", "method", r.Method, "route", r.Pattern, "error", cause)
	case status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case status == http.StatusTooManyRequests:
		retryAfter(w.Header(), err)
	}
}

// retryAfter tells the client when to repeat a request that exceeded a limit, or that came during a repair.
func retryAfter(h http.Header, err error) {
	wait := math.Ceil(audience.AsError(err).RetryAfter.Seconds())
	h.Set("Retry-After", strconv.Itoa(max(int(wait), 1)))
}
