package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
)

// plainEvery is the interval between lines of progress where the output cannot show a bar.
const plainEvery = 5 * time.Second

// progress shows the progress of work over all of its steps: a bar on a terminal, and a line every few seconds
// elsewhere.
type progress struct {
	out   io.Writer
	bar   *progressbar.ProgressBar // nil where the output cannot show a bar
	steps []step
	told  time.Time
	began time.Time // when the first part was done
	share float64   // done so far of all work, 0 to 1; it never decreases
	first float64   // the share at began
}

// step is a part of the work: its names in the API, its text for people, and its share of the time.
type step struct {
	names  []string
	text   string
	weight float64
}

// The steps of an upload and of a run. A run waits for files to settle before it reads.
var (
	uploadStep = step{[]string{"upload"}, "uploading", 2}
	runSteps   = []step{
		{[]string{"start", "plan", "settle"}, "waiting for the run to read the file", 0},
		{[]string{"read"}, "reading", 3},
		{[]string{"merge"}, "merging", 5},
		{[]string{"commit", "project"}, "publishing", 2},
	}
)

func newProgress(out io.Writer, steps ...step) *progress {
	p := &progress{out: out, steps: steps, told: time.Now(), began: time.Now()}
	if canRedraw(out) {
		p.bar = progressbar.NewOptions64(barSize, progressbar.OptionSetWriter(out), progressbar.OptionSetWidth(24),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(false), progressbar.OptionClearOnFinish(),
			progressbar.OptionShowDescriptionAtLineEnd(), progressbar.OptionUseANSICodes(true), progressbar.OptionSetTheme(progressbar.Theme{Saucer: "█", SaucerPadding: "░"}))
	}
	return p
}

const barSize = 1000

// update reports the state of a step: the bytes done, and the rows read.
func (p *progress) update(name string, done, total, rows int64) {
	before, all, now := 0.0, 0.0, step{}
	for _, s := range p.steps {
		for _, n := range s.names {
			if n == name {
				before, now = all, s
			}
		}
		all += s.weight
	}
	share := (before + now.weight*min(1, float64(done)/float64(max(total, 1)))) / all
	if now.text == "publishing" { // its bytes are those already read
		share = before / all
	}
	if p.share = max(p.share, share); p.share == 0 {
		p.began = time.Now()
	} else if p.first == 0 {
		p.first = p.share
	}
	switch {
	case p.bar != nil:
		p.bar.Describe(p.line(now.text, rows))
		_ = p.bar.Set64(min(int64(p.share*barSize), barSize-1)) // a full bar ends itself
	case time.Since(p.told) >= plainEvery:
		p.told = time.Now()
		fmt.Fprintf(p.out, "%.0f %%: %s\n", 100*p.share, p.line(now.text, rows))
	}
}

// line describes the state in words: the current step, and an estimate of the time left.
func (p *progress) line(text string, rows int64) string {
	parts := []string{text}
	if rows > 0 {
		parts = append(parts, count(rows)+" rows")
	}
	if took := time.Since(p.began); took > time.Second && p.share > p.first {
		left := time.Duration(float64(took) * (1 - p.share) / (p.share - p.first))
		parts = append(parts, "about "+left.Round(time.Second).String()+" left")
	}
	return strings.Join(parts, ", ")
}

// finish removes the bar, if there is one.
func (p *progress) finish() {
	if p != nil && p.bar != nil {
		_ = p.bar.Finish()
	}
}

// above returns a writer of whole lines to w. It removes the bar before each line.
func (p *progress) above(w io.Writer) io.Writer {
	if p.bar == nil {
		return w
	}
	return aboveBar{w, p.bar}
}

type aboveBar struct {
	io.Writer
	bar *progressbar.ProgressBar
}

func (a aboveBar) Write(text []byte) (int, error) {
	_ = a.bar.Clear()
	return a.Writer.Write(text)
}
