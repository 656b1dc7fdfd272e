package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Codes of the API that callers may want to handle.
const (
	codeBadToken = "100911-400"
	// CodeNotFound says that an object does not exist.
	CodeNotFound = "100940-404"
	// CodeDuplicate says that a name is already in use.
	CodeDuplicate = "100950-409"
)

// APIError is the server's refusal of a call.
type APIError struct {
	Method, Path string
	Status       int    // HTTP status
	Code         string // of the API, such as 100940-404; "" if the answer does not come from the API
	Message      string // human-readable
	Problems     []Problem
	RequestID    string
	RetryAfter   time.Duration // 0 if the server sent none
}

func (e *APIError) Error() string {
	code := e.Code
	if code == "" {
		code = strconv.Itoa(e.Status)
	}
	text := fmt.Sprintf("%s %s: %s: %s", e.Method, e.Path, code, e.Message)
	if e.Status >= http.StatusInternalServerError && e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

// newAPIError decodes a refusal: a problem document of the API, an OAuth error of the token endpoint, or any other
// answer, such as that of a proxy.
func newAPIError(req *http.Request, resp *http.Response, body []byte) *APIError {
	e := &APIError{Method: req.Method, Path: req.URL.Path, Status: resp.StatusCode, RequestID: resp.Header.Get("x-request-id")}
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n > 0 {
		e.RetryAfter = time.Duration(n) * time.Second
	}
	var problem ErrorBody
	var oauth TokenFailure
	switch {
	case json.Unmarshal(body, &problem) == nil && problem.ErrorCode != "":
		e.Code, e.Message = problem.ErrorCode, problem.Detail
		for _, p := range problem.Errors[strconv.Itoa(problem.Status)] {
			e.Problems = append(e.Problems, Problem{Path: p.Path, Message: p.Message})
		}
	case json.Unmarshal(body, &oauth) == nil && oauth.Error != "":
		e.Message = strings.TrimSuffix(oauth.Error+": "+oauth.Description, ": ")
	default:
		e.Message = "the server answered " + resp.Status
	}
	return e
}
