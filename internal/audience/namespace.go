package audience

// Namespace is an identity namespace.
type Namespace struct {
	ID          int
	Code        string
	Name        string
	Description string
	IDType      string // such as "Email", "Device", "Cross_device"
	Custom      bool
}
