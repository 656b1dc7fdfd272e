package audience

import "time"

// RunRequest is what a client asks of a run (contract, section 2, Run body).
type RunRequest struct {
	Differential bool      // true: merge new or changed objects in; false: the window's objects are the audience
	WindowStart  time.Time // exclusive; zero time means from the beginning
	WindowEnd    time.Time // inclusive
	Reason       string
}

// Run is one ingestion of an audience.
type Run struct {
	ID         RunID
	Scope      Scope
	AudienceID ID
	// AudienceName is the audience's name when the run was read.
	AudienceName string
	// Seq orders the runs of one audience: 1, 2, 3, … A later run has a higher number.
	Seq       int64
	Request   RunRequest
	Status    Status
	CreatedBy string
	CreatedAt time.Time // ingestionTime; also the time stamp its members get
	UpdatedAt time.Time
	EndedAt   time.Time // zero while PROCESSING
	// FlowID is the audience's flow; one for all of its runs.
	FlowID string
	Stages []StageResult
	Result RunResult
	Error  *Error
	// Planned is the manifest: the objects this run reads, pinned by the first attempt. Nil until then.
	Planned []PlannedFile
	// Progress is what a running run has done so far, for people watching; it is not durable history.
	Progress Progress
}

// StageName names a stage of a run.
type StageName string

// The two stages, in order.
const (
	StageDataset StageName = "DATASET_INGEST"
	StageProfile StageName = "PROFILE_STORE_INGEST"
)

// StageResult is one entry of a run's details.
type StageResult struct {
	Stage     StageName    `json:"stage"`
	Status    Status       `json:"status"`
	FlowRunID string       `json:"flowRunId"`
	StartedAt time.Time    `json:"startedAt,omitzero"`
	EndedAt   time.Time    `json:"endedAt,omitzero"`
	Metrics   StageMetrics `json:"metrics"`
	Error     *Error       `json:"error,omitempty"`
}

// StageMetrics counts a stage's work. Bytes are bytes, records are rows, times are seconds.
type StageMetrics struct {
	InputFiles    int64              `json:"inputFileCount"`
	InputBytes    int64              `json:"inputBytes"`
	InputRecords  int64              `json:"inputRecordCount"`
	OutputFiles   int64              `json:"outputFileCount"`
	OutputBytes   int64              `json:"outputBytes"`
	OutputRecords int64              `json:"outputRecordCount"`
	FailedRecords int64              `json:"failedRecordCount"`
	Seconds       map[string]float64 `json:"seconds,omitempty"` // wall time per step: read, merge, commit, …
}

// Progress is how far a run has come.
type Progress struct {
	Step       string `json:"step"` // "plan", "read", "merge", "commit", "project"
	BytesDone  int64  `json:"bytesDone"`
	BytesTotal int64  `json:"bytesTotal"`
	Rows       int64  `json:"rows"`
}

// Rows is the ledger of the rows of a file or a run. Invariant 1:
// Read = Rejected + Duplicates + Added + Updated + Unchanged + Deleted + DeletedNotMember.
type Rows struct {
	Read             int64 `json:"rowsRead"`
	Rejected         int64 `json:"rowsRejected"`
	Duplicates       int64 `json:"duplicates"`
	Added            int64 `json:"added"`
	Updated          int64 `json:"updated"`
	Unchanged        int64 `json:"unchanged"`
	Deleted          int64 `json:"deleted"`
	DeletedNotMember int64 `json:"deletedNotMember"`
}

// Plus returns the sum of two ledgers, field by field.
func (r Rows) Plus(o Rows) Rows {
	return Rows{r.Read + o.Read, r.Rejected + o.Rejected, r.Duplicates + o.Duplicates, r.Added + o.Added,
		r.Updated + o.Updated, r.Unchanged + o.Unchanged, r.Deleted + o.Deleted, r.DeletedNotMember + o.DeletedNotMember}
}

// Balanced reports whether invariant 1 holds.
func (r Rows) Balanced() bool {
	return r.Read == r.Rejected+r.Duplicates+r.Added+r.Updated+r.Unchanged+r.Deleted+r.DeletedNotMember
}

// Members is the ledger of the members of a run. Invariant 2:
// After = Before + rows.Added − rows.Deleted − Removed − Expired.
type Members struct {
	Before  int64 `json:"before"`
	After   int64 `json:"after"`
	Removed int64 `json:"removed"` // left because a full run did not bring them
	Expired int64 `json:"expired"` // left because their time was over when the run began
}

// Balanced reports whether invariant 2 holds beside rows.
func (m Members) Balanced(rows Rows) bool {
	return m.After == m.Before+rows.Added-rows.Deleted-m.Removed-m.Expired
}

// FileStatus is what a run did with an object.
type FileStatus string

// The file states.
const (
	FileRead      FileStatus = "read"
	FileSkipped   FileStatus = "skipped"
	FileUnsettled FileStatus = "unsettled"
)

// PlannedFile is an object of a run's manifest, pinned by size and version.
type PlannedFile struct {
	Path       string     `json:"path"`
	Size       int64      `json:"size"`
	ModifiedAt time.Time  `json:"modifiedAt"`
	Version    string     `json:"version"`
	Status     FileStatus `json:"status"`
	Reason     string     `json:"reason,omitempty"` // why it was skipped
}

// FileResult is a PlannedFile with its ledger.
type FileResult struct {
	PlannedFile
	Rows         Rows     `json:"rows"`
	ExtraColumns []string `json:"extraColumns,omitempty"` // columns of the file that no field names
	// MissingColumns are fields that the file has no column for; their values are null.
	MissingColumns []string `json:"missingColumns,omitempty"`
}

// RejectSample is one of a run's first rejects, shown with the run. It never holds the row itself.
type RejectSample struct {
	File   string `json:"file"`
	Line   int64  `json:"line"`
	Column string `json:"column,omitempty"`
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

// RunResult is what a run did; it is also kept in the snapshot that the run committed.
type RunResult struct {
	Rows       Rows           `json:"rows"`
	Members    Members        `json:"members"`
	Files      []FileResult   `json:"files"`
	SnapshotID int64          `json:"snapshotId,omitempty"`
	Rejects    []RejectSample `json:"rejects,omitempty"`
	// RejectsPath is the file of all rejects in the lake, "" when there were none.
	RejectsPath string `json:"rejectsPath,omitempty"`
}
