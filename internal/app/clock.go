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

// A wrong clock must not destroy anything. Data that is removed because of its age does not come back when the clock is
// corrected.
const (
	// clockGap is how far the clock may be ahead of the last time that a process saw and is still trusted. It covers a
	// server that is off over a weekend.
	clockGap = 48 * time.Hour
	// clockDoubt is how long a clock that is further ahead is not trusted. During that time nothing is removed because
	// of its age.
	clockDoubt = 24 * time.Hour
	// clockStep is how far a clock may be put back before jobs that wait for a time are woken.
	clockStep = time.Minute
	// clockSave is the interval at which the time is saved.
	clockSave = time.Minute
)

// clockMark is the content of the file clock of a data directory.
type clockMark struct {
	Seen time.Time `json:"seen"` // the last trusted time
	// DoubtedSince is when a clock that is not trusted was first seen, by that clock; DoubtedSeen is when it was last
	// seen. Both are zero while the clock is trusted.
	DoubtedSince time.Time `json:"doubtedSince,omitzero"`
	DoubtedSeen  time.Time `json:"doubtedSeen,omitzero"`
}

// clockWatch watches the clock. It is safe for concurrent use.
type clockWatch struct {
	path string
	now  func() time.Time
	log  *slog.Logger

	mu    sync.Mutex
	mark  clockMark
	last  time.Time // the time at the last call of look
	saved time.Time
}

// newClockWatch reads the time that earlier processes saved; a new data directory has none.
func newClockWatch(path string, now func() time.Time, log *slog.Logger) (*clockWatch, error) {
	g := &clockWatch{path: path, now: now, log: log}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return g, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &g.mark)
	}
	if err != nil {
		return nil, fmt.Errorf("read the last recorded time: %w; if %s is damaged, remove it", err, path)
	}
	g.last = g.mark.Seen
	if !g.mark.DoubtedSeen.IsZero() {
		g.last = g.mark.DoubtedSeen
	}
	return g, nil
}

// look records the time. back reports that the clock was put back since the last call.
func (g *clockWatch) look() (back bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now().UTC().Round(0) // without the monotonic clock, which does not show jumps
	back = now.Before(g.last.Add(-clockStep))
	was := g.mark
	m := &g.mark
	switch ahead := now.Sub(m.Seen); {
	case m.Seen.IsZero() || ahead <= clockGap:
		*m = clockMark{Seen: now}
		if !was.DoubtedSince.IsZero() {
			g.log.Info("the clock shows the expected time again", "time", now)
		}
	case m.DoubtedSince.IsZero() || now.Before(m.DoubtedSeen.Add(-clockStep)) || now.Sub(m.DoubtedSeen) > clockGap:
		m.DoubtedSince, m.DoubtedSeen = now, now
		g.log.Warn("the clock is far ahead of the last recorded time. For a day, no data is removed because of its age, and expired members are kept. If the clock is right, there is nothing to do",
			"time", now, "seen", m.Seen, "until", now.Add(clockDoubt))
	case now.Sub(m.DoubtedSince) >= clockDoubt:
		*m = clockMark{Seen: now}
		g.log.Info("the clock is trusted again: it has been consistent for a day", "time", now)
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

// save writes the file, either completely or not at all. It does not sync: after a loss of power an older time is good
// enough.
func (g *clockWatch) save() error {
	text, err := json.Marshal(g.mark)
	if err == nil {
		err = os.WriteFile(g.path+".tmp", append(text, '\n'), 0o600)
	}
	if err == nil {
		err = os.Rename(g.path+".tmp", g.path)
	}
	if err != nil {
		return fmt.Errorf("save the time: %w", err)
	}
	return nil
}

// trusted reports whether the clock is trusted. It looks at the clock again, because the clock may have jumped just
// before something is removed.
func (g *clockWatch) trusted() bool {
	if _, err := g.look(); err != nil {
		g.log.Error("watch the clock", "error", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mark.DoubtedSince.IsZero()
}
