package meta

import (
	"context"

	"roster/internal/audience"
)

// Connections reads connections.
type Connections interface {
	Connection(ctx context.Context, scope audience.Scope, id audience.ConnectionID) (audience.Connection, error)
	// Connections lists by creation time, then id; name is that of the only one wanted, ignoring case, or "";
	// after is the id of the last one seen, "" for the first page, and ErrNotFound when that one is gone.
	Connections(ctx context.Context, scope audience.Scope, name string, after audience.ConnectionID, limit int) ([]audience.Connection, error)
}

// ConnectionsTx changes connections in a transaction.
type ConnectionsTx interface {
	Connections
	CreateConnection(ctx context.Context, c audience.Connection) error // ErrDuplicate (name in the sandbox, ignoring case)
	// UpdateConnection stores Name, Description, AuthSpec, Params, Etag, Version, UpdatedBy and UpdatedAt
	// (ErrDuplicate as in CreateConnection).
	UpdateConnection(ctx context.Context, c audience.Connection) error
	DeleteConnection(ctx context.Context, scope audience.Scope, id audience.ConnectionID) error
	// ConnectionInUse reports whether an audience or an unfinished task names the connection.
	ConnectionInUse(ctx context.Context, scope audience.Scope, id audience.ConnectionID) (bool, error)
}

// Keys reads PGP keys.
type Keys interface {
	Key(ctx context.Context, scope audience.Scope, kind audience.KeyKind, id audience.KeyID) (audience.Key, error)
	// Keys lists the PGP keys of a kind by creation time, then id.
	Keys(ctx context.Context, scope audience.Scope, kind audience.KeyKind) ([]audience.Key, error)
}

// KeysTx changes PGP keys in a transaction.
type KeysTx interface {
	Keys
	CreateKey(ctx context.Context, k audience.Key) error
	DeleteKey(ctx context.Context, scope audience.Scope, kind audience.KeyKind, id audience.KeyID) error
	// KeyInUse reports whether an audience or an unfinished task names the key.
	KeyInUse(ctx context.Context, scope audience.Scope, id audience.KeyID) (bool, error)
}

// Secrets reads sealed texts.
type Secrets interface {
	// Sealed lists the sealed texts of all organizations.
	Sealed(ctx context.Context) ([]Sealed, error)
}

// SecretsTx replaces sealed texts in a transaction.
type SecretsTx interface {
	Secrets
	// Reseal replaces a sealed text; ErrStale if the old text is no longer stored.
	Reseal(ctx context.Context, was Sealed, text string) error
}

// SealedBy is the kind of object that a sealed text belongs to.
type SealedBy string

// The kinds of objects with sealed texts.
const (
	SealedConnection SealedBy = "connection"
	SealedWebhook    SealedBy = "webhook"
	SealedErasure    SealedBy = "erasure"
	SealedKey        SealedBy = "key"
)

// Place returns the place that an object's text is sealed for. The text can be opened only for this place.
func (by SealedBy) Place(id string) string {
	switch by {
	case SealedWebhook:
		return "webhook/" + id
	case SealedErasure:
		return "erasure " + id
	case SealedKey:
		return "key/" + id
	}
	return id
}

// Sealed is a sealed text with the id of its object.
type Sealed struct {
	By   SealedBy
	ID   string
	Text string
}
