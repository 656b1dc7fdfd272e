package client

// NewConnection creates a base connection.
type NewConnection struct {
	Name           string          `json:"name"`
	Description    string          `json:"description,omitempty"`
	Auth           *ConnectionAuth `json:"auth,omitempty"`
	ConnectionSpec ConnectionSpec  `json:"connectionSpec"`
}

// ConnectionAuth contains the address and the credentials of a connection. Answers omit secrets.
type ConnectionAuth struct {
	SpecName string           `json:"specName"`
	Params   ConnectionParams `json:"params,omitzero"`
}

// ConnectionParams are the parameters of a connection, each a text, a number or a boolean.
type ConnectionParams map[string]any

// Text returns a text parameter, and "" if the parameter is absent or not a text.
func (p ConnectionParams) Text(name string) string {
	text, _ := p[name].(string)
	return text
}

// ConnectionSpec names the kind of a connection.
type ConnectionSpec struct {
	ID      string `json:"id"`
	Version string `json:"version,omitempty"`
}

// ConnectionRef is the answer to the creation of a connection.
type ConnectionRef struct {
	ID   string `json:"id"`
	Etag string `json:"etag"`
}

// Connection is a base connection.
type Connection struct {
	ID             string         `json:"id"`
	Name           string         `json:"name"`
	Description    string         `json:"description,omitempty"`
	State          string         `json:"state"`
	Auth           ConnectionAuth `json:"auth"`
	ConnectionSpec ConnectionSpec `json:"connectionSpec"`
	CreatedAt      int64          `json:"createdAt"`
	UpdatedAt      int64          `json:"updatedAt"`
	CreatedBy      string         `json:"createdBy"`
	UpdatedBy      string         `json:"updatedBy"`
	SandboxName    string         `json:"sandboxName"`
	ImsOrgID       string         `json:"imsOrgId"`
	Etag           string         `json:"etag"`
	Version        int            `json:"version"`
}

// ConnectionTest is the answer to a successful test of a connection.
type ConnectionTest struct {
	ID     string `json:"id"`
	Status string `json:"status"` // success
}

// ConnectionList is a page of connections; one connection is read as a list of one.
type ConnectionList struct {
	Items []Connection `json:"items"`
	Links Links        `json:"_links"`
}

// Links lead to other pages. The last page has no next.
type Links struct {
	Next *Link `json:"next,omitempty"`
}

// Link is relative to the call's service.
type Link struct {
	Href string `json:"href"`
}

// NewNamespace creates an identity namespace.
type NewNamespace struct {
	Name        string `json:"name"`
	Code        string `json:"code"`
	Description string `json:"description,omitempty"`
	IDType      string `json:"idType,omitempty"`
}

