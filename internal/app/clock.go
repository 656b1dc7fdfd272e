package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// A clock that is wrong must not destroy anything: what is removed for its age would not come back with the right time.
const (
	// clockGap is how far the clock may be ahead of the last time that a process saw without being doubted: so long a server is off
	// over a weekend.
	clockGap = 48 * time.Hour
	// clockDoubt is how long a clock that is further ahead is doubted. Until then nothing is removed for its age.
	clockDoubt = 24 * time.Hour
	// clockStep is what a clock may be put back without anything that waits for a time being woken.
	clockStep = time.Minute
	// clockSave is how often the time is written down.
	clockSave = time.Minute
)

// clockMark is what the file clock of a data directory holds.
type clockMark struct {
	Seen time.Time `json:"seen"` // the last time that was not doubted
	// DoubtedSince is when the doubted clock was first seen, by that clock, and DoubtedSeen when last; zero for no doubt.
	DoubtedSince time.Time `json:"doubtedSince,omitzero"`
	DoubtedSeen  time.Time `json:"doubtedSeen,omitzero"`
}

// clockGuard watches the clock. It is safe for concurrent use.
type clockGuard struct {
	path string
	now  func() time.Time
	log  *slog.Logger

	mu    sync.Mutex
	mark  clockMark
	last  time.Time // of the last look
	saved time.Time
}

// newClockGuard reads what the processes before have seen; nothing was seen in a new data directory.
func newClockGuard(path string, now func() time.Time, log *slog.Logger) (*clockGuard, error) {
	g := &clockGuard{path: path, now: now, log: log}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return g, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &g.mark)
	}
	if err != nil {
		return nil, fmt.Errorf("read the last time that was seen: %w; if %s is damaged, remove it", err, path)
	}
	g.last = g.mark.Seen
	if !g.mark.DoubtedSeen.IsZero() {
		g.last = g.mark.DoubtedSeen
	}
	return g, nil
}

// look takes note of the time. back reports that the clock was put back since the last look.
func (g *clockGuard) look() (back bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now().UTC().Round(0) // without the monotonic clock, which knows of no jumps
	back = now.Before(g.last.Add(-clockStep))
	was := g.mark
	m := &g.mark
	switch ahead := now.Sub(m.Seen); {
	case m.Seen.IsZero() || ahead <= clockGap:
		*m = clockMark{Seen: now}
		if !was.DoubtedSince.IsZero() {
			g.log.Info("the clock is back where it was expected", "time", now)
		}
	case m.DoubtedSince.IsZero() || now.Before(m.DoubtedSeen.Add(-clockStep)) || now.Sub(m.DoubtedSeen) > clockGap:
		m.DoubtedSince, m.DoubtedSeen = now, now
		g.log.Warn("the clock is far ahead of the time that was seen last; nothing is removed for its age for a day, nor do members expire for good. If the clock is right, nothing is to be done",
			"time", now, "seen", m.Seen, "until", now.Add(clockDoubt))
	case now.Sub(m.DoubtedSince) >= clockDoubt:
		*m = clockMark{Seen: now}
		g.log.Info("the clock is taken for right: it has been so for a day", "time", now)
	default:
		m.DoubtedSeen = now
	}
	if back {
		g.log.Warn("the clock was put back", "time", now, "seen", g.last)
	}
	g.last = now
	if was.DoubtedSince.Equal(m.DoubtedSince) && !back && now.Sub(g.saved) < clockSave {
		return back, nil
	}
	g.saved = now
	return back, g.save()
}

// save writes the file, whole or not at all. It needs not survive a loss of power: an older time is as good.
func (g *clockGuard) save() error {
	text, err := json.Marshal(g.mark)
	if err == nil {
		err = os.WriteFile(g.path+".tmp", append(text, '\n'), 0o600)
	}
	if err == nil {
		err = os.Rename(g.path+".tmp", g.path)
	}
	if err != nil {
		return fmt.Errorf("write down the time: %w", err)
	}
	return nil
}

// settled reports whether the clock is not doubted, by a look of now: it may have jumped just before something is removed.
func (g *clockGuard) settled() bool {
	if _, err := g.look(); err != nil {
		g.log.Error("watch the clock", "error", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mark.DoubtedSince.IsZero()
}
