package api

import (
	"errors"
	"net/http"
	"net/url"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/auth"
)

// maxForm is the largest body of a token request, in bytes.
const maxForm = 16 << 10

// token issues a token to an API client. The parameters are in a form or in the URL; the client's id and secret may
// also be in the header Authorization (RFC 6749, 2.3.1). Refusals have the form of OAuth. No parameter is logged.
func (s *server) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.refuseToken(w, r, http.StatusBadRequest, "invalid_request", "the parameters are not a well-formed form of at most 16 KiB")
		return
	}
	id, secret := clientCredentials(r)
	switch {
	case r.Form.Get("grant_type") == "":
		s.refuseToken(w, r, http.StatusBadRequest, "invalid_request", "grant_type is missing; it must be client_credentials")
		return
	case r.Form.Get("grant_type") != "client_credentials":
		s.refuseToken(w, r, http.StatusBadRequest, "unsupported_grant_type", "grant_type must be client_credentials")
		return
	case id == "" || secret == "":
		s.refuseToken(w, r, http.StatusBadRequest, "invalid_request", "client_id and client_secret are required")
		return
	}
	token, expiresIn, err := s.Issuer.Token(r.Context(), r.RemoteAddr, id, secret)
	switch {
	case errors.Is(err, auth.ErrInvalidClient):
		s.refuseToken(w, r, http.StatusUnauthorized, "invalid_client", "the client_id or the client_secret is wrong")
	case audience.CodeOf(err) == audience.TooMany:
		retryAfter(w.Header(), err)
		s.refuseToken(w, r, http.StatusTooManyRequests, "slow_down", audience.AsError(err).Message)
	case err != nil:
		s.fail(w, r, err)
	default:
		s.write(w, r, http.StatusOK, "application/json", client.Token{AccessToken: token, TokenType: "bearer", ExpiresIn: int64(expiresIn.Seconds())})
	}
}

// clientCredentials returns the id and the secret of a token request; "" if absent. In the header they are
// form-encoded.
func clientCredentials(r *http.Request) (id, secret string) {
	user, password, ok := r.BasicAuth()
	if !ok || r.Form.Has("client_secret") {
		return r.Form.Get("client_id"), r.Form.Get("client_secret")
	}
	id, idErr := url.QueryUnescape(user)
	secret, secretErr := url.QueryUnescape(password)
	if idErr != nil || secretErr != nil {
		return user, password
	}
	return id, secret
}

func (s *server) refuseToken(w http.ResponseWriter, r *http.Request, status int, code, description string) {
	s.write(w, r, status, "application/json", client.TokenFailure{Error: code, Description: description})
}
