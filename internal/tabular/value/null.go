package value

import (
	"roster/internal/identity"
	"roster/internal/tabular"
)

func IsOneOf(v []byte, texts []string) bool {
	for _, text := range texts {
		if string(v) == text {
			return true
		}
	}
	return false
}

// NoIdentity says why a value of the column is no identity: nothing when it may be one, or is empty and may be.
func NoIdentity(c *tabular.Column, v []byte) (code, reason string) {
	switch {
	case identity.Blank(v):
		return Absent(c)
	case c.Namespace != "":
		if reason = identity.Impossible(c.Namespace, v); reason != "" {
			return tabular.CodeIdentityForm, reason
		}
	}
	return "", ""
}

// IsIdentity reports whether the values of the column are to be looked at as identities.
func IsIdentity(c *tabular.Column) bool { return c.Primary || c.Supplemental || c.Namespace != "" }

// Absent says why a row cannot lack a value of the column: nothing when it can.
func Absent(c *tabular.Column) (code, reason string) {
	switch {
	case c.Primary:
		return tabular.CodeIdentity, ReasonOf(tabular.CodeIdentity, c.Type)
	case c.Supplemental:
		return tabular.CodeIdentity, "the supplemental identity is empty; together with the primary one it says whose row it is"
	}
	return "", ""
}
