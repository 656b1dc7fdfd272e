package control

import (
	"sync"
	"time"

	"roster/internal/audience"
	"roster/internal/ingest"
)

// When files count as whole.
const (
	// DefaultSettleAge is how old a file of a folder must be to be taken for whole: files are written into folders
	// piece by piece.
	DefaultSettleAge = 2 * time.Second
	// settleLimit is how long a run waits for its files.
	settleLimit = 30 * time.Second
	// maxUploaded bounds how many uploads are remembered.
	maxUploaded = 10_000
)

// uploaded remembers the files that this process put into landing zones: they are whole, however young they are.
type uploaded struct {
	mu    sync.Mutex
	files map[uploadedFile]struct{}
}

type uploadedFile struct {
	scope         audience.Scope
	path, version string
}

func (u *uploaded) add(f uploadedFile) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.files == nil || len(u.files) >= maxUploaded {
		u.files = map[uploadedFile]struct{}{}
	}
	u.files[f] = struct{}{}
}

func (u *uploaded) has(f uploadedFile) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, ok := u.files[f]
	return ok
}

// settle says when the files of an audience count as whole.
func (s *Service) settle(a *audience.Audience) ingest.Settle {
	return ingest.Settle{Age: *s.cfg.SettleAge, Limit: settleLimit, Whole: func(path, version string) bool {
		return a.Source.BaseConnectionID == "" && s.uploaded.has(uploadedFile{a.Scope, path, version})
	}}
}
