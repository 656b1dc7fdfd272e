package client

// APIClient is an API client of the organization.
type APIClient struct {
	ClientID  string            `json:"clientId"`
	Name      string            `json:"name"`
	Roles     map[string]string `json:"roles"`  // viewer, editor or admin by sandbox; "*" applies to all other sandboxes
	Labels    []string          `json:"labels"` // held by the client; "*" for all labels
	CreatedBy string            `json:"createdBy,omitempty"`
	CreatedAt int64             `json:"createdAt"`
	UpdatedAt int64             `json:"updatedAt"`
	// OldSecretsValidUntil are the expiry times of replaced secrets that are still valid.
	OldSecretsValidUntil []int64 `json:"oldSecretsValidUntil,omitempty"`
	// ClientSecret is present only in the answer to its creation.
	ClientSecret string `json:"clientSecret,omitempty"`
}

// APIClientList is a page of API clients.
type APIClientList struct {
	Clients []APIClient `json:"clients"`
	Page    CursorPage  `json:"_page"`
}

// CursorPage describes a page of a list with cursors. The last page has no Next.
type CursorPage struct {
	Limit int    `json:"limit"`
	Count int    `json:"count"`
	Next  string `json:"next,omitempty"`
}

// NewAPIClient creates an API client.
type NewAPIClient struct {
	Name   string            `json:"name"`
	Roles  map[string]string `json:"roles,omitempty"`
	Labels []string          `json:"labels,omitempty"`
}

// APIClientPatch changes an API client. Nil properties do not change; others are replaced as a whole.
type APIClientPatch struct {
	Name   *string            `json:"name,omitempty"`
	Roles  *map[string]string `json:"roles,omitempty"`
	Labels *[]string          `json:"labels,omitempty"`
}

// NewSecret requests a new secret for an API client.
type NewSecret struct {
	// OldSecretsValidUntil is the expiry time of the existing secrets, in epoch seconds; nil for 24 hours from now.
	// With a time in the past they expire at once.
	OldSecretsValidUntil *int64 `json:"oldSecretsValidUntil,omitempty" epoch:""`
}

// AuditEntry records a change, or the refusal of a change.
type AuditEntry struct {
	ID        string `json:"id"`
	At        int64  `json:"at"`
	ClientID  string `json:"clientId"`
	RequestID string `json:"requestId,omitempty"`
	Sandbox   string `json:"sandbox,omitempty"` // absent for changes of the whole organization
	Action    string `json:"action"`
	Object    string `json:"object"`
	Outcome   string `json:"outcome"`             // done or refused
	ErrorCode string `json:"errorCode,omitempty"` // why it was refused
	// MissingLabels are the labels that the client would have needed.
	MissingLabels []string `json:"missingLabels,omitempty"`
	// Before and After are the properties that changed.
	Before map[string]any `json:"before,omitempty"`
	After  map[string]any `json:"after,omitempty"`
}

// AuditLog is a page of the audit log, newest first.
type AuditLog struct {
	Entries []AuditEntry `json:"entries"`
	Page    CursorPage   `json:"_page"`
}
