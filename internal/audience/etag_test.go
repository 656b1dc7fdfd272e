package audience_test

import (
	"testing"
	"time"

	"roster/internal/audience"
)

func TestEtag(t *testing.T) {
	t.Parallel()
	first := audience.Audience{ID: "a", Name: "list", State: audience.StatePublished, Labels: []string{"core/C1"}, CreatedAt: time.Unix(1, 0).UTC()}
	seen := map[string]string{first.Etag(): "itself"}
	if len(first.Etag()) != 34 || first.Etag()[0] != '"' {
		t.Errorf("the etag is %s", first.Etag())
	}
	for what, change := range map[string]func(*audience.Audience){
		"state":   func(a *audience.Audience) { a.State = audience.StateDraft },
		"labels":  func(a *audience.Audience) { a.Labels = []string{"core/C2"} },
		"members": func(a *audience.Audience) { a.Members++ },
		"run":     func(a *audience.Audience) { a.LastRun = "r" },
		"time":    func(a *audience.Audience) { a.UpdatedAt = time.Unix(2, 1000).UTC() },
		"another": func(a *audience.Audience) { a.ID = "b" },
	} {
		a := first
		change(&a)
		if other, taken := seen[a.Etag()]; taken {
			t.Errorf("%s has the etag of %s", what, other)
		}
		seen[a.Etag()] = what
	}
	maintained := first
	maintained.MaintainedAt = time.Unix(9, 0)
	if maintained.Etag() != first.Etag() {
		t.Error("maintenance, which nobody sees, changes the etag")
	}
}
