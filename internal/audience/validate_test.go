package audience_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"roster/internal/audience"
)

// draft is a submitted audience that is valid as it stands.
func draft() audience.Audience {
	return audience.Audience{
		Name: "list",
		Fields: []audience.Field{
			{Name: "mail", Type: audience.String, IdentityNs: "email"},
			{Name: "points", Type: audience.Long, Labels: []string{"core/C2", "custom/deep"}},
			{Name: "ok", Type: audience.String, Role: audience.RoleConsent, ConsentValues: []string{"y", ""}},
			{Name: "gone", Type: audience.Boolean, Role: audience.RoleDelete},
		},
		Source:     audience.SourceSpec{Path: "in/list.csv", Type: audience.PathFile, BaseConnectionID: "1D1D4BC5-B527-46A3-9863-530246A61B2B"},
		OriginName: audience.OriginUpload, TTLDays: audience.DefaultTTLDays,
	}
}

func TestValidateNormalises(t *testing.T) {
	t.Parallel()
	d := draft()
	if err := audience.Validate(&d, audience.Rules{}); err != nil {
		t.Fatal(err)
	}
	want := draft()
	want.Fields[0].IdentityNs = "Email"
	want.AudienceType = audience.TypePeople
	want.Namespace = audience.DefaultNamespace
	want.Source.SourceType = audience.SourceTypeCloud
	want.Source.BaseConnectionID = "1d1d4bc5-b527-46a3-9863-530246a61b2b"
	if !reflect.DeepEqual(d, want) {
		t.Errorf("got %+v\nwant %+v", d, want)
	}
	again := d
	if err := audience.Validate(&again, audience.Rules{}); err != nil || !reflect.DeepEqual(again, d) {
		t.Errorf("a second time: %+v, %v", again, err)
	}
}

