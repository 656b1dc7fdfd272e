package landing

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/meta"
	"roster/internal/source"
)

// Other uploads start and end while a zone is measured, since listing a bucket may take long. Their holds count the
// bytes that they will put into the zone, or have put there since the measurement began. A name counts once, whether
// the measurement has seen it or not. The holds are in the metadata store, so they count in all processes.

// holdFor is the time after which the hold of a process that died ends. It is long enough for clocks that differ by
// minutes. A living process renews its holds.
const (
	holdFor    = 10 * time.Minute
	renewEvery = time.Minute
)

// hold reserves the bytes that an upload may add to a zone under a name.
type hold struct {
	zones *Zones
	sizes map[string]int64 // of the other names and uploads
	total int64            // sum of the sizes

	mu    sync.Mutex
	saved meta.QuotaHold // as it is stored
	renew *time.Timer
	ended bool
}

// room measures a zone and reserves bytes of it for a file that replaces the one of the same name. The caller ends the
// hold when the file is in the zone, or will not be. With grows, the caller may reserve more until then.
func (z *Zones) room(ctx context.Context, key fileKey, bytes int64, grows bool) (*hold, error) {
	h := &hold{zones: z, sizes: map[string]int64{}, saved: meta.QuotaHold{ID: uuid.NewString(), Scope: key.scope, Name: key.name, Measuring: true}}
	if z.Quota == 0 {
		return h, nil
	}
	err := h.change(ctx, func(next *meta.QuotaHold, _ []meta.QuotaHold, clock int64) error {
		next.Begun = clock
		return nil
	})
	if err != nil {
		return nil, err
	}
	lasting := context.WithoutCancel(ctx)
	h.mu.Lock()
	h.renew = time.AfterFunc(renewEvery, func() { h.renewed(lasting) })
	h.mu.Unlock()
	err = h.measure(ctx)
	if err == nil {
		err = h.grow(ctx, bytes, 0, grows)
	}
	if err != nil {
		h.end(ctx)
		return nil, err
	}
	return h, nil
}

// change changes the hold in a transaction. fn gets the other holds of the sandbox and the next number of their order.
func (h *hold) change(ctx context.Context, fn func(next *meta.QuotaHold, others []meta.QuotaHold, clock int64) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return nil
	}
	now := h.zones.Clock()
	var next meta.QuotaHold
	err := h.zones.Store.Update(ctx, func(tx meta.Tx) error {
		all, err := tx.QuotaHolds(ctx, h.saved.Scope)
		if err != nil {
			return err
		}
		next = h.saved
		next.LeaseUntil = now.Add(holdFor)
		clock, others := h.saved.Begun, all[:0]
		for _, o := range all {
			clock = max(clock, o.Begun, o.Ended)
			if o.ID != next.ID && o.LeaseUntil.After(now) {
				others = append(others, o)
			} else if o.ID != next.ID {
				if err := tx.DeleteQuotaHold(ctx, o.ID); err != nil {
					return err
				}
			}
		}
		if err := fn(&next, others, clock+1); err != nil {
			return err
		}
		if next.Ended == 0 {
			return tx.SaveQuotaHold(ctx, next)
		}
		return removeEnded(ctx, tx, next, others)
	})
	if err != nil {
		if audience.CodeOf(err) == audience.Impossible {
			return err
		}
		return fmt.Errorf("reserve a part of the quota: %w", err)
	}
	h.saved, h.ended = next, next.Ended != 0
	return nil
}

// removeEnded stores the end of a hold, and removes the ended holds that no measurement needs.
func removeEnded(ctx context.Context, tx meta.Tx, ended meta.QuotaHold, others []meta.QuotaHold) error {
	if err := tx.SaveQuotaHold(ctx, ended); err != nil {
		return err
	}
	oldest := ended.Ended
	for _, o := range others {
		if o.Measuring {
			oldest = min(oldest, o.Begun)
		}
	}
	for _, o := range append(others, ended) {
		if o.Ended != 0 && o.Ended <= oldest {
			if err := tx.DeleteQuotaHold(ctx, o.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// renewed renews the lease of the hold. If that fails, it is tried again before the lease ends.
func (h *hold) renewed(ctx context.Context) {
	_ = h.change(ctx, func(*meta.QuotaHold, []meta.QuotaHold, int64) error { return nil })
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ended {
		h.renew.Reset(renewEvery)
	}
}

// measure reads the uploads first: an upload that ends in the meantime is then seen as a file.
func (h *hold) measure(ctx context.Context) error {
	uploads, err := h.zones.Store.Uploads(ctx, h.saved.Scope)
	if err != nil {
		return fmt.Errorf("measure the uploads: %w", err)
	}
	for _, u := range uploads {
		if u.Name != h.saved.Name {
			h.sizes[u.Name] = u.Size
		}
	}
	err = h.zones.Open(h.saved.Scope.Sandbox).List(ctx, "", func(o source.Object) error {
		if o.Path != h.saved.Name {
			h.sizes[o.Path] = max(h.sizes[o.Path], o.Size)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("measure the landing zone: %w", err)
	}
	for _, n := range h.sizes {
		h.total += n
	}
	return nil
}

// grow reserves more bytes, and a few in advance if they fit. With again, the caller may reserve more later.
func (h *hold) grow(ctx context.Context, bytes, advance int64, again bool) error {
	return h.change(ctx, func(next *meta.QuotaHold, others []meta.QuotaHold, _ int64) error {
		used := h.used(others)
		left := h.zones.Quota - used - next.Bytes
		if bytes > left {
			return audience.Errorf(audience.Impossible, "the landing zone of sandbox %q contains %s of its quota of %s (--landing-quota), so the file does not fit; delete files from the zone",
				next.Scope.Sandbox, humanize.IBytes(uint64(used)), humanize.IBytes(uint64(h.zones.Quota)))
		}
		next.Bytes += min(bytes+advance, left)
		next.Measuring = again
		return nil
	})
}

func (h *hold) reserved() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.saved.Bytes
}

// used returns the bytes of the zone when it was measured, and those that other uploads reserve or have added since.
func (h *hold) used(holds []meta.QuotaHold) int64 {
	others := map[string]int64{}
	for _, o := range holds {
		since := o.Ended == 0 || o.Ended > h.saved.Begun && o.Name != h.saved.Name // an existing file of the same name will be replaced
		if since {
			others[o.Name] += o.Bytes
		}
	}
	used := h.total
	for name, bytes := range others {
		used += max(bytes-h.sizes[name], 0)
	}
	return used
}

// end releases the bytes: they are in the zone now, or will not be. Measurements that began earlier still count them.
// If the metadata store does not answer, the hold ends by itself after a while.
func (h *hold) end(ctx context.Context) {
	if h.zones.Quota == 0 {
		return
	}
	_ = h.change(context.WithoutCancel(ctx), func(next *meta.QuotaHold, _ []meta.QuotaHold, clock int64) error {
		next.Ended, next.Measuring = clock, false
		return nil
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	h.renew.Stop()
}

// growing reads a body of unknown length, as long as there is room for it.
type growing struct {
	io.Reader
	ctx  context.Context
	room *hold
	read int64
}

// Read implements io.Reader. The longer a body is, the more bytes are reserved at once.
func (g *growing) Read(p []byte) (int, error) {
	n, err := g.Reader.Read(p)
	g.read += int64(n)
	if g.room.zones.Quota == 0 {
		return n, err
	}
	if reserved := g.room.reserved(); g.read > reserved {
		if full := g.room.grow(g.ctx, g.read-reserved, reserved/8, true); full != nil {
			return 0, full
		}
	}
	return n, err
}
