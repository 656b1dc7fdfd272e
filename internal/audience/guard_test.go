package audience_test

import (
	"math"
	"strings"
	"testing"

	"roster/internal/audience"
)

func TestGuardProblems(t *testing.T) {
	t.Parallel()
	percent := func(v float64) *float64 { return &v }
	for name, c := range map[string]struct {
		guards audience.Guards
		says   string
	}{
		"nothing":   {audience.Guards{}, ""},
		"least":     {audience.Guards{MaxRejectedPercent: percent(0), MaxRemovedPercent: percent(0), MaxGrowthPercent: percent(0)}, ""},
		"most":      {audience.Guards{MaxRejectedPercent: percent(100), MaxRemovedPercent: percent(100), MaxGrowthPercent: percent(5_000)}, ""},
		"negative":  {audience.Guards{MaxRejectedPercent: percent(-1)}, "guards.maxRejectedPercent: must be a percentage from 0 to 100"},
		"over 100":  {audience.Guards{MaxRemovedPercent: percent(100.5)}, "guards.maxRemovedPercent: must be a percentage from 0 to 100"},
		"no number": {audience.Guards{MaxRemovedPercent: percent(math.NaN())}, "guards.maxRemovedPercent: must be"},
		"growth":    {audience.Guards{MaxGrowthPercent: percent(-0.1)}, "guards.maxGrowthPercent: must be"},
		"endless":   {audience.Guards{MaxGrowthPercent: percent(math.Inf(1))}, "guards.maxGrowthPercent: must be"},
	} {
		if err := problems(nil, c.guards); (err == "") != (c.says == "") || !strings.Contains(err, c.says) {
			t.Errorf("%s: %s", name, err)
		}
	}
}
