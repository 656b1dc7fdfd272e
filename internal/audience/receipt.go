package audience

import "time"

// Issuer is the issuer of receipts and certificates.
const Issuer = "roster"

// Receipt states what a run did to its audience: the files that the run read, the outcome of their rows, and the dataset
// that resulted. It consists of values that never change after the end of the run, so a run has one receipt.
type Receipt struct {
	Scope        Scope
	AudienceID   ID
	AudienceName string
	RunID        RunID
	Seq          int64
	Kind         RunKind
	Of           RunID
	Differential bool
	WindowStart  time.Time
	WindowEnd    time.Time
	Force        bool
	CreatedAt    time.Time
	CreatedBy    string
	EndedAt      time.Time
	Rows         Rows
	Members      Members
	Files        []FileResult
	Location     string // of the dataset; Receipt leaves it empty, because a run does not know it
	SnapshotID   int64
	Replaced     []string          // as in RunResult
	Unreadable   int64             // as in RunResult
	Outside      []OutsideSnapshot // as in RunResult
	ContentSum   uint64            // as in RunResult
}

// Receipt returns the receipt of a run. Only a run that ended SUCCESS and changed the audience has one; for any other run
// the error is of the code Impossible.
func (r *Run) Receipt() (Receipt, error) {
	if !r.Committed() {
		return Receipt{}, Errorf(Impossible, "run %s has no receipt: it is %s, and only a run that ended SUCCESS and changed the audience has one", r.ID, r.Outcome())
	}
	return Receipt{
		Scope: r.Scope, AudienceID: r.AudienceID, AudienceName: r.AudienceName, RunID: r.ID, Seq: r.Seq,
		Kind: r.Request.Kind, Of: r.Request.Of, Differential: r.Request.Differential,
		WindowStart: r.Request.WindowStart, WindowEnd: r.Request.WindowEnd, Force: r.Request.Force,
		CreatedAt: r.CreatedAt, CreatedBy: r.CreatedBy, EndedAt: r.EndedAt,
		Rows: r.Result.Rows, Members: r.Result.Members, Files: r.Result.Files, SnapshotID: r.Result.SnapshotID,
		Replaced: r.Result.Replaced, Unreadable: r.Result.Unreadable, Outside: r.Result.Outside, ContentSum: r.Result.ContentSum,
	}, nil
}

// Certificate states that an identity was erased from all audiences of a sandbox.
type Certificate struct {
	Scope     Scope
	ErasureID ErasureID
	Namespace string // of the identity
	XID       string // the identity's opaque id
	Covers    []string
	Audiences []ErasedAudience
	CreatedAt time.Time
	CreatedBy string
	EndedAt   time.Time
}

// Certificate returns the certificate of an erasure. Only an erasure that ended SUCCESS has one; for any other erasure
// the error is of the code Impossible.
func (e *Erasure) Certificate() (Certificate, error) {
	if e.Status != Success {
		return Certificate{}, Errorf(Impossible, "erasure %s has no certificate: it is %s, and only one that ended SUCCESS has one", e.ID, e.Status)
	}
	return Certificate{
		Scope: e.Scope, ErasureID: e.ID, Namespace: e.Namespace, XID: e.XID,
		Covers: []string{"the profile store", "the current members of every audience", "the earlier versions and the data files of every dataset",
			"the rejected rows of every run"},
		Audiences: e.Progress.Audiences, CreatedAt: e.CreatedAt, CreatedBy: e.CreatedBy, EndedAt: e.EndedAt,
	}, nil
}
