package lake

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/parquet/file"

	"roster/internal/identity"
)

// Holders are the results of a search in the files of a state.
type Holders struct {
	Files map[string]bool       // files with a row that was searched
	Keys  map[identity.Key]bool // keys that were found
}

// FindKeys searches the rows of the state for keys of members, sorted, in all files at once. It reads the keys of the row
// groups that may contain one, and no other column.
func (s *State) FindKeys(ctx context.Context, keys []identity.Key) (*Holders, error) {
	return s.search(ctx, func(f *stateFile, foot *footer, hidden bitmap, found func(identity.Key)) error {
		var r *file.Reader
		for g, bounds := range foot.groups {
			from, _ := slices.BinarySearchFunc(keys, bounds.min, identity.Key.Compare)
			if from == len(keys) || keys[from].Compare(bounds.max) > 0 {
				continue
			}
			if r == nil {
				opened, open, err := foot.open()
				if err != nil {
					return err
				}
				defer open.Close()
				r = opened
			}
			rg := r.RowGroup(g)
			ids, err := readKeys(rg, foot.id, make([]identity.Key, rg.NumRows()))
			if err != nil {
				return fmt.Errorf("row group %d: %w", g, err)
			}
			for _, key := range keys[from:] {
				if key.Compare(bounds.max) > 0 {
					break
				}
				for i, ok := slices.BinarySearchFunc(ids, key, identity.Key.Compare); ok && i < len(ids) && ids[i] == key; i++ {
					if !hidden.has(bounds.first + int64(i)) {
						found(key)
					}
				}
			}
		}
		return nil
	}, func(f *stateFile) bool {
		from, _ := slices.BinarySearchFunc(keys, f.min, identity.Key.Compare)
		return from < len(keys) && keys[from].Compare(f.max) <= 0
	})
}

// FindRows calls match with each row of the state, one file after the other on each processor. match calls found with
// each key that the row has. match must be safe for concurrent use.
func (s *State) FindRows(ctx context.Context, match func(rows *StateRows, i int, found func(identity.Key))) (*Holders, error) {
	return s.search(ctx, func(f *stateFile, foot *footer, hidden bitmap, found func(identity.Key)) error {
		var group stateGroup
		var rows StateRows
		for n := range foot.groups {
			group.index = n
			if err := group.read(foot); err != nil {
				return fmt.Errorf("row group %d: %w", n, err)
			}
			rows.reset()
			rows.appendGroup(0, foot, &group, 0, len(group.ids), hidden)
			for i := range rows.IDs {
				match(&rows, i, found)
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return nil
	}, func(*stateFile) bool { return true })
}

// search calls in with each file that may have a searched row.
func (s *State) search(ctx context.Context, in func(f *stateFile, foot *footer, hidden bitmap, found func(identity.Key)) error, may func(*stateFile) bool) (*Holders, error) {
	h := &Holders{Files: map[string]bool{}, Keys: map[identity.Key]bool{}}
	var mu sync.Mutex
	err := each(ctx, s.data, func(f *stateFile) error {
		if !may(f) {
			return nil
		}
		foot, err := f.footer()
		if err == nil {
			err = in(f, foot, foot.hidden(f.deleted), func(key identity.Key) {
				mu.Lock()
				defer mu.Unlock()
				h.Files[f.Path], h.Keys[key] = true, true
			})
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", f.Path, unreadable(ctx.Err(), f.Path, err))
		}
		return nil
	})
	return h, err
}
