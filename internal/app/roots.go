package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"roster/internal/audience"
)

// place is a file or a folder of the server, which no connection may read.
type place struct{ path, what string }

// ownPlaces lists what no local connection may read: the data directory, its parts that lie elsewhere, and the
// configuration's files with secrets. It omits absent ones.
func (a *App) ownPlaces() []place {
	list := []place{{a.cfg.DataDir, "the data directory"}, {a.warehouse(), "the folder of the datasets (--lake-url)"}}
	for _, name := range ownNames {
		list = append(list, place{a.path(name), "a part of the data directory"})
	}
	for _, pattern := range []string{"keys/*", "*.db-*", "credentials.json*"} {
		files, _ := filepath.Glob(filepath.Join(globLiteral(a.cfg.DataDir), pattern))
		for _, file := range files {
			list = append(list, place{file, "a part of the data directory"})
		}
	}
	list = append(list,
		place{a.cfg.File, "the configuration file (--config)"},
		place{a.cfg.TLSKey, "the key of the certificate (--tls-key)"},
		place{a.cfg.MasterKey.File, "the master key (--master-key-file)"},
		place{a.cfg.MetricsTokenFile, "the token of the metrics (--metrics-token-file)"})
	if u, err := url.Parse(a.cfg.DatabaseURL); err == nil {
		list = append(list, place{u.Query().Get("sslkey"), "the key for the database (--database-url)"}, place{u.Query().Get("passfile"), "the passwords for the database (--database-url)"})
	}
	for _, name := range secretFiles {
		list = append(list, place{os.Getenv(name), "what " + name + " names"})
	}
	var there []place
	for _, p := range list {
		if p.path == "" {
			continue
		}
		if real, err := realPath(p.path); err == nil {
			there = append(there, place{real, p.what})
		}
	}
	return there
}

// secretFiles are environment variables that name files with secrets of the process.
var secretFiles = []string{"GOOGLE_APPLICATION_CREDENTIALS", "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONFIG_FILE", "PGPASSFILE", "PGSSLKEY", "PGSERVICEFILE"}

