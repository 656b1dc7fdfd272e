// Package meta is the contract of the metadata store: tenants, API clients, connections, namespaces,
// audiences, tasks, runs and what successful runs have read. Its engines are in meta/sqlite and
// meta/postgres; both pass the suite in meta/metatest.
package meta

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"roster/internal/audience"
)

// ErrNotFound is returned for an absent row; ErrDuplicate when a unique name or id is taken;
// ErrRunInProgress by CreateRun when the audience has a run that is PROCESSING.
var (
	ErrNotFound      = errors.New("meta: not found")
	ErrDuplicate     = errors.New("meta: duplicate")
	ErrRunInProgress = errors.New("meta: a run is in progress")
	// ErrLeaseHeld is returned by AcquireRun and AcquireTask when another worker holds an unexpired lease.
	ErrLeaseHeld = errors.New("meta: another worker holds the lease")
	// ErrStale is returned by run and task updates when the row is no longer PROCESSING or the lease was lost.
	ErrStale = errors.New("meta: stale")
)

// KeepAnswers is how long a repeated request gets the answer of the first one (contract, section 1).
const KeepAnswers = 24 * time.Hour

// What a DuplicateError may name.
const (
	FieldName     = "name"
	FieldCustomID = "customAudienceId"
)

// DuplicateError is the ErrDuplicate of CreateTask and UpdateAudience when a name of the audience is taken.
type DuplicateError struct {
	Field string // FieldName or FieldCustomID
}

func (e *DuplicateError) Error() string { return "meta: the " + e.Field + " is taken" }

// Unwrap makes it an ErrDuplicate.
func (e *DuplicateError) Unwrap() error { return ErrDuplicate }

// Store is a metadata store. Its Reader methods each see one consistent state; changes go through Update.
type Store interface {
	Reader
	// Update runs fn in one read-write transaction, serialised against all others, and commits when fn returns
	// nil. An error that is one of this package's leaves the transaction usable. It runs fn again when the
	// transaction lost against another one, which it sees by the error that fn returns: fn must wrap the errors
	// of its Tx (%w) and have no effect but through it. Inside fn only the Tx may be used, never the Store.
	Update(ctx context.Context, fn func(Tx) error) error
	// SaveProgress stores the Progress and UpdatedAt of a PROCESSING run, as SaveRun does (ErrStale). It is one short statement, which
	// waits for no transaction of another run and makes none wait.
	SaveProgress(ctx context.Context, id audience.RunID, worker string, p audience.Progress, at time.Time) error
	// Close releases the store. It is safe to call twice.
	Close() error
}

// Attempt is what is known of the attempts at a task or a run.
type Attempt struct {
	Deaths int      // how often a process ended by a fault of its own meanwhile
	Cause  string   // of the last one
	Files  []string // that were being read then
}

// SealedBy is what a sealed text belongs to.
type SealedBy string

// What sealed texts belong to.
const (
	SealedConnection SealedBy = "connection"
	SealedWebhook    SealedBy = "webhook"
	SealedErasure    SealedBy = "erasure"
	SealedKey        SealedBy = "key"
)

// Place is the place that the text of one thing is sealed for: a text opens only there.
func (by SealedBy) Place(id string) string {
	switch by {
	case SealedWebhook:
		return "webhook/" + id
	case SealedErasure:
		return "erasure " + id
	case SealedKey:
		return "key/" + id
	}
	return id
}

// Sealed is a text that the program has sealed, and the id of what it belongs to.
type Sealed struct {
	By   SealedBy
	ID   string
	Text string
}

