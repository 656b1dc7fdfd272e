//go:build fault

package fault

import "sync/atomic"

var hook atomic.Pointer[func(place string) error]

// Set makes every place call fn, which may return the place's error or end the process; nil makes places do
// nothing again. fn is called from many goroutines.
func Set(fn func(place string) error) {
	if fn == nil {
		hook.Store(nil)
		return
	}
	hook.Store(&fn)
}

// At is a place of that name; it returns the error that happens there.
func At(place string) error {
	if fn := hook.Load(); fn != nil {
		return (*fn)(place)
	}
	return nil
}
