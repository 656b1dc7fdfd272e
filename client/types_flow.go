package client

// Flow is the flow of an audience. Each stage of each run of the audience is a run of the flow.
type Flow struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	State       string `json:"state"` // enabled, or disabled while the audience takes no runs
	Version     string `json:"version"`
	Etag        string `json:"etag"`
	AudienceID  string `json:"audienceId"`

	FlowSpec ConnectionSpec `json:"flowSpec"`
	// SourceConnectionIDs has the base connection of the audience, if it has one.
	SourceConnectionIDs []string      `json:"sourceConnectionIds"`
	TargetConnectionIDs []string      `json:"targetConnectionIds"` // always empty
	InheritedAttributes FlowInherited `json:"inheritedAttributes"`
	LastRunDetails      *FlowLastRun  `json:"lastRunDetails,omitempty"`
	CreatedAt           int64         `json:"createdAt"`
	UpdatedAt           int64         `json:"updatedAt"`
	CreatedBy           string        `json:"createdBy"`
	UpdatedBy           string        `json:"updatedBy"`
	SandboxName         string        `json:"sandboxName"`
	ImsOrgID            string        `json:"imsOrgId"`
}

// FlowInherited names the source and the targets of a flow.
type FlowInherited struct {
	Properties        FlowProperties `json:"properties"`
	SourceConnections []FlowSource   `json:"sourceConnections"`
	// TargetConnections contains the data lake, and the profile store unless the audience does not use it.
	TargetConnections []FlowTarget `json:"targetConnections"`
}

// FlowProperties is the kind of a flow.
type FlowProperties struct {
	IsSourceFlow      bool `json:"isSourceFlow"`      // always true
	IsDestinationFlow bool `json:"isDestinationFlow"` // always false
}

// FlowSource names a connection that a flow reads from.
type FlowSource struct {
	ID string `json:"id"`
}

// FlowTarget names a target of a flow.
type FlowTarget struct {
	ConnectionSpec ConnectionSpec `json:"connectionSpec"`
}

// FlowLastRun is the newest run of a flow.
type FlowLastRun struct {
	ID             string `json:"id"`    // of the run of its last stage
	State          string `json:"state"` // success, failed or inProgress
	StartedAtUTC   int64  `json:"startedAtUTC"`
	CompletedAtUTC int64  `json:"completedAtUTC,omitempty"`
}

// FlowList is a page of flows.
type FlowList struct {
	Items []Flow `json:"items"`
	Links Links  `json:"_links"`
}

// FlowRun is a run of a flow: a stage of a run of an audience.
type FlowRun struct {
	ID          string      `json:"id"`
	FlowID      string      `json:"flowId"`
	AudienceID  string      `json:"audienceId"`
	RunID       string      `json:"runId"`
	Stage       string      `json:"stage"` // DATASET_INGEST or PROFILE_STORE_INGEST
	CreatedAt   int64       `json:"createdAt"`
	UpdatedAt   int64       `json:"updatedAt"`
	CreatedBy   string      `json:"createdBy"`
	SandboxName string      `json:"sandboxName"`
	ImsOrgID    string      `json:"imsOrgId"`
	Metrics     FlowMetrics `json:"metrics"`
}

// FlowMetrics contains the metrics of a run of a flow.
type FlowMetrics struct {
	DurationSummary FlowDuration `json:"durationSummary"`
	SizeSummary     FlowSize     `json:"sizeSummary"`
	RecordSummary   FlowRecords  `json:"recordSummary"`
	FileSummary     FlowFiles    `json:"fileSummary"`
	StatusSummary   FlowStatus   `json:"statusSummary"`
}

// FlowDuration contains start and end; 0 for a time in the future.
type FlowDuration struct {
	StartedAtUTC   int64 `json:"startedAtUTC"`
	CompletedAtUTC int64 `json:"completedAtUTC"`
}

// FlowSize counts bytes.
type FlowSize struct {
	InputBytes  int64 `json:"inputBytes"`
	OutputBytes int64 `json:"outputBytes"`
}

// FlowRecords counts rows.
type FlowRecords struct {
	InputRecordCount  int64 `json:"inputRecordCount"`
	OutputRecordCount int64 `json:"outputRecordCount"`
	FailedRecordCount int64 `json:"failedRecordCount"`
}

// FlowFiles counts files.
type FlowFiles struct {
	InputFileCount  int64 `json:"inputFileCount"`
	OutputFileCount int64 `json:"outputFileCount"`
}

// FlowStatus is success, failed or inProgress.
type FlowStatus struct {
	Status string      `json:"status"`
	Errors []FlowError `json:"errors"`
}

// FlowError is why a run of a flow failed.
type FlowError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// FlowRunList is a page of the runs of flows.
type FlowRunList struct {
	Items []FlowRun `json:"items"`
	Links Links     `json:"_links"`
}
