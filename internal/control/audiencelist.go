package control

import (
	"context"
	"slices"
	"strings"

	"roster/internal/audience"
)

// Limits of a list of audiences.
const (
	defaultAudiences = 20
	maxAudiences     = 200
	// maxFilter is the longest text of a search for audiences, in bytes.
	maxFilter = 4 * audience.MaxText
	// MaxAudiencesByID is the largest number of audiences in one request by id.
	MaxAudiencesByID = 100
)

// Audiences lists audiences and returns the total number that the query matches. The zero query selects the newest 20.
func (s *Service) Audiences(ctx context.Context, a audience.Actor, q audience.AudienceQuery) ([]audience.Audience, int, error) {
	if err := allow(a, toRead); err != nil {
		return nil, 0, err
	}
	if err := checkAudienceQuery(&q); err != nil {
		return nil, 0, err
	}
	q.SeenBy = &a.Grants
	list, total, err := s.cfg.Store.Audiences(ctx, a.Scope, q)
	for i := range list {
		list[i] = list[i].SeenBy(a.Grants)
	}
	return list, total, err
}

// checkAudienceQuery checks a query and sets its defaults.
func checkAudienceQuery(q *audience.AudienceQuery) error {
	if q.Limit == 0 {
		q.Limit = defaultAudiences
	}
	if q.SortBy == "" {
		q.SortBy, q.Descending = audience.SortCreated, true
	}
	var wrong audience.Problems
	if q.Limit < 1 || q.Limit > maxAudiences {
		wrong.Add("limit", "must be from 1 to %d", maxAudiences)
	}
	if q.Offset < 0 {
		wrong.Add("start", "must not be negative")
	}
	if !slices.Contains([]string{audience.SortCreated, audience.SortUpdated, audience.SortName}, q.SortBy) {
		wrong.Add("sort", "%.64q is not one of %s, %s, %s", q.SortBy, audience.SortName, audience.SortCreated, audience.SortUpdated)
	}
	checkFilter(&wrong, "name", q.NameContains)
	checkFilter(&wrong, "description", q.DescriptionContains)
	for _, f := range q.Filters {
		if !slices.Contains(audience.AudienceProperties, f.Property) {
			wrong.Add("property", "%.64q is not one of %s", f.Property, strings.Join(audience.AudienceProperties, ", "))
		}
		checkFilter(&wrong, "property", f.Value)
	}
	return wrong.Err()
}

func checkFilter(wrong *audience.Problems, path, text string) {
	if len(text) > maxFilter {
		wrong.Add(path, "has %d bytes; at most %d are allowed", len(text), maxFilter)
	}
	wrong.OptionalText(path, text)
}

// AudiencesByID returns the existing audiences among the given ids.
func (s *Service) AudiencesByID(ctx context.Context, a audience.Actor, ids []audience.ID) (map[audience.ID]audience.Audience, error) {
	if err := allow(a, toRead); err != nil {
		return nil, err
	}
	if n := len(ids); n < 1 || n > MaxAudiencesByID {
		return nil, audience.InvalidField("ids", "has %d ids; 1 to %d are allowed", n, MaxAudiencesByID)
	}
	asked := map[audience.ID][]audience.ID{}
	var keys []audience.ID
	for _, id := range ids {
		key, ok := audience.Canonical(id)
		if !ok {
			continue
		}
		if len(asked[key]) == 0 {
			keys = append(keys, key)
		}
		asked[key] = append(asked[key], id)
	}
	list, err := s.cfg.Store.AudiencesByID(ctx, a.Scope, keys)
	if err != nil {
		return nil, err
	}
	found := map[audience.ID]audience.Audience{}
	for _, aud := range list {
		if !a.Grants.Covers(aud.Labels) {
			continue
		}
		for _, id := range asked[aud.ID] {
			found[id] = aud.SeenBy(a.Grants)
		}
	}
	return found, nil
}
