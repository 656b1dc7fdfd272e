package api

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
)

// Profiles looks identities up.
type Profiles interface {
	Lookup(ctx context.Context, a audience.Actor, ids []control.IdentityRef, o control.LookupOptions) ([]control.Profile, error)
}

const (
	// maxIdentities is the largest number of identities in one look-up.
	maxIdentities = 2000
	// membershipVersion is the version of every membership's definition: an external audience has only one.
	membershipVersion = "1"
	// profileSize is the size of a profile with one membership in an answer, in bytes.
	profileSize = 512
)

// lookup answers the profile of one identity.
func (s *server) lookup(c *call) (answer, error) {
	q := c.query()
	who := q.identity()
	var fields []string
	if text := q.Get("fields"); text != "" {
		fields = strings.Split(text, ",")
	}
	parts := partsOf(fields, q.payload())
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	found, err := s.Service.Lookup(c.Context(), c.actor, []control.IdentityRef{who}, control.LookupOptions{Values: parts.values, Accounts: q.Get("schema.name") == audience.EntityAccounts})
	if err != nil {
		return answer{}, err
	}
	if len(found) == 0 || !found[0].Found {
		return answer{}, audience.Errorf(audience.NotFound, "nothing is known of this identity")
	}
	return answer{http.StatusOK, appendProfiles(newRawJSON(), found, parts)}, nil
}

// payload reads whether values are wanted; nil if the query does not say.
func (q *query) payload() *bool {
	switch text := q.Get("payload"); text {
	case "true", "false":
		return new(text == "true")
	case "":
	default:
		q.problems.Add("payload", "must be true or false")
	}
	return nil
}

// checkSchema checks the class of a call.
func checkSchema(p *audience.Problems, name string) {
	if name != audience.EntityPeople && name != audience.EntityAccounts {
		p.Add("schema.name", "must be %s, or %s for accounts", audience.EntityPeople, audience.EntityAccounts)
	}
}

// identity reads the identity of a call.
func (q *query) identity() control.IdentityRef {
	if q.Has("schema.name") {
		checkSchema(&q.problems, q.Get("schema.name"))
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
	parts := partsOf(in.Fields, in.Payload)
	accounts := in.Schema != nil && in.Schema.Name == audience.EntityAccounts
	found, err := s.Service.Lookup(c.Context(), c.actor, refs, control.LookupOptions{Values: parts.values, Accounts: accounts})
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, appendProfiles(newRawJSON(), found, parts)}, nil
}

