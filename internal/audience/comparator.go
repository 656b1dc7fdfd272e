package audience

// Comparator is how a filter of a list compares a value with its own (contract, section 5).
type Comparator string

// The comparators. Those of texts say that the text contains the filter's, or does not.
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

// Comparators are all of them, each before those that it begins with.
var Comparators = append([]Comparator{Contains, ContainsNot}, Orders...)

// Holds reports whether a value is as the filter wants it. order is that of the value and the filter's, by the rules of
// cmp.Compare.
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

// Negates reports whether what is absent is as the filter wants it: it differs from everything.
func (c Comparator) Negates() bool { return c == NotEqual || c == ContainsNot }
