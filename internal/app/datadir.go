package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"roster/internal/ingest"
)

// ownNames are the names in a data directory. A name that begins with one of them and a dot or a dash also belongs to
// it, such as SQLite's journals and files that are being replaced.
var ownNames = []string{"credentials.json", "id", "roster.db", "catalog.db", "keys", "landing", "lake", "profile", "scratch", "lock", "clock", "crash", "reading", "cache"}

func ownName(name string) bool {
	return slices.ContainsFunc(ownNames, func(own string) bool {
		rest, ok := strings.CutPrefix(name, own)
		return ok && (rest == "" || rest[0] == '.' || rest[0] == '-')
	})
}

// marks are files that only a data directory of Roster has.
var marks = []string{"lock", "roster.db", "credentials.json", "id"}

// IsDataDir reports whether the folder is a data directory.
func IsDataDir(dir string) bool {
	return slices.ContainsFunc(marks, func(name string) bool { return present(filepath.Join(dir, name)) })
}

// openDataDir locks the data directory. The directory must belong to the server's user, no other process may use it,
// and no other user may read it.
func (a *App) openDataDir(context.Context) error {
	dir, err := filepath.Abs(a.cfg.DataDir)
	if err != nil {
		return fmt.Errorf("--data-dir, ROSTER_DATA_DIR: %w", err)
	}
	a.cfg.DataDir = dir
	// Files that this process and its libraries create are readable by its user only.
	syscall.Umask(0o077)
	if err := checkDirectory(dir); err != nil {
		return fmt.Errorf("--data-dir, ROSTER_DATA_DIR: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("--data-dir, ROSTER_DATA_DIR: %w", err)
	}
	if a.lock, err = lockDir(dir); err != nil {
		return err
	}
	a.closers = append(a.closers, func() error { a.lock.release(); return nil })
	a.words.dir = dir
	if err := a.closeToOthers(); err != nil {
		return fmt.Errorf("--data-dir, ROSTER_DATA_DIR: %w", err)
	}
	if err := a.checkRemains(); err != nil {
		return err
	}
	for _, d := range []string{a.path("keys"), a.path("scratch"), a.path("landing", firstSandbox)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return fmt.Errorf("--data-dir, ROSTER_DATA_DIR: %w", err)
		}
	}
	if err := ingest.ClearScratch(a.path("scratch")); err != nil {
		return fmt.Errorf("remove the scratch files of a killed process: %w", err)
	}
	return a.checkRoom()
}

// checkDirectory refuses a path that cannot be a data directory: a file, another user's folder, or a folder of other
// things.
func checkDirectory(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is a file; name a folder", dir)
	}
	if err := checkOwner(dir, info); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	foreign := ""
	for _, e := range entries {
		name := e.Name()
		if e.Type().IsRegular() && slices.Contains(marks, name) {
			return nil
		}
		if !ownName(name) && name != "lost+found" && name[0] != '.' {
			foreign = name
		}
	}
	if foreign != "" {
		return fmt.Errorf("%s contains other files (%q) and no data of Roster; name a new or an empty folder, such as %s", dir, foreign, filepath.Join(dir, "roster-data"))
	}
	return nil
}

// checkOwner refuses a file or folder of another user, who could read and change it.
func checkOwner(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) == os.Geteuid() {
		return nil
	}
	return fmt.Errorf("%s belongs to user %d, and the server runs as user %d; run it as that user, give it the folder by chown -R %d, or name a folder that does not exist yet",
		path, st.Uid, os.Geteuid(), os.Geteuid())
}

