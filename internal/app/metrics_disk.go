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

// Intervals of measuring the files of the data directory: a minute if a measurement is fast, and otherwise so long that
// measuring takes 0.5 % of the time of one low-priority thread.
const (
	measureEvery = time.Minute
	measureShare = 200
)

// diskParts are the parts of the data directory in the metrics, by the prefixes of the names in it.
var diskParts = []struct{ part, names string }{
	{"lake", "lake"}, {"landing", "landing"}, {"profile", "profile"}, {"metadata", "roster.db catalog.db"}, {"cache", "cache"}, {"scratch", "scratch"}, {"other", ""},
}

// diskMetrics report the space that the data directory uses, and the free space.
type diskMetrics struct {
	data, lake                   string // folders; lake is "" if it lies in data
	used, measured, free, volume *prometheus.Desc

	mu    sync.Mutex
	bytes map[string]int64 // by part; nil before the first measurement
	at    time.Time        // when the measurement ended
}

func newDiskMetrics(data, lake string) *diskMetrics {
	m := &diskMetrics{
		data: data,
		used: prometheus.NewDesc("roster_disk_used_bytes", "Disk space that the files of the data directory and of the lake use, by part. It is measured about once a minute, less often if there are many files. Scratch files of runs have no names and are not counted.",
			[]string{"part"}, nil),
		measured: prometheus.NewDesc("roster_disk_measured_timestamp_seconds", "When roster_disk_used_bytes was measured, as Unix time.", nil, nil),
		free:     prometheus.NewDesc("roster_disk_free_bytes", "Free space for the server on the file system of the data directory and, if the lake lies elsewhere, on that of the lake.", []string{"volume"}, nil),
		volume:   prometheus.NewDesc("roster_disk_size_bytes", "Size of the file system of the data directory and, if the lake lies elsewhere, of that of the lake.", []string{"volume"}, nil),
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

// Collect implements prometheus.Collector. It reports the last measurement.
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

// watch measures periodically until ctx ends.
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

// measure measures the files. It skips files that vanish meanwhile and folders that it cannot read, because the metrics
// are no reason to fail.
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

// partOf returns the part that a file or folder of the data directory belongs to.
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

// roomOf returns the disk space of a file, or of a folder with its contents. It follows path itself if that is a
// symbolic link.
func roomOf(ctx context.Context, path string) (room int64) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	const blockSize = 512 // the unit of Stat_t, independent of the file system
	_ = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return nil // skip what cannot be read
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
