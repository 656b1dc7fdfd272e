package audience

import "fmt"

// Defaults of the guards (design, section 2).
const (
	DefaultMaxRejectedPercent = 10
	DefaultMaxRemovedPercent  = 50
)

// Guards stop a run before it commits. Percentages are from 0 to 100, of growth from 0 up; nil means the default.
type Guards struct {
	// MaxRejectedPercent is the largest share of rejects among the rows read. A reject that hides several lines counts
	// as that number of rows. Default 10.
	MaxRejectedPercent *float64 `json:"maxRejectedPercent,omitempty"`
	// MaxRemovedPercent is the largest share of members that may leave in a full run because the files do not contain
	// them, or that may expire in any run although earlier runs brought them within the TTL. Default 50.
	MaxRemovedPercent *float64 `json:"maxRemovedPercent,omitempty"`
	// MaxGrowthPercent is the largest growth by a run of an audience that has members. Default: no limit.
	MaxGrowthPercent *float64 `json:"maxGrowthPercent,omitempty"`
	// AllowMissingColumns accepts a file without a column for each field; the missing values are null. The first run of
	// an audience is always accepted.
	AllowMissingColumns bool `json:"allowMissingColumns,omitempty"`
	// AllowAnyIdentity accepts values that cannot be identities of their namespace.
	AllowAnyIdentity bool `json:"allowAnyIdentity,omitempty"`
}

// Names of the guards.
const (
	GuardRejected = "rejected"
	GuardRemoved  = "removed"
	GuardGrowth   = "growth"
	GuardColumns  = "columns"
	GuardExpired  = "expired"
)

// GuardResult is the result of a guard for a run.
type GuardResult struct {
	Guard   string  `json:"guard"`
	Value   float64 `json:"value"` // percent; for GuardColumns the number of missing columns
	Limit   float64 `json:"limit"`
	Tripped bool    `json:"tripped"`
	Detail  string  `json:"detail,omitempty"` // the numbers, in words
}

// Guards checks guards at a path of a request.
func (p *Problems) Guards(path string, g Guards) {
	for _, v := range []struct {
		name  string
		value *float64
		most  float64
	}{
		{"maxRejectedPercent", g.MaxRejectedPercent, 100},
		{"maxRemovedPercent", g.MaxRemovedPercent, 100},
		{"maxGrowthPercent", g.MaxGrowthPercent, 1e9},
	} {
		if v.value != nil && !(*v.value >= 0 && *v.value <= v.most) {
			p.Add(path+"."+v.name, "must be a percentage from 0 to %g", v.most)
		}
	}
}

func indexed(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