func identityRefs(in *client.LookupRequest) ([]control.IdentityRef, error) {
	var problems audience.Problems
	if in.Schema != nil {
		checkSchema(&problems, in.Schema.Name)
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

// profileParts are the parts of a profile in an answer.
type profileParts struct {
	identities, memberships bool
	values                  control.ValuesWanted // nil for none
}

// enrichment is the part of a profile with the values of rows.
const enrichment = "audienceEnrichment"

// partsOf returns the parts that a look-up names by fields. Without fields it returns everything except the values,
// which take longer to read. Values are included if fields names them, or if payload, which may be nil, is true.
func partsOf(fields []string, payload *bool) profileParts {
	parts := profileParts{identities: wants(fields, "identities", "identityMap"), memberships: wants(fields, "segmentMembership")}
	if payload != nil && !*payload {
		return parts
	}
	var paths []string
	for _, f := range fields {
		if f = strings.TrimSpace(f); f != "" && wants([]string{f}, enrichment) {
			paths = append(paths, audience.NameKey(f))
		}
	}
	switch {
	case len(paths) > 0:
		parts.values = func(namespace string, id audience.ID, field string) bool {
			name := audience.NameKey(strings.Join([]string{enrichment, namespace, string(id), field}, "."))
			return slices.ContainsFunc(paths, func(path string) bool { return name == path || strings.HasPrefix(name, path+".") })
		}
	case payload != nil:
		parts.values = func(string, audience.ID, string) bool { return true }
	}
	return parts
}

// appendProfiles sorts profiles by their opaque ids and appends them in the JSON form of client.Profiles. It does not
// use encoding/json, since look-ups are most of a server's work.
func appendProfiles(dst rawJSON, found []control.Profile, parts profileParts) rawJSON {
	slices.SortStableFunc(found, func(a, b control.Profile) int { return strings.Compare(a.XID, b.XID) })
	dst = append(slices.Grow(dst, profileSize*len(found)), '{')
	for i, p := range found {
		if i > 0 && p.XID == found[i-1].XID {
			continue // requested twice
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendJSON(dst, p.XID), ':')
		dst = appendProfile(dst, &p, parts)
	}
	return append(dst, '}', '\n')
}

// wants reports whether one of the parts of a profile is among the fields; no fields means all parts.
func wants(fields []string, parts ...string) bool {
	return len(fields) == 0 || slices.ContainsFunc(fields, func(f string) bool {
		f, _, _ = strings.Cut(strings.TrimSpace(f), ".")
		return slices.Contains(parts, f)
	})
}

func appendProfile(dst []byte, p *control.Profile, parts profileParts) []byte {
	dst = appendJSON(append(dst, `{"entityId":`...), p.XID)
	if !p.Found {
		dst = append(dst, `,"sources":[""],"entity":{},"lastModifiedAt":`...)
		return append(appendTime(dst, time.Unix(0, 0)), '}')
	}
	slices.SortStableFunc(p.Memberships, func(a, b control.Membership) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(string(a.Audience), string(b.Audience)))
	})
	dst = append(dst, `,"sources":[`...)
	for i, id := range sources(p.Memberships) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSON(dst, id)
	}
	dst = append(dst, `],"entity":{`...)
	if parts.identities {
		dst = appendJSON(append(dst, `"identities":[{"id":`...), p.Identity.ID)
		dst = appendJSON(append(dst, `,"namespace":{"code":`...), strings.ToLower(p.Identity.Namespace))
		dst = strconv.AppendBool(append(dst, `},"primary":`...), p.Primary)
		dst = append(dst, `}],`...)
	}
	if parts.memberships && len(p.Memberships) > 0 {
		dst = append(appendMemberships(append(dst, `"segmentMembership":{`...), p.Memberships), `},`...)
	}
	if parts.values != nil {
		dst = appendValues(dst, p.Memberships)
	}
	dst = append(bytes.TrimSuffix(dst, []byte{','}), `},"lastModifiedAt":`...)
	return append(appendTime(dst, p.ModifiedAt), '}')
}

// sources returns the datasets of a profile, which have the ids of their audiences.
func sources(list []control.Membership) []string {
	ids := make([]string, len(list))
	for i, m := range list {
		ids[i] = string(m.Audience)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// appendMemberships appends memberships, grouped by their namespaces and audiences, in this order. If there are several
// in one audience, through several identities, the last one counts.
func appendMemberships(dst []byte, list []control.Membership) []byte {
	open := false
	for i, m := range list {
		last := i == len(list)-1
		if !last && list[i+1].Namespace == m.Namespace && list[i+1].Audience == m.Audience {
			continue
		}
		if !open {
			dst, open = append(appendJSON(dst, m.Namespace), `:{`...), true
		}
		dst = appendJSON(dst, string(m.Audience))
		dst = appendJSON(append(dst, `:{"version":`...), membershipVersion)
		dst = appendTime(append(dst, `,"lastQualificationTime":`...), m.LastQualification)
		if !m.ValidUntil.IsZero() {
			dst = appendTime(append(dst, `,"validUntil":`...), m.ValidUntil)
		}
		dst = append(appendJSON(append(dst, `,"status":`...), m.Status), '}')
		if last || list[i+1].Namespace != m.Namespace {
			dst, open = append(dst, '}'), false
		}
		if !last {
			dst = append(dst, ',')
		}
	}
	return dst
}

// appendTime appends a time as RFC 3339 in quotation marks; an empty text for no time.
func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(dst, `""`...)
	}
	return append(t.UTC().AppendFormat(append(dst, '"'), time.RFC3339), '"')
}
