// Package audience is Roster's domain: audiences, their fields and identities, tasks, runs and the
// ledger, connections, namespaces, sandboxes and API clients, with the rules that hold for them and
// the error codes of the contract. It imports only the standard library, and everybody may import it.
package audience

import (
	"slices"
	"time"
)

// ID types. All are UUIDs in their canonical lower-case text form.
type (
	// ID names an audience.
	ID string
	// TaskID names a submit task; it is also a valid operation id (contract, section 2).
	TaskID string
	// RunID names an ingestion run.
	RunID string
	// ConnectionID names a base connection.
	ConnectionID string
)

// Scope is the tenant of every row, key, path and table: an organization and one of its sandboxes.
type Scope struct {
	Org     string
	Sandbox string
}

// Defaults of an audience (contract, section 2).
const (
	DefaultNamespace = "CustomerAudienceUpload"
	DefaultTTLDays   = 30
	MinTTLDays       = 1
	MaxTTLDays       = 90
	MaxFields        = 1000
	OriginUpload     = "CUSTOM_UPLOAD"
	TypePeople       = "people"
	SourceTypeCloud  = "Cloud Storage"
	// EntityPeople and EntityAccounts are the classes of what audiences are of, as other services name them.
	EntityPeople   = "_xdm.context.profile"
	EntityAccounts = "_xdm.context.account"
	// TypeExternal is the type of every audience among those of other services (contract, section 3, Audiences).
	TypeExternal = "ExternalSegment"
	// LandingContainer is the name of a landing zone's container; a path may begin with it.
	LandingContainer = "dlz-user-container"
	// LandingDays is for how many days a file stays in a landing zone.
	LandingDays = 7
)

// Type is the type of a field.
type Type string

// The seven field types (contract, section 2).
const (
	String   Type = "string"
	Number   Type = "number"   // IEEE double
	Long     Type = "long"     // 64-bit signed
	Integer  Type = "integer"  // 32-bit signed
	Date     Type = "date"     // 2025-05-13
	DateTime Type = "datetime" // an instant with microseconds
	Boolean  Type = "boolean"
)

// Types lists the field types in the order of the contract.
var Types = []Type{String, Number, Long, Integer, Date, DateTime, Boolean}

// Role is what a field does to the membership of its row, beyond carrying data.
type Role string

const (
	// RoleNone marks a data field.
	RoleNone Role = ""
	// RoleDelete removes the member when the value is true or non-zero.
	RoleDelete Role = "delete"
	// RoleConsent removes the member when the value is not in ConsentValues.
	RoleConsent Role = "consent"
)

// Field is one column of an audience. Name is unique in the audience ignoring case.
type Field struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
	// Proposed says that nobody has declared the type: it was found out from a sample. A row with a value that the type would
	// change, such as by dropping a leading zero, is a reject.
	Proposed      bool     `json:"proposed,omitempty"`
	IdentityNs    string   `json:"identityNs,omitempty"` // canonical namespace code, "" when not an identity
	Labels        []string `json:"labels,omitempty"`
	Role          Role     `json:"role,omitempty"`
	ConsentValues []string `json:"consentValues,omitempty"`
}

// PathType says whether SourceSpec.Path names one file or a folder.
type PathType string

// The two path types.
const (
	PathFile   PathType = "file"
	PathFolder PathType = "folder"
)

// SourceSpec says where an audience's files lie.
type SourceSpec struct {
	Path             string       `json:"path"`
	Type             PathType     `json:"type"`
	SourceType       string       `json:"sourceType"`
	CloudType        string       `json:"cloudType,omitempty"` // as the client gave it; "" when it follows from the connection
	BaseConnectionID ConnectionID `json:"baseConnectionId,omitempty"`
	Format           *Format      `json:"format,omitempty"`     // nil: found out from each file
	Encryption       *Encryption  `json:"encryption,omitempty"` // nil: no file may be encrypted
	// OtherForm says that the client wrote the source in the second of the API's two forms, which answers repeat. No rule depends on it.
	OtherForm bool `json:"nested,omitempty"`
}

// FormatOf returns the format of the files, the zero value when nothing of it is given.
func (s SourceSpec) FormatOf() Format {
	if s.Format == nil {
		return Format{}
	}
	return *s.Format
}

