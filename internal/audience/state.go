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