func TestValidateAccepts(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*audience.Audience){
		"longest name":  func(d *audience.Audience) { d.Name = strings.Repeat("é", 255) },
		"custom id":     func(d *audience.Audience) { d.CustomID = "$my_Id9" },
		"ttl":           func(d *audience.Audience) { d.TTLDays = 90 },
		"description":   func(d *audience.Audience) { d.Description = "two\nlines" },
		"tags":          func(d *audience.Audience) { d.Tags = []string{"a tag"} },
		"most fields":   func(d *audience.Audience) { d.Fields = manyFields(1000) },
		"spaces inside": func(d *audience.Audience) { d.Fields[1].Name = "loyalty points, total" },
		"dots in names": func(d *audience.Audience) { d.Source.Path = "in/..a/b..c/.x./list.csv" },
	} {
		d := draft()
		change(&d)
		if err := audience.Validate(&d, audience.Rules{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func manyFields(n int) []audience.Field {
	fields := make([]audience.Field, n)
	for i := range fields {
		fields[i] = audience.Field{Name: fmt.Sprint("f", i), Type: audience.String}
	}
	fields[n-1].IdentityNs = "ECID"
	return fields
}

func TestValidateRefuses(t *testing.T) {
	t.Parallel()
	type change = func(*audience.Audience)
	for _, c := range []struct {
		name   string
		change change
		paths  []string
	}{
		{"no name", func(d *audience.Audience) { d.Name = "" }, []string{"name"}},
		{"long name", func(d *audience.Audience) { d.Name = strings.Repeat("x", 256) }, []string{"name"}},
		{"control in name", func(d *audience.Audience) { d.Name = "a\nb" }, []string{"name"}},
		{"custom id", func(d *audience.Audience) { d.CustomID = "9lives" }, []string{"customAudienceId"}},
		{"custom id with a line break", func(d *audience.Audience) { d.CustomID = "a\n" }, []string{"customAudienceId"}},
		{"NUL in description", func(d *audience.Audience) { d.Description = "\x00" }, []string{"description"}},
		{"no fields", func(d *audience.Audience) { d.Fields = nil }, []string{"fields"}},
		{"too many fields", func(d *audience.Audience) { d.Fields = manyFields(1001) }, []string{"fields"}},
		{"no identity", func(d *audience.Audience) { d.Fields[0].IdentityNs = "" }, []string{"fields"}},
		{"no field name", func(d *audience.Audience) { d.Fields[1].Name = " " }, []string{"fields[1].name"}},
		{"same name in another case", func(d *audience.Audience) { d.Fields[1].Name = " MAIL" }, []string{"fields[1].name"}},
		{"same name with other folds", func(d *audience.Audience) { d.Fields[1].Name, d.Fields[2].Name = "straſe", "STRASE" }, []string{"fields[2].name"}},
		{"line break in field name", func(d *audience.Audience) { d.Fields[1].Name = "a\u2028b" }, []string{"fields[1].name"}},
		{"reserved name", func(d *audience.Audience) { d.Fields[1].Name = "_Roster_id" }, []string{"fields[1].name"}},
		{"reserved name, folded", func(d *audience.Audience) { d.Fields[1].Name = "_roſter_id" }, []string{"fields[1].name"}},
		{"no type", func(d *audience.Audience) { d.Fields[1].Type = "" }, []string{"fields[1].type"}},
		{"unknown type", func(d *audience.Audience) { d.Fields[1].Type = "decimal" }, []string{"fields[1].type"}},
		{"unknown namespace", func(d *audience.Audience) { d.Fields[0].IdentityNs = "Emial" }, []string{"fields[0].identityNs"}},
		{"label form", func(d *audience.Audience) { d.Fields[1].Labels = []string{"core/C1", "C2"} }, []string{"fields[1].labels[1]"}},
		{"core labels", func(d *audience.Audience) {
			d.Labels = []string{"core/C12", "core/C13", "core/c1", "core/RHD", "core/"}
		},
			[]string{"labels[1]", "labels[2]", "labels[4]"}},
		{"label families", func(d *audience.Audience) { d.Labels = []string{"Core/C1", "custom/", "custom/a b", "custom/a/b"} },
			[]string{"labels[0]", "labels[1]", "labels[2]", "labels[3]"}},
		{"empty tag", func(d *audience.Audience) { d.Tags = []string{"a", ""} }, []string{"tags[1]"}},
		{"role", func(d *audience.Audience) { d.Fields[1].Role = "remove" }, []string{"fields[1].role"}},
		{"consent without values", func(d *audience.Audience) { d.Fields[2].ConsentValues = nil }, []string{"fields[2].consentValues"}},
		{"values without consent", func(d *audience.Audience) { d.Fields[3].ConsentValues = []string{"y"} }, []string{"fields[3].consentValues"}},
		{"ttl too long", func(d *audience.Audience) { d.TTLDays = 91 }, []string{"ttlInDays"}},
		{"no ttl", func(d *audience.Audience) { d.TTLDays = 0 }, []string{"ttlInDays"}},
		{"ttl negative", func(d *audience.Audience) { d.TTLDays = -1 }, []string{"ttlInDays"}},
		{"audience type", func(d *audience.Audience) { d.AudienceType = "account" }, []string{"audienceType"}},
		{"other case", func(d *audience.Audience) { d.AudienceType = "People" }, []string{"audienceType"}},
		{"no origin", func(d *audience.Audience) { d.OriginName = "" }, []string{"originName"}},
		{"origin", func(d *audience.Audience) { d.OriginName = "DATA_DISTILLER" }, []string{"originName"}},
		{"path type", func(d *audience.Audience) { d.Source.Type = "zip" }, []string{"sourceSpec.type"}},
		{"source type", func(d *audience.Audience) { d.Source.SourceType = "Database" }, []string{"sourceSpec.sourceType"}},
		{"cloud type", func(d *audience.Audience) { d.Source.CloudType = "FTP" }, []string{"sourceSpec.cloudType"}},
		{"no connection, no cloud type", func(d *audience.Audience) { d.Source.BaseConnectionID = "" }, []string{"sourceSpec.baseConnectionId"}},
		{"no connection, S3", func(d *audience.Audience) { d.Source.BaseConnectionID, d.Source.CloudType = "", "S3" }, []string{"sourceSpec.baseConnectionId"}},
		{"source", func(d *audience.Audience) {
			d.Source = audience.SourceSpec{Type: "zip", SourceType: "Database", CloudType: "S3", Format: &audience.Format{Type: "xml"}}
		}, []string{"sourceSpec.path", "sourceSpec.format.type", "sourceSpec.type", "sourceSpec.sourceType", "sourceSpec.baseConnectionId"}},
		{"nothing at all", func(d *audience.Audience) { *d = audience.Audience{} },
			[]string{"name", "fields", "sourceSpec.path", "sourceSpec.type", "sourceSpec.baseConnectionId", "ttlInDays", "originName"}},
	} {
		d := draft()
		c.change(&d)
		wantProblems(t, c.name, audience.Validate(&d, audience.Rules{}), c.paths...)
	}
}

func TestValidateAudienceType(t *testing.T) {
	t.Parallel()
	own := []audience.Namespace{{Code: "Erp", IDType: "B2B_ACCOUNT"}, {Code: "Plant", IDType: "Non_people"}, {Code: "Card", IDType: "Cross_device"}}
	for _, c := range []struct {
		typ, accounts, namespace string
		paths                    []string
	}{
		{"people", "", "email", nil},
		{"people", "account", "erp", nil},
		{"", "account", "email", nil},
		{"account", "account", "erp", nil},
		{"account", "account", "PLANT", nil},
		{"account", "account", "Card", []string{"fields[0].identityNs"}},
		{"account", "account", "email", []string{"fields[0].identityNs"}},
		{"account", "account", "nowhere", []string{"fields[0].identityNs"}},
		{"account", "company", "erp", []string{"audienceType"}},
		{"company", "company", "erp", nil},
	} {
		d := draft()
		d.AudienceType, d.Fields[0].IdentityNs = c.typ, c.namespace
		err := audience.Validate(&d, audience.Rules{Namespaces: own, AccountType: c.accounts})
		if len(c.paths) > 0 {
			wantProblems(t, fmt.Sprint(c), err, c.paths...)
		} else if err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestValidatePath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path   string
		typ    audience.PathType
		cloud  string
		want   string
		refuse bool
	}{
		{"a/b.csv", audience.PathFile, "", "a/b.csv", false},
		{"lists", audience.PathFolder, "", "lists", false},
		{"lists/", audience.PathFolder, "", "lists", false},
		{"with spaces/æ.csv", audience.PathFile, "", "with spaces/æ.csv", false},
		{"dlz-user-container/a.csv", audience.PathFile, "DLZ", "a.csv", false},
		{"dlz-user-container/a.csv", audience.PathFile, "S3", "dlz-user-container/a.csv", false},
		{"dlz-user-containers/a.csv", audience.PathFile, "DLZ", "dlz-user-containers/a.csv", false},
		{"dlz-user-container", audience.PathFolder, "DLZ", "", false},
		{"dlz-user-container/", audience.PathFolder, "DLZ", "", false},
		{"dlz-user-container/", audience.PathFile, "DLZ", "", true},
		{"dlz-user-container/../a.csv", audience.PathFile, "DLZ", "", true},
		{"dlz-user-container//etc/passwd", audience.PathFile, "DLZ", "", true},
		{"", audience.PathFile, "", "", true},
		{"/", audience.PathFile, "", "", true},
		{".", audience.PathFile, "", "", true},
		{"", audience.PathFolder, "", "", false},
		{"/", audience.PathFolder, "", "", false},
		{".", audience.PathFolder, "", "", false},
		{"/", audience.PathFolder, "DLZ", "", false},
		{"/dlz-user-container/lists/", audience.PathFolder, "DLZ", "lists", false},
		{"/lists/a.csv", audience.PathFile, "", "lists/a.csv", false},
		{"/lists/", audience.PathFolder, "", "lists", false},
		{"lists/*.csv", audience.PathFolder, "", "lists/*.csv", false},
		{"//lists", audience.PathFolder, "", "", true},
		{"/..", audience.PathFolder, "", "", true},
		{"./lists", audience.PathFolder, "", "", true},
		{"*/../a.csv", audience.PathFile, "", "", true},
		{"a/", audience.PathFile, "", "", true},
		{"a//b", audience.PathFile, "", "", true},
		{"a/./b", audience.PathFile, "", "", true},
		{"..", audience.PathFolder, "", "", true},
		{"a/../b", audience.PathFile, "", "", true},
		{"a/..", audience.PathFolder, "", "", true},
		{`a\..\b`, audience.PathFile, "", "", true},
		{"a\x00b", audience.PathFile, "", "", true},
		{"a\nb", audience.PathFile, "", "", true},
		{"a\xffb", audience.PathFile, "", "", true},
		{"s3://bucket/a.csv", audience.PathFile, "", "", true},
		{strings.Repeat("x", 1025), audience.PathFile, "", "", true},
	} {
		d := draft()
		d.Source.Path, d.Source.Type, d.Source.CloudType = c.path, c.typ, c.cloud
		err := audience.Validate(&d, audience.Rules{})
		if c.refuse {
			wantProblems(t, c.path, err, "sourceSpec.path")
		} else if err != nil || d.Source.Path != c.want {
			t.Errorf("%q: got %q, %v, want %q", c.path, d.Source.Path, err, c.want)
		}
	}
}

func TestManyProblems(t *testing.T) {
	t.Parallel()
	d := draft()
	d.Fields = manyFields(20)
	for i := range d.Fields {
		d.Fields[i].Type = "x"
	}
	err := audience.Validate(&d, audience.Rules{})
	var e *audience.Error
	if !errors.As(err, &e) || len(e.Problems) != 20 || !strings.HasSuffix(e.Message, "; and 15 more") {
		t.Errorf("%v", err)
	}
}

func TestFieldNamed(t *testing.T) {
	t.Parallel()
	d := draft()
	for name, want := range map[string]int{"mail": 0, " Points ": 1, "nope": -1, "": -1} {
		if got := d.FieldNamed(name); got != want {
			t.Errorf("%q: %d, want %d", name, got, want)
		}
	}
}

// TestSameName holds SameName against NameKey.
func TestSameName(t *testing.T) {
	t.Parallel()
	names := []string{"mail", "MAIL", " mail\t", "ma il", "k", "K", "\u212a", "\u017f", "s", "ς", "Σ", "σ", "ß", "ss", "\u00a0mail", ""}
	for _, a := range names {
		for _, b := range names {
			if got, want := audience.SameName(a, b), audience.NameKey(a) == audience.NameKey(b); got != want {
				t.Errorf("%q and %q: %t, and by their keys %t", a, b, got, want)
			}
		}
	}
}