// Audience is a governed, expiring set of memberships.
type Audience struct {
	ID    ID
	Num   uint32 // small number, unique in the installation, used in the profile store's keys; given by the metadata store
	Scope Scope
	// TaskID is the submit task that created it.
	TaskID      TaskID
	CustomID    string // customAudienceId, "" when none
	Name        string
	Description string
	Fields      []Field
	// PrimaryHidden says that SeenBy left out the field of the primary identity.
	PrimaryHidden    bool `json:"-"`
	Source           SourceSpec
	TTLDays          int
	Labels           []string
	Tags             []string
	AudienceType     string
	OriginName       string
	Namespace        string
	ProfileIngestion bool
	// ExpressActivation says that the rows of one person stay separate members that differ in the supplemental identity, the second
	// identity field (contract, section 5). It is set at creation and never changes.
	ExpressActivation bool
	Guards            Guards
	// State is StatePublished at first and its clients' to set.
	State State
	// KeepRejectedRows says that the raw text of rejected rows is kept with the rejects, for as long as they are.
	KeepRejectedRows bool
	// NoPayload says that look-ups do not answer the values of its rows.
	NoPayload bool
	CreatedBy string
	CreatedAt time.Time
	UpdatedBy string
	UpdatedAt time.Time
	// LastRun is the last run that ended SUCCESS and brought members, "" when there was none.
	LastRun RunID
	// Members is the number of members after LastRun.
	Members int64
	// RefreshedAt is when a full run last brought every member, or their time was extended; zero when neither was.
	RefreshedAt time.Time
	// LastIngestedAt is the time stamp of LastRun.
	LastIngestedAt time.Time
	Schedule       Schedule
	// NextRunAt is when Schedule is looked at next; zero when it starts no runs.
	NextRunAt time.Time
	// ScheduleTried is which new files Schedule started a run for last.
	ScheduleTried string
	// ScheduleNote is why the schedule started no run when it was due last, "" when it did.
	ScheduleNote string
	// MaintainedAt is when its maintenance last ended; zero when it never did.
	MaintainedAt time.Time
}

// PrimaryIdentity returns the index of the first identity field. Every valid audience has one.
func (a *Audience) PrimaryIdentity() int {
	for i, f := range a.Fields {
		if f.IdentityNs != "" {
			return i
		}
	}
	return -1
}

// SupplementalIdentity returns the index of the second identity field; -1 when there is none.
func (a *Audience) SupplementalIdentity() int {
	primary := a.PrimaryIdentity()
	if primary < 0 {
		return -1
	}
	i := slices.IndexFunc(a.Fields[primary+1:], func(f Field) bool { return f.IdentityNs != "" })
	if i < 0 {
		return -1
	}
	return primary + 1 + i
}

// TTL is the time a member lives after the run that last brought it.
func (a *Audience) TTL() time.Duration { return time.Duration(a.TTLDays) * 24 * time.Hour }

// ExpiresAt is when the time of the last member is over; the zero time when no run has brought any.
func (a *Audience) ExpiresAt() time.Time {
	if a.LastRun == "" {
		return time.Time{}
	}
	return time.UnixMicro(ExpiryOf(a.TTL(), a.RefreshedAt).At(a.LastIngestedAt.UnixMicro())).UTC()
}

// Status is the state of a task, a run or a run's stage.
type Status string

// The states. PROCESSING is the only one that can be left.
const (
	Processing Status = "PROCESSING"
	Success    Status = "SUCCESS"
	Failed     Status = "FAILED"
)

// Task is the submission of an audience. Its Draft becomes the audience when the task succeeds.
type Task struct {
	ID         TaskID
	Scope      Scope
	Status     Status
	AudienceID ID       // given at submit time, shown to clients only when Status is Success
	Draft      Audience // the submitted audience, validated and normalised
	Error      *Error   // why it failed
	Warnings   []Warning
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Warning is what a task says of an audience that it created nevertheless.
type Warning struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// The codes of warnings.
const (
	WarnPathAbsent  = "PATH_DOES_NOT_EXIST"
	WarnDeleteRole  = "DELETE_WITHOUT_ROLE"
	WarnConsentRole = "CONSENT_WITHOUT_ROLE"
)

// Connection is a base connection: where files lie and how to reach them.
type Connection struct {
	ID          ConnectionID
	Scope       Scope
	Name        string
	Description string
	SpecID      string // connectionSpec.id, the kind (contract, section 3)
	SpecVersion string
	AuthSpec    string            // auth.specName
	Params      map[string]string // auth.params, without secrets as they are stored and answered
	Sealed      string            // the secrets among them, sealed; "" when there are none
	Etag        string
	Version     int
	State       string // "enabled"
	CreatedBy   string
	CreatedAt   time.Time
	UpdatedBy   string
	UpdatedAt   time.Time
}

// Sandbox is a tenant's partition.
type Sandbox struct {
	ID        string
	Num       uint32 // small number, unique in the installation, used in the profile store's keys
	Org       string
	Name      string
	Title     string
	Type      string // SandboxProduction or SandboxDevelopment
	State     SandboxState
	Default   bool
	CreatedAt time.Time
}
