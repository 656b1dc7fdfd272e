// Package job names the durable work that use cases record and workers do. A job is enqueued in the transaction that
// records its work, so that neither exists without the other. Package queue keeps the jobs.
package job

import (
	"strconv"
	"strings"

	"roster/internal/audience"
)

// Kind names a kind of work.
type Kind string

// The kinds. A job's handler must be idempotent: a job may run more than once. The queue stores the texts, and metrics
// show them, so they never change.
const (
	Task Kind = "task" // ID is a task id
	Run  Kind = "run"  // ID is a run id
	// Cleanup removes the data of a deleted audience; ID is its id.
	Cleanup Kind = "sweep"
	// Sandbox empties a sandbox that is being reset or deleted; ID is its number.
	Sandbox Kind = "sandbox"
	// Maintain is the maintenance of an audience; ID is its number.
	Maintain Kind = "maintain"
	// Compact folds the files of an audience's dataset; ID is the audience's number.
	Compact Kind = "compact"
	// Retention removes data whose retention period has ended: exited memberships, stored answers, the log of deliveries
	// and files of landing zones; ID is "all".
	Retention Kind = "forget"
	// Schedule looks at the schedule of an audience and starts its run if it is time; ID is its number.
	Schedule Kind = "schedule"
	// Erase goes on with the erasures of a sandbox; see OfErasures.
	Erase Kind = "erase"
	// Project projects an audience's dataset again; ID is the numbers of its sandbox and itself, "1-2".
	Project Kind = "project"
	// Verify holds the profile store against the datasets; ID is "all".
	Verify Kind = "verify"
	// Webhook sends a webhook what is due; ID is its id.
	Webhook Kind = "webhook"
)

// Kinds are all kinds.
var Kinds = []Kind{Task, Run, Cleanup, Sandbox, Maintain, Compact, Retention, Schedule, Erase, Project, Verify, Webhook}

// Job is one piece of work.
type Job struct {
	Kind Kind
	ID   string
}

// OfSandbox is the job that empties the sandbox of a number.
func OfSandbox(num uint32) Job {
	return Job{Kind: Sandbox, ID: strconv.FormatUint(uint64(num), 10)}
}

// OfErasures is the job that goes on with the erasures of a sandbox, which may be deleted already.
func OfErasures(s audience.Scope) Job { return Job{Kind: Erase, ID: s.Org + "/" + s.Sandbox} }

// ErasingScope returns the sandbox of a job of OfErasures from its ID; false for an ID of another form.
func ErasingScope(id string) (s audience.Scope, ok bool) {
	i := strings.LastIndexByte(id, '/')
	if i < 0 {
		return s, false
	}
	return audience.Scope{Org: id[:i], Sandbox: id[i+1:]}, true
}
