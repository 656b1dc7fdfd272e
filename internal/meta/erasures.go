package meta

import (
	"context"
	"time"

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
	// LeavingIdentities lists those of ErasedIdentities whose erasure is PROCESSING.
	LeavingIdentities(ctx context.Context, scope audience.Scope) ([]string, error)
	// ErasingSandboxes lists the sandboxes with erasures that are PROCESSING, in no order.
	ErasingSandboxes(ctx context.Context) ([]audience.Scope, error)
	// ErasureLeaders lists the PROCESSING erasures of a sandbox that are their own leader or have none, the oldest first.
	ErasureLeaders(ctx context.Context, scope audience.Scope) ([]audience.Erasure, error)
	// ErasuresLedBy lists the erasures with a leader, including the leader itself, the oldest first.
	ErasuresLedBy(ctx context.Context, leader audience.ErasureID) ([]audience.Erasure, error)
	// ErasuresOf tells how many of some erasures are PROCESSING, and when one of them last changed.
	ErasuresOf(ctx context.Context, scope audience.Scope, ids []audience.ErasureID) (processing int, updated time.Time, err error)
	// DroppedVersions lists the versions of an audience that erasures have removed, the oldest first.
	DroppedVersions(ctx context.Context, aud audience.ID) ([]audience.DroppedVersion, error)
	// VersionsDroppedBy lists the versions that the erasures with a leader have removed, the oldest first.
	VersionsDroppedBy(ctx context.Context, leader audience.ErasureID) ([]audience.DroppedVersion, error)
}

// ErasuresTx creates and saves erasures in a transaction.
type ErasuresTx interface {
	Erasures
	CreateErasure(ctx context.Context, e audience.Erasure) error // ErrDuplicate (ID)
	// SaveErasure stores Sealed, Status, Error, Progress, UpdatedAt and EndedAt of a PROCESSING erasure, and counts its
	// Version. ErrStale when it is not PROCESSING, or was saved since it was read.
	SaveErasure(ctx context.Context, e *audience.Erasure) error
	// SetErasureLeader changes the leader of PROCESSING erasures.
	SetErasureLeader(ctx context.Context, leader audience.ErasureID, ids ...audience.ErasureID) error
	// EndErasures ends the PROCESSING erasures with a leader as SUCCESS, and removes the sealed identities and the errors.
	EndErasures(ctx context.Context, leader audience.ErasureID, at time.Time) error
	// AddDroppedVersions records removed versions. A version that is recorded already does not change.
	AddDroppedVersions(ctx context.Context, list []audience.DroppedVersion) error
}
