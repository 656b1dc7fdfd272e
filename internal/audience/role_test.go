package audience_test

import (
	"strings"
	"testing"

	"roster/internal/audience"
)

func TestProposeRole(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		field audience.Field
		want  audience.Role
	}{
		{audience.Field{Name: "delete", Type: audience.Number}, audience.RoleDelete},
		{audience.Field{Name: "Is_Deleted", Type: audience.Boolean}, audience.RoleDelete},
		{audience.Field{Name: "delete", Type: audience.String}, audience.RoleNone},
		{audience.Field{Name: "delete_reason", Type: audience.Boolean}, audience.RoleNone},
		{audience.Field{Name: "process_consent", Type: audience.String}, audience.RoleConsent},
		{audience.Field{Name: "consent", Type: audience.String, IdentityNs: "CRM"}, audience.RoleNone},
		{audience.Field{Name: "consent_date", Type: audience.Date}, audience.RoleNone},
	} {
		f := c.field
		if f.ProposeRole(); f.Role != c.want || (f.Role == audience.RoleConsent) != (len(f.ConsentValues) > 0) {
			t.Errorf("%+v became %+v, want the role %q", c.field, f, c.want)
		}
		a := audience.Audience{Fields: []audience.Field{c.field}}
		if got := a.RoleWarnings(); (len(got) == 1) != (c.want != audience.RoleNone) || len(got) == 1 && !strings.Contains(got[0].Detail, c.field.Name) {
			t.Errorf("%+v: warnings %+v", c.field, got)
		}
		a.Fields[0] = f
		if got := a.RoleWarnings(); len(got) > 0 {
			t.Errorf("with its role: %+v", got)
		}
	}
}
