package meta

import (
	"context"
	"time"

	"roster/internal/audience"
)

// Audiences reads audiences.
type Audiences interface {
	Audience(ctx context.Context, scope audience.Scope, id audience.ID) (audience.Audience, error)
	// AudienceByNum finds an audience by its number, for answers of the profile store; ErrNotFound if it is deleted.
	AudienceByNum(ctx context.Context, num uint32) (audience.Audience, error)
	// Audiences lists the audiences that the query selects; total counts the audiences that pass its filters.
	Audiences(ctx context.Context, scope audience.Scope, q audience.AudienceQuery) (list []audience.Audience, total int, err error)
	// AudienceByFlow finds an audience by its flowId (FlowID).
	AudienceByFlow(ctx context.Context, scope audience.Scope, flowID string) (audience.Audience, error)
	// AudiencesByID finds those of the audiences that exist, in no order.
	AudiencesByID(ctx context.Context, scope audience.Scope, ids []audience.ID) ([]audience.Audience, error)
	// Labels returns the labels that audiences of a sandbox have, in order.
	Labels(ctx context.Context, scope audience.Scope) ([]string, error)
}

// AudiencesTx changes audiences in a transaction.
type AudiencesTx interface {
	Audiences
	// UpdateAudience stores Name, Description, Fields, Labels, Tags, TTLDays, Guards, State, Schedule with NextRunAt,
	// ScheduleTried and ScheduleNote, Source, KeepRejectedRows, NoPayload, UpdatedBy and UpdatedAt. A DuplicateError says that
	// another audience of the sandbox has the Name.
	UpdateAudience(ctx context.Context, a audience.Audience) error
	// DeleteAudience hides the audience and all its runs from every read, frees its names, and marks its data for
	// removal. A PROCESSING run of the audience ends: the next SaveRun of its worker returns ErrStale.
	DeleteAudience(ctx context.Context, scope audience.Scope, id audience.ID) error
}

// Upkeep lists the audiences that are due for maintenance, for a scheduled run, or for the removal of their data.
type Upkeep interface {
	// Unmaintained lists the audiences that have had a run and whose maintenance last ended at or before that time
	// or never did, those that wait longest first.
	Unmaintained(ctx context.Context, before time.Time, limit int) ([]audience.Audience, error)
	// Scheduled lists the numbers of the audiences whose NextRunAt is set and has come, the oldest first.
	Scheduled(ctx context.Context, now time.Time, limit int) ([]uint32, error)
	// AwaitingCleanup lists deleted audiences whose data still has to be removed.
	AwaitingCleanup(ctx context.Context) ([]DeletedAudience, error)
}

// UpkeepTx records what was done for audiences that were due in a transaction.
type UpkeepTx interface {
	Upkeep
	// MarkScheduled stores NextRunAt, ScheduleTried and ScheduleNote.
	MarkScheduled(ctx context.Context, id audience.ID, next time.Time, tried, note string) error
	// MarkMaintained stores MaintainedAt.
	MarkMaintained(ctx context.Context, id audience.ID, at time.Time) error
	// MarkCleanedUp records that the data of a deleted audience is removed (ErrNotFound if the audience is not deleted).
	MarkCleanedUp(ctx context.Context, id audience.ID) error
}

// DeletedAudience is a deleted audience whose data a cleanup removes.
type DeletedAudience struct {
	ID         audience.ID
	Num        uint32
	SandboxNum uint32
	Scope      audience.Scope
}
