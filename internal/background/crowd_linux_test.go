package background

import (
	"runtime"
	"syscall"
	"testing"
	"time"
)

// nice returns the priority of a thread of this process: 0 is the normal one, 19 the lowest.
func nice(t *testing.T, id int) int {
	t.Helper()
	p, err := syscall.Getpriority(syscall.PRIO_PROCESS, id)
	if err != nil {
		t.Fatal(err)
	}
	return 20 - p // as the system call counts
}

// work is a goroutine of long work; it goes on until its channel is closed.
func work() (id int, end chan struct{}) {
	ids := make(chan int)
	end = make(chan struct{})
	go func() {
		defer Thread()()
		ids <- syscall.Gettid()
		<-end
	}()
	return <-ids, end
}

// calm ends the crowd.
func calm() {
	requests.Lock()
	defer requests.Unlock()
	requests.second, requests.until = time.Time{}, time.Time{}
}

func TestCrowd(t *testing.T) {
	t.Cleanup(calm)
	before := nice(t, syscall.Getpid())
	if before == lowest {
		t.Skip("the tests have the lowest priority already")
	}
	early, end := work()
	gone, endOfGone := work()
	close(endOfGone)
	for joined := true; joined; runtime.Gosched() {
		requests.Lock()
		_, joined = requests.threads[gone]
		requests.Unlock()
	}
	now := time.Now()
	for _, second := range []time.Duration{0, 2 * time.Second} {
		for range manyRequests - 1 {
			Request(now.Add(second))
		}
	}
	if got := nice(t, early); got != before {
		t.Errorf("few requests: priority %d, want %d", got, before)
	}
	for range manyRequests {
		Request(now.Add(4 * time.Second))
	}
	if got := nice(t, early); got != lowest {
		t.Errorf("many requests: priority %d, want %d", got, lowest)
	}
	during, endOfDuring := work()
	if got := nice(t, during); got != lowest {
		t.Errorf("a thread that begins while many requests arrive: priority %d, want %d", got, lowest)
	}
	calm()
	after, endOfAfter := work()
	if got := nice(t, after); got != before {
		t.Errorf("a thread that begins afterwards: priority %d, want %d", got, before)
	}
	close(end)
	close(endOfDuring)
	close(endOfAfter)
}
