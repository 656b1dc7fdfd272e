package client

// The types in this file are the bodies of the API. The properties have the order of the API's documents. Times are
// epoch seconds unless a comment says otherwise. A pointer marks a property whose absence differs from its zero value.

// Field is one column of an audience.
type Field struct {
	Name          string   `json:"name"`
	Type          string   `json:"type"` // string, number, long, integer, date, datetime or boolean
	IdentityNs    string   `json:"identityNs,omitempty"`
	Labels        []string `json:"labels,omitempty"`
	Role          string   `json:"role,omitempty"` // "", delete or consent
	ConsentValues []string `json:"consentValues,omitempty"`
	// Proposed says that the type was inferred from a sample and not declared. A row with a value that the type would
	// change, such as by dropping a leading zero, is a reject.
	Proposed bool `json:"proposed,omitempty"`
}

// SourceParams is the location of an audience's files.
type SourceParams struct {
	Path             string  `json:"path,omitempty"`
	Type             string  `json:"type,omitempty"`       // file or folder
	SourceType       string  `json:"sourceType,omitempty"` // "Cloud Storage"
	CloudType        string  `json:"cloudType,omitempty"`  // S3, DLZ, GCS, Azure or SFTP
	BaseConnectionID string  `json:"baseConnectionId,omitempty"`
	Format           *Format `json:"format,omitempty"`
	// Encryption names the keys of PGP-encrypted files. With it, every file must be encrypted.
	Encryption *Encryption `json:"encryption,omitempty"`
}

// Encryption names the key that decrypts the files, and the key that must have signed them.
type Encryption struct {
	PublicKeyID           string `json:"publicKeyId,omitempty"`
	SignVerificationKeyID string `json:"signVerificationKeyId,omitempty"`
	SignVerificationID    string `json:"signVerificationId,omitempty"` // the same, in AEP's other spelling
}

// SourceSpec is SourceParams, either flat or inside params. An answer has the form that the client gave.
type SourceSpec struct {
	SourceParams
	Params *SourceParams `json:"params,omitempty"`
}

// Where returns the params of either form.
func (s SourceSpec) Where() SourceParams {
	if s.Params != nil {
		return *s.Params
	}
	return s.SourceParams
}

// SourceChange changes the location of an audience's files.
type SourceChange struct {
	SourceSpec SourceSpec `json:"sourceSpec"`
}

// NewAudience is the request to create an audience.
type NewAudience struct {
	Name              string     `json:"name"`
	CustomAudienceID  string     `json:"customAudienceId,omitempty"`
	Description       string     `json:"description,omitempty"`
	Fields            []Field    `json:"fields"`
	SourceSpec        SourceSpec `json:"sourceSpec"`
	TTLInDays         *int       `json:"ttlInDays,omitempty"`
	Labels            []string   `json:"labels,omitempty"`
	AudienceType      string     `json:"audienceType,omitempty"`
	OriginName        string     `json:"originName"`
	Namespace         string     `json:"namespace,omitempty"`
	Tags              []string   `json:"tags,omitempty"`
	ProfileIngestion  *bool      `json:"profileIngestion,omitempty"`
	Payload           *bool      `json:"payload,omitempty"`
	Guards            *Guards    `json:"guards,omitempty"`
	Schedule          *Schedule  `json:"schedule,omitempty"`
	KeepRejectedRows  bool       `json:"keepRejectedRows,omitempty"`
	Encryption        any        `json:"encryption,omitempty"`
	ExpressActivation *bool      `json:"expressActivation,omitempty"`
}

// Audience is an audience, or in the answer to a submit the audience that will be created.
type Audience struct {
	TaskID           string     `json:"taskId,omitempty"` // only in the answer to a submit
	AudienceID       string     `json:"audienceId,omitempty"`
	Name             string     `json:"name"`
	AudienceName     string     `json:"audienceName,omitempty"`
	CustomAudienceID string     `json:"customAudienceId,omitempty"`
	Description      string     `json:"description,omitempty"`
	Fields           []Field    `json:"fields"`
	SourceSpec       SourceSpec `json:"sourceSpec"`
	TTLInDays        int        `json:"ttlInDays"`
	Labels           []string   `json:"labels,omitempty"`
	AudienceType     string     `json:"audienceType"`
	OriginName       string     `json:"originName"`
	Namespace        string     `json:"namespace"`
	Tags             []string   `json:"tags,omitempty"`
	ProfileIngestion *bool      `json:"profileIngestion,omitempty"` // absent when true
	Payload          *bool      `json:"payload,omitempty"`          // absent when true
	// ExpressActivation says that rows of one person with different supplemental identities are separate members.
	// Answers to a submit and a change contain it only if it is true.
	ExpressActivation *bool     `json:"expressActivation,omitempty"`
	Guards            *Guards   `json:"guards,omitempty"` // absent for the defaults
	Schedule          *Schedule `json:"schedule,omitempty"`
	NextRunAt         int64     `json:"nextRunAt,omitempty"` // when Schedule is due next, epoch seconds
	// ScheduleNote is the reason why the schedule did not start a run when it was last due.
	ScheduleNote     string `json:"scheduleNote,omitempty"`
	KeepRejectedRows bool   `json:"keepRejectedRows,omitempty"`
	CreatedBy        string `json:"createdBy"`
	CreatedAt        int64  `json:"createdAt"`
	UpdatedBy        string `json:"updatedBy"`
	UpdatedAt        int64  `json:"updatedAt"`
	// AudienceMeta is present in lists and when a single audience is read.
	AudienceMeta *AudienceMeta `json:"audienceMeta,omitempty"`
}

