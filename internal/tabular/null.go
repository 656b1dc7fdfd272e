package tabular

import "roster/internal/identity"

func isOneOf(v []byte, texts []string) bool {
	for _, text := range texts {
		if string(v) == text {
			return true
		}
	}
	return false
}

// noIdentity says why a value of the column is no identity: nothing when it may be one, or is empty and may be.
func noIdentity(c *Column, v []byte) (code, reason string) {
	switch {
	case identity.Blank(v):
		return absent(c)
	case c.Namespace != "":
		if reason = identity.Impossible(c.Namespace, v); reason != "" {
			return CodeIdentityForm, reason
		}
	}
	return "", ""
}

// isIdentity reports whether the values of the column are to be looked at as identities.
func isIdentity(c *Column) bool { return c.Primary || c.Supplemental || c.Namespace != "" }

// absent says why a row cannot lack a value of the column: nothing when it can.
func absent(c *Column) (code, reason string) {
	switch {
	case c.Primary:
		return CodeIdentity, reasonOf(CodeIdentity, c.Type)
	case c.Supplemental:
		return CodeIdentity, "the supplemental identity is empty; together with the primary one it says whose row it is"
	}
	return "", ""
}
