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

// Webhook is an endpoint of a tenant's own that is told of events in a sandbox. It is told what the API client may see
// that last changed it.
type Webhook struct {
	ID          WebhookID
	Scope       Scope
	URL         string
	Description string
	Events      []EventType
	Sealed      string // the secret that messages are signed with, sealed
	// Enabled is false of a webhook to which nothing is sent. Note says why when Roster has disabled it.
	Enabled bool
	Note    string
	// FailingSince is when the first of the attempts failed since which none succeeded; zero when the last one succeeded.
	FailingSince time.Time
	CreatedBy    string
	CreatedAt    time.Time
	UpdatedBy    string
	UpdatedAt    time.Time
}

// Wants reports whether the webhook is to be told of events of the type. A test is for every one.
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
	EventMembersExpiring EventType = "roster.members.expiring" // members leave within ExpiringWithin unless a run renews them
	EventTest            EventType = "roster.test"             // somebody asked for it
)

// EventTypes are those that a webhook can ask for.
var EventTypes = []EventType{EventTaskEnded, EventRunEnded, EventGuardTripped, EventMembersExpiring}

// ExpiringWithin is how long before their time is over members count as expiring.
const ExpiringWithin = 3 * 24 * time.Hour

// Event is something that happened in a sandbox. It holds no personal data.
type Event struct {
	ID      string // a UUID
	Scope   Scope
	Type    EventType
	At      time.Time
	Subject ID       // the audience that it is about, "" of none
	Labels  []string // of the audience: who does not hold them is not told
}

// Delivery is the sending of an event to a webhook.
type Delivery struct {
	WebhookID WebhookID
	EventID   string
	Type      EventType
	At        time.Time // of the event
	Labels    []string  // as of the event
	Body      string    // what is sent
	State     DeliveryState
	Attempts  []DeliveryAttempt // the oldest first
	NextAt    time.Time         // when the next attempt is due; zero when there is none
}

// DeliveryAttempt is one request.
type DeliveryAttempt struct {
	At     time.Time `json:"at"`
	Status int       `json:"status,omitempty"` // of the answer; 0 when there was none
	Error  string    `json:"error,omitempty"`  // why it failed
}

// DeliveryState is how far a delivery has come.
type DeliveryState string

// The states. A delivery is withheld when the webhook's client may not see any more what the event is about.
const (
	DeliveryPending   DeliveryState = "pending"
	DeliveryDelivered DeliveryState = "delivered"
	DeliveryFailed    DeliveryState = "failed"
	DeliveryWithheld  DeliveryState = "withheld"
)

// maxURL bounds the address of a webhook, in bytes.
const maxURL = 2048

// ValidateWebhook checks a webhook's address, description and events, and brings the events into their order, each once.
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
