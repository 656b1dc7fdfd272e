package audience_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"roster/internal/audience"
)

func TestResolve(t *testing.T) {
	t.Parallel()
	custom := []audience.Namespace{{Code: "IATA"}, {Code: "CRM_ID"}}
	for code, want := range map[string]string{
		"email": "Email", "EMAIL": "Email", "ecid": "ECID", "phone_sha256_e.164": "Phone_SHA256_E.164",
		"email_lc_sha256": "Email_LC_SHA256", "tntid": "TNTID", "ADCLOUD": "AdCloud", "core": "CORE", "iata": "IATA", "crm_id": "CRM_ID",
	} {
		if got, ok, _ := audience.Resolve(code, custom); !ok || got != want {
			t.Errorf("%s: got %q %v, want %q", code, got, ok, want)
		}
	}
	for code, want := range map[string]string{"Emial": "Email", "e-mail": "Email", "Ecd": "ECID", "IATAA": "IATA", "phonesha256": "Phone_SHA256", "xyz": ""} {
		got, ok, nearest := audience.Resolve(code, custom)
		if ok || got != "" || len(nearest) != 3 || want != "" && nearest[0] != want {
			t.Errorf("%s: got %q %v, nearest %q, want %q", code, got, ok, nearest, want)
		}
	}
	older := []audience.Namespace{{ID: 10_001, Code: "waid", Name: "ours", Custom: true}} // from before there was a standard one
	all := audience.AllNamespaces(older)
	if code, _, _ := audience.Resolve("WAID", older); code != "waid" || len(all) != len(audience.AllNamespaces(nil)) || all[len(all)-1].ID != 10_001 {
		t.Errorf("a custom namespace that became a standard one: %q, %+v", code, all)
	}
	if _, ok, nearest := audience.Resolve(strings.Repeat("x", 100_000), nil); ok || nearest != nil {
		t.Errorf("a very long code: %v %q", ok, nearest)
	}
}

func TestNamespaces(t *testing.T) {
	t.Parallel()
	want := []string{"AAID", "APNS", "AdCloud", "CORE", "ECID", "Email", "Email_LC_SHA256", "FCM", "GAID", "IDFA", "Phone", "Phone_E164", "Phone_SHA256", "Phone_SHA256_E.164", "TNTID", "WAID"}
	var codes []string
	ids := map[int]bool{}
	for _, n := range audience.AllNamespaces(nil) {
		codes = append(codes, n.Code)
		if ids[n.ID] || n.Custom || n.Name == "" || !slices.Contains(audience.IDTypes, n.IDType) {
			t.Errorf("%+v", n)
		}
		ids[n.ID] = true
	}
	slices.Sort(codes)
	if !slices.Equal(codes, want) {
		t.Errorf("got %q, want %q", codes, want)
	}
	audience.AllNamespaces(nil)[0].Code = "changed"
	if audience.AllNamespaces(nil)[0].Code == "changed" {
		t.Error("the standard namespaces can be changed from outside")
	}
}

func TestValidateNamespace(t *testing.T) {
	t.Parallel()
	good := audience.Namespace{Name: "Airport", Code: "IATA", IDType: "Cross_device"}
	for spelling, want := range map[string]string{
		"CROSS_DEVICE": "Cross_device", "Cross-Device": "Cross_device", "email": "Email", "Non-people": "Non_people", "PHONE": "Phone", "Mobile": "Mobile",
	} {
		n := good
		n.IDType = spelling
		if err := audience.ValidateNamespace(&n); err != nil || n.IDType != want {
			t.Errorf("%s: %q, %v", spelling, n.IDType, err)
		}
	}
	for path, change := range map[string]func(*audience.Namespace){
		"name":        func(n *audience.Namespace) { n.Name = " " },
		"code":        func(n *audience.Namespace) { n.Code = "a b" },
		"description": func(n *audience.Namespace) { n.Description = "a\x00" },
		"idType":      func(n *audience.Namespace) { n.IDType = "Person" },
	} {
		n := good
		change(&n)
		wantProblems(t, path, audience.ValidateNamespace(&n), path)
	}
	var none audience.Namespace
	wantProblems(t, "empty", audience.ValidateNamespace(&none), "name", "code", "idType")
}

// wantProblems requires an Invalid error with one problem at each of the paths and no others.
func wantProblems(t *testing.T, what string, err error, paths ...string) {
	t.Helper()
	var e *audience.Error
	if !errors.As(err, &e) || e.Code != audience.Invalid {
		t.Errorf("%s: got %v, want problems with %q", what, err, paths)
		return
	}
	var got []string
	for _, p := range e.Problems {
		got = append(got, p.Path)
		if p.Message == "" {
			t.Errorf("%s: no message for %s", what, p.Path)
		}
	}
	if !slices.Equal(got, paths) {
		t.Errorf("%s: problems with %q, want %q: %v", what, got, paths, err)
	}
	if !strings.Contains(e.Message, paths[0]) {
		t.Errorf("%s: the message does not name %s: %s", what, paths[0], e.Message)
	}
}
