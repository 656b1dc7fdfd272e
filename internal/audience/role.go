package audience

import (
	"fmt"
	"slices"
)

// Names of columns, in letters and digits alone, that suggest a role.
var (
	deleteNames  = []string{"delete", "deleted", "isdelete", "isdeleted", "deleteflag", "todelete", "processdelete"}
	consentNames = []string{"consent", "consented", "hasconsent", "processconsent", "consentgiven", "consentgranted", "optin", "optedin"}
)

// agreeing are the values that a proposed consent field takes for consent.
var agreeing = []string{"y", "yes", "true", "1"}

// ProposeRole gives a field whose name suggests a role that role, unless it has one or is an identity. A field that removes
// members has to be a boolean or a whole number.
func (f *Field) ProposeRole() {
	switch role := f.suggestedRole(); role {
	case RoleDelete:
		f.Role = role
	case RoleConsent:
		f.Role, f.ConsentValues = role, slices.Clone(agreeing)
	}
}

// suggestedRole is the role that the name of a field suggests and the field does not have.
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

// RoleWarnings says which fields look as if they decided on memberships and are data alone, since they have no role (contract,
// section 2: without a role a column is data).
func (a *Audience) RoleWarnings() (list []Warning) {
	for i := range a.Fields {
		switch f := &a.Fields[i]; f.suggestedRole() {
		case RoleDelete:
			list = append(list, Warning{WarnDeleteRole, fmt.Sprintf("the field %q has no role, so that its values are kept as data and remove nobody; "+
				"to remove members by it, create the audience with \"role\": \"delete\" on the field", f.Name)})
		case RoleConsent:
			list = append(list, Warning{WarnConsentRole, fmt.Sprintf("the field %q has no role, so that its values are kept as data and keep nobody out; "+
				"to keep people out by it, create the audience with \"role\": \"consent\" and \"consentValues\" on the field", f.Name)})
		}
	}
	return list
}
