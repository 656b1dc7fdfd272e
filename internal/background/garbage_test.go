package background_test

import (
	"runtime/debug"
	"runtime/metrics"
	"testing"

	"roster/internal/background"
)

func TestPaceGarbage(t *testing.T) {
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	percent := func() uint64 {
		s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	background.PaceGarbage()
	idle := percent()
	background.Working(1)
	busy := percent()
	background.Working(-1)
	if again := percent(); !(100 < busy && busy < idle && busy < again) {
		t.Errorf("GOGC is %d without work, %d with work, %d after it", idle, busy, again)
	}
}
