package audience

import (
	"cmp"
	"time"
)

// RunKind is the kind of a run.
type RunKind string

// The kinds of runs. Traits describes the effects of each on its audience.
const (
	RunIngest   RunKind = ""         // reads the audience's files
	RunResubmit RunKind = "resubmit" // reads one corrected file with rejected rows of an earlier run
	RunRollback RunKind = "rollback" // restores the audience to the state after an earlier run
	RunExpire   RunKind = "expire"   // removes expired members
	RunExtend   RunKind = "extend"   // restarts the TTL of the members, as if a full run had brought them
	RunErase    RunKind = "erase"    // removes people without a trace, for Erasures that go together
	RunAdopt    RunKind = "adopt"    // adopts the changes that another program made to the dataset
)

// RunKinds are all kinds.
var RunKinds = []RunKind{RunIngest, RunResubmit, RunRollback, RunExpire, RunExtend, RunErase, RunAdopt}

// Input is the source of the members after a run.
type Input string

// The inputs.
const (
	FromMembers Input = "members" // the current members: the run reads nothing else
	FromFiles   Input = "files"   // the files under the audience's path
	FromFile    Input = "file"    // the file RunRequest.File in the landing zone
	FromVersion Input = "version" // the dataset as the run RunRequest.Of left it
	FromOutside Input = "outside" // the dataset as another program left it
)

// Traits are the effects of a kind of runs on their audience, and how they are treated.
type Traits struct {
	Input Input
	// Guarded: the guards check the run before it commits.
	Guarded bool
	// Renews: the TTL of every remaining member restarts.
	Renews bool
	// Erases: the person of RunRequest.Erasure leaves without a trace.
	Erases bool
	// Automatic: Roster starts the run itself, and a client that starts another run waits for its end.
	Automatic bool
	// Urgent: the run comes before other runs of its sandbox.
	Urgent bool
	// Persistent: the run is tried again, even if processes died during it.
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

// Traits returns the traits of the kind.
func (k RunKind) Traits() Traits { return traits[k] }

// Name is the name of the kind for people; RunIngest has a name only here.
func (k RunKind) Name() string { return cmp.Or(string(k), "ingest") }

// ReadsFiles reports whether the runs read files of people.
func (t Traits) ReadsFiles() bool { return t.Input == FromFiles || t.Input == FromFile }

// BringsMembers reports whether the runs bring members. The newest of them is the audience's LastRun.
func (t Traits) BringsMembers() bool { return t.Input != FromMembers }

// Traits returns the traits of the request's kind.
func (r RunRequest) Traits() Traits { return r.Kind.Traits() }

// Replaces reports whether members leave that the run does not bring. Other runs only add members.
func (r RunRequest) Replaces() bool { return r.Traits().Input == FromFiles && !r.Differential }

// OnlyNew reports whether the run skips objects that an earlier run has read in the same version.
func (r RunRequest) OnlyNew() bool { return r.Traits().Input == FromFiles && r.Differential }

// Renews reports whether the run restarts the TTL of every member that is there after it.
func (r RunRequest) Renews() bool { return r.Replaces() || r.Traits().Renews }

// Ingests reports whether the run brings rows of files into the dataset.
func (r RunRequest) Ingests() bool { return r.Traits().ReadsFiles() && !r.DryRun }

// StopsAtGuards reports whether a guard that trips ends the run.
func (r RunRequest) StopsAtGuards() bool { return r.Traits().Guarded && !r.Force && !r.DryRun }

// Committed reports whether the run has changed its audience: it ended SUCCESS and was not a dry run. Such a run has a
// receipt, and left a version of the audience that a rollback can restore.
func (r *Run) Committed() bool { return r.Status == Success && !r.Request.DryRun }

// Outcome describes the end of the run for people.
func (r *Run) Outcome() string {
	if r.Request.DryRun {
		return string(r.Status) + ", a dry run"
	}
	return string(r.Status)
}

// RenewedAt returns when every member was last renewed, as of the run, which is Committed. A run that replaces the
// members renews them, and so does an extension; a rollback restores the time of its version. changed is false if the
// run did not change that time.
func (r *Run) RenewedAt() (at time.Time, changed bool) {
	switch t := r.Request.Traits(); {
	case r.Request.Replaces():
		return r.CreatedAt, true
	case t.Renews, t.Input == FromVersion, t.Input == FromOutside:
		return r.Result.RefreshedAt, true
	}
	return time.Time{}, false
}
