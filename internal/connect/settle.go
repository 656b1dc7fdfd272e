package connect

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"roster/internal/audience"
	"roster/internal/source"
)

const (
	// settleLimit is how long a run waits for its files.
	settleLimit = 30 * time.Second
	// maxUploaded bounds how many uploads are remembered.
	maxUploaded = 10_000
)

// uploaded records the files that this process put into landing zones. They are complete, whatever their age.
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

// Uploaded records that this process put a complete file into the landing zone of a sandbox.
func (o *Opener) Uploaded(scope audience.Scope, path, version string) {
	o.uploaded.add(uploadedFile{scope, path, version})
}

// SettleRule returns the rule for when the files of an audience have settled.
func (o *Opener) SettleRule(a *audience.Audience) source.SettleRule {
	r := source.SettleRule{Age: *o.cfg.SettleAge, Limit: settleLimit}
	if a.Source.BaseConnectionID == "" {
		r.Uploads = sandboxUploads{&o.uploaded, a.Scope}
	}
	return r
}

// sandboxUploads are the uploads to the landing zone of a sandbox.
type sandboxUploads struct {
	uploaded *uploaded
	scope    audience.Scope
}

// Complete implements source.Uploads.
func (u sandboxUploads) Complete(path, version string) bool {
	return u.uploaded.has(uploadedFile{u.scope, path, version})
}

// RemoveCorrected removes the corrected file of a resubmit that nothing reads any more.
func (o *Opener) RemoveCorrected(scope audience.Scope, file string) {
	err := o.cfg.Landing.Remove(context.Background(), scope.Sandbox, file)
	if err != nil && !errors.Is(err, source.ErrNotExist) {
		o.logOf(scope).Warn("a corrected file is left over", "file", strings.TrimPrefix(file, CorrectedFolder+"/"), "error", err)
	}
}
