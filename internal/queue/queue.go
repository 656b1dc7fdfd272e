// Package queue runs durable jobs. It is the only package that imports River. A job is enqueued in the
// transaction that records its work, so that neither exists without the other.
package queue

// Kind names a kind of work.
type Kind string

// The kinds. A job's handler must be idempotent: a job may run more than once.
const (
	TaskJob  Kind = "task"  // ID is a task id
	RunJob   Kind = "run"   // ID is a run id
	SweepJob Kind = "sweep" // ID is a deleted audience's id
	// SandboxJob empties a sandbox that is being reset or deleted; ID is its number.
	SandboxJob Kind = "sandbox"
	// MaintainJob is the maintenance of an audience; ID is its number.
	MaintainJob Kind = "maintain"
	// ForgetJob removes the memberships from the profile store that ended too long ago to be shown; ID is "all".
	ForgetJob Kind = "forget"
	// ScheduleJob looks at the schedule of an audience and starts its run if it is time; ID is its number.
	ScheduleJob Kind = "schedule"
	// EraseJob goes on with an erasure; ID is its id.
	EraseJob Kind = "erase"
	// ProjectJob projects an audience's dataset again; ID is the numbers of its sandbox and itself, "1-2".
	ProjectJob Kind = "project"
	// VerifyJob holds the profile store against the datasets; ID is "all".
	VerifyJob Kind = "verify"
	// WebhookJob sends a webhook what is due; ID is its id.
	WebhookJob Kind = "webhook"
)

// Kinds are all kinds. Each has its own River queue.
var Kinds = []Kind{TaskJob, RunJob, SweepJob, SandboxJob, MaintainJob, ForgetJob, ScheduleJob, EraseJob, ProjectJob, VerifyJob, WebhookJob}

// Job is one piece of work.
type Job struct {
	Kind Kind
	ID   string
}
