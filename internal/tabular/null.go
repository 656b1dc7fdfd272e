package tabular

import "roster/internal/identity"

// emptyNulls makes the values of a column that are one of texts empty, and so null in every type.
func (b *builder) emptyNulls(k *block, column int, texts []string) {
	for i := column; i < k.rows*k.stride; i += k.stride {
		f := k.fields[i]
		if isOneOf(b.value(k, f), texts) {
			k.fields[i] = fieldAt(int(uint32(f)), int(uint32(f)))
		}
	}
}

func isOneOf(v []byte, texts []string) bool {
	for _, text := range texts {
		if string(v) == text {
			return true
		}
	}
	return false
}

// addIdentities adds a fault for each row whose value is no identity.
func (b *builder) addIdentities(k *block, column int, c *Column, bad *faults) {
	for row, i := 0, column; row < k.rows; row, i = row+1, i+k.stride {
		if code, reason := c.noIdentity(b.value(k, k.fields[i])); code != "" {
			bad.refuse(row, code, reason)
		}
	}
}

// noIdentity says why a value of the column is no identity: nothing when it may be one, or is empty and may be.
func (c *Column) noIdentity(v []byte) (code, reason string) {
	switch {
	case identity.Blank(v):
		return c.absent()
	case c.Namespace != "":
		if reason = identity.Impossible(c.Namespace, v); reason != "" {
			return CodeIdentityForm, reason
		}
	}
	return "", ""
}

// isIdentity reports whether the values of the column are to be looked at as identities.
func (c *Column) isIdentity() bool { return c.Primary || c.Supplemental || c.Namespace != "" }

// absent says why a row cannot lack a value of the column: nothing when it can.
func (c *Column) absent() (code, reason string) {
	switch {
	case c.Primary:
		return CodeIdentity, reasonOf(CodeIdentity, c.Type)
	case c.Supplemental:
		return CodeIdentity, "the supplemental identity is empty; together with the primary one it says whose row it is"
	}
	return "", ""
}
