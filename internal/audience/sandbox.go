package audience

import "regexp"

// SandboxState is the state of a sandbox. It is active, or on its way to being empty: then nobody can use it until it
// is active again or gone.
type SandboxState string

// The states.
const (
	SandboxActive    SandboxState = "active"
	SandboxResetting SandboxState = "resetting"
	SandboxDeleting  SandboxState = "deleting"
)

// Leaving reports whether what the sandbox holds is being removed.
func (s SandboxState) Leaving() bool { return s == SandboxResetting || s == SandboxDeleting }

// The types of sandboxes.
const (
	SandboxProduction  = "production"
	SandboxDevelopment = "development"
)

// sandboxName is the form of a sandbox's name, which is a folder's as well.
var sandboxName = regexp.MustCompile(`^[a-z][a-z0-9-]{1,62}$`)

// ValidateSandbox checks a new sandbox and fills its defaults in.
func ValidateSandbox(s *Sandbox) error {
	var wrong Problems
	switch {
	case s.Name == "":
		wrong.Add("name", "is required")
	case !sandboxName.MatchString(s.Name):
		wrong.Add("name", "must have 2 to 63 characters, which are lower-case letters, digits and hyphens, and begin with a letter")
	}
	wrong.Text("title", s.Title)
	switch s.Type {
	case "":
		s.Type = SandboxDevelopment
	case SandboxProduction, SandboxDevelopment:
	default:
		wrong.Add("type", "%.64q is not one of %s, %s", s.Type, SandboxProduction, SandboxDevelopment)
	}
	return wrong.Err()
}
