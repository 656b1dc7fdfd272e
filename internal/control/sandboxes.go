package control

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/job"
	"roster/internal/meta"
)

// A sandbox that is reset or deleted is closed first: after that transaction nobody can use it. Its job deletes the
// audiences, each like DeleteAudience does, and waits until the last one is swept and the last submit has ended. Then
// it removes the rest at once (connections, tasks, the landing zone), and the sandbox is open again or gone.

// Sandboxes lists the sandboxes of the actor's organization by name.
func (s *Service) Sandboxes(ctx context.Context, a audience.Actor) ([]audience.Sandbox, error) {
	if err := allow(a, toRead); err != nil {
		return nil, err
	}
	return s.cfg.Store.Sandboxes(ctx, a.Scope.Org)
}

// Sandbox returns the sandbox of the actor's organization with that name.
func (s *Service) Sandbox(ctx context.Context, a audience.Actor, name string) (audience.Sandbox, error) {
	if err := allow(a, toRead); err != nil {
		return audience.Sandbox{}, err
	}
	sb, err := s.cfg.Store.Sandbox(ctx, audience.Scope{Org: a.Scope.Org, Sandbox: name})
	return sb, absent(err, "sandbox", name)
}

// ActorSandbox returns the actor's sandbox. The result may be up to a second old.
func (s *Service) ActorSandbox(ctx context.Context, a audience.Actor) (audience.Sandbox, error) {
	if err := allow(a, toRead); err != nil {
		return audience.Sandbox{}, err
	}
	return s.sandboxes.Get(ctx, a.Scope, s.cfg.Store.Sandbox)
}

// CreateSandbox adds a sandbox to the actor's organization. It uses only Name, Title and Type of sb.
func (s *Service) CreateSandbox(ctx context.Context, a audience.Actor, sb audience.Sandbox) (created audience.Sandbox, err error) {
	d, err := s.begin(ctx, a, administers(a), audience.SandboxCreate, sb.Name)
	if err != nil {
		return audience.Sandbox{}, err
	}
	defer d.end(ctx, &err)
	sb = audience.Sandbox{ID: uuid.NewString(), Org: a.Scope.Org, Name: sb.Name, Title: sb.Title, Type: sb.Type, CreatedAt: s.now()}
	if err := audience.ValidateSandbox(&sb); err != nil {
		return audience.Sandbox{}, err
	}
	d.entry.Changes(nil, map[string]any{"name": sb.Name, "type": sb.Type})
	err = d.update(ctx, func(tx meta.Tx) error { return tx.CreateSandbox(ctx, &sb) })
	s.sandboxes.Clear()
	if errors.Is(err, meta.ErrDuplicate) {
		e := audience.Errorf(audience.Duplicate, "a sandbox named %q already exists", sb.Name)
		e.Problems = []audience.Problem{{Path: "name", Message: "is taken"}}
		return audience.Sandbox{}, e
	}
	return sb, err
}

// ResetSandbox removes all content of a sandbox of the actor's organization. The sandbox itself stays.
func (s *Service) ResetSandbox(ctx context.Context, a audience.Actor, name string) (audience.Sandbox, error) {
	return s.leave(ctx, a, name, audience.SandboxReset, audience.SandboxResetting)
}

// DeleteSandbox removes a sandbox of the actor's organization with all its content. The organization's default sandbox
// cannot be deleted.
func (s *Service) DeleteSandbox(ctx context.Context, a audience.Actor, name string) (audience.Sandbox, error) {
	return s.leave(ctx, a, name, audience.SandboxDelete, audience.SandboxDeleting)
}

// administers refuses actors that do not administer the whole organization. A role in one sandbox does not suffice.
func administers(a audience.Actor) error {
	if a.OrgRole == audience.Admin {
		return nil
	}
	return audience.Errorf(audience.Forbidden, "this needs the role %s in every sandbox of the organization, which the API client does not have", audience.Admin)
}

// leave closes a sandbox and enqueues the job that empties it. A sandbox that is being reset can also be deleted.
func (s *Service) leave(ctx context.Context, a audience.Actor, name string, action audience.Action, state audience.SandboxState) (sb audience.Sandbox, err error) {
	d, err := s.begin(ctx, a, administers(a), action, name)
	if err != nil {
		return audience.Sandbox{}, err
	}
	defer d.end(ctx, &err)
	scope := audience.Scope{Org: a.Scope.Org, Sandbox: name}
	err = d.update(ctx, func(tx meta.Tx) error {
		if sb, err = tx.Sandbox(ctx, scope); err != nil {
			return absent(err, "sandbox", name)
		}
		switch {
		case sb.State == state || sb.State == audience.SandboxDeleting:
			return audience.Errorf(audience.Impossible, "sandbox %q is already %s", name, sb.State)
		case sb.Default && state == audience.SandboxDeleting:
			return audience.Errorf(audience.Impossible, "sandbox %q is the organization's default sandbox, which cannot be deleted; it can be reset", name)
		}
		d.entry.Changes(map[string]any{"state": sb.State}, map[string]any{"state": state})
		sb.State = state
		if err := tx.SetSandboxState(ctx, scope, state); err != nil {
			return err
		}
		return s.cfg.Jobs.Enqueue(ctx, tx, job.OfSandbox(sb.Num))
	})
	s.sandboxes.Clear()
	if err != nil {
		return audience.Sandbox{}, err
	}
	return sb, nil
}

// openSandbox refuses a change in a sandbox that was closed after its caller was authenticated.
func openSandbox(ctx context.Context, r meta.Tenants, scope audience.Scope) error {
	sb, err := r.Sandbox(ctx, scope)
	if err == nil && sb.State.Leaving() {
		return audience.Errorf(audience.Impossible, "sandbox %q is %s; nothing can be created in it", scope.Sandbox, sb.State)
	}
	return absent(err, "sandbox", scope.Sandbox)
}
