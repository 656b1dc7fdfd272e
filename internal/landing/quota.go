package landing

import (
	"context"
	"fmt"

	"github.com/dustin/go-humanize"

	"roster/internal/audience"
	"roster/internal/source"
)

// Other uploads start and end while a zone is measured, since listing a bucket may take long. Their holds count the
// bytes that they will put into the zone, or have put there since the measurement began. A name counts once, whether
// the measurement has seen it or not.

// hold reserves the bytes that an upload may add to a zone under a name.
type hold struct {
	zones         *Zones
	sandbox, name string
	bytes         int64
	begun, ended  uint64           // by the clock of the zones; ended is 0 while the upload is in progress
	sizes         map[string]int64 // of the other names and uploads; nil when it is no longer needed
	total         int64            // sum of the sizes
}

// room measures a zone and reserves bytes of it for a file that replaces the one of the same name. The caller ends the
// hold when the file is in the zone, or will not be. With grows, the caller may reserve more until then.
func (z *Zones) room(ctx context.Context, sandbox, name string, bytes int64, grows bool) (*hold, error) {
	h := &hold{zones: z, sandbox: sandbox, name: name, sizes: map[string]int64{}}
	if z.quota == 0 {
		return h, nil
	}
	z.mu.Lock()
	z.clock++
	h.begun = z.clock
	z.holds[h] = true
	z.mu.Unlock()
	err := h.measure(ctx)
	if err == nil {
		err = h.grow(bytes)
	}
	if err != nil {
		h.end()
		return nil, err
	}
	if !grows {
		z.mu.Lock()
		h.sizes = nil
		z.mu.Unlock()
	}
	return h, nil
}

// measure reads the uploads first: an upload that ends in the meantime is then seen as a file.
func (h *hold) measure(ctx context.Context) error {
	err := h.zones.eachPart(h.sandbox, func(p *part) error {
		if p.Name != h.name {
			h.sizes[p.Name] = p.Size
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = h.zones.Open(h.sandbox).List(ctx, "", func(o source.Object) error {
		if o.Path != h.name {
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

// grow reserves more bytes, if they fit.
func (h *hold) grow(bytes int64) error {
	z := h.zones
	if z.quota == 0 {
		return nil
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if used := h.used(); bytes > z.quota-used-h.bytes {
		return audience.Errorf(audience.Impossible, "the landing zone of sandbox %q contains %s of its quota of %s (--landing-quota), so the file does not fit; delete files from the zone",
			h.sandbox, humanize.IBytes(uint64(used)), humanize.IBytes(uint64(z.quota)))
	}
	h.bytes += bytes
	return nil
}

// used returns the bytes that other uploads reserve, or have added to the zone since it was measured.
func (h *hold) used() int64 {
	others := map[string]int64{}
	for o := range h.zones.holds {
		since := o.ended == 0 || o.ended > h.begun && o.name != h.name // an existing file of the same name will be replaced
		if o != h && o.sandbox == h.sandbox && since {
			others[o.name] += o.bytes
		}
	}
	used := h.total
	for name, bytes := range others {
		used += max(bytes-h.sizes[name], 0)
	}
	return used
}

// end releases the bytes: they are in the zone now, or will not be. Measurements that began earlier still count them.
func (h *hold) end() {
	z := h.zones
	z.mu.Lock()
	defer z.mu.Unlock()
	z.clock++
	h.ended, h.sizes = z.clock, nil
	oldest := z.clock
	for o := range z.holds {
		if o.sizes != nil {
			oldest = min(oldest, o.begun)
		}
	}
	for o := range z.holds {
		if o.ended != 0 && o.ended <= oldest {
			delete(z.holds, o)
		}
	}
}
