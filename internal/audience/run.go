package audience

import "time"

// DefaultUndoWindow is the default time during which a version of an audience can be restored.
const DefaultUndoWindow = 7 * 24 * time.Hour

// RunRequest is a client's request for a run (contract, section 2, Run body).
type RunRequest struct {
	Kind RunKind
	// Of is the earlier run that a resubmit corrects, or whose version a rollback restores.
	Of RunID
	// Erasure is the erasure that a run of kind RunErase belongs to.
	Erasure ErasureID
	// File is the corrected file of a resubmit: a path in the landing zone of the sandbox.
	File string
	// Escaped means that the values of File are escaped for spreadsheets.
	Escaped bool `json:",omitempty"`
	// DryRun stops the run before its commit: it reports and changes nothing.
	DryRun bool
	// Force lets the run pass tripped guards.
	Force bool
	// AllowMissingColumns is that of Guards, for this run.
	AllowMissingColumns bool `json:",omitempty"`

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
	// Seq numbers the runs of one audience: 1, 2, 3, … A later run has a higher number.
	Seq       int64
	Request   RunRequest
	Status    Status
	CreatedBy string
	CreatedAt time.Time // ingestionTime; also the time stamp its members get
	UpdatedAt time.Time
	EndedAt   time.Time // zero while PROCESSING
	// FlowID is the audience's flow, the same for all of its runs.
	FlowID string
	Stages []StageResult
	Result RunResult
	Error  *Error
	// Planned is the manifest: the objects that this run reads, pinned by the first attempt. Nil until then.
	Planned []PlannedFile
	// Progress is the progress of a run for display; it is not durable history.
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
	ScratchBytes  int64              `json:"scratchBytes,omitempty"` // the most that the run's scratch file held
	Seconds       map[string]float64 `json:"seconds,omitempty"`      // wall time per step: read, merge, commit, …
	RowsPerSecond map[string]float64 `json:"rowsPerSecond,omitempty"`
}

// Progress is the progress of a run.
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
	Removed int64 `json:"removed"` // left because a full run did not bring them, or erased
	Expired int64 `json:"expired"` // left because they had expired when the run began
}

// Balanced reports whether invariant 2 holds with the ledger rows.
func (m Members) Balanced(rows Rows) bool {
	return m.After == m.Before+rows.Added-rows.Deleted-m.Removed-m.Expired
}

// FileStatus is how a run treated an object.
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
	Reason     string     `json:"reason,omitempty"` // why it was skipped or is unsettled
}

// FileResult is a PlannedFile with its ledger.
type FileResult struct {
	PlannedFile
	Rows Rows `json:"rows"`
	// BlankRows is the number of rows with only delimiters, which are not counted as rows.
	BlankRows int64 `json:"blankRows,omitempty"`
	// FilledRows had too few columns and have null in the others, see Format.FillShortRows; CommentLines are not rows.
	FilledRows   int64 `json:"filledRows,omitempty"`
	CommentLines int64 `json:"commentLines,omitempty"`
	// LikelyEncoding is the probable encoding of the file, if most of its rejects are not UTF-8.
	LikelyEncoding string   `json:"likelyEncoding,omitempty"`
	ExtraColumns   []string `json:"extraColumns,omitempty"` // columns of the file that no field names
	// SkippedFiles are files of a zip file next to the data that are not data.
	SkippedFiles []string `json:"skippedFiles,omitempty"`
	// MissingColumns are fields without a column in the file; their values are null.
	MissingColumns []string `json:"missingColumns,omitempty"`
	// Format is how the file was read: the audience's format, completed by detection.
	Format *Format `json:"format,omitempty"`
}

// RejectSample is one of a run's first rejects, shown with the run. It never contains the row itself.
type RejectSample struct {
	File   string `json:"file"`
	Line   int64  `json:"line"`
	Column string `json:"column,omitempty"`
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

// RunResult is the result of a run; the snapshot that the run committed contains it, too.
type RunResult struct {
	Rows       Rows           `json:"rows"`
	Members    Members        `json:"members"`
	Files      []FileResult   `json:"files"`
	SnapshotID int64          `json:"snapshotId,omitempty"`
	Rejects    []RejectSample `json:"rejects,omitempty"`
	// RejectsPath is the file of all rejects in the lake, "" if there were none. A failed run has it, too.
	RejectsPath string `json:"rejectsPath,omitempty"`
	// Guards are the evaluated guards; if one of them stopped the run, it is Tripped.
	Guards []GuardResult `json:"guards,omitempty"`
	// Changes are the first changes of each kind of a dry run, without personal data.
	Changes []ChangeSample `json:"changes,omitempty"`
	// Replaced are the damaged files of the dataset, below the lake, that the run replaced; Unreadable is the number of
	// members in them. These count as removed, and as added if the run brings them, because their identities and times
	// are unknown.
	Replaced   []string `json:"replaced,omitempty"`
	Unreadable int64    `json:"unreadable,omitempty"`
	// ContentSum is the sum modulo 2^64 of the column _roster_row over all members. Any reader of the dataset can
	// recompute it.
	ContentSum uint64 `json:"contentSum,omitempty"`
	// Outside are the snapshots of other programs that the run adopted, or that were adopted right before it.
	Outside []OutsideSnapshot `json:"outside,omitempty"`
	// RefreshedAt is when a full run or an extension last renewed every member, as of this run; zero if none did.
	RefreshedAt time.Time `json:"refreshedAt,omitzero"`
}

// OutsideSnapshot is a snapshot of a dataset that another program committed, or restored (then Operation is
// "rollback"). ID is 0 if the program emptied the table without a snapshot ("replace"), or dropped the table ("drop").
type OutsideSnapshot struct {
	ID        int64     `json:"snapshotId"`
	Operation string    `json:"operation"`
	Engine    string    `json:"engine,omitempty"` // "" if the snapshot does not name it
	At        time.Time `json:"committedAt"`
}

// ChangeSample is one change of a member that a dry run found, with its row and file. Members who leave without a row
// have no sample.
type ChangeSample struct {
	Change string `json:"change"` // added, updated or deleted
	File   string `json:"file"`
	Line   int64  `json:"line"`
}

// RejectedRow is a row of a run's rejects file.
type RejectedRow struct {
	File    string
	Version string
	Line    int64
	Lines   int64  // physical lines of the row
	Offset  int64  // byte offset of the row in the decoded file, -1 if there is none
	Column  string // "" if the row as a whole is wrong
	Code    string
	Reason  string
	Raw     []byte // nil unless the audience keeps rejected rows
}
