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

// NoIdentity explains why a value of the column is not an identity. It returns "" if the value may be one, or may be
// empty and is.
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

// IsIdentity reports whether the values of the column are checked as identities.
func IsIdentity(c *tabular.Column) bool { return c.Primary || c.Supplemental || c.Namespace != "" }

// Absent explains why a row needs a value of the column. It returns "" if the value may be missing.
func Absent(c *tabular.Column) (code, reason string) {
	switch {
	case c.Primary:
		return tabular.CodeIdentity, ReasonOf(tabular.CodeIdentity, c.Type)
	case c.Supplemental:
		return tabular.CodeIdentity, "the supplemental identity is empty; together with the primary one it identifies the member"
	}
	return "", ""
}
