package audience

import "fmt"

// Defaults of the guards (design, section 2).
const (
	DefaultMaxRejectedPercent = 10
	DefaultMaxRemovedPercent  = 50
)

// Guards stop a run before it commits. Percentages are from 0 to 100, of growth from 0 up; nil means the
// default.
type Guards struct {
	// MaxRejectedPercent is how many of the rows read may be rejects. A reject that hides several lines counts as
	// as many rows. Default 10.
	MaxRejectedPercent *float64 `json:"maxRejectedPercent,omitempty"`
	// MaxRemovedPercent is how many of the members may leave in a full run because it does not bring them, and expire in any run though
	// earlier runs brought them within the TTL. Default 50.
	MaxRemovedPercent *float64 `json:"maxRemovedPercent,omitempty"`
	// MaxGrowthPercent is by how much a run may raise the number of members of an audience that has some. Default:
	// any.
	MaxGrowthPercent *float64 `json:"maxGrowthPercent,omitempty"`
	// AllowMissingColumns lets a file without a column for each field pass; its values are null then. The first run of
	// an audience passes in any case.
	AllowMissingColumns bool `json:"allowMissingColumns,omitempty"`
	// AllowAnyIdentity takes values for identities that cannot be one of their namespace.
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

// GuardResult is what a guard said of a run.
type GuardResult struct {
	Guard   string  `json:"guard"`
	Value   float64 `json:"value"` // percent; of GuardColumns the number of missing columns
	Limit   float64 `json:"limit"`
	Tripped bool    `json:"tripped"`
	Detail  string  `json:"detail,omitempty"` // the numbers, in words
}

// Guards checks guards that stand at a path of a request.
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
