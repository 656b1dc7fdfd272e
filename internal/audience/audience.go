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
	// EntityPeople and EntityAccounts are the classes of audiences' members, with the names of other services.
	EntityPeople   = "_xdm.context.profile"
	EntityAccounts = "_xdm.context.account"
	// TypeExternal is the type of every audience among those of other services (contract, section 3, Audiences).
	TypeExternal = "ExternalSegment"
	// LandingContainer is the name of a landing zone's container; a path may begin with it.
	LandingContainer = "dlz-user-container"
	// LandingDays is the number of days for which a file stays in a landing zone.
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

// Role is the effect of a field on the membership of its row, in addition to carrying data.
type Role string

const (
	// RoleNone marks a data field.
	RoleNone Role = ""
	// RoleDelete removes the member if the value is true or non-zero.
	RoleDelete Role = "delete"
	// RoleConsent removes the member if the value is not in ConsentValues.
	RoleConsent Role = "consent"
)

// Field is one column of an audience. Name is unique in the audience ignoring case.
type Field struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
	// Proposed means that the type was inferred from a sample and nobody declared it. A row with a value that the type
	// would change, such as by dropping a leading zero, is a reject.
	// change, such as by dropping a leading zero, is a reject.
	Proposed      bool     `json:"proposed,omitempty"`
	IdentityNs    string   `json:"identityNs,omitempty"` // canonical namespace code, "" if the field is not an identity
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

// SourceSpec is the location of an audience's files.
type SourceSpec struct {
	Path             string       `json:"path"`
	Type             PathType     `json:"type"`
	SourceType       string       `json:"sourceType"`
	CloudType        string       `json:"cloudType,omitempty"` // "" if it follows from the connection
	BaseConnectionID ConnectionID `json:"baseConnectionId,omitempty"`
	Format           *Format      `json:"format,omitempty"`     // nil: detected for each file
	Encryption       *Encryption  `json:"encryption,omitempty"` // nil: no file may be encrypted
	// OtherForm means that the client wrote the source in the second of the API's two forms, which answers repeat. No
	// rule depends on it.
	OtherForm bool `json:"nested,omitempty"`
}

// FormatOf returns the format of the files, the zero value if none is given.
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
	// TaskID is the submit task that created the audience.
	TaskID      TaskID
	CustomID    string // customAudienceId, "" if there is none
	Name        string
	Description string
	Fields      []Field
	// PrimaryHidden means that SeenBy omitted the field of the primary identity.
	PrimaryHidden    bool `json:"-"`
	Source           SourceSpec
	TTLDays          int
	Labels           []string
	Tags             []string
	AudienceType     string
	OriginName       string
	Namespace        string
	ProfileIngestion bool
	// ExpressActivation means that rows of one person with different supplemental identities (the second identity
	// field) are separate members (contract, section 5). It is set at creation and never changes.
	ExpressActivation bool
	Guards            Guards
	// State is StatePublished at first. Clients can change it.
	State State
	// KeepRejectedRows means that the raw text of rejected rows is kept with the rejects, for the same time.
	KeepRejectedRows bool
	// NoPayload means that look-ups omit the values of the audience's rows.
	NoPayload bool
	CreatedBy string
	CreatedAt time.Time
	UpdatedBy string
	UpdatedAt time.Time
	// LastRun is the last run that ended SUCCESS and brought members, "" if there was none.
	LastRun RunID
	// Members is the number of members after LastRun.
	Members int64
	// RefreshedAt is when a full run or an extension last renewed every member; zero if none did.
	RefreshedAt time.Time
	// LastIngestedAt is the time stamp of LastRun.
	LastIngestedAt time.Time
	Schedule       Schedule
	// NextRunAt is when Schedule is checked next; zero if it starts no runs.
	NextRunAt time.Time
	// ScheduleTried is the fingerprint of the new files for which Schedule last started a run.
	ScheduleTried string
	// ScheduleNote is the reason why the schedule started no run when it was last due, "" if it started one.
	ScheduleNote string
	// MaintainedAt is when the last maintenance ended; zero if there was none.
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

// SupplementalIdentity returns the index of the second identity field; -1 if there is none.
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

// TTL is the time that a membership lasts after the last run that brought the member.
func (a *Audience) TTL() time.Duration { return time.Duration(a.TTLDays) * 24 * time.Hour }

// ExpiresAt is when the last member expires; the zero time if no run has brought any.
func (a *Audience) ExpiresAt() time.Time {
	if a.LastRun == "" {
		return time.Time{}
	}
	return time.UnixMicro(ExpiryOf(a.TTL(), a.RefreshedAt).At(a.LastIngestedAt.UnixMicro())).UTC()
}

// Status is the state of a task, a run or a run's stage.
type Status string

// The states. PROCESSING is the only one that can change.
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
	AudienceID ID       // assigned at submit time, shown to clients only if Status is Success
	Draft      Audience // the submitted audience, validated and normalised
	Error      *Error   // reason of a failure
	Warnings   []Warning
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Warning is a problem of an audience that a task created nevertheless.
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

// Connection is a base connection: the address and credentials of a store of files.
type Connection struct {
	ID          ConnectionID
	Scope       Scope
	Name        string
	Description string
	SpecID      string // connectionSpec.id, the kind (contract, section 3)
	SpecVersion string
	AuthSpec    string            // auth.specName
	Params      map[string]string // auth.params without secrets, as stored and answered
	Sealed      string            // the secrets among them, sealed; "" if there are none
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
