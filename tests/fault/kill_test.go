//go:build fault

package fault

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/fault"
)

// The variables that turn this test binary into the process to kill: its directory, its work, and the place and count
// of passes at which it is killed.
const (
	childDir   = "ROSTER_FAULT_DIR"
	childPlace = "ROSTER_FAULT_PLACE"
	childDoing = "ROSTER_FAULT_DOING"
)

// TestKillAtEveryPlace kills the process at each named place of a run, before and after each write and commit. The next
// process completes the run, with the result of an undisturbed run.
func TestKillAtEveryPlace(t *testing.T) {
	for name, do := range runs {
		t.Run(name, func(t *testing.T) {
			tp := newTemplate(t, do)
			for _, c := range killings(tp.places) {
				t.Run(fmt.Sprintf("%s-%d", c.place, c.pass), func(t *testing.T) { killAt(t, tp, name, c) })
			}
		})
	}
}

func killAt(t *testing.T, tp *template, name string, c killing) {
	tp.restore(t)
	started := killChild(t, tp.dir, name, c)
	w := open(t, tp.dir)
	defer w.close()
	w.drain()
	want, status := tp.after, w.lastStatus(tp)
	if status == "" && !started {
		want = tp.before
	} else if status != audience.Success {
		t.Fatalf("the run ended %q", status)
	}
	if got := w.state(); got != want {
		t.Fatalf("there is\n%swant\n%s", got, want)
	}
	w.addsUp(tp, c.place)
	if left := w.leftovers(); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	if status == "" {
		return
	}
	w.takesAnother(c.place)
}

type killing struct {
	place string
	pass  int
}

// killings lists the places in the order of their first pass.
func killings(places []string) (list []killing) {
	passes := map[string]int{}
	for _, p := range places {
		passes[p]++
		list = append(list, killing{p, passes[p]})
	}
	return list
}

// killChild runs work in a process that is killed on its way. It reports whether the work was acknowledged before the
// kill.
func killChild(t *testing.T, dir, doing string, c killing) (started bool) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childDir+"="+dir, childDoing+"="+doing, fmt.Sprintf("%s=%s %d", childPlace, c.place, c.pass))
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the process was to be killed at %s, and ended with %v:\n%s", c.place, err, out)
	}
	return string(out) == acknowledged
}

const acknowledged = "it is begun\n"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		beKilled(dir)
	}
	os.Exit(m.Run())
}

// beKilled does the work that the variables name and kills the process on the way.
func beKilled(dir string) {
	var c killing
	if _, err := fmt.Sscanf(os.Getenv(childPlace), "%s %d", &c.place, &c.pass); err != nil {
		panic(err)
	}
	doing := os.Getenv(childDoing)
	do, ok := runs[doing]
	if !ok {
		do, ok = besideOthers[doing]
	}
	if !ok {
		do = map[string]effort{"erase": erasing, "maintain": maintaining}[doing]
	}
	passed := 0
	var count counter
	count.act = func(_ int, place string) error {
		if place != c.place {
			return nil
		}
		count.mu.Lock()
		defer count.mu.Unlock()
		if passed++; passed == c.pass {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	}
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "the child", F: func(t *testing.T) {
		w := open(t, dir)
		fault.Set(count.at)
		w.must(do.begin(w))
		fmt.Print(acknowledged)
		w.must(do.goOn(w))
		w.close()
	}}}, nil, nil)
}
