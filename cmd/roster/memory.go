package main

import (
	"os"
	"runtime"
	"runtime/debug"

	"roster/internal/app"
	"roster/internal/background"
)

// limitMemory keeps the Go runtime within the configured memory, and has it collect garbage less often as long as there is
// little memory in use, unless the environment says otherwise.
func limitMemory(cfg app.Config) {
	if cfg.DebugListen == "" {
		runtime.MemProfileRate = 0 // nobody can read the profile, which takes a hundredth of the time
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(cfg.MemoryLimit())
	}
	if os.Getenv("GOGC") == "" {
		background.PaceGarbage()
	}
}
