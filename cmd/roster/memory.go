package main

import (
	"os"
	"runtime"
	"runtime/debug"

	"roster/internal/app"
	"roster/internal/background"
)

// limitMemory sets the memory limit of the Go runtime to the configured memory, and makes garbage collection less
// frequent while little memory is in use. The environment variables of the Go runtime take precedence.
func limitMemory(cfg app.Config) {
	if cfg.DebugListen == "" {
		runtime.MemProfileRate = 0 // the profile has no reader and costs a hundredth of the time
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(cfg.MemoryLimit())
	}
	if os.Getenv("GOGC") == "" {
		background.PaceGarbage()
	}
}