// Reader reads. Every list is ordered as its comment says, and an absent row is ErrNotFound.
type Reader interface {
	Organizations(ctx context.Context) ([]string, error)
	Sandbox(ctx context.Context, scope audience.Scope) (audience.Sandbox, error)
	Sandboxes(ctx context.Context, org string) ([]audience.Sandbox, error) // by name
	// LeavingSandboxes lists the sandboxes of all organizations that are being reset or deleted, by Num.
	LeavingSandboxes(ctx context.Context) ([]audience.Sandbox, error)
	Client(ctx context.Context, id string) (audience.Client, error)
	// Clients lists the API clients of an organization by ID: those after the ID of the last one seen, "" for the first page.
	Clients(ctx context.Context, org, after string, limit int) ([]audience.Client, error)
	// Audit lists the entries of an organization's audit log that the query selects, newest first.
	Audit(ctx context.Context, org string, q AuditQuery) ([]audience.AuditEntry, error)

	Connection(ctx context.Context, scope audience.Scope, id audience.ConnectionID) (audience.Connection, error)
	// Connections lists by creation time, then id; name is that of the only one wanted, ignoring case, or "";
	// after is the id of the last one seen, "" for the first page, and ErrNotFound when that one is gone.
	Connections(ctx context.Context, scope audience.Scope, name string, after audience.ConnectionID, limit int) ([]audience.Connection, error)

	Key(ctx context.Context, scope audience.Scope, kind audience.KeyKind, id audience.KeyID) (audience.Key, error)
	// Keys lists the PGP keys of a kind by creation time, then id.
	Keys(ctx context.Context, scope audience.Scope, kind audience.KeyKind) ([]audience.Key, error)

	// Namespaces lists the custom namespaces of an organization, by code.
	Namespaces(ctx context.Context, org string) ([]audience.Namespace, error)

	Task(ctx context.Context, scope audience.Scope, id audience.TaskID) (audience.Task, error)

	Audience(ctx context.Context, scope audience.Scope, id audience.ID) (audience.Audience, error)
	// AudienceByNum finds an audience by its number, for the profile store's answers; ErrNotFound when it is deleted.
	AudienceByNum(ctx context.Context, num uint32) (audience.Audience, error)
	// Audiences lists the audiences that the query selects; total counts those that its filters let through.
	Audiences(ctx context.Context, scope audience.Scope, q AudienceQuery) (list []audience.Audience, total int, err error)
	// AudienceByFlow finds an audience by its flowId (FlowID).
	AudienceByFlow(ctx context.Context, scope audience.Scope, flowID string) (audience.Audience, error)
	// AudiencesByID finds those of the audiences that exist, in no order.
	AudiencesByID(ctx context.Context, scope audience.Scope, ids []audience.ID) ([]audience.Audience, error)

	Run(ctx context.Context, scope audience.Scope, aud audience.ID, id audience.RunID) (audience.Run, error)
	// Runs lists the runs of an audience, without what they Planned and without Result.Files where these are many; total counts those that the filters let through.
	Runs(ctx context.Context, scope audience.Scope, aud audience.ID, q RunQuery) (list []audience.Run, total int, err error)
	// RunBySeq finds a run by its sequence number in the audience.
	RunBySeq(ctx context.Context, scope audience.Scope, aud audience.ID, seq int64) (audience.Run, error)
	// Labels returns the labels that audiences of a sandbox have, in order.
	Labels(ctx context.Context, scope audience.Scope) ([]string, error)
	// RunByFlow finds a run by the flowRunId of one of its stages, or the newest run of a flow by its flowId.
	RunByFlow(ctx context.Context, scope audience.Scope, flowRunID string) (audience.Run, error)
	// FlowRuns lists the runs of an audience or of a whole sandbox by creation time, Seq and ID, the newest first, without
	// what they Planned.
	FlowRuns(ctx context.Context, scope audience.Scope, q FlowRunQuery) ([]audience.Run, error)
	// NewestRuns finds the newest run of each of the audiences that has one, in no order, without what they Planned.
	NewestRuns(ctx context.Context, scope audience.Scope, ids []audience.ID) ([]audience.Run, error)
	// RunsSince lists the runs of a sandbox that were created after a time, those of deleted audiences too, the
	// oldest first.
	RunsSince(ctx context.Context, scope audience.Scope, after time.Time) ([]RunStart, error)
	// LastIngested returns when the newest successful run of any audience ended that brought rows of files into a
	// dataset; ErrNotFound when there is none.
	LastIngested(ctx context.Context) (time.Time, error)
	// ReadObjects returns those of the objects that a successful run of the audience has read in exactly that
	// version, as a set of path + "\x00" + version.
	ReadObjects(ctx context.Context, aud audience.ID, files []audience.PlannedFile) (map[string]bool, error)
	// Attempt returns what is known of earlier attempts at a task or a run; the zero Attempt when nothing is.
	Attempt(ctx context.Context, id string) (Attempt, error)
	// UnfinishedRun finds a PROCESSING run, without what it Planned, and UnfinishedTask a PROCESSING task, of any organization.
	UnfinishedRun(ctx context.Context, id audience.RunID) (audience.Run, error)
	UnfinishedTask(ctx context.Context, id audience.TaskID) (audience.Task, error)
	// UnfinishedIn counts the tasks and runs of a sandbox that are PROCESSING.
	UnfinishedIn(ctx context.Context, scope audience.Scope) (tasks, runs int, err error)
	// Unfinished lists the tasks and runs that are PROCESSING and whose lease is absent or ended by now, oldest
	// first, the runs without what they Planned.
	Unfinished(ctx context.Context, now time.Time) (tasks []audience.Task, runs []audience.Run, err error)
	// Unmaintained lists the audiences that have had a run and whose maintenance last ended at or before that time
	// or never did, those that wait longest first.
	Unmaintained(ctx context.Context, before time.Time, limit int) ([]audience.Audience, error)
	// Scheduled lists the numbers of the audiences whose NextRunAt is set and has come, the oldest first.
	Scheduled(ctx context.Context, now time.Time, limit int) ([]uint32, error)
	// Unswept lists deleted audiences whose data still has to be removed.
	Unswept(ctx context.Context) ([]DeletedAudience, error)
	Webhook(ctx context.Context, scope audience.Scope, id audience.WebhookID) (audience.Webhook, error)
	// Webhooks lists by creation time, then id.
	Webhooks(ctx context.Context, scope audience.Scope) ([]audience.Webhook, error)
	// DueWebhooks lists the enabled webhooks of all organizations that have a delivery which is due by now, by id.
	DueWebhooks(ctx context.Context, now time.Time) ([]audience.WebhookID, error)
	// NextDelivery returns the delivery of a webhook that has been due longest; ErrNotFound when none is due by now, and
	// when the webhook is disabled or gone.
	NextDelivery(ctx context.Context, id audience.WebhookID, now time.Time) (audience.Webhook, audience.Delivery, error)
	// Deliveries lists a webhook's deliveries by the time of their events, the newest first; after is the place that the
	// list goes on after, nil begins it.
	Deliveries(ctx context.Context, id audience.WebhookID, after *DeliveryPlace, limit int) ([]audience.Delivery, error)
	Erasure(ctx context.Context, scope audience.Scope, id audience.ErasureID) (audience.Erasure, error)
	// Erasures lists by creation time, the newest first; after is the place that the list goes on after, nil begins it.
	Erasures(ctx context.Context, scope audience.Scope, after *ErasurePlace, limit int) ([]audience.Erasure, error)
	// ErasedIdentities lists the opaque ids of the identities that were erased from a sandbox, or are being erased, in no
	// order, each once.
	ErasedIdentities(ctx context.Context, scope audience.Scope) ([]string, error)
	// UnfinishedErasures lists the erasures of all organizations that are PROCESSING, the oldest first.
	UnfinishedErasures(ctx context.Context) ([]audience.Erasure, error)
	// Sealed lists all texts of all organizations that are sealed.
	Sealed(ctx context.Context) ([]Sealed, error)
	// Answer finds what was kept of a request by KeepAnswer.
	Answer(ctx context.Context, k RequestKey) (Answer, error)
}

