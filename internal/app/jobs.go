package app

import (
	"roster/internal/background"
	"roster/internal/queue"
)

// working takes note of a job that begins.
func working(k queue.Kind) (ended func()) {
	switch k {
	case queue.RunJob, queue.MaintainJob, queue.EraseJob:
		background.Working(1)
		return func() { background.Working(-1) }
	}
	return func() {}
}
