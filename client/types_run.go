package client

// RunRequest starts a run. The run reads objects with start < modification time <= end.
type RunRequest struct {
	DataFilterStartTime   *int64 `json:"dataFilterStartTime,omitempty" epoch:""` // 0
	DataFilterEndTime     *int64 `json:"dataFilterEndTime,omitempty" epoch:""`   // now
	DifferentialIngestion *bool  `json:"differentialIngestion,omitempty"`        // true
	DryRun                *bool  `json:"dryRun,omitempty"`
	Force                 *bool  `json:"force,omitempty"`
	AllowMissingColumns   *bool  `json:"allowMissingColumns,omitempty"` // overrides the audience's guard for this run
	Reason                string `json:"reason,omitempty"`
}

// StartedRun is the answer to the start of a run.
type StartedRun struct {
	Name                  string `json:"name"`
	AudienceName          string `json:"audienceName,omitempty"`
	AudienceID            string `json:"audienceId"`
	RunID                 string `json:"runId"`
	DifferentialIngestion bool   `json:"differentialIngestion"`
	DataFilterStartTime   int64  `json:"dataFilterStartTime"`
	DataFilterEndTime     int64  `json:"dataFilterEndTime"`
	Kind                  string `json:"kind,omitempty"`
	Of                    string `json:"of,omitempty"`
	DryRun                bool   `json:"dryRun,omitempty"`
	Force                 bool   `json:"force,omitempty"`
	CreatedAt             int64  `json:"createdAt,omitempty"`
	CreatedBy             string `json:"createdBy,omitempty"`
}

// Run is the state of a run, with its ledger after its end.
type Run struct {
	Name                  string            `json:"name"`
	AudienceName          string            `json:"audienceName"`
	AudienceID            string            `json:"audienceId"`
	RunID                 string            `json:"runId"`
	Status                string            `json:"status"`
	DifferentialIngestion bool              `json:"differentialIngestion"`
	DataFilterStartTime   int64             `json:"dataFilterStartTime"`
	DataFilterEndTime     int64             `json:"dataFilterEndTime"`
	IngestionTime         int64             `json:"ingestionTime"`
	CreatedAt             int64             `json:"createdAt"`
	CreatedBy             string            `json:"createdBy"`
	Reason                string            `json:"reason,omitempty"`
	Kind                  string            `json:"kind,omitempty"` // rollback, resubmit, expire, extend, erase or adopt; absent for a run that reads the audience's files
	Of                    string            `json:"of,omitempty"`   // the earlier run of a rollback or resubmit
	DryRun                bool              `json:"dryRun,omitempty"`
	Force                 bool              `json:"force,omitempty"`
	Details               []RunDetail       `json:"details"`
	Rows                  *Rows             `json:"rows,omitempty"`
	Members               *Members          `json:"members,omitempty"`
	Files                 []RunFile         `json:"files,omitempty"`
	Rejects               []Reject          `json:"rejects,omitempty"`           // the first ones
	Guards                []Guard           `json:"guards,omitempty"`            // the evaluated guards
	Changes               []Change          `json:"changes,omitempty"`           // of a dry run, the first of each kind
	ReplacedFiles         []string          `json:"replacedFiles,omitempty"`     // damaged files of the dataset, which a full run replaced
	UnreadableMembers     int64             `json:"unreadableMembers,omitempty"` // members in these files, or in a table that another program dropped; they count as removed, and as added if the run contains them
	Outside               []OutsideSnapshot `json:"outside,omitempty"`           // what other programs did to the dataset before the run, which Roster adopted
	ContentSum            string            `json:"contentSum,omitempty"`        // of _roster_row over all members, modulo 2^64, decimal
	SnapshotID            string            `json:"snapshotId,omitempty"`        // of the dataset
	Progress              *RunProgress      `json:"progress,omitempty"`          // while it is PROCESSING
	Error                 *Failure          `json:"error,omitempty"`
}

// OutsideSnapshot is a snapshot of the dataset that another program committed.
type OutsideSnapshot struct {
	SnapshotID  string `json:"snapshotId"`
	Operation   string `json:"operation"`        // of the snapshot; rollback if the program made an earlier snapshot the current one; replace or drop if there is no snapshot
	Engine      string `json:"engine,omitempty"` // the program, if the snapshot names it
	CommittedAt int64  `json:"committedAt"`
}

// RunDetail is a stage of a run.
type RunDetail struct {
	Stage     string       `json:"stage"` // DATASET_INGEST or PROFILE_STORE_INGEST
	Status    string       `json:"status"`
	FlowID    string       `json:"flowId"`
	FlowRunID string       `json:"flowRunId"`
	Metrics   StageMetrics `json:"metrics"`
	Error     *Failure     `json:"error,omitempty"`
}