// closeToOthers removes the rights of other users from everything in the data directory, and from datasets outside of
// it. It does not walk a folder that others cannot enter.
func (a *App) closeToOthers() error {
	// The data directory itself is closed last, so that an interrupted start begins again.
	info, err := os.Stat(a.cfg.DataDir)
	if err != nil {
		return err
	}
	wasOpen := info.Mode().Perm()&0o077 != 0
	entries, err := os.ReadDir(a.cfg.DataDir)
	if err != nil {
		return err
	}
	var exposed []string
	for _, e := range entries {
		if !ownName(e.Name()) {
			continue
		}
		open, err := closeTree(a.path(e.Name()))
		if err != nil {
			return err
		}
		if open && wasOpen {
			exposed = append(exposed, e.Name())
		}
	}
	if len(exposed) > 0 {
		a.log.Warn("other users of the machine could read the data directory until now; if you do not trust them, change the secrets in it", "directory", a.cfg.DataDir, "parts", exposed)
	}
	if _, err := closeOne(a.cfg.DataDir, info); err != nil {
		return err
	}
	if a.warehouse() == "" {
		return nil
	}
	return closeDatasets(a.warehouse())
}

// closeDatasets does what closeToOthers does for the folders of datasets, which are named by organization and sandbox.
func closeDatasets(warehouse string) error {
	entries, err := os.ReadDir(warehouse)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("inspect the folder of the datasets: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.Contains(e.Name(), "__") {
			continue
		}
		if _, err := closeTree(filepath.Join(warehouse, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// closeTree closes a file, or a folder with its contents, to other users. It reports whether any of it was open. It
// follows path itself if that is a symbolic link, for example to a larger disk, but no link below it.
func closeTree(path string) (open bool, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if info.IsDir() && info.Mode().Perm()&0o077 != 0 {
		entries, err := os.ReadDir(path)
		if err != nil {
			return false, err
		}
		for _, e := range entries {
			if !e.IsDir() && !e.Type().IsRegular() {
				continue
			}
			if _, err := closeTree(filepath.Join(path, e.Name())); err != nil {
				return false, err
			}
		}
	}
	return closeOne(path, info)
}

// signingKeys are refused, not closed, if others can read them: whoever has read one can sign as the server.
var signingKeys = []string{"token.jwk", "master.key"}

// closeOne closes one file or folder to other users.
func closeOne(path string, info fs.FileInfo) (open bool, err error) {
	if err := checkOwner(path, info); err != nil {
		return false, err
	}
	if info.Mode().Perm()&0o077 == 0 || slices.Contains(signingKeys, filepath.Base(path)) {
		return false, nil
	}
	if err := os.Chmod(path, info.Mode().Perm()&^0o077); err != nil {
		return false, fmt.Errorf("other users can read %s (mode %04o), and changing the mode failed: %w", path, info.Mode().Perm(), err)
	}
	now, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	if now.Mode().Perm()&0o077 != 0 {
		return false, fmt.Errorf("other users can read %s (mode %04o), and the file system ignores chmod; use another file system", path, now.Mode().Perm())
	}
	return true, nil
}

// startRoom is the free space that a start needs in addition to the logs that it rewrites.
const startRoom = 8 << 20

// checkRoom checks that the disk has room for what a start writes. On a full disk the engines report damage, or retry
// for ever.
func (a *App) checkRoom() error {
	need := int64(startRoom)
	logs, _ := filepath.Glob(a.path("profile", "*.log"))
	for _, name := range append(logs, a.path("roster.db-wal"), a.path("catalog.db-wal")) {
		if info, err := os.Stat(name); err == nil {
			need += info.Size()
		}
	}
	err := reserve(a.path("scratch"), need)
	if file := new(fs.PathError); errors.As(err, &file) {
		return &fs.PathError{Op: fmt.Sprintf("reserve the %d MiB that a start needs", need>>20), Path: a.cfg.DataDir, Err: file.Err}
	}
	return err
}

// reserve allocates space for a file in the folder and releases it.
func reserve(dir string, size int64) error {
	f, err := os.CreateTemp(dir, "room-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, 4096))
	if err = errors.Join(err, f.Sync()); err == nil {
		err = allocate(f, size)
	}
	return errors.Join(err, f.Close())
}
