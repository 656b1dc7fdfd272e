package api

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
)

// TestProfilesEncoded compares what is written by hand with what encoding/json makes of the client's types.
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
		if got := appendProfiles(nil, found, fields); !bytes.Equal(got, want) {
			t.Fatalf("%+v with fields %q:\n%s\nwant\n%s", found, fields, got, want)
		}
	}
}

// asClient are the profiles as the client reads them.
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
