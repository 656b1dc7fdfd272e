package audience

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// SystemUser is the user name in the audit log, and in createdBy, for actions of the server itself. No client has this
// name.
const SystemUser = "roster"

// ClientRole is a role of an API client in a sandbox.
type ClientRole string

// The roles, each including the ones before it.
const (
	Viewer ClientRole = "viewer"
	Editor ClientRole = "editor"
	Admin  ClientRole = "admin"
)

// Client is an API client. Its secrets are stored as hashes only.
type Client struct {
	ID         string
	Org        string
	Name       string
	SecretHash []byte
	// OldSecrets are the secrets before SecretHash that are still valid.
	OldSecrets []OldSecret
	Roles      map[string]ClientRole // by sandbox name; AnySandbox for every sandbox of the organization
	Grants     Grants
	CreatedBy  string // "" of an organization's first administrator
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// RoleIn returns the client's role in a sandbox of its organization: the one for that sandbox, or else the one for all
// sandboxes; "" if it has neither.
func (c *Client) RoleIn(sandbox string) ClientRole {
	if role, ok := c.Roles[sandbox]; ok {
		return role
	}
	return c.Roles[AnySandbox]
}

// OldSecret is a client's secret that was replaced.
type OldSecret struct {
	Hash       []byte    `json:"hash"`
	ValidUntil time.Time `json:"validUntil"`
}

// AnySandbox in the roles of a client stands for every sandbox of its organization without an own entry.
const AnySandbox = "*"

// maxRoles and maxGrants are the largest numbers of roles and labels of one client.
const (
	maxRoles  = 1000
	maxGrants = 1000
)

// ValidateClient checks a client's name, roles and grants, and sorts the grants.
func ValidateClient(c *Client) error {
	var wrong Problems
	wrong.Text("name", c.Name)
	if len(c.Roles) > maxRoles {
		wrong.Add("roles", "has %d sandboxes; at most %d are allowed", len(c.Roles), maxRoles)
	}
	for _, sandbox := range slices.Sorted(maps.Keys(c.Roles)) {
		if sandbox != AnySandbox && !sandboxName.MatchString(sandbox) {
			wrong.Add("roles", "%.64q is not the name of a sandbox, or %s for all of them", sandbox, AnySandbox)
		}
		if rank(c.Roles[sandbox]) == 0 {
			wrong.Add(fmt.Sprintf("roles.%.64s", sandbox), "%.64q is not one of %s, %s, %s", c.Roles[sandbox], Viewer, Editor, Admin)
		}
	}
	if len(c.Grants) > maxGrants {
		wrong.Add("labels", "has %d labels; at most %d are allowed", len(c.Grants), maxGrants)
	}
	for i, l := range c.Grants {
		if l != AllLabels && !validLabel(l) {
			wrong.Add(fmt.Sprintf("labels[%d]", i), "%s, or %s for every label", labelForm, AllLabels)
		}
	}
	c.Grants = NewGrants(c.Grants)
	return wrong.Err()
}

// Actor is the authenticated caller of a use case.
type Actor struct {
	ClientID string
	Scope    Scope
	Role     ClientRole
	// OrgRole is the role in every sandbox of the organization without an own entry, "" if there is none.
	OrgRole ClientRole
	// Grants are the labels that the caller holds.
	Grants Grants
	// RequestID is the id of the actor's request, for the audit log.
	RequestID string
}

// Rights are the rights of an actor in its sandbox. The zero Rights allows nothing.
type Rights struct {
	Role    ClientRole `json:"role,omitempty"`
	OrgRole ClientRole `json:"orgRole,omitempty"`
	Grants  Grants     `json:"grants,omitempty"`
}

// Rights returns the actor's rights.
func (a Actor) Rights() Rights { return Rights{a.Role, a.OrgRole, a.Grants} }

// Holds reports whether the actor's rights include the given rights.
func (a Actor) Holds(r Rights) bool {
	return rank(a.Role) >= rank(r.Role) && rank(a.OrgRole) >= rank(r.OrgRole) && a.Grants.Covers(r.Grants)
}

// May reports whether the actor's role includes want.
func (a Actor) May(want ClientRole) bool { return rank(a.Role) >= rank(want) }

func rank(r ClientRole) int {
	switch r {
	case Viewer:
		return 1
	case Editor:
		return 2
	case Admin:
		return 3
	}
	return 0
}
