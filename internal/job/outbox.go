package job

import (
	"context"
	"database/sql"
	"sync"
	"time"

	"roster/internal/meta"
)

// Queue keeps jobs; *queue.Queue does.
type Queue interface {
	// Enqueue records a job in a transaction of the metadata store.
	Enqueue(ctx context.Context, tx *sql.Tx, j Job) error
	// Wake has jobs of a kind taken up that were enqueued in a transaction that has committed.
	Wake(k Kind)
}

// knownFor is how long a job that this process enqueued counts as being in the queue. A job whose worker never heard of
// it, because the connection to the database broke just then, waits no longer than that.
const knownFor = time.Minute

// Outbox enqueues jobs, and remembers which jobs are in the queue, so that a worker that looks for unfinished work does
// not enqueue them again and again. The use cases and the worker of a process share one. It is safe for concurrent use.
type Outbox struct {
	queue Queue
	clock func() time.Time

	mu     sync.Mutex
	queued map[Job]time.Time // when it was enqueued, or failed and is retried
}

// NewOutbox returns an Outbox to a queue.
func NewOutbox(q Queue, clock func() time.Time) *Outbox {
	return &Outbox{queue: q, clock: clock, queued: map[Job]time.Time{}}
}

// Enqueue records a job in the transaction that records its work. The job is taken up once the transaction has
// committed.
func (o *Outbox) Enqueue(ctx context.Context, tx meta.Transaction, j Job) error {
	o.Queued(j)
	tx.Committed(func() { o.queue.Wake(j.Kind) })
	return o.queue.Enqueue(ctx, tx.SQL(), j)
}

// Queued records that jobs are in the queue.
func (o *Outbox) Queued(jobs ...Job) {
	now := o.clock()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, j := range jobs {
		o.queued[j] = now
	}
}

// Dequeued records that jobs are not in the queue: they are being done, or could not be enqueued.
func (o *Outbox) Dequeued(jobs ...Job) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, j := range jobs {
		delete(o.queued, j)
	}
}

// Missing returns the jobs that were not enqueued lately.
func (o *Outbox) Missing(jobs []Job) (missing []Job) {
	now := o.clock()
	o.mu.Lock()
	defer o.mu.Unlock()
	for j, at := range o.queued {
		if now.Sub(at) >= knownFor || at.After(now) { // the clock was put back
			delete(o.queued, j)
		}
	}
	for _, j := range jobs {
		if _, queued := o.queued[j]; !queued {
			missing = append(missing, j)
		}
	}
	return missing
}
