package audience

import "slices"

// Lifecycle is a table of allowed transitions: for each state those that may follow it.
type Lifecycle map[Status][]Status

// The life cycles. A state without an entry is an end. A run's stages move as runs do.
var (
	TaskLifecycle = Lifecycle{Processing: {Success, Failed}}
	RunLifecycle  = Lifecycle{Processing: {Success, Failed}}
)

// CanMove reports whether to may follow from. Staying in a state is no move.
func (l Lifecycle) CanMove(from, to Status) bool { return slices.Contains(l[from], to) }

// State is what an audience is good for. Its clients set it, but a draft it is only until it is published first
// (contract, section 5); a deleted audience has none, since it is not there. Its members are kept, and expire, in every state.
type State string

// The states.
const (
	StateDraft     State = "draft"     // it takes runs; look-ups do not show it yet
	StatePublished State = "published" // it takes runs; look-ups show it
	StateInactive  State = "inactive"  // it takes no runs; look-ups do not show it any more
)

// States lists the states that can be set.
var States = []State{StateDraft, StatePublished, StateInactive}

// CanBecome reports whether to may follow s. Staying in a state is allowed.
func (s State) CanBecome(to State) bool { return to == s || to != StateDraft }

// TakesRuns reports whether runs can be started.
func (s State) TakesRuns() bool { return s != StateInactive }

// Shown reports whether look-ups show the audience's members.
func (s State) Shown() bool { return s == StatePublished }
