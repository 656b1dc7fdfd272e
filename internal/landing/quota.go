package landing

import (
	"context"
	"fmt"

	"github.com/dustin/go-humanize"

	"roster/internal/audience"
	"roster/internal/source"
)

// A zone is measured while other uploads go on and end, since a bucket may take long to be listed. What they will have put there,
// or have put there since the look began, is in their holds; a name counts once, whether it was seen already or not.

// hold is the bytes that an upload may make of a name in a zone.
type hold struct {
	zones         *Zones
	sandbox, name string
	bytes         int64
	begun, ended  uint64           // by the clock of the zones; ended is 0 as long as the upload goes on
	sizes         map[string]int64 // what other names hold, or uploads by ranges will make of them; nil when it is not asked any more
	total         int64            // of the sizes
}

// room measures a zone and holds bytes of it for a file that takes the place of the one that is there. The caller ends the hold
// when the file is there, or will not be. One that grows may ask for more until then.
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

// measure looks at the uploads first: one that ends in the meantime is then seen as a file.
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

// grow holds more bytes, if they fit.
func (h *hold) grow(bytes int64) error {
	z := h.zones
	if z.quota == 0 {
		return nil
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if used := h.used(); bytes > z.quota-used-h.bytes {
		return audience.Errorf(audience.Impossible, "the landing zone of sandbox %q holds %s of the %s that it may (--landing-quota), so the file does not fit; delete files from it",
			h.sandbox, humanize.IBytes(uint64(used)), humanize.IBytes(uint64(z.quota)))
	}
	h.bytes += bytes
	return nil
}

// used is how many bytes others hold of the zone, or have taken of it since it was measured.
func (h *hold) used() int64 {
	others := map[string]int64{}
	for o := range h.zones.holds {
		since := o.ended == 0 || o.ended > h.begun && o.name != h.name // what is there of the same name will be replaced
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

// end gives the bytes back: they are in the zone now, or will not be. It counts for those who began to measure before.
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