// Namespace is an identity namespace.
type Namespace struct {
	ID          int    `json:"id"`
	Code        string `json:"code"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	IDType      string `json:"idType"`
	Status      string `json:"status"`
	Custom      bool   `json:"custom"`
}

// Sandbox is a tenant's partition.
type Sandbox struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Title     string `json:"title"`
	State     string `json:"state"` // active, or resetting or deleting while it cannot be used
	Type      string `json:"type"`
	Region    string `json:"region"`
	IsDefault bool   `json:"isDefault"`
}

// SandboxList is the sandboxes of an organization.
type SandboxList struct {
	Sandboxes []Sandbox `json:"sandboxes"`
	Page      ListPage  `json:"_page"`
	Links     Links     `json:"_links"`
}

// NewSandbox creates a sandbox.
type NewSandbox struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Type  string `json:"type,omitempty"` // production or development, which is the default
}

// SandboxAction is an action on a sandbox.
type SandboxAction struct {
	Action string `json:"action"` // reset
}

// ListPage is the page of a list that always fits one page.
type ListPage struct {
	Limit int `json:"limit"`
	Count int `json:"count"`
}

// LookupRequest looks up many profiles. The properties after Payload are accepted for existing clients and have no
// effect.
type LookupRequest struct {
	Schema        *SchemaRef    `json:"schema,omitempty"`
	Fields        []string      `json:"fields,omitempty"`
	Identities    []IdentityRef `json:"identities"`
	Payload       *bool         `json:"payload,omitempty"` // true adds the values of rows, false omits them
	MergePolicyID string        `json:"mergePolicyId,omitempty"`
	TimeFilter    any           `json:"timeFilter,omitempty"`
	Limit         *int          `json:"limit,omitempty"`
	OrderBy       string        `json:"orderby,omitempty"`
	WithCA        *bool         `json:"withCA,omitempty"`
}

// SchemaRef names a schema.
type SchemaRef struct {
	Name string `json:"name"`
}

// IdentityRef names an identity to look up.
type IdentityRef struct {
	EntityID   string       `json:"entityId"`
	EntityIDNS NamespaceRef `json:"entityIdNS"`
}

// NamespaceRef names an identity namespace.
type NamespaceRef struct {
	Code string `json:"code"`
}

// Profiles is the answer to a look-up, by the opaque id of each identity.
type Profiles map[string]Profile

// Profile contains the memberships of an identity.
type Profile struct {
	EntityID       string   `json:"entityId"`
	Sources        []string `json:"sources"`
	Entity         Entity   `json:"entity"`
	LastModifiedAt string   `json:"lastModifiedAt"` // RFC 3339
}

// Found reports whether the identity is known.
func (p Profile) Found() bool {
	return len(p.Entity.Identities) > 0 || len(p.Entity.SegmentMembership) > 0
}

// Membership returns the identity's membership in an audience, and whether it has one.
func (p Profile) Membership(audienceID string) (Membership, bool) {
	for _, byAudience := range p.Entity.SegmentMembership {
		if m, ok := byAudience[audienceID]; ok {
			return m, true
		}
	}
	return Membership{}, false
}

// Entity is the content of a profile.
type Entity struct {
	Identities []Identity `json:"identities,omitempty"`
	// SegmentMembership maps the audience's namespace and then its id.
	SegmentMembership map[string]map[string]Membership `json:"segmentMembership,omitempty"`
	// AudienceEnrichment maps the audience's namespace and then its id to values: an object with the values of the
	// member's row by field name, or with expressActivation an array of such objects, one for each member with the
	// identity.
	AudienceEnrichment map[string]map[string]any `json:"audienceEnrichment,omitempty"`
}

// Identity is an identity of a profile. The code of its namespace is in lower case.
type Identity struct {
	ID        string       `json:"id"`
	Namespace NamespaceRef `json:"namespace"`
	Primary   bool         `json:"primary"`
}

// Membership is a person's membership in an audience. Times are RFC 3339.
type Membership struct {
	Version               string `json:"version"`
	LastQualificationTime string `json:"lastQualificationTime"`
	ValidUntil            string `json:"validUntil,omitempty"`
	Status                string `json:"status"` // realized or exited
}

// Upload is the answer to a complete upload to the landing zone.
type Upload struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"` // hexadecimal
}

// UploadState is the progress of an incomplete upload by ranges.
type UploadState struct {
	Path     string `json:"path"`
	Size     int64  `json:"size"`
	Received int64  `json:"received"` // the upload resumes at this byte
}

// File is a file of the landing zone.
type File struct {
	Path       string `json:"path"`
	Size       int64  `json:"size"`
	Version    string `json:"version"`
	ModifiedAt int64  `json:"modifiedAt"`
	ExpiresAt  int64  `json:"expiresAt"` // the file is removed within a day after this time
}

// FileList is a page of files.
type FileList struct {
	Files []File     `json:"files"`
	Page  CursorPage `json:"_page"`
}

// RotatedSecrets is the answer to a rotation of the key ring.
type RotatedSecrets struct {
	Resealed int `json:"resealed"` // number of secrets
}

// ErrorBody is the body of every refusal (application/problem+json).
type ErrorBody struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	RequestID string `json:"requestId"`
	ErrorCode string `json:"errorCode"`
	Message   string `json:"message"`
	// ErrorMessage repeats Detail when the status is 412, for clients of the flow service.
	ErrorMessage string                  `json:"errorMessage,omitempty"`
	Errors       map[string][]ErrorEntry `json:"errors"` // by the HTTP status
}

// ErrorEntry is a single problem of a request.
type ErrorEntry struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Path    string `json:"path,omitempty"`
}
