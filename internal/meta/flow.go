package meta

import (
	"github.com/google/uuid"

	"roster/internal/audience"
)

// flowSpace is the name space of the audiences' flow ids.
var flowSpace = uuid.MustParse("5f0c7f2e-3a0b-4c57-9f43-6d1f0f6f6b51")

// FlowID returns the id of an audience's flow, the same for all of its runs.
func FlowID(id audience.ID) string { return uuid.NewSHA1(flowSpace, []byte(id)).String() }
