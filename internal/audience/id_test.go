package audience

import (
	"testing"
)

func TestCanonical(t *testing.T) {
	t.Parallel()
	for id, want := range map[ID]bool{
		"0b6f3a57-1111-4222-8333-444455556666": true, "0B6F3A57-1111-4222-8333-444455556666": true,
		"0b6f3a57111142228333444455556666": false, "{0b6f3a57-1111-4222-8333-444455556666}": false,
		"urn:uuid:0b6f3a57-1111-4222-8333-444455556666": false, "": false, "x": false,
	} {
		if got, ok := Canonical(id); ok != want || ok && got != "0b6f3a57-1111-4222-8333-444455556666" {
			t.Errorf("%s: %q %v", id, got, ok)
		}
	}
}
