package client

// NewWorkOrder requests the removal of identities, in AEP's format.
type NewWorkOrder struct {
	DisplayName          string                `json:"displayName,omitempty"`
	Description          string                `json:"description,omitempty"`
	Action               string                `json:"action"`    // delete_identity
	DatasetID            string                `json:"datasetId"` // ALL
	NamespacesIdentities []NamespaceIdentities `json:"namespacesIdentities,omitempty"`
	Identities           []OrderedIdentity     `json:"identities,omitempty"` // the same, in the format of earlier clients
}

// NamespaceCode names an identity namespace.
type NamespaceCode struct {
	Code string `json:"code"`
}

// NamespaceIdentities are identities of one namespace.
type NamespaceIdentities struct {
	Namespace NamespaceCode `json:"namespace"`
	IDs       []string      `json:"IDs"`
}

// OrderedIdentity is an identity of a work order.
type OrderedIdentity struct {
	Namespace NamespaceCode `json:"namespace"`
	ID        string        `json:"id"`
}

// WorkOrder is a work order. Its times are RFC 3339.
type WorkOrder struct {
	WorkOrderID    string   `json:"workorderId"`
	OrgID          string   `json:"orgId"`
	BundleID       string   `json:"bundleId"`
	Action         string   `json:"action"` // identity-delete
	CreatedAt      string   `json:"createdAt"`
	UpdatedAt      string   `json:"updatedAt"`
	OperationCount int      `json:"operationCount"`
	TargetServices []string `json:"targetServices"`
	Status         string   `json:"status"` // received, completed
	CreatedBy      string   `json:"createdBy"`
	DatasetID      string   `json:"datasetId"`
	DatasetName    string   `json:"datasetName"`
	DisplayName    string   `json:"displayName"`
	Description    string   `json:"description"`
	// Erasures are the ids of the erasures of this work order.
	Erasures []string `json:"erasures"`
}

// WorkOrderList is a page of work orders.
type WorkOrderList struct {
	Results []WorkOrder `json:"results"`
	Total   int         `json:"total"`
	Count   int         `json:"count"`
	Links   Links       `json:"_links"`
}