// StageMetrics counts a stage's work.
type StageMetrics struct {
	InputFiles    int64              `json:"inputFileCount"`
	InputBytes    int64              `json:"inputBytes"`
	InputRecords  int64              `json:"inputRecordCount"`
	OutputFiles   int64              `json:"outputFileCount"`
	OutputBytes   int64              `json:"outputBytes"`
	OutputRecords int64              `json:"outputRecordCount"`
	FailedRecords int64              `json:"failedRecordCount"`
	ScratchBytes  int64              `json:"scratchBytes,omitempty"`  // the most that the run's scratch file held
	Seconds       map[string]float64 `json:"seconds,omitempty"`       // wall time by step
	RowsPerSecond map[string]float64 `json:"rowsPerSecond,omitempty"` // by step
}

// Rows is the ledger of rows: Read is the sum of the others.
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

// Members is the ledger of members: After = Before + rows.Added - rows.Deleted - Removed - Expired.
type Members struct {
	Before  int64 `json:"before"`
	After   int64 `json:"after"`
	Removed int64 `json:"removed"`
	Expired int64 `json:"expired"`
}

// RunFile is an object of a run's manifest with its part of the ledger.
type RunFile struct {
	Path           string   `json:"path"`
	Size           int64    `json:"size"`
	ModifiedAt     int64    `json:"modifiedAt"`
	Version        string   `json:"version"`
	Status         string   `json:"status"` // read, skipped or unsettled
	Reason         string   `json:"reason,omitempty"`
	Rows           Rows     `json:"rows"`
	BlankRows      int64    `json:"blankRows,omitempty"`      // rows with only delimiters, spaces and tabs; not in the ledger
	FilledRows     int64    `json:"filledRows,omitempty"`     // rows with too few columns, see format.fillShortRows
	CommentLines   int64    `json:"commentLines,omitempty"`   // not in the ledger, see format.comment
	LikelyEncoding string   `json:"likelyEncoding,omitempty"` // of the file, if most of its rejects are not UTF-8
	SkippedFiles   []string `json:"skippedFiles,omitempty"`   // other members of a zip file
	ExtraColumns   []string `json:"extraColumns,omitempty"`
	MissingColumns []string `json:"missingColumns,omitempty"`
	Format         *Format  `json:"format,omitempty"` // used to read the file
}

// Reject is the position of a rejected row and the reason.
type Reject struct {
	File   string `json:"file"`
	Line   int64  `json:"line"`
	Column string `json:"column,omitempty"`
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

// RejectedRow is a rejected row.
type RejectedRow struct {
	File       string `json:"file"`
	Version    string `json:"version"` // of the file
	Line       int64  `json:"line"`
	Lines      int64  `json:"lines"`                // number of physical lines of the row
	ByteOffset *int64 `json:"byteOffset,omitempty"` // of the row in the decoded file
	Column     string `json:"column,omitempty"`
	Code       string `json:"code"`
	Reason     string `json:"reason"`
	Raw        string `json:"raw,omitempty"` // present if the audience keeps rejected rows
}

// RejectList is a page of a run's rejects.
type RejectList struct {
	Rejects []RejectedRow `json:"rejects"`
	Page    Page          `json:"_page"`
}

// Guard is the result of a guard for a run.
type Guard struct {
	Guard   string  `json:"guard"` // rejected, removed, growth or columns
	Value   float64 `json:"value"` // percent; for columns the number of missing columns
	Limit   float64 `json:"limit"`
	Tripped bool    `json:"tripped"`
	Detail  string  `json:"detail,omitempty"`
}

// Change is one change of a member that a dry run found.
type Change struct {
	Change string `json:"change"` // added, updated or deleted
	File   string `json:"file"`
	Line   int64  `json:"line"`
}

// Version is the audience as it was after a run.
type Version struct {
	RunID      string `json:"runId"`
	SnapshotID string `json:"snapshotId"`
	CreatedAt  int64  `json:"createdAt"`
	Kind       string `json:"kind,omitempty"`
	Members    int64  `json:"members"`
	Rows       Rows   `json:"rows"`
	Current    bool   `json:"current"`
	ExpiresAt  int64  `json:"expiresAt,omitempty"` // absent for the current version
}

// VersionList is a page of an audience's versions, newest first.
type VersionList struct {
	Versions []Version `json:"versions"`
	// Removed are the newest versions that erasures have removed and that could otherwise be restored.
	Removed []RemovedVersion `json:"removed,omitempty"`
	Page    Page             `json:"_page"`
}

// Rollback requests to restore the audience as it was after a run.
type Rollback struct {
	DryRun *bool  `json:"dryRun,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Extension is the answer to an extension of the members' TTL, which a run performs.
type Extension struct {
	AudienceID   string `json:"audienceId"`
	Name         string `json:"name"`
	AudienceName string `json:"audienceName"`
	RunID        string `json:"runId"`
}

// RunProgress is the progress of a run.
type RunProgress struct {
	Step       string `json:"step"` // plan, read, merge, commit or project
	BytesDone  int64  `json:"bytesDone"`
	BytesTotal int64  `json:"bytesTotal"`
	Rows       int64  `json:"rows"`
}

// RunList is a page of an audience's runs.
type RunList struct {
	Runs []Run `json:"runs"`
	Page Page  `json:"_page"`
}
