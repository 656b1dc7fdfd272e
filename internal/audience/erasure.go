package audience

import (
	"slices"
	"time"
)

// ErasureID names an erasure.
type ErasureID string

// Erasure removes an identity from all audiences of a sandbox: from the profile store, from the datasets with their
// earlier versions, and from the rejects. It does not change the files that audiences read. It is PROCESSING until it
// is done, however many attempts that takes.
type Erasure struct {
	ID        ErasureID
	Scope     Scope
	Namespace string // of the identity
	XID       string // the identity's opaque id, as in look-ups
	// Sealed is the encrypted identity while the erasure is PROCESSING; "" afterwards.
	Sealed    string
	Status    Status
	Error     *Error // failure of the last attempt at the current audience; nil if it succeeded
	CreatedBy string
	CreatedAt time.Time
	UpdatedAt time.Time
	EndedAt   time.Time // zero while PROCESSING
	Progress  ErasureProgress
	Version   int64 // number of changes
	// Leader is the erasure with the common progress of those that go together: one of them, or this one. "" until a
	// worker takes the erasure up.
	Leader ErasureID
}

// ErasureProgress is the progress of an erasure. Members, Audiences and Order belong to each erasure. The rest is common
// to those that go together, and only that of their leader counts.
type ErasureProgress struct {
	// Members are the members that have the identity as a further one.
	Members []ErasedMember `json:"members,omitempty"`
	// Forgotten means that the profile store no longer has the data that it had at the beginning.
	Forgotten bool `json:"forgotten,omitempty"`
	// Apart means that the identity could not be decrypted, so that the erasure does not go together with others.
	Apart bool `json:"apart,omitempty"`
	// After is the last finished audience. Audiences are processed in the order of their creation.
	After   ID        `json:"after,omitempty"`
	AfterAt time.Time `json:"afterAt,omitzero"`
	// Audiences are those with data of the identity; the last one may be in progress.
	Audiences []ErasedAudience `json:"audiences"`
	// Current is the audience in progress; nil while nothing was done in it.
	Current *ErasingAudience `json:"current,omitempty"`
	// Replaced are the files of the current audience that will be removed.
	Replaced []string `json:"replaced,omitempty"`
	// Failures counts the failed runs of the current audience; RetryAt is when the next one may start.
	Failures int       `json:"failures,omitempty"`
	RetryAt  time.Time `json:"retryAt,omitzero"`
	// Order is the work order whose first erasure this is; nil for others.
	Order *WorkOrder `json:"order,omitempty"`
}

// WorkOrder is a request to erase several identities, each with its own erasure.
type WorkOrder struct {
	Name        string      `json:"name,omitempty"`
	Description string      `json:"description,omitempty"`
	Erasures    []ErasureID `json:"erasures"` // all, including the first one
}

// ErasingAudience is the progress of erasures in an audience.
type ErasingAudience struct {
	ID      ID       `json:"audienceId"`
	Labels  []string `json:"labels,omitempty"`  // as in ErasedAudience
	RunID   RunID    `json:"runId,omitempty"`   // of the erase run
	Counted bool     `json:"counted,omitempty"` // the members that the run removed are counted
}

// DroppedVersion is a version of an audience that erasures removed, because its files contained people who were erased.
type DroppedVersion struct {
	Audience   ID
	Run        RunID
	SnapshotID int64
	At         time.Time // when it was committed
	Erasure    ErasureID // the leader of the erasures
}

// ErasedMember is a member of an audience.
type ErasedMember struct {
	Audience uint32 `json:"audience"` // its number
	Key      string `json:"key"`      // of the primary identity, in hexadecimal digits
}

// ErasedAudience is the effect of an erasure on an audience.
type ErasedAudience struct {
	ID ID `json:"audienceId"`
	// Labels are the audience's labels at that time. Clients that do not hold them do not see the entry.
	Labels   []string `json:"labels,omitempty"`
	RunID    RunID    `json:"runId,omitempty"` // of the erase run; "" if no member was removed
	Members  int64    `json:"members"`         // removed members
	Versions int      `json:"versions"`        // removed versions, which can no longer be restored
	// By is the leader of the erasures that removed the versions, and Dropped are these versions. Dropped is not stored.
	By      ErasureID        `json:"by,omitempty"`
	Dropped []DroppedVersion `json:"-"`
	Files   int              `json:"files"`   // removed files of the dataset
	Rejects int              `json:"rejects"` // removed files of rejects
}

// SeenBy returns the erasure as a caller with these grants sees it: without the audiences that have other labels. The
// identity is erased from those as well.
func (e Erasure) SeenBy(g Grants) Erasure {
	all := e.Progress.Audiences
	hidden := func(a ErasedAudience) bool { return !g.Covers(a.Labels) }
	if now := e.Progress.Current; now != nil && !g.Covers(now.Labels) {
		e.Error = nil // the error is about this audience
	}
	e.Progress.Audiences = slices.DeleteFunc(slices.Clone(all), hidden)
	return e
}

// ErasedIdentity is the content of Sealed of an erasure, as JSON.
type ErasedIdentity struct {
	Normal []byte `json:"normal"`
	Given  []byte `json:"given"`
}

// With returns the erasure with what its leader's row and the removed versions tell about it.
func (e Erasure) With(leader *Erasure, dropped []DroppedVersion) Erasure {
	if leader != nil {
		e.Error, e.Progress.Current = leader.Error, leader.Progress.Current
	}
	e.Progress.Audiences = slices.Clone(e.Progress.Audiences)
	for i := range e.Progress.Audiences {
		a := &e.Progress.Audiences[i]
		for _, d := range dropped {
			if d.Audience == a.ID && d.Erasure == a.By {
				a.Dropped = append(a.Dropped, d)
			}
		}
	}
	return e
}
