package app

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"roster/internal/background"
)

// How often the files of the data directory are looked through: once a minute where they are few, and so rarely where
// they are many that a look takes a two-hundredth of the time of a thread of the lowest priority.
const (
	measureEvery = time.Minute
	measureShare = 200
)

// diskParts are the parts of the data directory that are told apart, by the beginnings of the names in it.
var diskParts = []struct{ part, names string }{
	{"lake", "lake"}, {"landing", "landing"}, {"profile", "profile"}, {"metadata", "roster.db catalog.db"}, {"scratch", "scratch"}, {"other", ""},
}

// diskMetrics tell what the data directory takes of the disk, and what is left.
type diskMetrics struct {
	data, lake                   string // folders; lake is "" where it lies in data
	used, measured, free, volume *prometheus.Desc

	mu    sync.Mutex
	bytes map[string]int64 // by part; nil before the first look has ended
	at    time.Time        // when it ended
}

func newDiskMetrics(data, lake string) *diskMetrics {
	m := &diskMetrics{
		data: data,
		used: prometheus.NewDesc("roster_disk_used_bytes", "Room that the files of the data directory and of the lake take on the disk, by part. They are looked through about once a minute, more rarely where they are many. Scratch files of runs have no names and are not counted.",
			[]string{"part"}, nil),
		measured: prometheus.NewDesc("roster_disk_measured_timestamp_seconds", "When roster_disk_used_bytes was measured, as Unix time.", nil, nil),
		free:     prometheus.NewDesc("roster_disk_free_bytes", "Room that is left to the server on the file system of the data directory and, where the lake lies elsewhere, on that of the lake.", []string{"volume"}, nil),
		volume:   prometheus.NewDesc("roster_disk_size_bytes", "Size of the file system of the data directory and, where the lake lies elsewhere, of that of the lake.", []string{"volume"}, nil),
	}
	if rel, err := filepath.Rel(data, lake); err != nil || !filepath.IsLocal(rel) {
		m.lake = lake
	}
	return m
}

// Describe implements prometheus.Collector.
func (m *diskMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.used, m.measured, m.free, m.volume} {
		to <- d
	}
}

// Collect implements prometheus.Collector. What the files take was measured before.
func (m *diskMetrics) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for volume, dir := range map[string]string{"data": m.data, "lake": m.lake} {
		var st syscall.Statfs_t
		if dir == "" || syscall.Statfs(dir, &st) != nil {
			continue
		}
		gauge(m.free, float64(st.Bavail)*float64(st.Bsize), volume)
		gauge(m.volume, float64(st.Blocks)*float64(st.Bsize), volume)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bytes == nil {
		return
	}
	for part, bytes := range m.bytes {
		gauge(m.used, float64(bytes), part)
	}
	gauge(m.measured, float64(m.at.UnixMilli())/1000)
}

// watch measures again and again until ctx ends.
func (m *diskMetrics) watch(ctx context.Context) {
	defer background.Thread()()
	for ctx.Err() == nil {
		begun := time.Now()
		m.measure(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(max(measureEvery, measureShare*time.Since(begun))):
		}
	}
}

// measure looks through the files. Those that vanish meanwhile take nothing, and a folder that cannot be read is left
// out: the metrics are no reason to fail.
func (m *diskMetrics) measure(ctx context.Context) {
	bytes := map[string]int64{}
	entries, err := os.ReadDir(m.data)
	if err != nil {
		return
	}
	for _, p := range diskParts {
		bytes[p.part] = 0
	}
	for _, e := range entries {
		bytes[partOf(e.Name())] += roomOf(ctx, filepath.Join(m.data, e.Name()))
	}
	if m.lake != "" {
		bytes["lake"] += roomOf(ctx, m.lake)
	}
	if ctx.Err() != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bytes, m.at = bytes, time.Now()
}

// partOf is the part that a file or folder of the data directory belongs to.
func partOf(name string) string {
	for _, p := range diskParts {
		for own := range strings.FieldsSeq(p.names) {
			if rest, ok := strings.CutPrefix(name, own); ok && (rest == "" || rest[0] == '.' || rest[0] == '-') {
				return p.part
			}
		}
	}
	return "other"
}

// roomOf is what a file, or a folder with all that is in it, takes on the disk. A symbolic link of the operator's is
// followed at path.
func roomOf(ctx context.Context, path string) (room int64) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	const blockSize = 512 // of Stat_t, whatever the file system's is
	_ = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return nil // what is behind it is left out
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			room += int64(st.Blocks) * blockSize
		}
		return nil
	})
	return room
}