// AudienceMeta describes the result of an audience's runs.
type AudienceMeta struct {
	Members   int64  `json:"members"`
	LastRunID string `json:"lastRunId,omitempty"` // the last run that ended SUCCESS
	ExpiresAt int64  `json:"expiresAt,omitempty"` // when the last member expires
}

// AudienceList is a page of audiences.
type AudienceList struct {
	Audiences []Audience `json:"audiences"`
	Page      Page       `json:"_page"`
}

// Page describes the part of a list that an answer contains.
type Page struct {
	Limit      int    `json:"limit"`
	Count      int    `json:"count"`
	TotalCount int    `json:"totalCount"`
	Next       string `json:"next,omitempty"` // the start of the next page; absent on the last one
}

// AudiencePatch changes an audience. Nil properties do not change.
type AudiencePatch struct {
	Description *string      `json:"description,omitempty"`
	Labels      *[]string    `json:"labels,omitempty"`
	Fields      []FieldPatch `json:"fields,omitempty"`
	TTLInDays   *int         `json:"ttlInDays,omitempty"`

	// SourceSpec may contain only Encryption, which it replaces, for a key rotation.
	SourceSpec       *SourceSpec `json:"sourceSpec,omitempty"`
	Guards           *Guards     `json:"guards,omitempty"`
	Schedule         *Schedule   `json:"schedule,omitempty"` // an empty schedule removes it
	KeepRejectedRows *bool       `json:"keepRejectedRows,omitempty"`
	Payload          *bool       `json:"payload,omitempty"`
	// ExpressActivation cannot change. Only the current value is accepted.
	ExpressActivation *bool `json:"expressActivation,omitempty"`
}

// Schedule starts the runs of an audience: at a time, or when there are new files.
type Schedule struct {
	Cron                  string `json:"cron,omitempty"`                  // minute, hour, day of month, month, day of week
	TimeZone              string `json:"timeZone,omitempty"`              // of Cron, an IANA name; UTC
	OnNewFiles            bool   `json:"onNewFiles,omitempty"`            // instead of Cron
	DifferentialIngestion *bool  `json:"differentialIngestion,omitempty"` // of the runs; default true
	Paused                bool   `json:"paused,omitempty"`
}

// Guards stop a run before it changes anything. Absent limits have their defaults.
type Guards struct {
	MaxRejectedPercent  *float64 `json:"maxRejectedPercent,omitempty"` // 10
	MaxRemovedPercent   *float64 `json:"maxRemovedPercent,omitempty"`  // 50
	MaxGrowthPercent    *float64 `json:"maxGrowthPercent,omitempty"`   // default no limit
	AllowMissingColumns bool     `json:"allowMissingColumns,omitempty"`
	AllowAnyIdentity    bool     `json:"allowAnyIdentity,omitempty"`
}

// FieldPatch replaces the labels of a field. Only the labels can change; other properties are accepted with their
// current values.
type FieldPatch struct {
	Name          string    `json:"name"`
	Labels        *[]string `json:"labels,omitempty"`
	Type          *string   `json:"type,omitempty"`
	IdentityNs    *string   `json:"identityNs,omitempty"`
	Role          *string   `json:"role,omitempty"`
	ConsentValues *[]string `json:"consentValues,omitempty"`
	Proposed      *bool     `json:"proposed,omitempty"`
}

// States of tasks, runs and stages.
const (
	Processing = "PROCESSING"
	Success    = "SUCCESS"
	Failed     = "FAILED"
)

// Task is the state of a submit.
type Task struct {
	TaskID     string   `json:"taskId"`
	AudienceID string   `json:"audienceId,omitempty"` // when it ended SUCCESS
	Status     string   `json:"status"`
	Error      *Failure `json:"error,omitempty"`
	// Warnings are problems that did not prevent the creation of the audience.
	Warnings []Warning `json:"warnings,omitempty"`
}

// Warning is a warning of a task.
type Warning struct {
	Code   string `json:"code"` // PATH_DOES_NOT_EXIST, DELETE_WITHOUT_ROLE or CONSENT_WITHOUT_ROLE
	Detail string `json:"detail"`
}

// NewOperation is the answer to a submit in the later generation of the API.
type NewOperation struct {
	OperationID      string   `json:"operationId"`
	OperationDetails Audience `json:"operationDetails"`
}

// Operation is a Task in the form of the later generation of the API.
type Operation struct {
	OperationID      string   `json:"operationId"`
	Status           string   `json:"status"`
	OperationDetails Audience `json:"operationDetails"`
	AudienceName     string   `json:"audienceName"`
	AudienceID       string   `json:"audienceId,omitempty"`
	CreatedBy        string   `json:"createdBy"`
	CreatedAt        int64    `json:"createdAt"`
	UpdatedBy        string   `json:"updatedBy"`
	UpdatedAt        int64    `json:"updatedAt"`
	Error            *Failure `json:"error,omitempty"`
	// Warnings are as a Task's.
	Warnings []Warning `json:"warnings,omitempty"`
}

// Failure is why a task, a run or a stage ended FAILED.
type Failure struct {
	Code     string    `json:"code"`
	Message  string    `json:"message"` // of the code, such as UNPROCESSABLE_ENTITY
	Detail   string    `json:"detail"`
	Problems []Problem `json:"problems,omitempty"`
}

// Problem is a single problem of a request. Path names the property, such as "fields[1].type", or is "".
type Problem struct {
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
}