// Tx is a read-write transaction. Reads inside it see its own writes.
type Tx interface {
	Reader
	// SQL is the transaction in which the queue records work.
	SQL() *sql.Tx
	// Committed has fn called once the transaction has committed; never when it is rolled back, and not when nobody knows.
	Committed(fn func())
	// Reseal puts a text in the place of a sealed one; ErrStale when that is not there any more.
	Reseal(ctx context.Context, was Sealed, text string) error

	// ClaimDirectory makes the store the data directory's with that id, unless it is another's already; it returns the
	// id of the one that it belongs to.
	ClaimDirectory(ctx context.Context, id string) (owner string, err error)
	CreateOrganization(ctx context.Context, org string) error     // ErrDuplicate
	CreateSandbox(ctx context.Context, s *audience.Sandbox) error // sets Num and State, which is active; ErrDuplicate
	CreateClient(ctx context.Context, c audience.Client) error    // ErrDuplicate
	// UpdateClient stores Name, SecretHash, OldSecrets, Roles, Grants and UpdatedAt.
	UpdateClient(ctx context.Context, c audience.Client) error
	DeleteClient(ctx context.Context, org, id string) error
	// AppendAudit adds an entry to the audit log, in which nothing is ever changed (ErrDuplicate).
	AppendAudit(ctx context.Context, e audience.AuditEntry) error
	CreateConnection(ctx context.Context, c audience.Connection) error // ErrDuplicate (name in the sandbox, ignoring case)
	// SetSandboxState stores the state of a sandbox.
	SetSandboxState(ctx context.Context, scope audience.Scope, s audience.SandboxState) error
	// ClearSandbox removes the connections, PGP keys, webhooks, tasks and kept answers of a sandbox that has nothing else any more.
	// It is false, and does nothing, while the sandbox has an audience, one whose data is not swept, or an unfinished task.
	ClearSandbox(ctx context.Context, scope audience.Scope) (bool, error)
	// DeleteSandbox removes a sandbox that ClearSandbox has cleared in the same transaction, and the roles in it.
	DeleteSandbox(ctx context.Context, scope audience.Scope) error
	// UpdateConnection stores Name, Description, AuthSpec, Params, Etag, Version, UpdatedBy and UpdatedAt
	// (ErrDuplicate as in CreateConnection).
	UpdateConnection(ctx context.Context, c audience.Connection) error
	DeleteConnection(ctx context.Context, scope audience.Scope, id audience.ConnectionID) error
	// ConnectionInUse reports whether an audience or an unfinished task names the connection.
	ConnectionInUse(ctx context.Context, scope audience.Scope, id audience.ConnectionID) (bool, error)
	CreateKey(ctx context.Context, k audience.Key) error
	DeleteKey(ctx context.Context, scope audience.Scope, kind audience.KeyKind, id audience.KeyID) error
	// KeyInUse reports whether an audience or an unfinished task names the key.
	KeyInUse(ctx context.Context, scope audience.Scope, id audience.KeyID) (bool, error)
	// CreateNamespace sets ID (10000 and up) and Custom; ErrDuplicate (code in the organization, ignoring case).
	CreateNamespace(ctx context.Context, org string, n *audience.Namespace) error

	// CreateTask records a submitted audience, PROCESSING. Its name and customAudienceId are reserved from now
	// on in the sandbox (DuplicateError) until the task fails or the audience is deleted.
	CreateTask(ctx context.Context, t audience.Task) error
	// FinishTask ends a PROCESSING task: SUCCESS creates the audience from t.Draft, published, and gives it a
	// Num, FAILED frees its name. ErrStale when the task is not PROCESSING any more.
	FinishTask(ctx context.Context, t audience.Task) error
	// AcquireTask takes the task's lease until the given time for the worker, or renews the worker's own
	// (ErrLeaseHeld when another's has not ended; ErrStale when the task is not PROCESSING; ErrNotFound).
	AcquireTask(ctx context.Context, id audience.TaskID, worker string, now, until time.Time) (audience.Task, error)

	// UpdateAudience stores Name, Description, Fields, Labels, Tags, TTLDays, Guards, State, Schedule with NextRunAt,
	// ScheduleTried and ScheduleNote, Source, KeepRejectedRows, NoPayload, UpdatedBy and UpdatedAt. A DuplicateError says that
	// another audience of the sandbox has the Name.
	UpdateAudience(ctx context.Context, a audience.Audience) error
	// MarkScheduled stores NextRunAt, ScheduleTried and ScheduleNote.
	MarkScheduled(ctx context.Context, id audience.ID, next time.Time, tried, note string) error
	// MarkMaintained stores MaintainedAt.
	MarkMaintained(ctx context.Context, id audience.ID, at time.Time) error
	// DeleteAudience hides the audience and all its runs from every read, frees its names, and records it as to
	// be swept. A PROCESSING run of it ends: its worker's next SaveRun is ErrStale.
	DeleteAudience(ctx context.Context, scope audience.Scope, id audience.ID) error

	// CreateRun records a PROCESSING run and gives it the next Seq. ErrRunInProgress when one is PROCESSING:
	// the store itself (a unique index) allows one at a time.
	CreateRun(ctx context.Context, r *audience.Run) error
	// AcquireRun does for a run what AcquireTask does for a task.
	AcquireRun(ctx context.Context, id audience.RunID, worker string, now, until time.Time) (audience.Run, error)
	// RenewRun is AcquireRun for a worker that has read the run.
	RenewRun(ctx context.Context, id audience.RunID, worker string, now, until time.Time) error
	// SaveRun stores Stages, Planned (unless nil), Progress and UpdatedAt of a PROCESSING run whose lease the worker took and nobody
	// has taken over since (ErrStale otherwise).
	SaveRun(ctx context.Context, r audience.Run, worker string) error
	// FinishRun stores Stages, Result, Error, Status, EndedAt and UpdatedAt of a run that ended, and drops its lease and its progress;
	// ErrStale as SaveRun. On SUCCESS, unless it was a dry run, it also records the objects that were read (those of Result.Files) and
	// sets the audience's Members and RefreshedAt: to the run's time after a full run, to Result.RefreshedAt after a rollback and an
	// extension. Unless it only expired, extended or erased members, it sets LastRun and LastIngestedAt, too.
	FinishRun(ctx context.Context, r audience.Run, worker string) error
	// TurnBack brings times back to now that lie ahead of every wait, since a clock that was ahead has set them: ends of leases,
	// deliveries, the beginnings of requests, and when audiences were maintained.
	TurnBack(ctx context.Context, now time.Time) error
	// DropLeases ends every lease, for the only process of a single-machine installation at its start.
	DropLeases(ctx context.Context) error
	// OpenAttempt records that the worker does a task or a run from now on.
	OpenAttempt(ctx context.Context, id, worker string) error
	// CloseAttempt records that nobody does a task or a run any more; what is known of its attempts stays.
	CloseAttempt(ctx context.Context, id string) error
	// EndAttempts forgets the attempts of a task or a run that ended.
	EndAttempts(ctx context.Context, id string) error
	// CountDeath records for the tasks and runs that a worker was doing that it died meanwhile, why, and which files it
	// was reading for each. It returns how many these were, and forgets the attempts of those that ended.
	CountDeath(ctx context.Context, worker, cause string, files map[string][]string) (int, error)
	CreateWebhook(ctx context.Context, w audience.Webhook) error // ErrDuplicate (ID)
	// UpdateWebhook stores URL, Description, Events, Enabled, Note, FailingSince, UpdatedBy and UpdatedAt.
	UpdateWebhook(ctx context.Context, w audience.Webhook) error
	// DeleteWebhook removes a webhook and its deliveries.
	DeleteWebhook(ctx context.Context, scope audience.Scope, id audience.WebhookID) error
	CreateDelivery(ctx context.Context, d audience.Delivery) error // ErrDuplicate (event of the webhook)
	// UpdateDelivery stores State, Attempts and NextAt.
	UpdateDelivery(ctx context.Context, d audience.Delivery) error
	// DropDeliveries removes the deliveries of events before that time and says how many they were.
	DropDeliveries(ctx context.Context, before time.Time) (int64, error)
	CreateErasure(ctx context.Context, e audience.Erasure) error // ErrDuplicate (ID)
	// SaveErasure stores Sealed, Status, Error, Progress, UpdatedAt and EndedAt of a PROCESSING erasure, and counts its
	// Version. ErrStale when it is not PROCESSING, or was saved since it was read.
	SaveErasure(ctx context.Context, e *audience.Erasure) error
	// KeepAnswer stores what is known of a request, instead of what was.
	KeepAnswer(ctx context.Context, a Answer) error
	// DropAnswer forgets a request, if it is known.
	DropAnswer(ctx context.Context, k RequestKey) error
	// DropAnswers forgets the requests that were begun before that time and says how many they were.
	DropAnswers(ctx context.Context, before time.Time) (int64, error)
	// MarkSwept says that the data of a deleted audience is removed (ErrNotFound when it is not deleted).
	MarkSwept(ctx context.Context, id audience.ID) error
}

