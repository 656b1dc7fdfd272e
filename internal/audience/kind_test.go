package audience_test

import (
	"slices"
	"testing"
	"time"

	"roster/internal/audience"
)

// TestTraits has what each kind of run does, and what follows from it for a full, a differential, a forced and a dry run.
func TestTraits(t *testing.T) {
	t.Parallel()
	type request struct{ replaces, onlyNew, renews, ingests, stops bool }
	for kind, want := range map[audience.RunKind]struct {
		traits         audience.Traits
		reads, brings  bool
		full, merge    request
		renewedAt      string // what RenewedAt is after a full run: "created", "result" or "" for unchanged
		renewedByMerge string
	}{
		audience.RunIngest: {traits: audience.Traits{Input: audience.FromFiles, Guarded: true}, reads: true, brings: true,
			full: request{replaces: true, renews: true, ingests: true, stops: true}, merge: request{onlyNew: true, ingests: true, stops: true}, renewedAt: "created"},
		audience.RunResubmit: {traits: audience.Traits{Input: audience.FromFile, Guarded: true}, reads: true, brings: true,
			full: request{ingests: true, stops: true}, merge: request{ingests: true, stops: true}},
		audience.RunRollback: {traits: audience.Traits{Input: audience.FromVersion}, brings: true, renewedAt: "result", renewedByMerge: "result"},
		audience.RunExpire:   {traits: audience.Traits{Input: audience.FromMembers, Guarded: true, Automatic: true}, full: request{stops: true}, merge: request{stops: true}},
		audience.RunExtend: {traits: audience.Traits{Input: audience.FromMembers, Guarded: true, Renews: true}, full: request{renews: true, stops: true}, merge: request{renews: true, stops: true},
			renewedAt: "result", renewedByMerge: "result"},
		audience.RunAdopt: {traits: audience.Traits{Input: audience.FromOutside, Automatic: true}, brings: true, renewedAt: "result", renewedByMerge: "result"},
		audience.RunErase: {traits: audience.Traits{Input: audience.FromMembers, Erases: true, Urgent: true, Persistent: true}},
	} {
		if !slices.Contains(audience.RunKinds, kind) {
			t.Errorf("%s is not among the kinds", kind.Name())
		}
		if got := kind.Traits(); got != want.traits || got.ReadsFiles() != want.reads || got.BringsMembers() != want.brings {
			t.Errorf("%s: traits %+v, reads %v, brings %v", kind.Name(), got, got.ReadsFiles(), got.BringsMembers())
		}
		of := func(r audience.RunRequest) request {
			return request{r.Replaces(), r.OnlyNew(), r.Renews(), r.Ingests(), r.StopsAtGuards()}
		}
		for _, c := range []struct {
			name string
			request
			audience.RunRequest
		}{
			{"full", want.full, audience.RunRequest{Kind: kind}},
			{"differential", want.merge, audience.RunRequest{Kind: kind, Differential: true}},
			{"forced", request{want.full.replaces, want.full.onlyNew, want.full.renews, want.full.ingests, false}, audience.RunRequest{Kind: kind, Force: true}},
			{"dry", request{want.merge.replaces, want.merge.onlyNew, want.merge.renews, false, false}, audience.RunRequest{Kind: kind, Differential: true, DryRun: true}},
		} {
			if got := of(c.RunRequest); got != c.request {
				t.Errorf("%s, %s: %+v, want %+v", kind.Name(), c.name, got, c.request)
			}
		}
		run := audience.Run{Request: audience.RunRequest{Kind: kind}, CreatedAt: time.Unix(1, 0), Result: audience.RunResult{RefreshedAt: time.Unix(2, 0)}}
		times := map[string]time.Time{"": {}, "created": run.CreatedAt, "result": run.Result.RefreshedAt}
		if at, changed := run.RenewedAt(); !at.Equal(times[want.renewedAt]) || changed != (want.renewedAt != "") {
			t.Errorf("%s, full: renewed at %v, %v", kind.Name(), at, changed)
		}
		run.Request.Differential = true
		if at, changed := run.RenewedAt(); !at.Equal(times[want.renewedByMerge]) || changed != (want.renewedByMerge != "") {
			t.Errorf("%s, differential: renewed at %v, %v", kind.Name(), at, changed)
		}
	}
	for _, kind := range audience.RunKinds {
		if kind.Traits().Input == "" {
			t.Errorf("%s has no traits", kind.Name())
		}
	}
}

func TestCommitted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status audience.Status
		dry    bool
		want   bool
	}{
		{audience.Success, false, true}, {audience.Success, true, false},
		{audience.Failed, false, false}, {audience.Failed, true, false},
		{audience.Processing, false, false}, {audience.Processing, true, false},
	} {
		if got := (&audience.Run{Status: c.status, Request: audience.RunRequest{DryRun: c.dry}}).Committed(); got != c.want {
			t.Errorf("%s, dry %v: committed %v", c.status, c.dry, got)
		}
	}
}
