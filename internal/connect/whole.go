package connect

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"roster/internal/audience"
	"roster/internal/ingest"
	"roster/internal/source"
)

const (
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

// Placed notes that this process put a whole file into the landing zone of a sandbox.
func (o *Opener) Placed(scope audience.Scope, path, version string) {
	o.uploaded.add(uploadedFile{scope, path, version})
}

// Settle says when the files of an audience count as whole.
func (o *Opener) Settle(a *audience.Audience) ingest.Settle {
	return ingest.Settle{Age: *o.cfg.SettleAge, Limit: settleLimit, Whole: func(path, version string) bool {
		return a.Source.BaseConnectionID == "" && o.uploaded.has(uploadedFile{a.Scope, path, version})
	}}
}

// RemoveCorrected removes the corrected file of a resubmit that nothing reads any more.
func (o *Opener) RemoveCorrected(scope audience.Scope, file string) {
	err := o.cfg.Landing.Remove(context.Background(), scope.Sandbox, file)
	if err != nil && !errors.Is(err, source.ErrNotExist) {
		o.logOf(scope).Warn("a corrected file is left over", "file", strings.TrimPrefix(file, CorrectedFolder+"/"), "error", err)
	}
}
