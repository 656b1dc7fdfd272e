package app

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"
)

// TestClockGuard walks through jumps of the clock, with a new process now and then.
func TestClockGuard(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, steps := range map[string][]struct {
		by      time.Duration // how far the clock goes on, or back
		restart bool
		trusted bool
		back    bool
	}{
		"a usual week":        {{by: time.Minute, trusted: true}, {by: 47 * time.Hour, restart: true, trusted: true}, {by: 5 * time.Second, trusted: true}},
		"off for a fortnight": {{by: time.Hour, trusted: true}, {by: 14 * day, restart: true}, {by: 12 * time.Hour}, {by: 11 * time.Hour, restart: true}, {by: time.Hour, trusted: true}, {by: day, trusted: true}},
		"forward and back": {{by: time.Hour, trusted: true}, {by: 365 * day}, {by: time.Hour}, {by: -365 * day, trusted: true, back: true},
			{by: time.Hour, trusted: true}, {by: 365 * day}},
		"forward, restarted, back": {{by: time.Hour, trusted: true}, {by: 365 * day, restart: true}, {by: time.Hour, restart: true}, {by: -365 * day, restart: true, trusted: true, back: true}},
		"believed, then back":      {{by: 365 * day}, {by: 23 * time.Hour}, {by: time.Hour, trusted: true}, {by: -366 * day, trusted: true, back: true}, {by: 3 * day}},
		"forward twice":            {{by: 100 * day}, {by: 20 * time.Hour}, {by: 100 * day}, {by: 20 * time.Hour}, {by: 4 * time.Hour, trusted: true}},
		"back an hour":             {{by: time.Hour, trusted: true}, {by: -time.Hour, trusted: true, back: true}, {by: time.Minute, trusted: true}},
		"put right by a second":    {{by: -time.Second, trusted: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Date(2026, 5, 13, 20, 19, 0, 0, time.UTC)
			path := filepath.Join(t.TempDir(), "clock")
			open := func() *clockWatch {
				g, err := newClockWatch(path, func() time.Time { return now }, slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				return g
			}
			g := open()
			if back, err := g.look(); back || err != nil || !g.trusted() {
				t.Fatalf("a new directory: %v, %v", back, err)
			}
			for i, s := range steps {
				if now = now.Add(s.by); s.restart {
					g = open()
				}
				back, err := g.look()
				if err != nil || back != s.back || g.trusted() != s.trusted {
					t.Errorf("step %d: trusted %v, back %v, %v", i, g.trusted(), back, err)
				}
			}
		})
	}
	path := filepath.Join(t.TempDir(), "clock")
	write(t, path, "{")
	if _, err := newClockWatch(path, time.Now, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a damaged file was taken")
	}
}
