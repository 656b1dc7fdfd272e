package tabular

import (
	"fmt"
	"runtime/debug"

	"roster/internal/background"
)

// Guard is how the goroutines of a read begin: on threads that make way for requests, and a panic becomes an error,
// since a file must never end the process.
func Guard(fn func() error) func() error {
	return func() (err error) {
		defer background.Thread()()
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("tabular: panic: %v\n%s", p, debug.Stack())
			}
		}()
		return fn()
	}
}
