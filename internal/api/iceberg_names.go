package api

import (
	"context"
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

// audienceOfSafeName finds the audience of a name that tableName made safe. What the name and the audience's name surely have in common is a
// piece between replaced characters; the longest of them narrows the search.
func (s *server) audienceOfSafeName(ctx context.Context, a audience.Actor, name string) (audience.ID, error) {
	cut := strings.LastIndexByte(name, '_')
	if cut < 0 || len(name)-cut != 1+8 {
		return "", noTable(name)
	}
	piece := ""
	for p := range strings.SplitSeq(name[:cut], "_") {
		if len(p) > len(piece) {
			piece = p
		}
	}
	q := audience.AudienceQuery{Limit: icebergPage, SortBy: audience.SortCreated, NoTotal: true, NameContains: strings.TrimSpace(piece)}
	for {
		list, _, err := s.Service.Audiences(ctx, a, q)
		if err != nil {
			return "", err
		}
		for _, aud := range list {
			if tableName(&aud) == name {
				return aud.ID, nil
			}
		}
		if len(list) < q.Limit {
			return "", noTable(name)
		}
		last := list[len(list)-1]
		q.After = &audience.Position{At: last.CreatedAt, ID: string(last.ID)}
	}
}
