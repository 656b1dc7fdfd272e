package client

// APIClient is an API client of the organization.
type APIClient struct {
	ClientID  string            `json:"clientId"`
	Name      string            `json:"name"`
	Roles     map[string]string `json:"roles"`  // viewer, editor or admin by sandbox; "*" for every one that is not named
	Labels    []string          `json:"labels"` // that it holds; "*" for all of them
	CreatedBy string            `json:"createdBy,omitempty"`
	CreatedAt int64             `json:"createdAt"`
	UpdatedAt int64             `json:"updatedAt"`
	// OldSecretsValidUntil are the ends of the secrets that were replaced and are valid still.
	OldSecretsValidUntil []int64 `json:"oldSecretsValidUntil,omitempty"`
	// ClientSecret is told only once, when it is made.
	ClientSecret string `json:"clientSecret,omitempty"`
}

// APIClientList is a page of API clients.
type APIClientList struct {
	Clients []APIClient `json:"clients"`
	Page    CursorPage  `json:"_page"`
}

// CursorPage describes a page of a list that is read from place to place. The last page has no Next.
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

// APIClientPatch changes an API client. What is nil stays as it is; what is there is replaced whole.
type APIClientPatch struct {
	Name   *string            `json:"name,omitempty"`
	Roles  *map[string]string `json:"roles,omitempty"`
	Labels *[]string          `json:"labels,omitempty"`
}

// NewSecret asks for a new secret of an API client.
type NewSecret struct {
	// OldSecretsValidUntil is the end of the secrets that the client has, in epoch seconds; nil for 24 hours from now. A
	// time that has passed ends them at once.
	OldSecretsValidUntil *int64 `json:"oldSecretsValidUntil,omitempty" epoch:""`
}

// AuditEntry says that somebody changed something, or was refused to.
type AuditEntry struct {
	ID        string `json:"id"`
	At        int64  `json:"at"`
	ClientID  string `json:"clientId"`
	RequestID string `json:"requestId,omitempty"`
	Sandbox   string `json:"sandbox,omitempty"` // absent of what concerns the whole organization
	Action    string `json:"action"`
	Object    string `json:"object"`
	Outcome   string `json:"outcome"`             // done or refused
	ErrorCode string `json:"errorCode,omitempty"` // why it was refused
	// MissingLabels are those that the client would have needed.
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
