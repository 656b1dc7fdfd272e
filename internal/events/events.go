// Package events records what webhooks are told: the ends of tasks and runs, guards that tripped, members that leave
// soon.
package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/job"
	"roster/internal/meta"
)

// Tx is the transaction that an event is recorded in.
type Tx interface {
	meta.Transaction
	meta.WebhooksTx
	meta.Clients // whose labels say what a webhook is told
}

// Recorder records events in the transaction that records what happened.
type Recorder struct{ Jobs *job.Outbox }

// cloudEvent is an event as CloudEvents 1.0 has it, in the structured form. Its data says which audience and run it is
// about and counts; it names no file, no column and nobody.
type cloudEvent struct {
	SpecVersion     string             `json:"specversion"`
	ID              string             `json:"id"`
	Source          string             `json:"source"`
	Type            audience.EventType `json:"type"`
	Subject         audience.ID        `json:"subject,omitempty"`
	Time            time.Time          `json:"time"`
	DataContentType string             `json:"datacontenttype"`
	Data            any                `json:"data"`
}

// taskData is the data of EventTaskEnded.
type taskData struct {
	TaskID       audience.TaskID `json:"taskId"`
	AudienceID   audience.ID     `json:"audienceId,omitempty"` // "" of a task that failed
	AudienceName string          `json:"audienceName"`
	Status       audience.Status `json:"status"`
	ErrorCode    audience.Code   `json:"errorCode,omitempty"`
}

// runData is the data of EventRunEnded and, with Guards, of EventGuardTripped.
type runData struct {
	RunID        audience.RunID   `json:"runId"`
	AudienceID   audience.ID      `json:"audienceId"`
	AudienceName string           `json:"audienceName"`
	Kind         string           `json:"kind"` // RunKind.Name
	Status       audience.Status  `json:"status"`
	DryRun       bool             `json:"dryRun"`
	Forced       bool             `json:"forced"`
	StartedAt    int64            `json:"startedAt"` // epoch seconds, as all times in data
	EndedAt      int64            `json:"endedAt"`
	ErrorCode    audience.Code    `json:"errorCode,omitempty"`
	Rows         audience.Rows    `json:"rows"`
	Members      audience.Members `json:"members"`
	Guards       []trippedGuard   `json:"guards,omitempty"`
}

type trippedGuard struct {
	Guard string  `json:"guard"`
	Value float64 `json:"value"`
	Limit float64 `json:"limit"`
}

// expiringData is the data of EventMembersExpiring.
type expiringData struct {
	AudienceID    audience.ID `json:"audienceId"`
	AudienceName  string      `json:"audienceName"`
	ExpiresBefore int64       `json:"expiresBefore"` // when the last of those who are told of leaves at the latest
	TTLInDays     int         `json:"ttlInDays"`
}

// TaskEnded records the end of a task for the webhooks of its sandbox, in the transaction that ends it.
func (r Recorder) TaskEnded(ctx context.Context, tx Tx, t *audience.Task) error {
	data := taskData{TaskID: t.ID, AudienceName: t.Draft.Name, Status: t.Status}
	e := audience.Event{Scope: t.Scope, Type: audience.EventTaskEnded, At: t.UpdatedAt, Labels: t.Draft.Labels}
	if t.Status == audience.Success {
		data.AudienceID, e.Subject = t.AudienceID, t.AudienceID
	}
	if t.Error != nil {
		data.ErrorCode = t.Error.Code
	}
	return r.tell(ctx, tx, e, data)
}