// DeletedAudience is what a sweep needs to know of a deleted audience.
type DeletedAudience struct {
	ID         audience.ID
	Num        uint32
	SandboxNum uint32
	Scope      audience.Scope
}

// InProgress finds the run of an audience that is in progress.
var InProgress = RunQuery{Limit: 1, SortBy: "createdAt", Descending: true,
	Filters: []RunFilter{{Property: "status", Op: "=", Value: string(audience.Processing)}}}

// RunStart is the beginning of a run.
type RunStart struct {
	AudienceID audience.ID
	Request    audience.RunRequest
	CreatedAt  time.Time
}

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
	After *AudiencePlace
	// NameContains and DescriptionContains are texts that the name and the description hold, ignoring case.
	NameContains, DescriptionContains string
	Filters                           []AudienceFilter
	// SeenBy leaves out the audiences with a label that is not among the grants; nil leaves out none.
	SeenBy *audience.Grants
	// NoTotal leaves the counting out; the total is 0 then.
	NoTotal bool
}

// AuditQuery selects entries of an audit log. What is empty selects nothing.
type AuditQuery struct {
	Limit                                int
	Sandbox, ClientID, RequestID, Object string
	Action                               audience.Action
	Outcome                              audience.Outcome
	Since, Until                         time.Time // from the one to before the other
	// After is the entry that the list goes on after; nil begins it.
	After *AuditPlace
}

