package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// isTerminal reports whether w shows to a person.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// count writes a number for people: 10,009.
func count(n int64) string { return humanize.Comma(n) }

// size writes a number of bytes for people.
func size(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// seconds writes a duration for people.
func seconds(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// table writes rows in aligned columns. The columns named in right hold numbers.
func table(w io.Writer, indent string, rows [][]string, right ...int) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	numeric := map[int]bool{}
	for _, i := range right {
		numeric[i] = true
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if numeric[i] {
				cell, pad = pad+cell, ""
			}
			b.WriteString(cell + pad + "  ")
		}
		fmt.Fprintln(w, strings.TrimRight(indent+b.String(), " "))
	}
}

// plainEvery is how often progress is told where no bar can be drawn.
const plainEvery = 5 * time.Second

// progress shows how far a run has come: a bar on a terminal, a line now and then elsewhere.
type progress struct {
	out  io.Writer
	bar  *progressbar.ProgressBar // nil where no bar can be drawn
	told time.Time

	step      string // the one in progress, and where it began
	began     time.Time
	first     int64 // bytes
	firstRows int64
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, told: time.Now(), step: "start", began: time.Now()}
	if isTerminal(out) {
		p.bar = progressbar.NewOptions64(1, progressbar.OptionSetWriter(out), progressbar.OptionSetWidth(24),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(false), progressbar.OptionClearOnFinish(),
			progressbar.OptionShowDescriptionAtLineEnd(), progressbar.OptionUseANSICodes(true), progressbar.OptionSetTheme(progressbar.Theme{Saucer: "█", SaucerPadding: "░"}))
	}
	return p
}

// update tells the state of the run: its step, the bytes read of all, and the rows read.
func (p *progress) update(step string, done, total, rows int64) {
	if step != "" && step != p.step {
		p.step, p.began, p.first, p.firstRows = step, time.Now(), done, rows
	}
	if p.bar != nil {
		p.bar.ChangeMax64(max(total, 1))
		p.bar.Describe(p.line(done, total, rows))
		_ = p.bar.Set64(min(done, max(total, 1)-1)) // a bar that is full ends itself
		return
	}
	if time.Since(p.told) >= plainEvery {
		p.told = time.Now()
		fmt.Fprintln(p.out, p.line(done, total, rows))
	}
}

// line is the state in words: what has been done, how fast this step is, and how long it may still take.
func (p *progress) line(done, total, rows int64) string {
	took := time.Since(p.began)
	parts := []string{fmt.Sprintf("%s of %s", size(done), size(total))}
	if rows > 0 {
		parts = append(parts, count(rows)+" rows")
	}
	switch elapsed := max(took.Seconds(), 0.001); {
	case rows > p.firstRows:
		parts = append(parts, count(int64(float64(rows-p.firstRows)/elapsed))+" rows/s")
	case done > p.first:
		parts = append(parts, size(int64(float64(done-p.first)/elapsed))+"/s")
	case took >= time.Second:
		parts = append(parts, "for "+took.Round(time.Second).String())
	}
	if done > p.first && done < total {
		left := time.Duration(float64(took) * float64(total-done) / float64(done-p.first))
		parts = append(parts, "about "+left.Round(time.Second).String()+" left")
	}
	return p.step + ": " + strings.Join(parts, ", ")
}

// finish takes the bar away.
func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
