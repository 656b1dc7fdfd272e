package metatest

import (
	"fmt"
	"sync"

	"roster/internal/meta"
)

// testDirectory has a store become the first data directory's that claims it, also when many claim it at once.
func testDirectory(w *world) {
	var claims sync.WaitGroup
	owners := make([]string, 4)
	for i := range owners {
		claims.Go(func() {
			err := w.s.Update(w.Context(), func(tx meta.Tx) (err error) {
				owners[i], err = tx.ClaimDirectory(w.Context(), fmt.Sprint("directory ", i))
				return err
			})
			if err != nil {
				w.Error(err)
			}
		})
	}
	claims.Wait()
	var n int
	if _, err := fmt.Sscanf(owners[0], "directory %d", &n); err != nil || n < 0 || n >= len(owners) {
		w.Fatalf("the store belongs to %q", owners[0])
	}
	for _, owner := range owners {
		equal(w, "owner", owner, owners[0])
	}
}
