package ingest

import (
	"context"
	"time"

	"roster/internal/audience"
)

// Host is the process that runs a run. The pipeline reads from the host what other runs and erasures have done, and
// saves the run there. All methods may be called by several goroutines at once.
type Host interface {
	// ReadBefore returns which of the objects a successful run of the audience has read in that version, as a set of
	// path + "\x00" + version.
	ReadBefore(ctx context.Context, files []audience.PlannedFile) (map[string]bool, error)
	// Fresh returns a number of members whom runs brought after a time and who are still members, according to the
	// ledgers of these runs. The audience has at least so many.
	Fresh(ctx context.Context, since time.Time) (int64, error)
	// Gone returns the identities that were erased from the sandbox.
	Gone(ctx context.Context) (Gone, error)
	// Reading notes that a file is being read, until done is called.
	Reading(path string) (done func())
	// Adopted records a run of kind RunAdopt that ended SUCCESS before the run in progress, unless it is recorded. It returns the sequence
	// number of the run in progress, which follows. Its errors are those of Save.
	Adopted(ctx context.Context, adoption audience.Run) (seq int64, err error)
	// Save is a checkpoint between steps: it stores the manifest unless the manifest is nil, the stages and the
	// progress. An error means that another worker has the run; ErrNotSaved, that this is unknown.
	Save(ctx context.Context, r audience.Run) error
	// SaveProgress is the checkpoint within a step. Its errors are those of Save.
	SaveProgress(ctx context.Context, id audience.RunID, p audience.Progress) error
}

// AudienceRuns reports which runs of one audience are in progress.
type AudienceRuns interface {
	// Idle returns ErrBusy if a run of the audience is in progress.
	Idle(ctx context.Context) error
	// InProgress reports whether a run has not ended. If this is unknown, the run counts as in progress.
	InProgress(ctx context.Context, id audience.RunID) bool
}
