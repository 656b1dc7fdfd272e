//go:build !fault

package fault

// At is a place of that name; it returns nil.
func At(string) error { return nil }
