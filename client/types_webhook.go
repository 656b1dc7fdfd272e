package client

// Webhook is an endpoint that receives the events of a sandbox.
type Webhook struct {
	ID          string   `json:"id"`
	URL         string   `json:"url"`
	Description string   `json:"description,omitempty"`
	Events      []string `json:"events"`
	Enabled     bool     `json:"enabled"`
	Note        string   `json:"note,omitempty"` // why Roster disabled it
	// FailingSince is the time of the first failed attempt after the last success; 0 if the last attempt succeeded.
	FailingSince int64  `json:"failingSince,omitempty"`
	CreatedBy    string `json:"createdBy"`
	CreatedAt    int64  `json:"createdAt"`
	UpdatedBy    string `json:"updatedBy"` // the API client whose labels filter the events
	UpdatedAt    int64  `json:"updatedAt"`
	Secret       string `json:"secret,omitempty"` // present only in the answer to the creation
}

// WebhookList is the webhooks of a sandbox.
type WebhookList struct {
	Webhooks []Webhook `json:"webhooks"`
}

// NewWebhook creates a webhook.
type NewWebhook struct {
	URL         string   `json:"url"`
	Description string   `json:"description,omitempty"`
	Events      []string `json:"events"`
}

// WebhookPatch changes a webhook. Nil properties do not change; others are replaced as a whole.
type WebhookPatch struct {
	URL         *string   `json:"url,omitempty"`
	Secret      string    `json:"secret,omitempty"` // the current secret; required to change URL
	Description *string   `json:"description,omitempty"`
	Events      *[]string `json:"events,omitempty"`
	Enabled     *bool     `json:"enabled,omitempty"`
}

// WebhookTest names the event that a test sends.
type WebhookTest struct {
	EventID string `json:"eventId"`
}

// Delivery is the sending of an event to a webhook.
type Delivery struct {
	EventID     string    `json:"eventId"` // also the message's webhook-id
	Type        string    `json:"type"`
	CreatedAt   int64     `json:"createdAt"`
	Status      string    `json:"status"` // pending, delivered, failed or withheld
	Attempts    []Attempt `json:"attempts"`
	NextAttempt int64     `json:"nextAttemptAt,omitempty"` // only while pending
}

// Attempt is one request of a delivery.
type Attempt struct {
	At         int64  `json:"at"`
	StatusCode int    `json:"statusCode,omitempty"` // 0 when there was no answer
	Error      string `json:"error,omitempty"`      // the reason of the failure
}

// DeliveryLog is a page of a webhook's deliveries, the newest event first.
type DeliveryLog struct {
	Deliveries []Delivery `json:"deliveries"`
	Page       CursorPage `json:"_page"`
}
