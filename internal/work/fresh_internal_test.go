package work

import (
	"testing"

	"roster/internal/audience"
)

// TestFreshness counts the members that recent runs brought, the newest run first.
func TestFreshness(t *testing.T) {
	t.Parallel()
	run := func(kind audience.RunKind, full bool, rows audience.Rows, m audience.Members) audience.Run {
		return audience.Run{Status: audience.Success, Request: audience.RunRequest{Kind: kind, Differential: !full}, Result: audience.RunResult{Rows: rows, Members: m}}
	}
	changes := func(n int64) audience.Run {
		return run(audience.RunIngest, false, audience.Rows{Added: n}, audience.Members{})
	}
	full := run(audience.RunIngest, true, audience.Rows{Unchanged: 80, Added: 20}, audience.Members{After: 100})
	dry := full
	dry.Request.DryRun = true
	for name, c := range map[string]struct {
		runs []audience.Run
		want int64
	}{
		"none":                            {nil, 0},
		"differential runs do not add up": {[]audience.Run{changes(5), changes(7), changes(6)}, 7},
		"a full run renews all":           {[]audience.Run{changes(5), full}, 100},
		"who left does not count":         {[]audience.Run{run(audience.RunIngest, false, audience.Rows{Deleted: 3}, audience.Members{Expired: 4}), full}, 93},
		"an extension renews all":         {[]audience.Run{run(audience.RunExtend, false, audience.Rows{}, audience.Members{After: 60, Expired: 40}), full}, 60},
		"a rollback brings earlier times": {[]audience.Run{changes(5), run(audience.RunRollback, false, audience.Rows{Unchanged: 90}, audience.Members{After: 90}), full}, 5},
		"a dry run changes nothing":       {[]audience.Run{changes(5), dry}, 5},
	} {
		var f freshness
		for i := range c.runs {
			if !f.add(&c.runs[i]) {
				break
			}
		}
		if f.members != c.want {
			t.Errorf("%s: %d, want %d", name, f.members, c.want)
		}
	}
}
