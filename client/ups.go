package client

import (
	"context"
	"net/http"
	"net/url"
)

// UPSAudience is an audience in the format of /core/ups/audiences.
type UPSAudience struct {
	ID             string     `json:"id"`
	AudienceID     string     `json:"audienceId"` // the customAudienceId, or the id if there is none
	Name           string     `json:"name"`
	Description    string     `json:"description,omitempty"`
	Namespace      string     `json:"namespace"`
	Type           string     `json:"type"`                   // ExternalSegment
	AudienceType   string     `json:"audienceType,omitempty"` // the server's type of account audiences; absent for people
	OriginName     string     `json:"originName"`
	LifecycleState string     `json:"lifecycleState"` // draft, published or inactive
	ImsOrgID       string     `json:"imsOrgId"`
	Sandbox        UPSSandbox `json:"sandbox"`
	IsSystem       bool       `json:"isSystem"`
	DatasetID      string     `json:"datasetId"`
	Labels         []string   `json:"labels"`
	Tags           []string   `json:"tags"`
	TTLInDays      int        `json:"ttlInDays"`
	// LinkedAudienceRef names the flow of the audience's runs.
	LinkedAudienceRef UPSFlowRef    `json:"linkedAudienceRef"`
	CreationTime      int64         `json:"creationTime"` // milliseconds
	UpdateTime        int64         `json:"updateTime"`   // milliseconds
	CreateEpoch       int64         `json:"createEpoch"`
	UpdateEpoch       int64         `json:"updateEpoch"`
	CreatedBy         string        `json:"createdBy"`
	Etag              string        `json:"_etag"`
	Dependents        []string      `json:"dependents"`   // none
	Dependencies      []string      `json:"dependencies"` // none
	AudienceMeta      *AudienceMeta `json:"audienceMeta"`
	// Metrics and RecordMetrics count the members after the last run that succeeded; absent before the first such run.
	Metrics       *UPSMetrics       `json:"metrics,omitempty"`
	RecordMetrics *UPSRecordMetrics `json:"recordMetrics,omitempty"`
}

// NewUPSAudience creates an audience by /core/ups/audiences, with the properties of a submit and AEP's other names for
// them.
type NewUPSAudience struct {
	NewAudience
	Type           string `json:"type,omitempty"`           // ExternalSegment
	AudienceID     string `json:"audienceId,omitempty"`     // another name of customAudienceId
	LifecycleState string `json:"lifecycleState,omitempty"` // published when absent, or draft
}

// UPSMetrics are the numbers of an audience's profiles.
type UPSMetrics struct {
	Type        string         `json:"type"`  // export
	JobID       string         `json:"jobId"` // the run
	ID          string         `json:"id"`    // the audience
	Data        UPSMetricsData `json:"data"`
	CreateEpoch int64          `json:"createEpoch"`
	UpdateEpoch int64          `json:"updateEpoch"`
}

// UPSMetricsData are the counts of UPSMetrics.
type UPSMetricsData struct {
	TotalProfiles int64 `json:"totalProfiles"`
	// TotalProfilesByNamespace counts by the namespace of the primary identity, in lower case. It is empty if the
	// caller may not see that field.
	TotalProfilesByNamespace map[string]int64 `json:"totalProfilesByNamespace"`
	TotalProfilesByStatus    map[string]int64 `json:"totalProfilesByStatus"` // realized
}

// UPSRecordMetrics is the number of an audience's records.
type UPSRecordMetrics struct {
	Data UPSRecordData `json:"data"`
}

// UPSRecordData is the count of UPSRecordMetrics.
type UPSRecordData struct {
	RecordCount int64 `json:"recordCount"`
}

// UPSSandbox is the sandbox of an audience.
type UPSSandbox struct {
	SandboxID   string `json:"sandboxId"`
	SandboxName string `json:"sandboxName"`
	Type        string `json:"type"`
	Default     bool   `json:"default"`
}

// UPSFlowRef names a flow.
type UPSFlowRef struct {
	FlowID string `json:"flowId"`
}

// UPSAudienceList is a page of audiences.
type UPSAudienceList struct {
	Children []UPSAudience `json:"children"`
	Page     UPSPage       `json:"_page"`
	Links    Links         `json:"_links"`
}

// UPSPage describes the part of a list that an answer contains.
type UPSPage struct {
	TotalCount int    `json:"totalCount"` // when the first page was read
	PageSize   int    `json:"pageSize"`   // of this page
	Next       string `json:"next,omitempty"`
}

// UPSBulkGet requests 1 to 100 audiences.
type UPSBulkGet struct {
	IDs []UPSAudienceRef `json:"ids"`
}

// UPSAudienceRef names an audience by its id.
type UPSAudienceRef struct {
	ID string `json:"id"`
}

// UPSBulkResult is the answer to UPSBulkGet. It maps each id to a UPSAudience or an ErrorBody.
type UPSBulkResult struct {
	Results map[string]any `json:"results"`
}

// UPSAudiences reads a page of the audiences. query is as in the API's documents (start, limit, sort, name,
// description, property); nil is the first page, newest first.
func (c *Client) UPSAudiences(ctx context.Context, query url.Values) (UPSAudienceList, error) {
	var out UPSAudienceList
	err := c.call(ctx, request{method: http.MethodGet, path: pathAudiences, query: query}, &out)
	return out, err
}

// CreateUPSAudience creates an audience and waits until it exists.
func (c *Client) CreateUPSAudience(ctx context.Context, a NewUPSAudience) (UPSAudience, error) {
	var out UPSAudience
	err := c.call(ctx, request{method: http.MethodPost, path: pathAudiences, body: a}, &out)
	return out, err
}

// PutUPSAudience replaces the properties of an audience with those of a: its name, description, labels, tags,
// lifecycleState and ttlInDays.
func (c *Client) PutUPSAudience(ctx context.Context, a UPSAudience) (UPSAudience, error) {
	var out UPSAudience
	err := c.call(ctx, request{method: http.MethodPut, path: pathAudiences + "/" + url.PathEscape(a.ID), body: a}, &out)
	return out, err
}

// UPSAudience reads one audience.
func (c *Client) UPSAudience(ctx context.Context, id string) (UPSAudience, error) {
	var out UPSAudience
	err := c.call(ctx, request{method: http.MethodGet, path: pathAudiences + "/" + url.PathEscape(id)}, &out)
	return out, err
}
