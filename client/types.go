package client

// The types of this file are the bodies of the API, property for property in the order of its documents.
// Times are epoch seconds unless a comment says otherwise. A pointer is a property whose absence means
// something else than its zero value.

// Field is one column of an audience.
type Field struct {
	Name          string   `json:"name"`
	Type          string   `json:"type"` // string, number, long, integer, date, datetime or boolean
	IdentityNs    string   `json:"identityNs,omitempty"`
	Labels        []string `json:"labels,omitempty"`
	Role          string   `json:"role,omitempty"` // "", delete or consent
	ConsentValues []string `json:"consentValues,omitempty"`
	// Proposed says that nobody has declared the type: it was found out from a sample. A row with a value that the type would
	// change, such as by dropping a leading zero, is a reject.
	Proposed bool `json:"proposed,omitempty"`
}

// SourceParams say where an audience's files lie.
type SourceParams struct {
	Path             string  `json:"path,omitempty"`
	Type             string  `json:"type,omitempty"`       // file or folder
	SourceType       string  `json:"sourceType,omitempty"` // "Cloud Storage"
	CloudType        string  `json:"cloudType,omitempty"`  // S3, DLZ, GCS, Azure or SFTP
	BaseConnectionID string  `json:"baseConnectionId,omitempty"`
	Format           *Format `json:"format,omitempty"`
	// Encryption names the keys of files that are encrypted by PGP, as all must be then.
	Encryption *Encryption `json:"encryption,omitempty"`
}

// Encryption names the key that opens encrypted files, and the one that must have signed them.
type Encryption struct {
	PublicKeyID           string `json:"publicKeyId,omitempty"`
	SignVerificationKeyID string `json:"signVerificationKeyId,omitempty"`
	SignVerificationID    string `json:"signVerificationId,omitempty"` // the same, in another spelling of AEP's
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

// SourceChange has an audience read its files elsewhere.
type SourceChange struct {
	SourceSpec SourceSpec `json:"sourceSpec"`
}

// NewAudience is what is submitted to create an audience.
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

// Audience is an audience, or in the answer of a submit the one to come.
type Audience struct {
	TaskID           string     `json:"taskId,omitempty"` // in the answer of a submit only
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
	ProfileIngestion *bool      `json:"profileIngestion,omitempty"` // there when it is false
	Payload          *bool      `json:"payload,omitempty"`          // there when it is false
	// ExpressActivation says that rows of one person with different supplemental identities are separate members. In the answers
	// of a submit and a change it is there when it is true.
	ExpressActivation *bool     `json:"expressActivation,omitempty"`
	Guards            *Guards   `json:"guards,omitempty"` // there when they are not the defaults
	Schedule          *Schedule `json:"schedule,omitempty"`
	NextRunAt         int64     `json:"nextRunAt,omitempty"` // when Schedule is looked at next, epoch seconds
	// ScheduleNote is why the schedule started no run when it was due last.
	ScheduleNote     string `json:"scheduleNote,omitempty"`
	KeepRejectedRows bool   `json:"keepRejectedRows,omitempty"`
	CreatedBy        string `json:"createdBy"`
	CreatedAt        int64  `json:"createdAt"`
	UpdatedBy        string `json:"updatedBy"`
	UpdatedAt        int64  `json:"updatedAt"`
	// AudienceMeta is there in the list and when one audience is read.
	AudienceMeta *AudienceMeta `json:"audienceMeta,omitempty"`
}

// AudienceMeta is what the runs of an audience made of it.
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

// Page says which part of a list an answer holds.
type Page struct {
	Limit      int    `json:"limit"`
	Count      int    `json:"count"`
	TotalCount int    `json:"totalCount"`
	Next       string `json:"next,omitempty"` // the start of the next page; absent on the last one
}

// AudiencePatch changes an audience. What is nil stays as it is.
type AudiencePatch struct {
	Description *string      `json:"description,omitempty"`
	Labels      *[]string    `json:"labels,omitempty"`
	Fields      []FieldPatch `json:"fields,omitempty"`
	TTLInDays   *int         `json:"ttlInDays,omitempty"`

	// SourceSpec may have nothing but Encryption, which is replaced: by the next key of a rotation.
	SourceSpec       *SourceSpec `json:"sourceSpec,omitempty"`
	Guards           *Guards     `json:"guards,omitempty"`
	Schedule         *Schedule   `json:"schedule,omitempty"` // an empty one takes it away
	KeepRejectedRows *bool       `json:"keepRejectedRows,omitempty"`
	Payload          *bool       `json:"payload,omitempty"`
	// ExpressActivation cannot change: it may stand there as it is.
	ExpressActivation *bool `json:"expressActivation,omitempty"`
}

// Schedule starts the runs of an audience: at a time, or when there are new files.
type Schedule struct {
	Cron                  string `json:"cron,omitempty"`                  // minute, hour, day of month, month, day of week
	TimeZone              string `json:"timeZone,omitempty"`              // of Cron, an IANA name; UTC
	OnNewFiles            bool   `json:"onNewFiles,omitempty"`            // instead of Cron
	DifferentialIngestion *bool  `json:"differentialIngestion,omitempty"` // of the runs; true
	Paused                bool   `json:"paused,omitempty"`
}

// Guards stop a run before it changes anything. What is absent is the default.
type Guards struct {
	MaxRejectedPercent  *float64 `json:"maxRejectedPercent,omitempty"` // 10
	MaxRemovedPercent   *float64 `json:"maxRemovedPercent,omitempty"`  // 50
	MaxGrowthPercent    *float64 `json:"maxGrowthPercent,omitempty"`   // any
	AllowMissingColumns bool     `json:"allowMissingColumns,omitempty"`
	AllowAnyIdentity    bool     `json:"allowAnyIdentity,omitempty"`
}

// FieldPatch replaces the labels of a field. What else a field has may stand in it as it is; nothing but the labels can change.
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
	// Warnings are what is to be known of an audience that was created nevertheless.
	Warnings []Warning `json:"warnings,omitempty"`
}

// Warning is a warning of a task.
type Warning struct {
	Code   string `json:"code"` // PATH_DOES_NOT_EXIST, DELETE_WITHOUT_ROLE or CONSENT_WITHOUT_ROLE
	Detail string `json:"detail"`
}

// NewOperation is the later generation's answer to a submit.
type NewOperation struct {
	OperationID      string   `json:"operationId"`
	OperationDetails Audience `json:"operationDetails"`
}

// Operation is the later generation's Task.
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

// Problem is one thing that is wrong. Path names the property, such as "fields[1].type", or is "".
type Problem struct {
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
}
