package api

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"roster/internal/audience"
)

// tableName is the name of an audience as a table: its own name if every engine can write that, otherwise its letters, digits and
// spaces, the rest replaced, and the first 8 digits of its id, so that two audiences never have the same.
func tableName(aud *audience.Audience) string {
	safe := strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune(" _-()&:", c) {
			return c
		}
		return '_'
	}, aud.Name)
	if safe == aud.Name {
		return safe
	}
	return safe + "_" + string(aud.ID[:8])
}

// audienceOfTable finds an audience by its id, its name, or its name as a table.
func (s *server) audienceOfTable(ctx context.Context, a audience.Actor, name string) (audience.ID, error) {
	if id, ok := audience.Canonical(audience.ID(name)); ok {
		switch found, err := s.Service.AudiencesByID(ctx, a, []audience.ID{id}); {
		case err != nil:
			return "", err
		case len(found) == 1:
			return id, nil
		}
	}
	q := audience.AudienceQuery{Limit: 1, NoTotal: true, Filters: []audience.AudienceFilter{{Property: "name", Value: name}}}
	list, _, err := s.Service.Audiences(ctx, a, q)
	if err != nil {
		return "", err
	}
	if len(list) == 1 {
		return list[0].ID, nil
	}
	if spaced := strings.ReplaceAll(name, "+", " "); spaced != name {
		return s.audienceOfTable(ctx, a, spaced) // Java's client writes a space in a path as +
	}
	return s.audienceOfSafeName(ctx, a, name)
}

// audienceOfSafeName finds the audience of a name that tableName made safe. The parts of the safe name between the
// characters _ are also parts of the audience's name. The search uses the longest part.
func (s *server) audienceOfSafeName(ctx context.Context, a audience.Actor, name string) (id audience.ID, err error) {
	cut := strings.LastIndexByte(name, '_')
	if cut < 0 || len(name)-cut != 1+8 {
		return "", noTable(name)
	}
	longest := ""
	for part := range strings.SplitSeq(name[:cut], "_") {
		if len(part) > len(longest) {
			longest = part
		}
	}
	q := audience.AudienceQuery{Limit: icebergPage, SortBy: audience.SortCreated, NoTotal: true, NameContains: strings.TrimSpace(longest)}
	_, err = s.readAudiences(ctx, a, q, func(list []audience.Audience) bool {
		if i := slices.IndexFunc(list, func(aud audience.Audience) bool { return tableName(&aud) == name }); i >= 0 {
			id = list[i].ID
		}
		return id == ""
	})
	if err == nil && id == "" {
		err = noTable(name)
	}
	return id, err
}
