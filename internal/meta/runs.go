package meta

import (
	"context"
	"time"

	"roster/internal/audience"
)

// Runs reads runs and the objects that they have read.
type Runs interface {
	Run(ctx context.Context, scope audience.Scope, aud audience.ID, id audience.RunID) (audience.Run, error)
	// Runs lists the runs of an audience, without what they Planned and without Result.Files where these are many;
	// total counts those that the filters let through.
	Runs(ctx context.Context, scope audience.Scope, aud audience.ID, q audience.RunQuery) (list []audience.Run, total int, err error)
	// RunBySeq finds a run by its sequence number in the audience.
	RunBySeq(ctx context.Context, scope audience.Scope, aud audience.ID, seq int64) (audience.Run, error)
	// RunByFlow finds a run by the flowRunId of one of its stages, or the newest run of a flow by its flowId.
	RunByFlow(ctx context.Context, scope audience.Scope, flowRunID string) (audience.Run, error)
	// FlowRuns lists the runs of an audience or of a whole sandbox by creation time, Seq and ID, the newest first,
	// without what they Planned.
	FlowRuns(ctx context.Context, scope audience.Scope, q audience.FlowRunQuery) ([]audience.Run, error)
	// NewestRuns finds the newest run of each of the audiences that has one, in no order, without what they Planned.
	NewestRuns(ctx context.Context, scope audience.Scope, ids []audience.ID) ([]audience.Run, error)
	// RunsSince lists the runs of a sandbox that were created after a time, those of deleted audiences too, the
	// oldest first.
	RunsSince(ctx context.Context, scope audience.Scope, after time.Time) ([]RunStart, error)
	// LastIngested returns when the newest successful run of any audience ended that brought rows of files into a
	// dataset; ErrNotFound when there is none.
	LastIngested(ctx context.Context) (time.Time, error)
	// ReadObjects returns those of the objects that a successful run of the audience has read in exactly that
	// version, as a set of path + "\x00" + version.
	ReadObjects(ctx context.Context, aud audience.ID, files []audience.PlannedFile) (map[string]bool, error)
}

// Progress stores the progress of runs, outside of transactions.
type Progress interface {
	// SaveProgress stores the Progress and UpdatedAt of a PROCESSING run, as SaveRun does (ErrStale). It is one short
	// statement, which neither waits for a transaction of another run nor delays one.
	SaveProgress(ctx context.Context, id audience.RunID, worker string, p audience.Progress, at time.Time) error
}

// RunsTx creates, saves and ends runs in a transaction.
type RunsTx interface {
	Runs
	// CreateRun records a PROCESSING run and gives it the next Seq. ErrRunInProgress when one is PROCESSING:
	// the store itself (a unique index) allows one at a time.
	CreateRun(ctx context.Context, r *audience.Run) error
	// SaveRun stores Stages, Planned (unless nil), Progress and UpdatedAt of a PROCESSING run whose lease the worker
	// took and nobody has taken over since (ErrStale otherwise).
	SaveRun(ctx context.Context, r audience.Run, worker string) error
	// FinishRun stores Stages, Result, Error, Status, EndedAt and UpdatedAt of a run that ended, and drops its lease
	// and its progress; ErrStale as SaveRun. On SUCCESS, unless it was a dry run, it also records the objects that were
	// read (those of Result.Files) and sets the audience's Members and RefreshedAt: to the run's time after a full run,
	// to Result.RefreshedAt after a rollback and an extension. Unless it only expired, extended or erased members, it
	// sets LastRun and LastIngestedAt, too.
	FinishRun(ctx context.Context, r audience.Run, worker string) error
	// InsertRun records a run that ended SUCCESS before a PROCESSING run, whose lease the worker has (ErrStale otherwise): it gets
	// the Seq of that run, which gets the next one, which InsertRun returns. The audience changes as by FinishRun. ErrDuplicate if
	// the run exists.
	InsertRun(ctx context.Context, r audience.Run, before audience.RunID, worker string) (seq int64, err error)
}

// RunStart is the beginning of a run.
type RunStart struct {
	AudienceID audience.ID
	Request    audience.RunRequest
	CreatedAt  time.Time
}