// AuditPlace is where an entry stands in the audit log.
type AuditPlace struct {
	At time.Time
	ID string
}

// DeliveryPlace is where a delivery stands in a list.
type DeliveryPlace struct {
	At      time.Time
	EventID string
}

// ErasurePlace is where an erasure stands in a list.
type ErasurePlace struct {
	At time.Time // of its creation
	ID audience.ErasureID
}

// What audiences can be sorted by.
const (
	SortCreated = "createdAt"
	SortUpdated = "updatedAt"
	SortName    = "name" // ignoring case
)

// AudiencePlace is where an audience stands in a list: its ID and what the list is sorted by.
type AudiencePlace struct {
	At   time.Time // of SortCreated and SortUpdated
	Name string    // of SortName
	ID   audience.ID
}

// AudienceFilter is a property that audiences must have: one of AudienceProperties, with that very value.
type AudienceFilter struct {
	Property string
	Value    string
}

// AudienceProperties are the properties of AudienceFilter. audienceId is the custom id, and the ID of an audience
// without one; type is audience.TypeExternal of all audiences; entityType is the class of the members, audience.EntityPeople or
// audience.EntityAccounts; labels and tags ask for one label or tag among others.
var AudienceProperties = []string{"id", "audienceId", "name", "namespace", "originName", "type", "audienceType", "entityType", "lifecycleState", "createdBy", "labels", "tags"}

// RunQuery selects and orders the runs of one audience (contract, section 2, runs query).
type RunQuery struct {
	Limit  int // 1 to 40
	Offset int
	After  *RunPlace // of the run that the list goes on after; nil begins it
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
	Audience audience.ID       // of the only one whose runs are wanted, or ""
	Statuses []audience.Status // that are wanted; all when there are none
	// From is the place of the run that the list goes on at; nil begins it.
	From *RunPlace
	// SeenBy leaves out the runs of audiences with a label that is not among the grants; nil leaves out none.
	SeenBy *audience.Grants
}

// RunPlace is where a run stands in a list.
type RunPlace struct {
	At  time.Time // of its creation
	Seq int64
	ID  audience.RunID
}

// RequestKey names a request that its client may repeat: Key is its Idempotency-Key.
type RequestKey struct {
	Scope    audience.Scope
	ClientID string
	Key      string
}

// Answer is what a repeated request is answered with.
type Answer struct {
	RequestKey
	Request string          // what was asked for, as a fingerprint
	Status  int             // of HTTP, 0 while the request is being answered
	Body    string          // JSON, or "" when the answer has none
	Rights  audience.Rights // of the client when it was answered
	BegunAt time.Time
}
