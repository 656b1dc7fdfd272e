package background

import (
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

const lowest = 19 // nice

func thread() {
	runtime.LockOSThread()
	// Without the priority the work is done all the same. Of two threads of different nice values the one that wakes up may wait
	// for the other's time slice; for one that is idle by its policy nobody waits.
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), lowest)
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE, Nice: lowest}, 0)
}
