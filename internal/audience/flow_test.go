package audience

import (
	"testing"

	"github.com/google/uuid"
)

func TestFlowID(t *testing.T) {
	t.Parallel()
	space := uuid.MustParse("5f0c7f2e-3a0b-4c57-9f43-6d1f0f6f6b51")
	for _, id := range []ID{"", "a", "0b6f3a57-1111-4222-8333-444455556666"} {
		if got, want := FlowID(id), uuid.NewSHA1(space, []byte(id)).String(); got != want {
			t.Errorf("%q: %s, want %s", id, got, want)
		}
	}
}
