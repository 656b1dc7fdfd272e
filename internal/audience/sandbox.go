package audience

import "regexp"

// SandboxState is the state of a sandbox. While a sandbox is being emptied, nobody can use it until it is active again
// or gone.
type SandboxState string

// The states.
const (
	SandboxActive    SandboxState = "active"
	SandboxResetting SandboxState = "resetting"
	SandboxDeleting  SandboxState = "deleting"
)

// Leaving reports whether the content of the sandbox is being removed.
func (s SandboxState) Leaving() bool { return s == SandboxResetting || s == SandboxDeleting }

// The types of sandboxes.
const (
	SandboxProduction  = "production"
	SandboxDevelopment = "development"
)

// sandboxName is the form of a sandbox's name, which is also the name of a folder.
var sandboxName = regexp.MustCompile(`^[a-z][a-z0-9-]{1,62}$`)

// ValidateSandbox checks a new sandbox and sets its defaults.
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
