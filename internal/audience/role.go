package audience

import (
	"fmt"
	"slices"
)

// Names of columns, reduced to letters and digits, that suggest a role.
var (
	deleteNames  = []string{"delete", "deleted", "isdelete", "isdeleted", "deleteflag", "todelete", "processdelete"}
	consentNames = []string{"consent", "consented", "hasconsent", "processconsent", "consentgiven", "consentgranted", "optin", "optedin"}
)

// agreeing are the values that mean consent in a proposed consent field.
var agreeing = []string{"y", "yes", "true", "1"}

// ProposeRole sets the role that the field's name suggests, unless the field has a role or is an identity. A field with
// the role delete must be a boolean or a whole number.
func (f *Field) ProposeRole() {
	switch role := f.suggestedRole(); role {
	case RoleDelete:
		f.Role = role
	case RoleConsent:
		f.Role, f.ConsentValues = role, slices.Clone(agreeing)
	}
}

// suggestedRole returns the role that the name of a field without a role suggests.
func (f *Field) suggestedRole() Role {
	name := bareName(f.Name)
	switch {
	case f.Role != RoleNone || f.IdentityNs != "":
	case slices.Contains(deleteNames, name) && slices.Contains([]Type{Boolean, Integer, Long, Number}, f.Type):
		return RoleDelete
	case slices.Contains(consentNames, name):
		return RoleConsent
	}
	return RoleNone
}

// RoleWarnings lists the fields whose names suggest a role but that have none, and so are only data (contract, section
// 2).
func (a *Audience) RoleWarnings() (list []Warning) {
	for i := range a.Fields {
		switch f := &a.Fields[i]; f.suggestedRole() {
		case RoleDelete:
			list = append(list, Warning{WarnDeleteRole, fmt.Sprintf("the field %q has no role, so its values are only data and remove nobody; "+
				"to remove members with it, create the audience with \"role\": \"delete\" on the field", f.Name)})
		case RoleConsent:
			list = append(list, Warning{WarnConsentRole, fmt.Sprintf("the field %q has no role, so its values are only data and exclude nobody; "+
				"to exclude people with it, create the audience with \"role\": \"consent\" and \"consentValues\" on the field", f.Name)})
		}
	}
	return list
}