// RunEnded records the end of an audience's run and the guards that it tripped, in the transaction that ends it.
func (r Recorder) RunEnded(ctx context.Context, tx Tx, aud *audience.Audience, run *audience.Run) error {
	data := runData{
		RunID: run.ID, AudienceID: aud.ID, AudienceName: aud.Name, Kind: run.Request.Kind.Name(), Status: run.Status, DryRun: run.Request.DryRun, Forced: run.Request.Force,
		StartedAt: run.CreatedAt.Unix(), EndedAt: run.EndedAt.Unix(), Rows: run.Result.Rows, Members: run.Result.Members,
	}
	if run.Error != nil {
		data.ErrorCode = run.Error.Code
	}
	e := audience.Event{Scope: run.Scope, Type: audience.EventRunEnded, At: run.UpdatedAt, Subject: aud.ID, Labels: aud.Labels}
	if err := r.tell(ctx, tx, e, data); err != nil {
		return err
	}
	for _, g := range run.Result.Guards {
		if g.Tripped {
			data.Guards = append(data.Guards, trippedGuard{Guard: g.Guard, Value: g.Value, Limit: g.Limit})
		}
	}
	if len(data.Guards) == 0 {
		return nil
	}
	e.Type = audience.EventGuardTripped
	return r.tell(ctx, tx, e, data)
}

// MembersExpiring records that members of an audience leave soon, in the transaction that ends its maintenance, which
// happens once a day.
func (r Recorder) MembersExpiring(ctx context.Context, tx Tx, aud *audience.Audience, now time.Time) error {
	e := audience.Event{Scope: aud.Scope, Type: audience.EventMembersExpiring, At: now, Subject: aud.ID, Labels: aud.Labels}
	return r.tell(ctx, tx, e, expiringData{AudienceID: aud.ID, AudienceName: aud.Name, ExpiresBefore: now.Add(audience.ExpiringWithin).Unix(), TTLInDays: aud.TTLDays})
}

// tell records an event for the webhooks of its sandbox that want it and may be told, and enqueues its sending.
func (r Recorder) tell(ctx context.Context, tx Tx, e audience.Event, data any) error {
	hooks, err := tx.Webhooks(ctx, e.Scope)
	if err != nil {
		return fmt.Errorf("look for webhooks: %w", err)
	}
	for i := range hooks {
		if !hooks[i].Wants(e.Type) {
			continue
		}
		if e.ID == "" {
			id, err := uuid.NewV7()
			if err != nil {
				return err
			}
			e.ID = id.String()
		}
		if err := r.Record(ctx, tx, &hooks[i], e, data); err != nil {
			return err
		}
	}
	return nil
}

// Record records an event for one webhook, if that may be told.
func (r Recorder) Record(ctx context.Context, tx Tx, h *audience.Webhook, e audience.Event, data any) error {
	may, err := MayReceive(ctx, tx, h, e.Labels)
	if err != nil || !may {
		return err
	}
	body, err := json.Marshal(cloudEvent{
		SpecVersion: "1.0", ID: e.ID, Source: "/organizations/" + url.PathEscape(e.Scope.Org) + "/sandboxes/" + url.PathEscape(e.Scope.Sandbox),
		Type: e.Type, Subject: e.Subject, Time: e.At, DataContentType: "application/json", Data: data,
	})
	if err != nil {
		return err
	}
	err = tx.CreateDelivery(ctx, audience.Delivery{WebhookID: h.ID, EventID: e.ID, Type: e.Type, At: e.At, Labels: e.Labels, Body: string(body),
		State: audience.DeliveryPending, NextAt: e.At})
	if err != nil {
		return fmt.Errorf("record an event for webhook %s: %w", h.ID, err)
	}
	return r.Jobs.Enqueue(ctx, tx, job.Job{Kind: job.Webhook, ID: string(h.ID)})
}

// MayReceive reports whether the API client that last changed a webhook could read what has these labels, and may keep
// webhooks.
func MayReceive(ctx context.Context, r meta.Clients, h *audience.Webhook, labels []string) (bool, error) {
	c, err := r.Client(ctx, h.UpdatedBy)
	if errors.Is(err, meta.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	owner := audience.Actor{Scope: h.Scope, Role: c.RoleIn(h.Scope.Sandbox), Grants: audience.NewGrants(c.Grants)}
	return c.Org == h.Scope.Org && owner.May(audience.Editor) && owner.Grants.Covers(labels), nil
}
