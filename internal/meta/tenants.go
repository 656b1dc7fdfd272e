package meta

import (
	"context"

	"roster/internal/audience"
)

// Tenants reads organizations, their sandboxes and their custom namespaces.
type Tenants interface {
	Organizations(ctx context.Context) ([]string, error)
	Sandbox(ctx context.Context, scope audience.Scope) (audience.Sandbox, error)
	Sandboxes(ctx context.Context, org string) ([]audience.Sandbox, error) // by name
	// LeavingSandboxes lists the sandboxes of all organizations that are being reset or deleted, by Num.
	LeavingSandboxes(ctx context.Context) ([]audience.Sandbox, error)
	// Namespaces lists the custom namespaces of an organization, by code.
	Namespaces(ctx context.Context, org string) ([]audience.Namespace, error)
}

// TenantsTx creates, empties and deletes sandboxes, and creates organizations and namespaces in a transaction.
type TenantsTx interface {
	Tenants
	CreateOrganization(ctx context.Context, org string) error     // ErrDuplicate
	CreateSandbox(ctx context.Context, s *audience.Sandbox) error // sets Num and State, which is active; ErrDuplicate
	// SetSandboxState stores the state of a sandbox.
	SetSandboxState(ctx context.Context, scope audience.Scope, s audience.SandboxState) error
	// ClearSandbox removes the connections, PGP keys, webhooks, tasks, stored answers and incomplete uploads of a sandbox
	// that has no other data. It does nothing and returns false while the sandbox has an audience, a deleted audience whose data is not
	// removed, or an unfinished task.
	ClearSandbox(ctx context.Context, scope audience.Scope) (bool, error)
	// DeleteSandbox removes a sandbox that ClearSandbox has cleared in the same transaction, and the roles in it.
	DeleteSandbox(ctx context.Context, scope audience.Scope) error
	// CreateNamespace sets ID (10000 and up) and Custom; ErrDuplicate (code in the organization, ignoring case).
	CreateNamespace(ctx context.Context, org string, n *audience.Namespace) error
}
