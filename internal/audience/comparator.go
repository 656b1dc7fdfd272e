package audience

// Comparator is the comparison of a filter of a list (contract, section 5).
type Comparator string

// The comparators. Contains and ContainsNot test whether a text contains that of the filter.
const (
	Equal       Comparator = "=="
	NotEqual    Comparator = "!="
	AtLeast     Comparator = ">="
	AtMost      Comparator = "<="
	Above       Comparator = ">"
	Below       Comparator = "<"
	Contains    Comparator = "=contains"
	ContainsNot Comparator = "!=contains"
)

// Orders are the comparators of values that have an order.
var Orders = []Comparator{Equal, NotEqual, AtLeast, AtMost, Above, Below}

// Comparators are all comparators, each before those that it begins with.
var Comparators = append([]Comparator{Contains, ContainsNot}, Orders...)

// Holds reports whether a value matches the filter. order is the result of cmp.Compare of the value and the filter's
// value.
func (c Comparator) Holds(order int) bool {
	switch c {
	case AtLeast:
		return order >= 0
	case AtMost:
		return order <= 0
	case Above:
		return order > 0
	case Below:
		return order < 0
	case NotEqual:
		return order != 0
	}
	return order == 0
}

// Negates reports whether an absent value matches the filter, because it differs from everything.
func (c Comparator) Negates() bool { return c == NotEqual || c == ContainsNot }
