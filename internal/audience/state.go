package audience

import "slices"

// Lifecycle is a table of allowed transitions: the states that may follow each state.
type Lifecycle map[Status][]Status

// The life cycles. A state without an entry is final. A run's stages have the life cycle of runs.
var (
	TaskLifecycle = Lifecycle{Processing: {Success, Failed}}
	RunLifecycle  = Lifecycle{Processing: {Success, Failed}}
)

// CanMove reports whether to may follow from. Staying in a state is not a move.
func (l Lifecycle) CanMove(from, to Status) bool { return slices.Contains(l[from], to) }

// State is the life cycle state of an audience. Clients set it, but an audience can be a draft only before it is first
// published (contract, section 5). A deleted audience has none. Members are kept, and expire, in every state.
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
