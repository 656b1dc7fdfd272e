package audience

import "time"

// AudienceQuery selects and orders the audiences of a sandbox.
type AudienceQuery struct {
	Limit  int
	Offset int // of the first one, counted from After
	// SortBy is SortCreated (default), SortUpdated or SortName. Ties are broken by ID. Descending reverses the whole
	// order.
	SortBy     string
	Descending bool
	// After is the position after which the list continues; nil starts it. A list that is read from position to
	// position contains every audience that existed all the time exactly once, whatever is created and deleted
	// meanwhile.
	After *Position
	// NameContains and DescriptionContains are texts in the name and in the description, ignoring case.
	NameContains, DescriptionContains string
	Filters                           []AudienceFilter
	// SeenBy omits the audiences with a label that is not among the grants; nil omits none.
	SeenBy *Grants
	// NoTotal skips the count; the total is then 0.
	NoTotal bool
}

// Properties by which audiences can be sorted.
const (
	SortCreated = "createdAt"
	SortUpdated = "updatedAt"
	SortName    = "name" // ignoring case
)

// Position is the position of an item in a list. A page of the list begins after the last item of the page before.
type Position struct {
	At   time.Time // the sort key: for most lists the creation
	Name string    // of an audience, for SortName
	Seq  int64     // of a run
	ID   string    // of the item
}

// AudienceFilter selects audiences by the exact value of a property, one of AudienceProperties.
type AudienceFilter struct {
	Property string
	Value    string
}

// AudienceProperties are the properties of AudienceFilter. audienceId is the custom id, or the ID of an audience
// without one; type is TypeExternal for all audiences; entityType is the class of the members, EntityPeople or
// EntityAccounts; labels and tags select one label or tag among others.
var AudienceProperties = []string{"id", "audienceId", "name", "namespace", "originName", "type", "audienceType", "entityType", "lifecycleState", "createdBy", "labels", "tags"}

// InProgress selects the run of an audience that is in progress.
var InProgress = RunQuery{Limit: 1, SortBy: "createdAt", Descending: true,
	Filters: []RunFilter{{Property: "status", Op: "=", Value: string(Processing)}}}

// RunQuery selects and orders the runs of one audience (contract, section 2, runs query).
type RunQuery struct {
	Limit  int // 1 to 40
	Offset int
	After  *Position // position after which the list continues; nil starts it
	// SortBy is "name" or "createdAt" (default). Ties are broken by Seq. Descending reverses the whole order.
	SortBy     string
	Descending bool
	Filters    []RunFilter
}

// RunFilter is one condition. Property is "name", "status" or "createdAt"; Op is "=", "!=", "=contains", "!=contains"
// (all case-sensitive) for the first two and ">=", "<=", ">", "<" for the last, whose Value is epoch seconds, compared
// with the whole seconds of the run's time.
type RunFilter struct {
	Property string
	Op       string
	Value    string
}

// FlowRunQuery selects runs of a sandbox.
type FlowRunQuery struct {
	Limit    int
	Audience ID       // the only audience whose runs are selected, or ""
	Statuses []Status // selected statuses; all if empty
	// From is the position of the run at which the list continues; nil starts it.
	From *Position
	// SeenBy omits the runs of audiences with a label that is not among the grants; nil omits none.
	SeenBy *Grants
}

// AuditQuery selects entries of an audit log. Empty properties select everything.
type AuditQuery struct {
	Limit                                int
	Sandbox, ClientID, RequestID, Object string
	Action                               Action
	Outcome                              Outcome
	Since, Until                         time.Time // Since is inclusive, Until exclusive
	// After is the entry after which the list continues; nil starts it.
	After *Position
}
