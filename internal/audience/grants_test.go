package audience_test

import (
	"reflect"
	"testing"

	"roster/internal/audience"
)

func TestGrants(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		grants, labels, missing []string
	}{
		{nil, nil, nil},
		{nil, []string{"core/C1"}, []string{"core/C1"}},
		{[]string{"custom/a", "core/C1", "core/C1"}, []string{"core/C1", "custom/a"}, nil},
		{[]string{"custom/a"}, []string{"custom/b", "custom/a", "core/C1", "custom/b"}, []string{"custom/b", "core/C1"}},
		{[]string{"core/C1"}, []string{"core/C10", "core/c1"}, []string{"core/C10", "core/c1"}},
		{[]string{"custom/a", "*"}, []string{"core/C1", "*"}, nil},
		{[]string{"custom/a"}, []string{"*"}, []string{"*"}},
	} {
		g := audience.NewGrants(c.grants)
		if got := g.Missing(c.labels); !reflect.DeepEqual(got, c.missing) || g.Covers(c.labels) != (len(c.missing) == 0) {
			t.Errorf("%q of %q: missing %q, covers %t", c.labels, g, got, g.Covers(c.labels))
		}
	}
	if g := audience.NewGrants([]string{"core/C1", "*"}); len(g) != 1 || !g.All() {
		t.Errorf("%q", g)
	}
}

// BenchmarkCovers is what each membership of a look-up costs beside the look-up.
func BenchmarkCovers(b *testing.B) {
	g, labels := audience.NewGrants([]string{"core/C1", "core/C2", "core/S1", "custom/a", "custom/b"}), []string{"core/C2", "custom/a"}
	b.ReportAllocs()
	for b.Loop() {
		if !g.Covers(labels) {
			b.Fatal("not covered")
		}
	}
}

// seenAudience has a field that not everybody sees.
var seenAudience = audience.Audience{Labels: []string{"core/C1"}, Fields: []audience.Field{
	{Name: "mail", IdentityNs: "Email"}, {Name: "Score ", Labels: []string{"custom/x", "core/C1"}}, {Name: "tier"},
}}

func TestSeenBy(t *testing.T) {
	t.Parallel()
	a := seenAudience
	if got := a.SeenBy(audience.Grants{"core/C1"}); len(got.Fields) != 2 || got.Fields[1].Name != "tier" || len(a.Fields) != 3 {
		t.Errorf("%+v", got.Fields)
	}
	if got := a.SeenBy(audience.Grants{"*"}); len(got.Fields) != 3 {
		t.Errorf("%+v", got.Fields)
	}
	if got := a.EveryLabel(); !reflect.DeepEqual(got, []string{"core/C1", "custom/x"}) {
		t.Errorf("%q", got)
	}
}

// TestHiddenOfRuns checks that nothing that is told of a run names a hidden field, whatever it stands in.
func TestHiddenOfRuns(t *testing.T) {
	t.Parallel()
	told := &audience.Error{Code: audience.Impossible, Message: `column "SCORE" is missing`, Problems: []audience.Problem{{Path: "score", Message: "x"}, {Path: "tier", Message: "ok"}}}
	r := audience.Run{Error: told, Stages: []audience.StageResult{{Error: told}}, Result: audience.RunResult{
		Files:   []audience.FileResult{{PlannedFile: audience.PlannedFile{Reason: "no score"}, MissingColumns: []string{"score", "tier"}}},
		Rejects: []audience.RejectSample{{Column: "score", Reason: "is no number"}, {Column: "tier", Reason: "is too long"}, {Reason: `"score" is there twice`}},
		Guards:  []audience.GuardResult{{Detail: "score, tier"}, {Detail: "tier"}}}}
	hidden := seenAudience.Hidden(nil)
	got := hidden.Run(r)
	if got.Error == told || told.Message != `column "SCORE" is missing` || r.Result.Files[0].MissingColumns[0] != "score" {
		t.Error("the run itself was changed")
	}
	const unseen = "this is about a field that has labels which the API client does not hold"
	want := audience.RunResult{
		Files:   []audience.FileResult{{PlannedFile: audience.PlannedFile{Reason: unseen}, MissingColumns: []string{"tier"}}},
		Rejects: []audience.RejectSample{{Reason: unseen}, {Column: "tier", Reason: "is too long"}, {Reason: unseen}},
		Guards:  []audience.GuardResult{{Detail: unseen}, {Detail: "tier"}}}
	if !reflect.DeepEqual(got.Result, want) {
		t.Errorf("%+v", got.Result)
	}
	for _, e := range []*audience.Error{got.Error, got.Stages[0].Error} {
		if e.Message != unseen || e.Code != audience.Impossible || !reflect.DeepEqual(e.Problems, []audience.Problem{{Path: unseen, Message: "x"}, {Path: "tier", Message: "ok"}}) {
			t.Errorf("%+v", e)
		}
	}
	if row := hidden.Rejected(audience.RejectedRow{Column: "tier", Reason: "is too long", Raw: []byte("a,7")}); row.Raw != nil || row.Column != "tier" {
		t.Errorf("%+v", row)
	}
	if row := (audience.Hidden)(nil).Rejected(audience.RejectedRow{Raw: []byte("a,7")}); row.Raw == nil {
		t.Error("who sees all fields does not see the raw text")
	}
}
