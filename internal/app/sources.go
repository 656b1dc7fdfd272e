package app

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"roster/internal/audience"
	"roster/internal/source"
)

// landingDir is the landing zone of a sandbox. Organizations share nothing here: a data directory holds one.
func (a *App) landingDir(sandbox string) string {
	return filepath.Join(a.cfg.DataDir, "landing", sandbox)
}

// openSource opens the store that an audience's files lie in: the landing zone of its sandbox when conn is
// nil, and else the folder of a local connection.
func (a *App) openSource(_ context.Context, scope audience.Scope, conn *audience.Connection) (source.Store, error) {
	if conn == nil || conn.SpecID == audience.SpecLandingZone {
		dir := a.landingDir(scope.Sandbox)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		return source.OpenLocal(dir)
	}
	if conn.SpecID != audience.SpecLocal {
		return nil, audience.Errorf(audience.Impossible, "connection %s is of a kind that this server cannot read", conn.ID)
	}
	root, err := a.allowedRoot(conn.Params["root"])
	if err != nil {
		return nil, err
	}
	return source.OpenLocal(root)
}

// allowedRoot resolves the root of a local connection, which must be one of the operator's folders or lie in
// one. Both sides are compared after symbolic links are resolved, so that a link leads nowhere else.
func (a *App) allowedRoot(root string) (string, error) {
	refused := audience.InvalidField("auth.params.root", "the folder is not in one that the operator allows for local connections (--local-roots, ROSTER_LOCAL_ROOTS)")
	if !filepath.IsAbs(root) {
		return "", refused
	}
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		// Whether a folder outside the allowed ones exists is not the caller's to know.
		real = filepath.Clean(root)
	}
	for _, allowed := range a.localRoots {
		if inside(allowed, real) {
			if errors.Is(err, fs.ErrNotExist) {
				return "", audience.InvalidField("auth.params.root", "the folder does not exist")
			}
			return real, err
		}
	}
	return "", refused
}

// inside reports whether path is dir or below it; both are clean and absolute.
func inside(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
