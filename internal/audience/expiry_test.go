package audience_test

import (
	"testing"
	"time"

	"roster/internal/audience"
)

func TestExpiry(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	at := func(days int) int64 { return time.Unix(0, 0).Add(time.Duration(days) * day).UnixMicro() }
	renewed := func(days int) time.Time { return time.UnixMicro(at(days)) }
	for _, c := range []struct {
		name      string
		renewed   time.Time
		seen, now int64
		expires   int64
		over      bool
	}{
		{"just before", time.Time{}, at(10), at(40) - 1, at(40), false},
		{"at the very moment", time.Time{}, at(10), at(40), at(40), true},
		{"after", time.Time{}, at(10), at(41), at(40), true},
		{"renewed later", renewed(20), at(10), at(49), at(50), false},
		{"renewed later, over", renewed(20), at(10), at(50), at(50), true},
		{"renewed before the member was brought", renewed(5), at(10), at(39), at(40), false},
		{"renewed at the same time", renewed(10), at(10), at(40), at(40), true},
		{"never brought", time.Time{}, 0, at(30), at(30), true},
	} {
		e := audience.ExpiryOf(30*day, c.renewed)
		if got := e.At(c.seen); got != c.expires || e.Over(c.seen, c.now) != c.over {
			t.Errorf("%s: expires %v, over %v", c.name, time.UnixMicro(got).UTC(), e.Over(c.seen, c.now))
		}
		if e.Suspended().Over(c.seen, c.now) {
			t.Errorf("%s: over, though nobody expires", c.name)
		}
	}
	if q := audience.ExpiryOf(day, renewed(3)).Qualified(at(2)); q != at(3) {
		t.Errorf("qualified %v", time.UnixMicro(q).UTC())
	}
}

func TestStillShown(t *testing.T) {
	t.Parallel()
	ended := time.Unix(1000, 0)
	for _, c := range []struct {
		now  time.Time
		want bool
	}{
		{ended, true}, {ended.Add(audience.ExitedFor - 1), true}, {ended.Add(audience.ExitedFor), false}, {ended.Add(audience.ExitedFor + 1), false},
	} {
		if got := audience.StillShown(ended, c.now); got != c.want {
			t.Errorf("%v after the end: %v", c.now.Sub(ended), got)
		}
	}
}
