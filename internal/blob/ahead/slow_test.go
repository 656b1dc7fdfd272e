package ahead

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"roster/internal/blob"
)

// TestSlowestRate reads from stores that send so many bytes every so often.
func TestSlowestRate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		size   int64
		bytes  int
		every  time.Duration
		fails  bool
		within time.Duration
	}{
		"a byte every 5 s":               {64 << 20, 1, 5 * time.Second, true, 3 * time.Minute},
		"a small file, a byte every 5 s": {100, 1, 5 * time.Second, true, 2 * time.Minute},
		"a byte at once, then nothing":   {100, 1, time.Hour, true, 2 * time.Minute},
		"12 KiB a second":                {64 << 20, 12 << 10, time.Second, true, 20 * time.Minute},
		"32 KiB a second":                {64 << 20, 32 << 10, time.Second, false, 0},
		"a small file, slowly":           {100, 2, time.Second, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				r := Read(t.Context(), 0, c.size, func(ctx context.Context, _ int64, part []byte) (int, error) {
					for n := 0; ; {
						select {
						case <-time.After(c.every):
						case <-ctx.Done():
							return n, ctx.Err()
						}
						if n += min(c.bytes, len(part)-n); n == len(part) {
							return n, nil
						}
					}
				})
				n, err := io.Copy(io.Discard, r)
				r.Close()
				took := time.Since(start)
				if !c.fails && (err != nil || n != c.size) {
					t.Errorf("%d bytes, %v", n, err)
				}
				if c.fails && (!errors.Is(err, blob.ErrFailed) || !strings.Contains(err.Error(), "KiB a second") || took > c.within) {
					t.Errorf("%v after %s", err, took)
				}
			})
		})
	}
}
