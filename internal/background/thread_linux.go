package background

import (
	"runtime"
	"syscall"
)

const lowest = 19 // nice

func thread() (id int) {
	runtime.LockOSThread()
	return syscall.Gettid()
}

// lower gives a thread the lowest priority. Without it the work is done all the same.
func lower(id int) { _ = syscall.Setpriority(syscall.PRIO_PROCESS, id, lowest) }
