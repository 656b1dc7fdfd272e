package ingest

import (
	"context"
	"time"

	"roster/internal/audience"
	"roster/internal/identity"
)

// Host is the process that runs a run. The pipeline reads from the host what other runs and erasures have done, and
// saves the run there. All methods are safe for concurrent use.
type Host interface {
	// ReadBefore returns the objects that a successful run of the audience has already read in the given version, as a
	// set of path + "\x00" + version.
	ReadBefore(ctx context.Context, files []audience.PlannedFile) (map[string]bool, error)
	// Fresh returns a lower bound for the number of current members whose time was renewed after since, computed from
	// the ledgers of runs.
	Fresh(ctx context.Context, since time.Time) (int64, error)
	Erasures
	// Reading records that a file is being read. The caller calls done at the end.
	Reading(path string) (done func())
	// Adopted records a run of kind RunAdopt that ended SUCCESS before the run in progress, unless the run is already
	// recorded. It returns the new sequence number of the run in progress, which follows the adoption. Its errors are
	// those of Save.
	Adopted(ctx context.Context, adoption audience.Run) (seq int64, err error)
	// Save is a checkpoint between steps. It stores the stages and the progress, and the manifest unless it is nil.
	// ErrNotSaved means that it is unknown whether this worker still has the run. Any other error means that another
	// worker has it.
	Save(ctx context.Context, r audience.Run) error
	// SaveProgress is a checkpoint within a step. Its errors are those of Save.
	SaveProgress(ctx context.Context, id audience.RunID, p audience.Progress) error
}

// Erasures knows which identities were erased from a sandbox.
type Erasures interface {
	Erased(ctx context.Context) (Erased, error)
}

// Erased are the identities that were erased from a sandbox.
type Erased struct {
	All        map[identity.Key]bool // not shown as exited
	InProgress map[identity.Key]bool // the erasure has not ended; not shown as members either
}

// AudienceRuns reports which runs of one audience are in progress.
type AudienceRuns interface {
	// Idle returns ErrBusy if a run of the audience is in progress.
	Idle(ctx context.Context) error
	// InProgress reports whether a run has not ended. If this is unknown, the run counts as in progress.
	InProgress(ctx context.Context, id audience.RunID) bool
}
