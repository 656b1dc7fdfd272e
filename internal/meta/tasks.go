package meta

import (
	"context"

	"roster/internal/audience"
)

// Tasks reads submit tasks.
type Tasks interface {
	Task(ctx context.Context, scope audience.Scope, id audience.TaskID) (audience.Task, error)
}

// TasksTx creates and ends submit tasks in a transaction.
type TasksTx interface {
	Tasks
	// CreateTask records a submitted audience, PROCESSING. Its name and customAudienceId are reserved in the sandbox
	// (DuplicateError) until the task fails or the audience is deleted.
	CreateTask(ctx context.Context, t audience.Task) error
	// FinishTask ends a PROCESSING task: SUCCESS creates the audience from t.Draft, published, and gives it a Num,
	// FAILED frees its name. ErrStale if the task is no longer PROCESSING.
	FinishTask(ctx context.Context, t audience.Task) error
}
