package control_test

import (
	"strings"
	"testing"

	"roster/internal/audience"
	"roster/internal/control"
)

func TestAudiences(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var newest string
	for range 21 {
		newest += "x"
		w.submit(draft(newest))
		w.clock.advance(1e6)
	}
	list, total, err := w.Audiences(t.Context(), w.editor, audience.AudienceQuery{})
	if err != nil || len(list) != 20 || total != 21 || list[0].Name != newest {
		t.Errorf("by default: %d of %d, %v", len(list), total, err)
	}
	is := func(property, value string) []audience.AudienceFilter {
		return []audience.AudienceFilter{{Property: property, Value: value}}
	}
	for path, q := range map[string]audience.AudienceQuery{
		"limit: must be from": {Limit: 201}, "limit": {Limit: -1}, "start": {Offset: -1}, "sort": {SortBy: "size"},
		"name: must not hold a NUL": {NameContains: "\x00"}, "name: is not UTF-8": {NameContains: "\xff"}, "description": {DescriptionContains: strings.Repeat("x", 1021)},
		"property": {Filters: is("size", "1")}, "property: must not": {Filters: is("name", "\x00")},
	} {
		_, _, err := w.Audiences(t.Context(), w.editor, q)
		wantCode(t, path, err, audience.Invalid, path)
	}
}

func TestAudiencesByID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.submit(draft("a"))
	upper := audience.ID(strings.ToUpper(string(a.ID)))
	const absent = "0b6f3a57-1111-4222-8333-444455556666"
	found, err := w.AudiencesByID(t.Context(), w.editor, []audience.ID{a.ID, absent, upper, "no id"})
	if err != nil || len(found) != 2 || found[a.ID].Name != "a" || found[upper].Name != "a" {
		t.Errorf("%+v, %v", found, err)
	}
	for _, ids := range [][]audience.ID{nil, make([]audience.ID, control.MaxAudiencesByID+1)} {
		_, err := w.AudiencesByID(t.Context(), w.editor, ids)
		wantCode(t, "ids", err, audience.Invalid, "ids")
	}
	elsewhere := w.editor
	elsewhere.Scope.Sandbox = "dev"
	if found, err := w.AudiencesByID(t.Context(), elsewhere, []audience.ID{a.ID}); err != nil || len(found) != 0 {
		t.Errorf("another sandbox finds %+v, %v", found, err)
	}
}
