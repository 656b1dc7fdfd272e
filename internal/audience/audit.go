package audience

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// AuditEntry says that somebody changed something, or was refused to. It holds no personal data and no secrets, and
// is never changed.
type AuditEntry struct {
	ID        string // a UUID; entries are ordered by their time, then by it
	Org       string
	Sandbox   string // "" of what concerns the whole organization
	At        time.Time
	ClientID  string
	RequestID string
	Action    Action
	Object    string // what the action is about: an id, or a name
	Outcome   Outcome
	Code      Code     // why it was refused
	Missing   []string // labels that the client would have needed
	// Labels are those of the object and of its parts. Whoever does not hold them sees neither Before nor After.
	Labels []string
	// Before and After are the properties that changed; nil of what was not there before, or is not after.
	Before, After map[string]any
}

// Action is what an AuditEntry is about: a kind of object and what is done to it.
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
	RequestRepeat    Action = "request.repeat" // which is recorded when it is refused
)

// OrgWide reports whether the action is about something that is not a sandbox's.
func (a Action) OrgWide() bool {
	kind, _, _ := strings.Cut(string(a), ".")
	return kind == "client" || kind == "namespace" || kind == "sandbox" || kind == "secret"
}

// Outcome is how an action ended.
type Outcome string

// The outcomes.
const (
	Done    Outcome = "done"
	Refused Outcome = "refused"
)

// NewAuditEntry begins the entry of something that an actor asks for. The object is what it is about, as far as that is
// known.
func NewAuditEntry(a Actor, action Action, object string) AuditEntry {
	sandbox := a.Scope.Sandbox
	if action.OrgWide() {
		sandbox = ""
	}
	return AuditEntry{Org: a.Scope.Org, Sandbox: sandbox, ClientID: a.ClientID, RequestID: a.RequestID, Action: action, Object: storable(object)}
}

// maxObject bounds what a client named, in characters.
const maxObject = 1024

// storable is what a client named, as every store can keep it.
func storable(object string) string {
	object = strings.ReplaceAll(strings.ToValidUTF8(object, "\uFFFD"), "\x00", "\uFFFD")
	if runes := []rune(object); len(runes) > maxObject {
		return string(runes[:maxObject])
	}
	return object
}

// Label lets only those see what changes who hold the labels of an audience, before and after.
func (e *AuditEntry) Label(a *Audience) {
	all := append(slices.Clone(e.Labels), a.EveryLabel()...)
	slices.Sort(all)
	e.Labels = slices.Compact(all)
}

// Changes says what the object was and is; nil when it was not there before, or is not after. What stays as it is
// is left out.
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

// RunFacts are those of a run that is started.
func RunFacts(r *Run) map[string]any {
	return map[string]any{"runId": r.ID, "kind": r.Request.Kind, "of": r.Request.Of, "differentialIngestion": r.Request.Differential,
		"dryRun": r.Request.DryRun, "force": r.Request.Force}
}
