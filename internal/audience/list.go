package audience

import "time"

// AudienceQuery selects and orders the audiences of a sandbox.
type AudienceQuery struct {
	Limit  int
	Offset int // of the first one wanted, counted from After
	// SortBy is SortCreated, which is the default, SortUpdated or SortName. Ties are broken by ID. Descending turns it
	// all round.
	SortBy     string
	Descending bool
	// After is the place that the list goes on after; nil begins it. A list that is read from place to place holds
	// every audience that was there all the time exactly once, whatever is created and deleted meanwhile.
	After *Position
	// NameContains and DescriptionContains are texts that the name and the description hold, ignoring case.
	NameContains, DescriptionContains string
	Filters                           []AudienceFilter
	// SeenBy leaves out the audiences with a label that is not among the grants; nil leaves out none.
	SeenBy *Grants
	// NoTotal leaves the counting out; the total is 0 then.
	NoTotal bool
}

// What audiences can be sorted by.
const (
	SortCreated = "createdAt"
	SortUpdated = "updatedAt"
	SortName    = "name" // ignoring case
)

// Position is the position of an item in a list. A page of the list begins after the last item of the page before.
type Position struct {
	At   time.Time // what the list is sorted by: for most lists the creation
	Name string    // of an audience, for SortName
	Seq  int64     // of a run
	ID   string    // of the item
}

// AudienceFilter is a property that audiences must have: one of AudienceProperties, with that very value.
type AudienceFilter struct {
	Property string
	Value    string
}

// AudienceProperties are the properties of AudienceFilter. audienceId is the custom id, and the ID of an audience
// without one; type is TypeExternal of all audiences; entityType is the class of the members, EntityPeople or
// EntityAccounts; labels and tags ask for one label or tag among others.
var AudienceProperties = []string{"id", "audienceId", "name", "namespace", "originName", "type", "audienceType", "entityType", "lifecycleState", "createdBy", "labels", "tags"}

// InProgress finds the run of an audience that is in progress.
var InProgress = RunQuery{Limit: 1, SortBy: "createdAt", Descending: true,
	Filters: []RunFilter{{Property: "status", Op: "=", Value: string(Processing)}}}

// RunQuery selects and orders the runs of one audience (contract, section 2, runs query).
type RunQuery struct {
	Limit  int // 1 to 40
	Offset int
	After  *Position // of the run that the list goes on after; nil begins it
	// SortBy is "name" or "createdAt", which is the default. Ties are broken by Seq. Descending turns it all round.
	SortBy     string
	Descending bool
	Filters    []RunFilter
}

// RunFilter is one condition. Property is "name", "status" or "createdAt"; Op is "=", "!=", "=contains",
// "!=contains" (all minding case) for the first two and ">=", "<=", ">", "<" for the last, whose Value is epoch
// seconds, compared with the whole seconds of the run's time.
type RunFilter struct {
	Property string
	Op       string
	Value    string
}

// FlowRunQuery selects runs of a sandbox.
type FlowRunQuery struct {
	Limit    int
	Audience ID       // of the only one whose runs are wanted, or ""
	Statuses []Status // that are wanted; all when there are none
	// From is the place of the run that the list goes on at; nil begins it.
	From *Position
	// SeenBy leaves out the runs of audiences with a label that is not among the grants; nil leaves out none.
	SeenBy *Grants
}

// AuditQuery selects entries of an audit log. What is empty selects nothing.
type AuditQuery struct {
	Limit                                int
	Sandbox, ClientID, RequestID, Object string
	Action                               Action
	Outcome                              Outcome
	Since, Until                         time.Time // from the one to before the other
	// After is the entry that the list goes on after; nil begins it.
	After *Position
}
