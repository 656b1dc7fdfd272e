package api

import (
	"context"
	"time"

	"roster/internal/audience"
	"roster/internal/auth"
	"roster/internal/control"
)

// Service has the use cases that the handlers need; *control.Service implements it. Its parts are next to their
// handlers.
type Service interface {
	Audiences
	Drafts
	Labels
	Runs
	Rejects
	Receipts
	Versions
	Datasets
	Connections
	Stores
	Keys
	Flows
	Namespaces
	Sandboxes
	Members
	Profiles
	Files
	Clients
	AuditLog
	Webhooks
	Erasures
	Orders
	Repeats
}

// Issuer checks credentials and issues tokens; *auth.Issuer implements it.
type Issuer interface {
	Token(ctx context.Context, remote, clientID, clientSecret string) (token string, expiresIn time.Duration, err error)
	Authenticate(ctx context.Context, h auth.Headers) (audience.Actor, error)
	AuthenticateToken(ctx context.Context, h auth.Headers) (audience.Actor, error)
	Actors(ctx context.Context, h auth.Headers) ([]audience.Actor, error)
	SignReceipt(receipt []byte) (signature string, err error)
	SignCertificate(certificate []byte) (signature string, err error)
	Keys() []byte
}

var (
	_ Service = (*control.Service)(nil)
	_ Issuer  = (*auth.Issuer)(nil)
)
