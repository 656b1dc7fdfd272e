package tabular

import (
	"slices"

	"roster/internal/audience"
)

// ColumnsOf returns the columns that an audience's fields need from a file. The primary identity, which is the first
// one, and a consent field are required, because a file without them says nothing about anybody.
func ColumnsOf(fields []audience.Field) []Column {
	primary := slices.IndexFunc(fields, func(f audience.Field) bool { return f.IdentityNs != "" })
	columns := make([]Column, len(fields))
	for i, f := range fields {
		columns[i] = Column{Name: f.Name, Type: f.Type, Proposed: f.Proposed, Required: i == primary || f.Role == audience.RoleConsent, Primary: i == primary, Namespace: f.IdentityNs}
	}
	return columns
}

// Paired makes the supplemental identity, the second one, as required as the primary one: it distinguishes the rows of
// one person.
func Paired(columns []Column) []Column {
	primary := slices.IndexFunc(columns, func(c Column) bool { return c.Primary })
	other := &columns[primary+1+slices.IndexFunc(columns[primary+1:], func(c Column) bool { return c.Namespace != "" })]
	other.Required, other.Supplemental = true, true
	return columns
}

// AnyIdentity makes the columns accept any value as an identity.
func AnyIdentity(columns []Column) []Column {
	for i := range columns {
		columns[i].Namespace = ""
	}
	return columns
}

// Field returns the audience's field that is proposed for a column. Whole numbers become 64 bits, since those of the
// next file may not fit in 32.
func (c Column) Field() audience.Field {
	if c.Type == audience.Integer {
		c.Type = audience.Long
	}
	return audience.Field{Name: c.Name, Type: c.Type, Proposed: c.Type != audience.String}
}
