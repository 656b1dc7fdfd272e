package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
)

const (
	profileSchema = "_xdm.context.profile"
	// maxIdentities bounds one look-up.
	maxIdentities = 2000
	// membershipVersion is the version of every membership's definition: an external audience has only one.
	membershipVersion = "1"
)

// lookup answers the profile of one identity.
func (s *server) lookup(c *call) (answer, error) {
	q, err := c.query()
	if err != nil {
		return answer{}, err
	}
	who := q.identity()
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	found, err := s.Service.Lookup(c.Context(), c.actor, []control.IdentityRef{who})
	if err != nil {
		return answer{}, err
	}
	if len(found) == 0 || !found[0].Found {
		return answer{}, audience.Errorf(audience.NotFound, "nothing is known of this identity")
	}
	var fields []string
	if text := q.Get("fields"); text != "" {
		fields = strings.Split(text, ",")
	}
	return answer{http.StatusOK, profileBodies(found, fields)}, nil
}

// identity reads which identity a call is about.
func (q *query) identity() control.IdentityRef {
	if schema := q.Get("schema.name"); q.Has("schema.name") && schema != profileSchema {
		q.problems.Add("schema.name", "must be "+profileSchema)
	}
	for _, name := range []string{"entityId", "entityIdNS"} {
		if q.Get(name) == "" {
			q.problems.Add(name, "is required")
		}
	}
	return control.IdentityRef{ID: q.Get("entityId"), Namespace: q.Get("entityIdNS")}
}

// lookupMany answers the profiles of many identities.
func (s *server) lookupMany(c *call) (answer, error) {
	var in client.LookupRequest
	if err := c.typedJSON(&in); err != nil {
		return answer{}, err
	}
	refs, err := identityRefs(&in)
	if err != nil {
		return answer{}, err
	}
	found, err := s.Service.Lookup(c.Context(), c.actor, refs)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, profileBodies(found, in.Fields)}, nil
}

func identityRefs(in *client.LookupRequest) ([]control.IdentityRef, error) {
	var problems audience.Problems
	if in.Schema != nil && in.Schema.Name != profileSchema {
		problems.Add("schema.name", "must be "+profileSchema)
	}
	if len(in.Identities) == 0 || len(in.Identities) > maxIdentities {
		problems.Add("identities", "must hold 1 to %d identities", maxIdentities)
		return nil, problems.Err()
	}
	refs := make([]control.IdentityRef, len(in.Identities))
	for i, id := range in.Identities {
		if id.EntityID == "" {
			problems.Add(fmt.Sprintf("identities[%d].entityId", i), "is required")
		}
		if id.EntityIDNS.Code == "" {
			problems.Add(fmt.Sprintf("identities[%d].entityIdNS.code", i), "is required")
		}
		refs[i] = control.IdentityRef{ID: id.EntityID, Namespace: id.EntityIDNS.Code}
	}
	return refs, problems.Err()
}

// profileBodies are the profiles by their opaque ids. fields names the parts that are wanted; nil for all.
func profileBodies(found []control.Profile, fields []string) client.Profiles {
	wanted := func(part string) bool {
		return len(fields) == 0 || slices.ContainsFunc(fields, func(f string) bool {
			f, _, _ = strings.Cut(strings.TrimSpace(f), ".")
			return f == part
		})
	}
	body := client.Profiles{}
	for _, p := range found {
		if !p.Found {
			body[p.XID] = client.Profile{EntityID: p.XID, Sources: []string{""}, LastModifiedAt: instantText(time.Unix(0, 0))}
			continue
		}
		b := client.Profile{EntityID: p.XID, Sources: sources(p.Memberships), LastModifiedAt: instantText(p.ModifiedAt)}
		if wanted("identities") || wanted("identityMap") {
			b.Entity.Identities = []client.Identity{{ID: p.Identity.ID, Primary: p.Primary,
				Namespace: client.NamespaceRef{Code: strings.ToLower(p.Identity.Namespace)}}}
		}
		if wanted("segmentMembership") {
			b.Entity.SegmentMembership = memberships(p.Memberships)
		}
		body[p.XID] = b
	}
	return body
}

// sources are the datasets that a profile comes from, which have the ids of their audiences.
func sources(list []control.Membership) []string {
	ids := make([]string, len(list))
	for i, m := range list {
		ids[i] = string(m.Audience)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func memberships(list []control.Membership) map[string]map[string]client.Membership {
	byNamespace := map[string]map[string]client.Membership{}
	for _, m := range list {
		byAudience := byNamespace[m.Namespace]
		if byAudience == nil {
			byAudience = map[string]client.Membership{}
			byNamespace[m.Namespace] = byAudience
		}
		byAudience[string(m.Audience)] = client.Membership{Version: membershipVersion,
			LastQualificationTime: instantText(m.LastQualification), ValidUntil: instantText(m.ValidUntil), Status: m.Status}
	}
	return byNamespace
}

// instantText is a time in RFC 3339; "" for none.
func instantText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
