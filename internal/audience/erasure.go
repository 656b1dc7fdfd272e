package audience

import (
	"slices"
	"time"
)

// ErasureID names an erasure.
type ErasureID string

// Erasure takes an identity out of all audiences of a sandbox: out of the profile store, the datasets with their earlier
// versions, and the rejects. It does not reach the files that audiences are read from. It is PROCESSING until it is done,
// however often something fails meanwhile.
type Erasure struct {
	ID        ErasureID
	Scope     Scope
	Namespace string // of the identity
	XID       string // the identity's opaque id, as look-ups answer it
	// Sealed is the identity while the erasure is PROCESSING, sealed; "" afterwards.
	Sealed    string
	Status    Status
	Error     *Error // why the last attempt at an audience failed; nil when it did not
	CreatedBy string
	CreatedAt time.Time
	UpdatedAt time.Time
	EndedAt   time.Time // zero while PROCESSING
	Progress  ErasureProgress
	Version   int64 // counts its changes
}

// ErasureProgress is how far an erasure has come.
type ErasureProgress struct {
	// Members are those whom the identity found, as a further one of theirs.
	Members []ErasedMember `json:"members,omitempty"`
	// Forgotten says that the profile store has nothing any more of what it had at the beginning.
	Forgotten bool `json:"forgotten,omitempty"`
	// After is the last audience that is done: they are done in the order of their creation.
	After   ID        `json:"after,omitempty"`
	AfterAt time.Time `json:"afterAt,omitzero"`
	// Audiences are those that had something of the identity; the last one may be under way.
	Audiences []ErasedAudience `json:"audiences"`
	// Replaced are the files of the audience under way that are about to be removed.
	Replaced []string `json:"replaced,omitempty"`
	// Failures counts the runs of the audience under way that failed; RetryAt is when the next one may start.
	Failures int       `json:"failures,omitempty"`
	RetryAt  time.Time `json:"retryAt,omitzero"`
	// Order is the work order that the erasure is the first of; nil for others.
	Order *WorkOrder `json:"order,omitempty"`
}

// WorkOrder is a request to take several identities out, each by an erasure of its own.
type WorkOrder struct {
	Name        string      `json:"name,omitempty"`
	Description string      `json:"description,omitempty"`
	Erasures    []ErasureID `json:"erasures"` // all, the first one too
}

// ErasedMember is a member of an audience.
type ErasedMember struct {
	Audience uint32 `json:"audience"` // its number
	Key      string `json:"key"`      // of the primary identity, in hexadecimal digits
}

// ErasedAudience is what an erasure did to an audience.
type ErasedAudience struct {
	ID ID `json:"audienceId"`
	// Labels are the audience's, as of then: who does not hold them is not told of it.
	Labels   []string `json:"labels,omitempty"`
	RunID    RunID    `json:"runId,omitempty"` // which took the member out; "" when there was none
	Members  int64    `json:"members"`         // that were taken out
	Versions int      `json:"versions"`        // that cannot be brought back any more
	Files    int      `json:"files"`           // of the dataset that were removed
	Rejects  int      `json:"rejects"`         // files of rejects that were removed
}

// SeenBy returns the erasure as a caller with these grants sees it: without the audiences that have other labels. The
// identity is taken out of those as well.
func (e Erasure) SeenBy(g Grants) Erasure {
	all := e.Progress.Audiences
	hidden := func(a ErasedAudience) bool { return !g.Covers(a.Labels) }
	if n := len(all); n > 0 && hidden(all[n-1]) {
		e.Error = nil // which is about the last one
	}
	e.Progress.Audiences = slices.DeleteFunc(slices.Clone(all), hidden)
	return e
}

// ErasedIdentity is what Sealed of an erasure holds, as JSON.
type ErasedIdentity struct {
	Normal []byte `json:"normal"`
	Given  []byte `json:"given"`
}
