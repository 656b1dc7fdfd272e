package audience

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Grants are the labels that an API client holds, as NewGrants makes them. Without any the client sees only objects
// without labels.
type Grants []string

// AllLabels among grants stands for every label. It sorts before all labels.
const AllLabels = "*"

// NewGrants returns grants of these labels: sorted, without duplicates, and AllLabels alone if it is among them.
func NewGrants(labels []string) Grants {
	g := slices.Sorted(slices.Values(labels))
	g = slices.Compact(g)
	if len(g) > 0 && g[0] == AllLabels {
		return Grants{AllLabels}
	}
	return g
}

// All reports whether every label is held.
func (g Grants) All() bool { return len(g) > 0 && g[0] == AllLabels }

// Covers reports whether all of the labels are held. It does not allocate.
func (g Grants) Covers(labels []string) bool {
	if len(labels) == 0 || g.All() {
		return true
	}
	for _, l := range labels {
		if !g.has(l) {
			return false
		}
	}
	return true
}

// Missing returns the labels that are not held, without duplicates.
func (g Grants) Missing(labels []string) (missing []string) {
	if g.All() {
		return nil
	}
	for _, l := range labels {
		if !g.has(l) && !slices.Contains(missing, l) {
			missing = append(missing, l)
		}
	}
	return missing
}

func (g Grants) has(label string) bool {
	_, ok := slices.BinarySearch(g, label)
	return ok
}

// CoreLabels are the names of the core labels (contract, section 4): those of contracts, of identities and of
// sensitive data.
var CoreLabels = []string{
	"C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "C10", "C11", "C12",
	"I1", "I2",
	"S1", "S2", "PSPD", "RHD",
}

// labelForm describes the valid labels.
const labelForm = "must be core/ followed by C1 to C12, I1, I2, S1, S2, PSPD or RHD, or custom/ followed by a name of the organization's own"

func validLabel(l string) bool {
	family, name, _ := strings.Cut(l, "/")
	if family == "core" {
		return slices.Contains(CoreLabels, name)
	}
	return family == "custom" && name != "" && utf8.ValidString(l) && utf8.RuneCountInString(l) <= MaxText &&
		strings.IndexFunc(name, func(r rune) bool { return r == '/' || unicode.IsSpace(r) || unicode.IsControl(r) }) < 0
}
