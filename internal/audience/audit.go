package audience

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// AuditEntry records a change, or the refusal of a change. It contains no personal data and no secrets, and never
// changes.
type AuditEntry struct {
	ID        string // a UUID; entries are ordered by time, then by ID
	Org       string
	Sandbox   string // "" for the whole organization
	At        time.Time
	ClientID  string
	RequestID string
	Action    Action
	Object    string // the object of the action: an id, or a name
	Outcome   Outcome
	Code      Code     // reason of a refusal
	Missing   []string // labels that the client would have needed
	// Labels are those of the object and of its parts. Clients that do not hold them see neither Before nor After.
	Labels []string
	// Before and After are the properties that changed; nil if the object did not exist before, or does not exist
	// after.
	Before, After map[string]any
}

// Action is the action of an AuditEntry: a kind of object and an operation.
type Action string

// The actions.
const (
	AudienceCreate   Action = "audience.create"
	AudienceUpdate   Action = "audience.update"
	AudienceDelete   Action = "audience.delete"
	RunStart         Action = "run.start"
	RunRollBack      Action = "run.rollback"
	RunResubmitRows  Action = "run.resubmit"
	RunExtendTTL     Action = "run.extend"
	FileUpload       Action = "file.upload"
	FileDelete       Action = "file.delete"
	ConnectionCreate Action = "connection.create"
	ConnectionUpdate Action = "connection.update"
	ConnectionDelete Action = "connection.delete"
	KeyCreate        Action = "key.create"
	KeyDelete        Action = "key.delete"
	NamespaceCreate  Action = "namespace.create"
	SandboxCreate    Action = "sandbox.create"
	SandboxReset     Action = "sandbox.reset"
	SandboxDelete    Action = "sandbox.delete"
	ClientCreate     Action = "client.create"
	ClientUpdate     Action = "client.update"
	ClientDelete     Action = "client.delete"
	ClientNewSecret  Action = "client.newSecret"
	WebhookCreate    Action = "webhook.create"
	WebhookUpdate    Action = "webhook.update"
	WebhookDelete    Action = "webhook.delete"
	WebhookTest      Action = "webhook.test"
	ErasureCreate    Action = "erasure.create"
	SecretRotate     Action = "secret.rotate"
	RequestRepeat    Action = "request.repeat" // recorded only if refused
)

// OrgWide reports whether the action concerns the whole organization.
func (a Action) OrgWide() bool {
	kind, _, _ := strings.Cut(string(a), ".")
	return kind == "client" || kind == "namespace" || kind == "sandbox" || kind == "secret"
}

// Outcome is the outcome of an action.
type Outcome string

// The outcomes.
const (
	Done    Outcome = "done"
	Refused Outcome = "refused"
)

// NewAuditEntry starts the entry of an actor's request. The object is its subject, as far as known.
func NewAuditEntry(a Actor, action Action, object string) AuditEntry {
	sandbox := a.Scope.Sandbox
	if action.OrgWide() {
		sandbox = ""
	}
	return AuditEntry{Org: a.Scope.Org, Sandbox: sandbox, ClientID: a.ClientID, RequestID: a.RequestID, Action: action, Object: storable(object)}
}

// maxObject is the longest name from a client, in characters.
const maxObject = 1024

// storable converts a name from a client to text that every store can keep.
func storable(object string) string {
	object = strings.ReplaceAll(strings.ToValidUTF8(object, "\uFFFD"), "\x00", "\uFFFD")
	if runes := []rune(object); len(runes) > maxObject {
		return string(runes[:maxObject])
	}
	return object
}

// Label restricts the changes in the entry to clients that hold the labels of an audience, before and after.
func (e *AuditEntry) Label(a *Audience) {
	all := append(slices.Clone(e.Labels), a.EveryLabel()...)
	slices.Sort(all)
	e.Labels = slices.Compact(all)
}

// Changes records the object before and after; nil if it did not exist before, or does not exist after. It omits
// properties that stay the same.
func (e *AuditEntry) Changes(before, after map[string]any) {
	differing := func(of, other map[string]any) map[string]any {
		if other == nil || of == nil {
			return of
		}
		different := map[string]any{}
		for name, v := range of {
			if !reflect.DeepEqual(v, other[name]) {
				different[name] = v
			}
		}
		return different
	}
	e.Before, e.After = differing(before, after), differing(after, before)
}

// RunFacts returns the properties of a started run for the audit log.
func RunFacts(r *Run) map[string]any {
	return map[string]any{"runId": r.ID, "kind": r.Request.Kind, "of": r.Request.Of, "differentialIngestion": r.Request.Differential,
		"dryRun": r.Request.DryRun, "force": r.Request.Force}
}
