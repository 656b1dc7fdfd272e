package background

import (
	"fmt"
	"runtime/debug"
)

// Recovering returns a function that runs fn on a thread of its own, as Thread does, and returns a panic of fn as an error: a damaged file
// must never end the process.
func Recovering(fn func() error) func() error {
	return func() (err error) {
		defer Thread()()
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		return fn()
	}
}
