package audience

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// WebhookID names a webhook.
type WebhookID string

// Webhook is a tenant's endpoint that receives the events in a sandbox. It receives what the API client that last
// changed it may see.
type Webhook struct {
	ID          WebhookID
	Scope       Scope
	URL         string
	Description string
	Events      []EventType
	Sealed      string // the secret that messages are signed with, sealed
	// Enabled is false for a webhook that receives nothing. Note is the reason if Roster has disabled it.
	Enabled bool
	Note    string
	// FailingSince is the time of the first failed attempt since the last success; zero if the last attempt succeeded.
	FailingSince time.Time
	CreatedBy    string
	CreatedAt    time.Time
	UpdatedBy    string
	UpdatedAt    time.Time
}

// Wants reports whether the webhook receives events of the type. Every webhook receives a test.
func (w *Webhook) Wants(t EventType) bool {
	return w.Enabled && (t == EventTest || slices.Contains(w.Events, t))
}

// EventType is the type of an event, in the sense of CloudEvents.
type EventType string

// The types of events.
const (
	EventTaskEnded       EventType = "roster.task.ended"       // a submitted audience exists, or its task failed
	EventRunEnded        EventType = "roster.run.ended"        // a run ended, SUCCESS or FAILED
	EventGuardTripped    EventType = "roster.guard.tripped"    // a run passed a limit: it failed by that, was forced, or was a dry run
	EventMembersExpiring EventType = "roster.members.expiring" // members expire within ExpiringWithin unless a run renews them
	EventTest            EventType = "roster.test"             // somebody asked for it
)

// EventTypes are the types that a webhook can request.
var EventTypes = []EventType{EventTaskEnded, EventRunEnded, EventGuardTripped, EventMembersExpiring}

// ExpiringWithin is how long before their expiry members count as expiring.
const ExpiringWithin = 3 * 24 * time.Hour

// Event is an event in a sandbox. It contains no personal data.
type Event struct {
	ID      string // a UUID
	Scope   Scope
	Type    EventType
	At      time.Time
	Subject ID       // the audience of the event, "" if none
	Labels  []string // of the audience; clients that do not hold them do not receive the event
}

// Delivery is the sending of an event to a webhook.
type Delivery struct {
	WebhookID WebhookID
	EventID   string
	Type      EventType
	At        time.Time // of the event
	Labels    []string  // as of the event
	Body      string    // the message
	State     DeliveryState
	Attempts  []DeliveryAttempt // the oldest first
	NextAt    time.Time         // when the next attempt is due; zero if there is none
}

// DeliveryAttempt is one request.
type DeliveryAttempt struct {
	At     time.Time `json:"at"`
	Status int       `json:"status,omitempty"` // of the answer; 0 if there was none
	Error  string    `json:"error,omitempty"`  // reason of a failure
}

// DeliveryState is the state of a delivery.
type DeliveryState string

// The states. A delivery is withheld if the webhook's client may no longer see the subject of the event.
const (
	DeliveryPending   DeliveryState = "pending"
	DeliveryDelivered DeliveryState = "delivered"
	DeliveryFailed    DeliveryState = "failed"
	DeliveryWithheld  DeliveryState = "withheld"
)

// maxURL is the longest address of a webhook, in bytes.
const maxURL = 2048

// ValidateWebhook checks a webhook's address, description and events, and sorts the events without duplicates.
func ValidateWebhook(w *Webhook) error {
	var wrong Problems
	wrong.OptionalText("description", w.Description)
	checkWebhookURL(&wrong, w.URL)
	if len(w.Events) == 0 {
		wrong.Add("events", "must name at least one of %s", eventNames())
	}
	for i, e := range w.Events {
		if !slices.Contains(EventTypes, e) {
			wrong.Add(indexed("events", i), "%.64q is not one of %s", string(e), eventNames())
		}
	}
	slices.Sort(w.Events)
	w.Events = slices.Compact(w.Events)
	return wrong.Err()
}

func checkWebhookURL(wrong *Problems, address string) {
	u, err := url.Parse(address)
	switch {
	case address == "":
		wrong.Add("url", "is required")
	case len(address) > maxURL:
		wrong.Add("url", "has %d bytes; at most %d are allowed", len(address), maxURL)
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		wrong.Add("url", "must be an https:// or http:// address with a host")
	case !validPort(u.Port()):
		wrong.Add("url", "must have a port from 1 to 65535, or none")
	case u.User != nil:
		wrong.Add("url", "must not hold a user or a password; messages are signed instead")
	case u.Fragment != "":
		wrong.Add("url", "must not have a fragment (#…)")
	}
}

// validPort reports whether the text is a port, or none.
func validPort(text string) bool {
	n, err := strconv.Atoi(text)
	return text == "" || err == nil && n >= 1 && n <= 65535
}

// eventNames lists the types of events for people.
func eventNames() string {
	names := make([]string, len(EventTypes))
	for i, t := range EventTypes {
		names[i] = string(t)
	}
	return strings.Join(names, ", ")
}
