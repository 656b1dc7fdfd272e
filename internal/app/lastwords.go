package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"

	"roster/internal/audience"
	"roster/internal/work"
)

// lastWords are the records that a process leaves in the data directory for the next one. They tell whether the process
// crashed, perhaps because of the work that it did, or was killed from outside, which is not a fault of the work.
//
// The file crash.log begins with a line about the process. After it the Go runtime writes the reason for a crash: a
// panic, or that the system gives no more memory. A process that the kernel kills for lack of memory writes nothing,
// but the kernel counts such kills. The file reading has a slot for each file that is being read. Neither file is
// synced, because both only have to survive the process, not the machine.
// both are for what survives a process, not a machine.
type lastWords struct {
	dir     string
	crash   *os.File
	reading *os.File

	mu   sync.Mutex
	free []int64 // unused slots of the file reading
	next int64
}

// Names in the data directory.
const (
	crashFile    = "crash.log"
	readingFile  = "reading"
	crashedFile  = "crash.last" // the report of the last process that crashed
	readingPlace = 4 << 10      // bytes of a slot
)

// wordsHead is the first line of crash.log.
type wordsHead struct {
	Worker string `json:"worker"`
	Boot   string `json:"boot"`  // of the machine
	Kills  int64  `json:"kills"` // counted by the kernel so far
}

// death reads the records of the previous process. A process that stopped normally leaves none.
func (w *lastWords) death() (work.Death, error) {
	text, err := os.ReadFile(w.path(crashFile))
	if errors.Is(err, fs.ErrNotExist) {
		return work.Death{}, nil
	}
	if err != nil {
		return work.Death{}, err
	}
	line, words, _ := bytes.Cut(text, []byte("\n"))
	var head wordsHead
	if json.Unmarshal(line, &head) != nil {
		return work.Death{}, nil // the process ended before it wrote the line
	}
	d := work.Death{Worker: head.Worker, Files: map[string][]string{}}
	boot, kills := kernelKills()
	switch {
	case bytes.HasPrefix(words, []byte("SIGQUIT")): // a person asked for the stacks
	case len(words) > 0 && (bytes.Contains(words, []byte("out of memory")) || bytes.Contains(words, []byte("cannot allocate memory"))):
		d.Cause = "out of memory"
	case len(words) > 0:
		d.Cause = "a fault of the program, in " + crashedFile + " of the data directory"
	case boot != "" && boot == head.Boot && kills > head.Kills:
		d.Cause = "killed by the system for lack of memory"
	}
	if len(words) > 0 {
		if err := os.WriteFile(w.path(crashedFile), words, 0o600); err != nil {
			return d, err
		}
	}
	places, err := os.ReadFile(w.path(readingFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	for ; len(places) > 0; places = places[min(len(places), readingPlace):] {
		run, path, _ := strings.Cut(strings.TrimRight(string(places[:min(len(places), readingPlace)]), "\x00"), "\n")
		if run != "" {
			d.Files[run] = append(d.Files[run], path)
		}
	}
	return d, nil
}

// begin creates the files for this process.
func (w *lastWords) begin(worker string) (err error) {
	const flags = os.O_CREATE | os.O_TRUNC | os.O_WRONLY
	if w.reading, err = os.OpenFile(w.path(readingFile), flags, 0o600); err != nil {
		return err
	}
	if w.crash, err = os.OpenFile(w.path(crashFile), flags|os.O_APPEND, 0o600); err != nil {
		return err
	}
	head := wordsHead{Worker: worker}
	head.Boot, head.Kills = kernelKills()
	line, err := json.Marshal(head)
	if err != nil {
		return err
	}
	if _, err := w.crash.Write(append(line, '\n')); err != nil {
		return err
	}
	return debug.SetCrashOutput(w.crash, debug.CrashOptions{})
}

// close removes the files, because the process stops normally.
func (w *lastWords) close() error {
	if w.crash == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	err := errors.Join(debug.SetCrashOutput(nil, debug.CrashOptions{}), w.crash.Close(), w.reading.Close(), os.Remove(w.path(crashFile)), os.Remove(w.path(readingFile)))
	w.crash, w.reading = nil, nil
	return err
}

func (w *lastWords) path(name string) string { return w.dir + string(os.PathSeparator) + name }

// note records that a file is being read for a run, until done is called. If the record cannot be written, the run
// still reads the file.
func (w *lastWords) note(run audience.RunID, path string) (done func()) {
	text := make([]byte, readingPlace)
	copy(text, string(run)+"\n"+path)
	w.mu.Lock()
	defer w.mu.Unlock()
	place := w.next
	if n := len(w.free); n > 0 {
		place, w.free = w.free[n-1], w.free[:n-1]
	} else {
		w.next += readingPlace
	}
	w.write(text, place)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.write(make([]byte, readingPlace), place)
		w.free = append(w.free, place)
	}
}

func (w *lastWords) write(text []byte, at int64) {
	if w.reading != nil {
		_, _ = w.reading.WriteAt(text, at) // without the record, an error names no file
	}
}

// kernelKills returns the id of the machine's boot, and how many processes the kernel has killed for lack of memory
// since then; "" if the system does not tell.
func kernelKills() (boot string, kills int64) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", 0
	}
	counts, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return "", 0
	}
	for line := range strings.Lines(string(counts)) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			kills, err = strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			if err == nil {
				return strings.TrimSpace(string(id)), kills
			}
		}
	}
	return "", 0
}
