package meta

import (
	"context"

	"roster/internal/audience"
)

// Clients reads API clients.
type Clients interface {
	Client(ctx context.Context, id string) (audience.Client, error)
	// Clients lists the API clients of an organization by ID: those after the ID of the last one seen, "" for the first page.
	Clients(ctx context.Context, org, after string, limit int) ([]audience.Client, error)
}

// ClientsTx changes API clients in a transaction.
type ClientsTx interface {
	Clients
	CreateClient(ctx context.Context, c audience.Client) error // ErrDuplicate
	// UpdateClient stores Name, SecretHash, OldSecrets, Roles, Grants and UpdatedAt.
	UpdateClient(ctx context.Context, c audience.Client) error
	DeleteClient(ctx context.Context, org, id string) error
}
