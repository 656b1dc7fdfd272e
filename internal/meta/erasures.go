package meta

import (
	"context"

	"roster/internal/audience"
)

// Erasures reads erasures.
type Erasures interface {
	Erasure(ctx context.Context, scope audience.Scope, id audience.ErasureID) (audience.Erasure, error)
	// Erasures lists by creation time, the newest first; after is the place that the list goes on after, nil begins it.
	Erasures(ctx context.Context, scope audience.Scope, after *audience.Position, limit int) ([]audience.Erasure, error)
	// ErasedIdentities lists the opaque ids of the identities that were erased from a sandbox, or are being erased, in no
	// order, each once.
	ErasedIdentities(ctx context.Context, scope audience.Scope) ([]string, error)
	// UnfinishedErasures lists the erasures of all organizations that are PROCESSING, the oldest first.
	UnfinishedErasures(ctx context.Context) ([]audience.Erasure, error)
}

// ErasuresTx creates and saves erasures in a transaction.
type ErasuresTx interface {
	Erasures
	CreateErasure(ctx context.Context, e audience.Erasure) error // ErrDuplicate (ID)
	// SaveErasure stores Sealed, Status, Error, Progress, UpdatedAt and EndedAt of a PROCESSING erasure, and counts its
	// Version. ErrStale when it is not PROCESSING, or was saved since it was read.
	SaveErasure(ctx context.Context, e *audience.Erasure) error
}
