package background

import (
	"runtime"
	"syscall"
)

const lowest = 19 // nice

func thread() {
	runtime.LockOSThread()
	// Without the priority the work is done all the same.
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), lowest)
}
