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

// ownNames are what a data directory holds. A name that begins with one of them and a dot or a dash belongs to it: SQLite's
// journals and files that are being replaced.
var ownNames = []string{"credentials.json", "id", "roster.db", "catalog.db", "keys", "landing", "lake", "profile", "scratch", "lock", "clock", "crash", "reading"}

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

// openDataDir takes the data directory: it must be the server's own, no other process may use it, and nobody but the server's user
// may read it.
func (a *App) openDataDir(context.Context) error {
	dir, err := filepath.Abs(a.cfg.DataDir)
	if err != nil {
		return fmt.Errorf("--data-dir, ROSTER_DATA_DIR: %w", err)
	}
	a.cfg.DataDir = dir
	// What this process and its libraries create is for its user alone.
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
		return fmt.Errorf("remove the scratch files of a process that was killed: %w", err)
	}
	return a.checkRoom()
}

// checkDirectory refuses a directory that cannot be a data directory: a file, another user's, or a folder of other things.
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
		return fmt.Errorf("%s holds other things (%q) and no data of Roster; name a new or an empty folder, such as %s", dir, foreign, filepath.Join(dir, "roster-data"))
	}
	return nil
}

// checkOwner refuses what belongs to another user, who could read and change it.
func checkOwner(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) == os.Geteuid() {
		return nil
	}
	return fmt.Errorf("%s belongs to user %d, and the server runs as user %d; run it as that user, give it the folder by chown -R %d, or name a folder that does not exist yet",
		path, st.Uid, os.Geteuid(), os.Geteuid())
}

// closeToOthers takes the rights of other users from everything in the data directory, and from the datasets where they lie
// elsewhere. A folder that others cannot enter is not looked through.
func (a *App) closeToOthers() error {
	// Others could read what lies here until now; the folder is closed last, so that a start that is cut off begins anew.
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
		a.log.Warn("other users of the machine could read the data directory until now; change the secrets in it if they are not to be trusted", "directory", a.cfg.DataDir, "parts", exposed)
	}
	if _, err := closeOne(a.cfg.DataDir, info); err != nil {
		return err
	}
	return closeDatasets(a.warehouse())
}

// closeDatasets does what closeToOthers does for the folders of the datasets, which have the names of an organization and a sandbox.
func closeDatasets(warehouse string) error {
	entries, err := os.ReadDir(warehouse)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the folder of the datasets: %w", err)
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

// closeTree closes a file, or a folder with what is in it, to others. It reports whether something was open. A symbolic link of the
// operator's, such as one to a larger disk, is followed here and not below.
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

// signingKeys are refused where others can read them, rather than closed: who has read one can sign as the server.
var signingKeys = []string{"token.jwk", "master.key"}

// closeOne closes one file or folder to others.
func closeOne(path string, info fs.FileInfo) (open bool, err error) {
	if err := checkOwner(path, info); err != nil {
		return false, err
	}
	if info.Mode().Perm()&0o077 == 0 || slices.Contains(signingKeys, filepath.Base(path)) {
		return false, nil
	}
	if err := os.Chmod(path, info.Mode().Perm()&^0o077); err != nil {
		return false, fmt.Errorf("other users can read %s (mode %04o), which cannot be changed: %w", path, info.Mode().Perm(), err)
	}
	now, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	if now.Mode().Perm()&0o077 != 0 {
		return false, fmt.Errorf("other users can read %s (mode %04o), and the file system does not keep chmod's change; use one that does", path, now.Mode().Perm())
	}
	return true, nil
}

// startRoom is the room that a start needs beside what it rewrites of logs.
const startRoom = 8 << 20

// checkRoom makes sure that the disk takes what a start writes. The engines take a full one for damage, or try for ever.
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

// reserve takes room for a file in the folder and gives it back.
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
