package api

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/members"
)

// TestProfilesEncoded compares the hand-written encoding with that of encoding/json for the client's types.
func TestProfilesEncoded(t *testing.T) {
	t.Parallel()
	g := rand.New(rand.NewPCG(1, 2))
	names := []string{"Email", "näme \"x\"", "line\nbreak", "<&>", "bad \xff", "CustomerAudienceUpload", ""}
	pick := func() string { return names[g.IntN(len(names))] }
	when := func() time.Time {
		if g.IntN(5) == 0 {
			return time.Time{}
		}
		return time.Unix(g.Int64N(1<<33), 0)
	}
	for range 2000 {
		found := make([]control.Profile, g.IntN(4))
		for i := range found {
			p := control.Profile{XID: fmt.Sprint("R", g.IntN(1000)), Found: g.IntN(4) > 0, Identity: control.IdentityRef{ID: pick(), Namespace: pick()},
				Primary: g.IntN(2) == 0, ModifiedAt: when()}
			for range g.IntN(5) {
				p.Memberships = append(p.Memberships, control.Membership{Audience: audience.ID(fmt.Sprint(g.IntN(3))), Namespace: pick(), Status: control.Realized,
					LastQualification: when(), ValidUntil: when()})
			}
			found[i] = p
		}
		fields := [][]string{nil, {"identities"}, {"segmentMembership.x", "other"}, {" identityMap ", "segmentMembership"}, {"other"}}[g.IntN(5)]
		want := encode(asClient(found, fields))
		if got := appendProfiles(nil, found, partsOf(fields, nil)); !bytes.Equal(got, want) {
			t.Fatalf("%+v with fields %q:\n%s\nwant\n%s", found, fields, got, want)
		}
	}
}

// asClient returns the profiles in the types of the client.
func asClient(found []control.Profile, fields []string) client.Profiles {
	instant := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	all := client.Profiles{}
	for _, p := range found {
		if _, ok := all[p.XID]; ok {
			continue
		}
		b := client.Profile{EntityID: p.XID, Sources: []string{""}, LastModifiedAt: instant(time.Unix(0, 0))}
		if p.Found {
			b.Sources, b.LastModifiedAt = sources(p.Memberships), instant(p.ModifiedAt)
			if wants(fields, "identities", "identityMap") {
				b.Entity.Identities = []client.Identity{{ID: p.Identity.ID, Primary: p.Primary, Namespace: client.NamespaceRef{Code: strings.ToLower(p.Identity.Namespace)}}}
			}
			if wants(fields, "segmentMembership") {
				b.Entity.SegmentMembership = map[string]map[string]client.Membership{}
				for _, m := range p.Memberships {
					if b.Entity.SegmentMembership[m.Namespace] == nil {
						b.Entity.SegmentMembership[m.Namespace] = map[string]client.Membership{}
					}
					b.Entity.SegmentMembership[m.Namespace][string(m.Audience)] = client.Membership{Version: membershipVersion,
						LastQualificationTime: instant(m.LastQualification), ValidUntil: instant(m.ValidUntil), Status: m.Status}
				}
			}
		}
		all[p.XID] = b
	}
	return all
}

// TestValuesEncoded encodes values of every type, together with memberships without values and audiences of several
// namespaces.
func TestValuesEncoded(t *testing.T) {
	t.Parallel()
	schema := arrow.NewSchema([]arrow.Field{{Name: "s", Type: arrow.BinaryTypes.String}, {Name: "n", Type: arrow.PrimitiveTypes.Float64}, {Name: "l", Type: arrow.PrimitiveTypes.Int64},
		{Name: "i", Type: arrow.PrimitiveTypes.Int32}, {Name: "b", Type: arrow.FixedWidthTypes.Boolean}, {Name: "d", Type: arrow.FixedWidthTypes.Date32}, {Name: "t", Type: arrow.FixedWidthTypes.Timestamp_us}}, nil)
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(`[{}, {"s": "a\"<\n", "n": 1e21, "l": 9007199254740993, "i": -1, "b": true,
		"d": "2026-01-02", "t": "2026-01-02T03:04:05.000006Z"}]`))
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	fields := make([]audience.Field, schema.NumFields())
	for i, f := range schema.Fields() {
		fields[i].Name = f.Name
	}
	row := func(n int) *control.Values {
		return &control.Values{Fields: fields, Columns: members.ColumnsOf(rec.Columns()), Rows: []int{n}}
	}
	short := &control.Values{Fields: fields[3:4], Columns: members.ColumnsOf(rec.Columns()[3:4]), Rows: []int{1}}
	all := partsOf([]string{enrichment}, nil)
	p := control.Profile{XID: "x", Found: true, ModifiedAt: time.Unix(0, 0), Memberships: []control.Membership{
		{Audience: "1", Namespace: "B"}, {Audience: "2", Namespace: "B", Values: short}, {Audience: "3", Namespace: "A", Values: row(1)},
		{Audience: "1", Namespace: "A", Values: short}, {Audience: "2", Namespace: "A"}, {Audience: "4", Namespace: "A", Values: row(0)}, {Audience: "9", Namespace: "C"}}}
	const whole = `{"s":"a\"<\n","n":1e+21,"l":9007199254740993,"i":-1,"b":true,"d":"2026-01-02","t":"2026-01-02T03:04:05.000006Z"}`
	want := `"entity":{"audienceEnrichment":{"A":{"1":{"i":-1},"3":` + whole + `,"4":{"s":null,"n":null,"l":null,"i":null,"b":null,"d":null,"t":null}},"B":{"2":{"i":-1}}}},`
	if got := string(appendProfiles(nil, []control.Profile{p}, all)); !strings.Contains(got, want) {
		t.Errorf("%s", got)
	}
	p.Memberships = []control.Membership{{Audience: "1", Namespace: "B"}}
	if got := string(appendProfiles(nil, []control.Profile{p}, all)); !strings.Contains(got, `"entity":{},`) {
		t.Errorf("without values: %s", got)
	}
	for text, wanted := range map[string]string{"audienceEnrichment": "ns.id.f", "audienceEnrichment.NS": "ns.id.f", "audienceEnrichment.n": "", "audienceEnrichmentx": "",
		" audienceEnrichment.ns.id.f ": "ns.id.f", "audienceEnrichment.ns.id.f.g": "", "identities": "", "": ""} {
		values := partsOf([]string{text}, nil).values
		if got := values != nil && values("ns", "id", "f"); got != (wanted != "") {
			t.Errorf("%q wants the field: %t", text, got)
		}
	}
}
