package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"sync"

	"github.com/riverqueue/river/riverdriver"

	"roster/internal/job"
)

// belled is a River driver with notifications inside this process: code that enqueues a job calls Wake after its
// commit. For database/sql River itself only emulates notifications, by polling a table in SQLite. Polling finds jobs
// without a Wake, such as those of a process that was killed immediately after its commit.
type belled struct {
	riverdriver.Driver[*sql.Tx]
	bell *bell
}

// SupportsListener implements riverdriver.Driver.
func (belled) SupportsListener() bool { return true }

// SupportsListenNotify implements riverdriver.Driver. River does not need to write notifications with the jobs.
func (belled) SupportsListenNotify() bool { return false }

// GetListener implements riverdriver.Driver.
func (b belled) GetListener(*riverdriver.GetListenenerParams) riverdriver.Listener { return b.bell }

// bell stores the kinds with new jobs until River is notified.
type bell struct {
	mu    sync.Mutex
	rung  []job.Kind
	heard chan struct{} // has one element while a notification is pending
}

func newBell() *bell { return &bell{heard: make(chan struct{}, 1)} }

func (b *bell) ring(k job.Kind) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Contains(b.rung, k) {
		b.rung = append(b.rung, k)
	}
	b.signal()
}

func (b *bell) signal() {
	select {
	case b.heard <- struct{}{}:
	default:
	}
}

// WaitForNotification implements riverdriver.Listener.
func (b *bell) WaitForNotification(ctx context.Context) (*riverdriver.Notification, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-b.heard:
		}
		if k, ok := b.take(); ok {
			payload, err := json.Marshal(map[string]job.Kind{"queue": k})
			return &riverdriver.Notification{Topic: insertTopic, Payload: string(payload)}, err
		}
	}
}

// insertTopic is the topic of River's notifications of new jobs.
const insertTopic = "river_insert"

func (b *bell) take() (k job.Kind, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.rung) == 0 {
		return "", false
	}
	k, b.rung = b.rung[0], b.rung[1:]
	if len(b.rung) > 0 {
		b.signal()
	}
	return k, true
}

// The rest of riverdriver.Listener does nothing, because there is no connection.

func (b *bell) Close(context.Context) error            { return nil }
func (b *bell) Connect(context.Context) error          { return nil }
func (b *bell) Listen(context.Context, string) error   { return nil }
func (b *bell) Ping(context.Context) error             { return nil }
func (b *bell) Schema() string                         { return "" }
func (b *bell) SetAfterConnectExec(string)             {}
func (b *bell) Unlisten(context.Context, string) error { return nil }
