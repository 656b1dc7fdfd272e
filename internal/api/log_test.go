package api

import (
	"strings"
	"testing"
)

// TestRequestLinesHaveTenant checks that the log line of a request has the organization and the sandbox if the caller
// is known, and never values from an unknown caller.
func TestRequestLinesHaveTenant(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{true, false} {
		w := newWorld(t)
		var headers []string
		if !known {
			headers = []string{"Authorization", "Bearer x"}
		}
		w.do("GET", external, "", headers...)
		line := w.log.String()
		if !strings.Contains(line, "msg=request") || strings.Contains(line, "organization="+org) != known || strings.Contains(line, "sandbox=prod") != known {
			t.Errorf("known %t: %s", known, line)
		}
	}
}
