package control

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/source"
)

func TestTableID(t *testing.T) {
	t.Parallel()
	seen := map[string]audience.Scope{}
	safe := regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	for _, s := range []audience.Scope{
		{Org: "ABC@RosterOrg", Sandbox: "prod"}, {Org: "ABC_RosterOrg", Sandbox: "prod"}, {Org: "ABC_40RosterOrg", Sandbox: "prod"},
		{Org: "a", Sandbox: "40@"}, {Org: "a@", Sandbox: "40"}, {Org: "a_", Sandbox: "b"}, {Org: "a", Sandbox: "_b"}, {Org: "a__b", Sandbox: "c"}, {Org: "a", Sandbox: "b__c"},
		{Org: "../..", Sandbox: "x/y"}, {Org: "", Sandbox: "a"}, {Org: "a", Sandbox: ""}, {Org: "å", Sandbox: "b"}, {Org: "a.b", Sandbox: "c"}, {Org: "a-b", Sandbox: "c"},
	} {
		id := tableID(s, "0b6f3a57")
		if !safe.MatchString(id.Namespace) || id.Name != "0b6f3a57" {
			t.Errorf("%+v: %+v", s, id)
		}
		if other, taken := seen[id.Namespace]; taken {
			t.Errorf("%+v and %+v are both %s", s, other, id.Namespace)
		}
		seen[id.Namespace] = s
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	for id, want := range map[audience.ID]bool{
		"0b6f3a57-1111-4222-8333-444455556666": true, "0B6F3A57-1111-4222-8333-444455556666": true,
		"0b6f3a57111142228333444455556666": false, "{0b6f3a57-1111-4222-8333-444455556666}": false,
		"urn:uuid:0b6f3a57-1111-4222-8333-444455556666": false, "": false, "x": false,
	} {
		if got, ok := canonical(id); ok != want || ok && got != "0b6f3a57-1111-4222-8333-444455556666" {
			t.Errorf("%s: %q %v", id, got, ok)
		}
	}
}

// TestCacheForgets lets a change come between a load and the moment at which its result is kept.
func TestCacheForgets(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	stored, loads := 1, 0
	var c *cache[string, int]
	c = newCache(func() time.Time { return now }, func(context.Context, string) (int, error) {
		loads++
		v := stored
		if loads == 1 {
			stored = 2
			c.forget()
		}
		if loads == 4 {
			return 0, errors.New("down")
		}
		return v, nil
	})
	for i, want := range []int{1, 2, 2} {
		if got, err := c.get(t.Context(), "k"); got != want || err != nil {
			t.Errorf("%d: %d, %v", i, got, err)
		}
	}
	if loads != 2 {
		t.Errorf("%d loads", loads)
	}
	stored = 3
	now = now.Add(cacheFor)
	if got, _ := c.get(t.Context(), "k"); got != 3 {
		t.Errorf("after a while: %d", got)
	}
	now = now.Add(cacheFor)
	if _, err := c.get(t.Context(), "k"); err == nil {
		t.Error("an error was kept as a value")
	}
	for i := range cacheSize + 10 {
		if _, err := c.get(t.Context(), string(rune(i))); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.entries); n > cacheSize {
		t.Errorf("%d entries", n)
	}
}

// oneError is a store whose every answer is an error.
type oneError struct {
	source.Store
	err error
}

func (s oneError) Stat(context.Context, string) (source.Object, error)             { return source.Object{}, s.err }
func (s oneError) List(context.Context, string, func(o source.Object) error) error { return s.err }

// absentPath is a store in which no path exists. Its root is listed with an error.
type absentPath struct {
	source.Store
	rootError error
}

func (s absentPath) Stat(_ context.Context, path string) (source.Object, error) {
	return source.Object{}, fmt.Errorf("%s: %w", path, source.ErrNotExist)
}

func (s absentPath) List(_ context.Context, folder string, _ func(o source.Object) error) error {
	if folder != "" {
		return fmt.Errorf("%s: %w", folder, source.ErrNotExist)
	}
	return s.rootError
}

func TestExists(t *testing.T) {
	t.Parallel()
	for _, typ := range []audience.PathType{audience.PathFile, audience.PathFolder} {
		spec := audience.SourceSpec{Path: "lists/a", Type: typ}
		for err, want := range map[error]audience.Code{
			source.ErrOutside: audience.Invalid, source.ErrPermission: audience.Invalid,
			errors.New("input/output error"): audience.BadGateway, nil: "",
		} {
			if err != nil {
				err = fmt.Errorf("lists/a: %w", err)
			}
			absent, got := exists(t.Context(), oneError{err: err}, spec)
			if absent != "" || want == "" && got != nil || want != "" && audience.CodeOf(got) != want {
				t.Errorf("%s, %v: %q, %v", typ, err, absent, got)
			}
		}
		// A path that is not there is one thing, a root that is not there another.
		absent, err := exists(t.Context(), absentPath{rootError: errSeen}, spec)
		if !strings.Contains(absent, "lists/a") || err != nil {
			t.Errorf("%s, an absent path: %q, %v", typ, absent, err)
		}
		for _, broken := range []error{source.ErrNotExist, source.ErrNoBucket, source.ErrPermission} {
			if absent, err := exists(t.Context(), absentPath{rootError: broken}, spec); absent != "" || audience.CodeOf(err) == "" {
				t.Errorf("%s, a root of which the store says %v: %q, %v", typ, broken, absent, err)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var coded *audience.Error
	if _, err := exists(ctx, oneError{err: ctx.Err()}, audience.SourceSpec{Path: "a", Type: audience.PathFile}); !errors.Is(err, context.Canceled) || errors.As(err, &coded) {
		t.Errorf("a stopping process failed a task: %v", err)
	}
}
