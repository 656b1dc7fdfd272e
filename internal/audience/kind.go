package audience

import (
	"cmp"
	"time"
)

// RunKind is what a run does.
type RunKind string

// The kinds of runs. Traits has what each of them does to its audience.
const (
	RunIngest   RunKind = ""         // reads the audience's files
	RunResubmit RunKind = "resubmit" // reads one corrected file with rejected rows of an earlier run
	RunRollback RunKind = "rollback" // brings the audience back to what it was after an earlier run
	RunExpire   RunKind = "expire"   // takes out the members whose time is over
	RunExtend   RunKind = "extend"   // gives the members their whole time again, as if a full run had brought them
	RunErase    RunKind = "erase"    // takes out one person without a trace, as an Erasure asks
	RunAdopt    RunKind = "adopt"    // takes over what another program changed in the dataset
)

// RunKinds are all kinds.
var RunKinds = []RunKind{RunIngest, RunResubmit, RunRollback, RunExpire, RunExtend, RunErase, RunAdopt}

// Input is what the runs of a kind make the members of.
type Input string

// The inputs.
const (
	FromMembers Input = "members" // the members as they are: the run reads nothing else
	FromFiles   Input = "files"   // the files under the audience's path
	FromFile    Input = "file"    // the file that RunRequest.File names, in the landing zone
	FromVersion Input = "version" // the dataset as the run that RunRequest.Of names left it
	FromOutside Input = "outside" // the dataset as another program left it
)

// Traits are what the runs of a kind do to their audience, and how they are treated.
type Traits struct {
	Input Input
	// Guarded: the guards look at the run before it commits.
	Guarded bool
	// Renews: the time of every member who is still there begins anew.
	Renews bool
	// Erases: the person that RunRequest.Erasure names leaves without a trace.
	Erases bool
	// Automatic: Roster starts the run on its own, and a client who starts another run waits for its end.
	Automatic bool
	// Urgent: the run comes before other runs of its sandbox.
	Urgent bool
	// Persistent: the run is tried again however often a process died of it.
	Persistent bool
}

// traits has the rules about kinds. Every kind has an entry.
var traits = map[RunKind]Traits{
	RunIngest:   {Input: FromFiles, Guarded: true},
	RunResubmit: {Input: FromFile, Guarded: true},
	RunRollback: {Input: FromVersion},
	RunExpire:   {Input: FromMembers, Guarded: true, Automatic: true},
	RunExtend:   {Input: FromMembers, Guarded: true, Renews: true},
	RunErase:    {Input: FromMembers, Erases: true, Urgent: true, Persistent: true},
	RunAdopt:    {Input: FromOutside, Automatic: true},
}

// Traits returns what the runs of the kind do.
func (k RunKind) Traits() Traits { return traits[k] }

// Name is the kind as people read it: RunIngest has no other name.
func (k RunKind) Name() string { return cmp.Or(string(k), "ingest") }

// ReadsFiles reports whether the runs read files of people.
func (t Traits) ReadsFiles() bool { return t.Input == FromFiles || t.Input == FromFile }

// BringsMembers reports whether the runs bring members. The newest of them is the audience's LastRun.
func (t Traits) BringsMembers() bool { return t.Input != FromMembers }

// Traits returns what the runs of the request's kind do.
func (r RunRequest) Traits() Traits { return r.Kind.Traits() }

// Replaces reports whether members leave that the run does not bring. A run that does not replace the members adds to them.
func (r RunRequest) Replaces() bool { return r.Traits().Input == FromFiles && !r.Differential }

// OnlyNew reports whether the run leaves out objects that a run has read in the same version before.
func (r RunRequest) OnlyNew() bool { return r.Traits().Input == FromFiles && r.Differential }

// Renews reports whether the time of every member who is there after the run begins anew.
func (r RunRequest) Renews() bool { return r.Replaces() || r.Traits().Renews }

// Ingests reports whether the run brings rows of files into the dataset.
func (r RunRequest) Ingests() bool { return r.Traits().ReadsFiles() && !r.DryRun }

// StopsAtGuards reports whether a guard that trips ends the run.
func (r RunRequest) StopsAtGuards() bool { return r.Traits().Guarded && !r.Force && !r.DryRun }

// Committed reports whether the run has changed its audience: it ended SUCCESS and was no dry run. Such a run has a receipt, and left a
// version of the audience that a rollback can bring back.
func (r *Run) Committed() bool { return r.Status == Success && !r.Request.DryRun }

// Outcome is how the run ended, as people read it.
func (r *Run) Outcome() string {
	if r.Request.DryRun {
		return string(r.Status) + ", a dry run"
	}
	return string(r.Status)
}

// RenewedAt returns when every member was last renewed, as of the run, which is Committed: a run that replaces the members does it, one that
// extends their time, and a rollback brings the time back that its version had. It is false when the run leaves that time as it was.
func (r *Run) RenewedAt() (at time.Time, changed bool) {
	switch t := r.Request.Traits(); {
	case r.Request.Replaces():
		return r.CreatedAt, true
	case t.Renews, t.Input == FromVersion, t.Input == FromOutside:
		return r.Result.RefreshedAt, true
	}
	return time.Time{}, false
}
