package api

import (
	"context"
	"io"
	"time"

	"roster/internal/audience"
	"roster/internal/auth"
	"roster/internal/control"
	"roster/internal/landing"
	"roster/internal/meta"
	"roster/internal/source"
)

// Service is what the handlers need of the use cases; *control.Service has it.
type Service interface {
	Submit(ctx context.Context, a audience.Actor, d control.Draft) (audience.Task, error)
	Validate(ctx context.Context, a audience.Actor, d control.Draft, rows int, preview bool) (control.Validation, error)
	Task(ctx context.Context, a audience.Actor, id audience.TaskID) (audience.Task, error)
	Audience(ctx context.Context, a audience.Actor, id audience.ID) (audience.Audience, error)
	Audiences(ctx context.Context, a audience.Actor, q meta.AudienceQuery) ([]audience.Audience, int, error)
	AudiencesByID(ctx context.Context, a audience.Actor, ids []audience.ID) (map[audience.ID]audience.Audience, error)
	UpdateAudience(ctx context.Context, a audience.Actor, id audience.ID, p control.Patch) (audience.Audience, error)
	Labels(ctx context.Context, a audience.Actor) ([]string, error)
	DeleteAudience(ctx context.Context, a audience.Actor, id audience.ID, ifMatch ...string) error

	ExtendTTL(ctx context.Context, a audience.Actor, id audience.ID) (audience.Run, error)

	StartRun(ctx context.Context, a audience.Actor, id audience.ID, r audience.RunRequest) (audience.Run, error)
	Run(ctx context.Context, a audience.Actor, id audience.ID, run audience.RunID) (audience.Run, error)
	Runs(ctx context.Context, a audience.Actor, id audience.ID, q meta.RunQuery) ([]audience.Run, int, error)
	Rejects(ctx context.Context, a audience.Actor, id audience.ID, run audience.RunID, from int64, fn func(audience.RejectedRow) error) (int64, error)
	Resubmit(ctx context.Context, a audience.Actor, id audience.ID, run audience.RunID, name string, escaped bool, content io.Reader) (audience.Run, error)
	Rollback(ctx context.Context, a audience.Actor, id audience.ID, run audience.RunID, r audience.RunRequest) (audience.Run, error)
	Receipt(ctx context.Context, a audience.Actor, id audience.ID, run audience.RunID) (r audience.Run, location string, err error)
	Versions(ctx context.Context, a audience.Actor, id audience.ID, offset, limit int) ([]control.Version, int, error)

	CreateConnection(ctx context.Context, a audience.Actor, c audience.Connection) (audience.Connection, error)
	Connection(ctx context.Context, a audience.Actor, id audience.ConnectionID) (audience.Connection, error)
	Connections(ctx context.Context, a audience.Actor, name string, after audience.ConnectionID, limit int) ([]audience.Connection, error)
	UpdateConnection(ctx context.Context, a audience.Actor, id audience.ConnectionID, ifMatch []string, change control.ConnectionChange) (audience.Connection, error)
	DeleteConnection(ctx context.Context, a audience.Actor, id audience.ConnectionID) error
	TestConnection(ctx context.Context, a audience.Actor, id audience.ConnectionID) (audience.Connection, error)
	ExploreFolder(ctx context.Context, a audience.Actor, id audience.ConnectionID, folder string) ([]control.Entry, error)
	ExploreFile(ctx context.Context, a audience.Actor, id audience.ConnectionID, file string, typ audience.FileType, preview bool) (control.ExploredFile, error)

	CreateKey(ctx context.Context, a audience.Actor, k audience.Key) (audience.Key, error)
	AddCustomerKey(ctx context.Context, a audience.Actor, k audience.Key) (audience.Key, error)
	Keys(ctx context.Context, a audience.Actor, kind audience.KeyKind) ([]audience.Key, error)
	Key(ctx context.Context, a audience.Actor, kind audience.KeyKind, id audience.KeyID) (k audience.Key, expired bool, err error)
	DeleteKey(ctx context.Context, a audience.Actor, kind audience.KeyKind, id audience.KeyID) error

	Flow(ctx context.Context, a audience.Actor, flowID string) (control.Flow, error)
	Flows(ctx context.Context, a audience.Actor, name string, after *meta.AudiencePlace, limit int) ([]control.Flow, error)
	FlowRun(ctx context.Context, a audience.Actor, flowRunID string) (run audience.Run, stage int, err error)
	FlowRuns(ctx context.Context, a audience.Actor, q control.FlowRunQuery) ([]audience.Run, error)

	Namespaces(ctx context.Context, a audience.Actor) ([]audience.Namespace, error)
	CreateNamespace(ctx context.Context, a audience.Actor, n audience.Namespace) (audience.Namespace, error)
	Sandboxes(ctx context.Context, a audience.Actor) ([]audience.Sandbox, error)
	Sandbox(ctx context.Context, a audience.Actor, name string) (audience.Sandbox, error)
	CreateSandbox(ctx context.Context, a audience.Actor, sb audience.Sandbox) (audience.Sandbox, error)
	ResetSandbox(ctx context.Context, a audience.Actor, name string) (audience.Sandbox, error)
	DeleteSandbox(ctx context.Context, a audience.Actor, name string) (audience.Sandbox, error)
	ActorSandbox(ctx context.Context, a audience.Actor) (audience.Sandbox, error)
	Members(ctx context.Context, a audience.Actor, id audience.ID, q control.MemberQuery) (*control.MemberList, error)
	Member(ctx context.Context, a audience.Actor, id audience.ID, who control.IdentityRef) (control.Member, error)
	Lookup(ctx context.Context, a audience.Actor, ids []control.IdentityRef, o control.LookupOptions) ([]control.Profile, error)
	Upload(ctx context.Context, a audience.Actor, path string, u landing.Upload) (landing.State, error)
	Files(ctx context.Context, a audience.Actor, prefix, after string, limit int) (files []source.Object, more bool, err error)
	DeleteFile(ctx context.Context, a audience.Actor, path string) error

	Clients(ctx context.Context, a audience.Actor, after string, limit int) ([]audience.Client, error)
	Client(ctx context.Context, a audience.Actor, id string) (audience.Client, error)
	CreateClient(ctx context.Context, a audience.Actor, c audience.Client) (created audience.Client, secret string, err error)
	UpdateClient(ctx context.Context, a audience.Actor, id string, p control.ClientPatch) (audience.Client, error)
	DeleteClient(ctx context.Context, a audience.Actor, id string) error
	NewClientSecret(ctx context.Context, a audience.Actor, id string, oldUntil time.Time) (c audience.Client, secret string, err error)
	RotateSecrets(ctx context.Context, a audience.Actor) (resealed int, err error)
	Audit(ctx context.Context, a audience.Actor, q meta.AuditQuery) ([]audience.AuditEntry, error)

	Webhooks(ctx context.Context, a audience.Actor) ([]audience.Webhook, error)
	Webhook(ctx context.Context, a audience.Actor, id audience.WebhookID) (audience.Webhook, error)
	CreateWebhook(ctx context.Context, a audience.Actor, w audience.Webhook) (created audience.Webhook, secret string, err error)
	UpdateWebhook(ctx context.Context, a audience.Actor, id audience.WebhookID, p control.WebhookPatch) (audience.Webhook, error)
	DeleteWebhook(ctx context.Context, a audience.Actor, id audience.WebhookID) error
	TestWebhook(ctx context.Context, a audience.Actor, id audience.WebhookID) (event string, err error)
	Deliveries(ctx context.Context, a audience.Actor, id audience.WebhookID, after *meta.DeliveryPlace, limit int) ([]audience.Delivery, error)

	Erase(ctx context.Context, a audience.Actor, who control.IdentityRef) (audience.Erasure, error)
	Order(ctx context.Context, a audience.Actor, who []control.IdentityRef, order audience.WorkOrder) (audience.Erasure, error)
	Erasure(ctx context.Context, a audience.Actor, id audience.ErasureID) (audience.Erasure, error)
	Erasures(ctx context.Context, a audience.Actor, after *meta.ErasurePlace, limit int) ([]audience.Erasure, error)

	Repeated(ctx context.Context, a audience.Actor, key, request string, about audience.ID) (meta.Answer, bool, error)
	Answered(ctx context.Context, a audience.Actor, key, request string, status int, body string) error
	Refused(ctx context.Context, a audience.Actor, key string) error
}

// Issuer is what the handlers need of the credentials; *auth.Issuer has it.
type Issuer interface {
	Token(ctx context.Context, remote, clientID, clientSecret string) (token string, expiresIn time.Duration, err error)
	Authenticate(ctx context.Context, h auth.Headers) (audience.Actor, error)
	SignReceipt(receipt []byte) (signature string, err error)
	SignCertificate(certificate []byte) (signature string, err error)
	Keys() []byte
}

var (
	_ Service = (*control.Service)(nil)
	_ Issuer  = (*auth.Issuer)(nil)
)
