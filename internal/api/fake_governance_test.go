package api

import (
	"context"
	"time"

	"roster/internal/audience"
	"roster/internal/control"
)

// The API clients and the audit log of the fake.

func (f *fake) stagedClient() audience.Client {
	return audience.Client{ID: otherID, Org: org, Name: "loader", Roles: map[string]audience.ClientRole{"prod": audience.Editor}, Grants: audience.Grants{"core/C1"},
		OldSecrets: []audience.OldSecret{{ValidUntil: testNow}}, CreatedBy: clientID, CreatedAt: testNow, UpdatedAt: testNow}
}

func (f *fake) Clients(_ context.Context, _ audience.Actor, after string, limit int) (list []audience.Client, err error) {
	for _, id := range []string{absentID, otherID, clientID} {
		if c := f.stagedClient(); id > after && len(list) < limit {
			c.ID = id
			list = append(list, c)
		}
	}
	return list, f.called(after, limit)
}

func (f *fake) Client(_ context.Context, _ audience.Actor, id string) (audience.Client, error) {
	if err := f.called(id); err != nil {
		return audience.Client{}, err
	}
	return f.clientNamed(id)
}

func (f *fake) clientNamed(id string) (audience.Client, error) {
	if id == absentID {
		return audience.Client{}, absent("API client", id)
	}
	return f.stagedClient(), nil
}

func (f *fake) CreateClient(_ context.Context, _ audience.Actor, c audience.Client) (audience.Client, string, error) {
	if err := f.called(c); err != nil {
		return c, "", err
	}
	err := audience.ValidateClient(&c)
	c.ID = otherID
	return c, "a new secret", err
}

func (f *fake) UpdateClient(_ context.Context, _ audience.Actor, id string, p control.ClientPatch) (audience.Client, error) {
	if err := f.called(p); err != nil {
		return audience.Client{}, err
	}
	return f.clientNamed(id)
}

func (f *fake) DeleteClient(ctx context.Context, a audience.Actor, id string) error {
	_, err := f.Client(ctx, a, id)
	return err
}

func (f *fake) NewClientSecret(_ context.Context, _ audience.Actor, id string, oldUntil time.Time) (audience.Client, string, error) {
	if err := f.called(oldUntil); err != nil {
		return audience.Client{}, "", err
	}
	c, err := f.clientNamed(id)
	return c, "a new secret", err
}

func (f *fake) Audit(_ context.Context, a audience.Actor, q audience.AuditQuery) (list []audience.AuditEntry, err error) {
	for range min(q.Limit, 3) {
		list = append(list, audience.AuditEntry{ID: absentID, Org: org, Sandbox: "prod", At: testNow, ClientID: a.ClientID, RequestID: a.RequestID,
			Action: audience.AudienceUpdate, Object: audienceID, Outcome: audience.Done, Before: map[string]any{"ttlInDays": 30}, After: map[string]any{"ttlInDays": 40}})
	}
	return list, f.called(q)
}

func (f *fake) RotateSecrets(_ context.Context, _ audience.Actor) (int, error) {
	return 3, f.called("rotate")
}