// realPath returns the absolute path of an existing file without symbolic links.
func realPath(path string) (string, error) {
	if path == "" {
		return "", fs.ErrNotExist
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	return filepath.Abs(real)
}

// openLocalRoots resolves the folders that local connections may use, and refuses those through which the server's own
// files could be read. A server that lives for one command reads the folder of the file that its user names, which may
// contain the data directory; there openLocal alone protects the server's files.
func (a *App) openLocalRoots(context.Context) error {
	if err := a.checkWarehouse(); err != nil {
		return fmt.Errorf("--lake-url, ROSTER_LAKE_URL: %w", err)
	}
	for _, root := range a.cfg.LocalRoots {
		real, err := realPath(root)
		if err != nil {
			return fmt.Errorf("--local-roots, ROSTER_LOCAL_ROOTS: %w", err)
		}
		if !a.cfg.Private {
			if err := a.checkRoot(root, real); err != nil {
				return fmt.Errorf("--local-roots, ROSTER_LOCAL_ROOTS: %w", err)
			}
		}
		a.localRoots = append(a.localRoots, real)
	}
	return nil
}

// checkWarehouse refuses a folder of datasets that contains the data directory, or that lies in another part of it,
// such as a landing zone, whose files the API shows.
func (a *App) checkWarehouse() error {
	if a.warehouse() == "" {
		return nil
	}
	if err := os.MkdirAll(a.warehouse(), 0o700); err != nil {
		return err
	}
	above, err := holds(a.warehouse(), a.cfg.DataDir)
	if err != nil {
		return err
	}
	if above {
		return fmt.Errorf("the folder %s contains the data directory %s; name a separate folder", a.warehouse(), a.cfg.DataDir)
	}
	for _, part := range []string{"keys", "landing", "profile", "scratch"} {
		in, err := holds(a.path(part), a.warehouse())
		if err != nil {
			return err
		}
		if in {
			return fmt.Errorf("the folder %s lies in %s, which has another purpose; name a separate folder", a.warehouse(), a.path(part))
		}
	}
	return nil
}

// checkRoot refuses a folder that contains a place of the server, or lies in one.
func (a *App) checkRoot(root, real string) error {
	for _, p := range a.ownPlaces() {
		holds, err := holds(real, p.path)
		if err == nil && holds {
			return fmt.Errorf("the folder %s contains %s, %s, which everyone who creates a connection could read; name a folder with data files only", root, p.what, p.path)
		}
		if err != nil {
			return err
		}
	}
	if err := a.checkAbove(root, real); err != nil {
		return err
	}
	return a.checkMounts(root, real)
}

// checkAbove refuses a folder that lies in a place of the server.
func (a *App) checkAbove(root, real string) error {
	for _, p := range a.ownPlaces() {
		inside, err := holds(p.path, real)
		if err != nil {
			return err
		}
		if inside {
			return fmt.Errorf("the folder %s lies in %s, %s, which everyone who creates a connection could read; name a folder with data files only", root, p.what, p.path)
		}
	}
	for _, system := range []string{"/proc", "/sys", "/dev"} {
		if inside(system, real) {
			return fmt.Errorf("the folder %s lies in %s, which shows the state of the system and its processes; name a folder with data files", root, system)
		}
	}
	return nil
}

// holds reports whether the folder dir is the file or folder at path, or contains it. It compares folders by their
// identity, because their names may differ by case, mounts and spelling.
func holds(dir, path string) (bool, error) {
	want, err := os.Stat(dir)
	if err != nil {
		return false, ignoreAbsent(err)
	}
	for {
		info, err := os.Stat(path)
		if err != nil {
			return false, ignoreAbsent(err)
		}
		if os.SameFile(want, info) {
			return true, nil
		}
		above := filepath.Dir(path)
		if above == path {
			return false, nil
		}
		path = above
	}
}

// ignoreAbsent returns nil for the error of a file that no longer exists.
func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// checkAgain repeats checkRoot for the root of a connection at each use, because mounts and folders may have changed.
// The details go to the log, because only the operator may know them.
func (a *App) checkAgain(real string) error {
	err := a.checkAbove(real, real)
	if err == nil && !a.cfg.Private {
		err = a.checkMounts(real, real)
	}
	if err == nil {
		return nil
	}
	a.log.Error("a local connection is refused", "error", err)
	return audience.InvalidField("auth.params.root", "the folder leads to files of the server itself; ask its operator to separate them")
}

// closed returns a function that reports whether a file or folder belongs to the server, under any name.
func (a *App) closed() func(fs.FileInfo) bool {
	var own []fs.FileInfo
	for _, p := range a.ownPlaces() {
		if info, err := os.Stat(p.path); err == nil {
			own = append(own, info)
		}
	}
	linked := sync.OnceValue(a.linkedFiles)
	return func(info fs.FileInfo) bool {
		if slices.ContainsFunc(own, func(o fs.FileInfo) bool { return os.SameFile(o, info) }) {
			return true
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		return ok && info.Mode().IsRegular() && st.Nlink > 1 && linked()[fileID{uint64(st.Dev), st.Ino}]
	}
}

// fileID identifies a file independently of its name.
type fileID struct{ device, inode uint64 }

// linkedFiles returns the files of the server that have several names. The server itself creates only one name per
// file, so there is none unless somebody made a hard link.
func (a *App) linkedFiles() map[fileID]bool {
	found := map[fileID]bool{}
	for _, dir := range []string{a.cfg.DataDir, a.warehouse(), a.path("landing"), a.path("profile")} {
		dir, err := realPath(dir)
		if err != nil {
			continue
		}
		_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return nil // removed meanwhile, or not a file that can be linked
			}
			if info, err := e.Info(); err == nil {
				if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 {
					found[fileID{uint64(st.Dev), st.Ino}] = true
				}
			}
			return nil
		})
	}
	return found
}

// mount is a line of Linux's /proc/self/mountinfo: which part of a file system is mounted where.
type mount struct {
	device, root, point, kind string
}

// readMounts lists the mounts of this process; none if the system has no such list.
func readMounts() []mount {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	var list []mount
	for line := range strings.Lines(string(text)) {
		before, after, ok := strings.Cut(line, " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(kind) == 0 {
			continue
		}
		list = append(list, mount{fields[2], unquoteMount(fields[3]), unquoteMount(fields[4]), kind[0]})
	}
	return list
}

// unquoteMount undoes the escapes of mountinfo.
var unquoteMount = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace

// located returns the device of a path and the path within its file system, whatever mount leads there.
func located(mounts []mount, path string) (device, within string) {
	longest := -1
	for _, m := range mounts {
		if rel, err := filepath.Rel(m.point, path); err == nil && inside(m.point, path) && len(m.point) >= longest {
			longest, device, within = len(m.point), m.device, filepath.Join(m.root, rel)
		}
	}
	return device, within
}

// checkMounts refuses a folder through which a mount leads to a place of the server, or to the state of the system.
func (a *App) checkMounts(root, real string) error {
	mounts := readMounts()
	places := a.ownPlaces()
	check := func(point string) error {
		device, within := located(mounts, point)
		for _, p := range places {
			if d, w := located(mounts, p.path); device != "" && d == device && (inside(within, w) || inside(w, within)) {
				return fmt.Errorf("the folder %s leads to %s, %s, by a mount at %s, and everyone who creates a connection could read that; name a folder with data files only", root, p.what, p.path, point)
			}
		}
		return nil
	}
	for _, m := range mounts {
		if m.point == real || !inside(real, m.point) {
			continue
		}
		if m.kind == "proc" || m.kind == "sysfs" {
			return fmt.Errorf("the folder %s contains %s, which shows the state of the system's processes; name a folder with data files only", root, m.point)
		}
		if err := check(m.point); err != nil {
			return err
		}
	}
	return check(real)
}
