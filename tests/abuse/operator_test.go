package abuse

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"roster/tests/rostertest"
)

// once starts the binary on a data directory. It returns the output, and whether the binary ended by itself. It stops a
// server that has started to serve.
func once(t *testing.T, dir string, flags ...string) (output string, ended bool) {
	t.Helper()
	cmd := exec.Command(rostertest.Binary(t), append([]string{"serve", "--data-dir", dir, "--listen", "127.0.0.1:0"}, flags...)...)
	var log lockedBuffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { cmd.Wait(); close(done) }()
	for {
		select {
		case <-done:
			return log.tail(16 << 10), true
		default:
		}
		if _, ok := log.address(); ok {
			cmd.Process.Signal(os.Interrupt)
			<-done
			return log.tail(16 << 10), false
		}
	}
}

// refused requires that the binary ends by itself with one line that contains each of the words.
func refused(t *testing.T, dir string, flags []string, words ...string) {
	t.Helper()
	out, ended := once(t, dir, flags...)
	if !ended {
		t.Errorf("it serves:\n%s", out)
		return
	}
	var lines []string
	for line := range strings.Lines(out) {
		if !strings.Contains(line, "level=") {
			lines = append(lines, line)
		}
	}
	if len(lines) != 1 || strings.Contains(out, "goroutine ") {
		t.Errorf("it does not end with one line:\n%s", out)
	}
	for _, w := range words {
		if !strings.Contains(out, w) {
			t.Errorf("%q is missing in:\n%s", w, out)
		}
	}
}

// used returns a data directory with an audience after a run. Its server has stopped.
func used(t *testing.T) *server {
	t.Helper()
	s := start(t)
	s.members(50)
	s.stop()
	return s
}

// kept returns the names, modes and contents of the files of a folder, except the lock, which every start writes, and
// the journals of SQLite.
func kept(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == "lock" || strings.Contains(e.Name(), ".db-") {
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(&b, "%s %d %x\n", path, len(data), bytes.Clone(data[:min(len(data), 64)]))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestLostParts removes one part after the other from a used data directory. Roster does not replace a part that cannot
// be rebuilt. The same directory works when the part is back.
func TestLostParts(t *testing.T) {
	t.Parallel()
	s := used(t)
	for _, c := range []struct {
		part  string
		words []string
	}{
		{"keys/token.jwk", []string{"token.jwk", "receipts", "restore", "replace-lost"}},
		{"keys/master.key", []string{"master.key", "restore", "--master-key-file", "replace-lost"}},
		{"keys", []string{"token.jwk", "restore"}},
		{"roster.db", []string{"roster.db", "restore"}},
		{"catalog.db", []string{"catalog.db", "restore"}},
		{"lake", []string{"datasets", "none of them exists", "restore"}},
	} {
		t.Run(c.part, func(t *testing.T) {
			path, away := filepath.Join(s.dir, c.part), filepath.Join(t.TempDir(), "away")
			info, err := os.Stat(path)
			if err = errors.Join(err, os.Rename(path, away)); err != nil {
				t.Fatal(err)
			}
			before := kept(t, s.dir)
			refused(t, s.dir, nil, c.words...)
			if !info.IsDir() { // an empty file is as bad as a lost one
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				refused(t, s.dir, nil, c.words...)
				os.Remove(path)
			}
			if after := kept(t, s.dir); after != before {
				t.Errorf("a refused start changed files:\n%s\nbefore:\n%s", after, before)
			}
			if err := errors.Join(os.RemoveAll(path), os.Rename(away, path)); err != nil {
				t.Fatal(err)
			}
			if out, ended := once(t, s.dir); ended {
				t.Errorf("with the part back: %s", out)
			}
		})
	}
	// Parts that can be rebuilt are rebuilt.
	for _, part := range []string{"landing", "scratch", "lock", "credentials.json"} {
		if err := os.RemoveAll(filepath.Join(s.dir, part)); err != nil {
			t.Fatal(err)
		}
		if out, ended := once(t, s.dir); ended {
			t.Errorf("without %s: %s", part, out)
		}
	}
}

// TestLostKeysReplaced loses the keys permanently.
func TestLostKeysReplaced(t *testing.T) {
	t.Parallel()
	s := used(t)
	replace := func() string {
		out, err := exec.Command(rostertest.Binary(t), "secrets", "replace-lost", "--data-dir", s.dir).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	for _, part := range []string{"keys", "keys/master.key", "keys/token.jwk"} {
		if err := os.RemoveAll(filepath.Join(s.dir, part)); err != nil {
			t.Fatal(err)
		}
		refused(t, s.dir, nil, "replace-lost")
		if out := replace(); !strings.Contains(out, "Made") {
			t.Errorf("%s: %s", part, out)
		}
		if out, ended := once(t, s.dir); ended {
			t.Errorf("after new keys in place of %s: %s", part, out)
		}
	}
	if out := replace(); !strings.Contains(out, "No key is lost") {
		t.Errorf("nothing is lost: %s", out)
	}
}

// TestCopiedDirectory starts a copy, whose datasets would be those of the original.
func TestCopiedDirectory(t *testing.T) {
	t.Parallel()
	s := used(t)
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	os.Chmod(filepath.Join(copied, "keys", "token.jwk"), 0o600)
	os.Chmod(filepath.Join(copied, "keys", "master.key"), 0o600)
	refused(t, copied, nil, "another folder", "move it back")
	if err := os.Rename(s.dir, s.dir+".away"); err != nil {
		t.Fatal(err)
	}
	refused(t, copied, nil, "none of them exists", "move it back")
	if err := os.Rename(s.dir+".away", s.dir); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link") // a link to the same folder is not a copy
	if err := os.Symlink(s.dir, link); err != nil {
		t.Fatal(err)
	}
	if out, ended := once(t, link); ended {
		t.Errorf("by a link: %s", out)
	}
}

// TestOpenDirectory starts on a data directory that every user can read.
func TestOpenDirectory(t *testing.T) {
	t.Parallel()
	s := used(t)
	open := func(dirs, files fs.FileMode) {
		err := filepath.WalkDir(s.dir, func(path string, e fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case e.IsDir():
				return os.Chmod(path, dirs)
			}
			return os.Chmod(path, files)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	open(0o755, 0o644)
	refused(t, s.dir, nil, "token.jwk", "chmod 600")
	open(0o777, 0o600)
	if out, ended := once(t, s.dir); ended || !strings.Contains(out, "could read the data directory until now") {
		t.Fatalf("a directory that others can read: %s", out)
	}
	open(0o755, 0o666)
	for _, key := range []string{"token.jwk", "master.key"} {
		os.Chmod(filepath.Join(s.dir, "keys", key), 0o600)
	}
	s.open()
	s.call("PUT", ais+"/files/x.csv", "email\nmember1@example.com\n")
	s.stop()
	err := filepath.WalkDir(s.dir, func(path string, _ fs.DirEntry, err error) error {
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("others can read %s: mode %04o", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestForeignDirectory starts on folders that do not belong to Roster. They stay unchanged.
func TestForeignDirectory(t *testing.T) {
	t.Parallel()
	start(t).stop() // skips the test if attacks are off
	home := t.TempDir()
	os.Chmod(home, 0o755)
	write := func(name string) string {
		path := filepath.Join(home, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("x\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("people.csv")
	write("lake/fish.txt")
	write("keys/house.txt")
	refused(t, home, nil, "people.csv", "empty folder")
	refused(t, file, nil, "is a file")
	refused(t, filepath.Join(file, "below"), nil, "in the place of a folder")
	for path, mode := range map[string]fs.FileMode{home: 0o755, file: 0o644, filepath.Join(home, "keys", "house.txt"): 0o644} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s was changed: %v, %v", path, info, err)
		}
	}
	if entries, _ := os.ReadDir(home); len(entries) != 3 {
		t.Errorf("a refused start left something: %v", entries)
	}
	if os.Geteuid() == 0 {
		other := t.TempDir()
		if err := os.Chown(other, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		refused(t, other, nil, "belongs to user 65534", "chown")
	}
}

// TestRootsOfTheServersOwn uses local roots that would expose the server's own files, by every possible path.
func TestRootsOfTheServersOwn(t *testing.T) {
	t.Parallel()
	s := used(t)
	above, data := filepath.Dir(s.dir), s.dir
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(above, link); err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{above, data, filepath.Join(data, "landing"), filepath.Join(data, "lake"), filepath.Join(data, "landing", "prod"), "/", link, filepath.Join(link, "data", "keys"),
		above + "//./", "/proc", "/sys", "/dev", "/proc/self"} {
		refused(t, data, []string{"--local-roots", t.TempDir() + ":" + root}, "--local-roots", "name")
	}
	secret := func(name, content string) (root, file string) {
		root = t.TempDir()
		file = filepath.Join(root, "deep", name)
		if err := errors.Join(os.Mkdir(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
		return root, file
	}
	root, file := secret("token", strings.Repeat("t", 32))
	refused(t, data, []string{"--local-roots", root, "--metrics-token-file", file}, "--metrics-token-file")
	root, file = secret("roster.yaml", "log-level: info\n")
	refused(t, data, []string{"--local-roots", root, "--config", file}, "--config")
	root, file = secret("key", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n")
	refused(t, filepath.Join(t.TempDir(), "new"), []string{"--local-roots", root, "--master-key-file", file}, "--master-key-file")
	lake := t.TempDir()
	refused(t, filepath.Join(t.TempDir(), "new"), []string{"--local-roots", lake, "--lake-url", "file://" + filepath.Join(lake, "sets")}, "--lake-url")
	refused(t, data, []string{"--lake-url", "file://" + above}, "--lake-url", "contains the data directory")
	refused(t, data, []string{"--lake-url", "file://" + filepath.Join(data, "landing", "prod")}, "--lake-url", "landing")
	if out, ended := once(t, data, "--local-roots", t.TempDir()); ended {
		t.Errorf("a root of its own: %s", out)
	}
}

// TestRootsLaterOn changes an allowed root during operation so that it leads to the server's own files.
func TestRootsLaterOn(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.members(50)
	conn := s.connect()
	explore := func(path string) answer {
		return s.call("GET", "/data/foundation/flowservice/connections/"+conn+"/explore?objectType=folder&object="+path, "")
	}
	validate := func(path string) answer {
		return s.call("POST", ais+"/validate", fmt.Sprintf(`{"fields":%s,"sourceSpec":{"path":%q,"type":"file","sourceType":"Cloud Storage","baseConnectionId":%q}}`, mailOnly, path, conn))
	}
	in := func(name string) string { return filepath.Join(s.root, name) }
	table, err := filepath.Glob(filepath.Join(s.dir, "lake", "*", "*", "data", "*", "*.parquet"))
	if err != nil || len(table) == 0 {
		t.Fatal("no file of a dataset", err)
	}
	for name, target := range map[string]string{"link": s.dir, "credentials.csv": filepath.Join(s.dir, "credentials.json")} {
		if err := os.Symlink(target, in(name)); err != nil {
			t.Fatal(err)
		}
	}
	hard := map[string]string{"hard.csv": filepath.Join(s.dir, "credentials.json"), "hard.jwk": filepath.Join(s.dir, "keys", "token.jwk"), "hard.parquet": table[0]}
	for name, target := range hard {
		if err := os.Link(target, in(name)); errors.Is(err, syscall.EXDEV) {
			t.Skip("the folders of this test lie on two disks")
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"link/credentials.json", "credentials.csv", "hard.csv", "hard.jwk", "hard.parquet"} {
		if a := validate(name); a.status < 400 || strings.Contains(a.body, "client_secret") {
			t.Errorf("%s was read: %d %s", name, a.status, a.body)
		}
	}
	if a := explore(""); strings.Contains(a.body, "hard.") || strings.Contains(a.body, "credentials") {
		t.Errorf("the server's own files are listed: %s", a.body)
	}
	if a := validate("bystanders.csv"); a.status != 200 {
		t.Errorf("a file of its own: %d %s", a.status, a.body)
	}
	for name := range hard {
		os.Remove(in(name))
	}
	if os.Geteuid() == 0 {
		mountCases(t, s, explore, validate)
	}
}

// mountCases mounts the server's own folders below the root of the connection.
func mountCases(t *testing.T, s *server, explore, validate func(string) answer) {
	t.Helper()
	table, _ := filepath.Glob(filepath.Join(s.dir, "lake", "*", "*", "data", "*"))
	for _, target := range []string{s.dir, filepath.Join(s.dir, "keys"), filepath.Dir(s.dir), table[0]} {
		at := filepath.Join(s.root, "mounted")
		os.Mkdir(at, 0o700)
		if err := syscall.Mount(target, at, "", syscall.MS_BIND, ""); err != nil {
			t.Logf("no mounts here: %v", err)
			return
		}
		a, b := explore("mounted"), validate("bystanders.csv")
		err := syscall.Unmount(at, 0)
		if a.status < 400 || b.status < 400 || strings.Contains(a.body, s.dir) {
			t.Errorf("%s is read by a mount: %d %s, %d", target, a.status, a.body, b.status)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if a := validate("bystanders.csv"); a.status != 200 {
		t.Errorf("after the mounts: %d %s", a.status, a.body)
	}
}

// TestSmallDisks starts on disks that are full, read-only, or out of inodes, both empty and with data.
func TestSmallDisks(t *testing.T) {
	t.Parallel()
	s := used(t)
	if os.Geteuid() != 0 {
		t.Skip("only root can mount small disks; run the tests as root")
	}
	mount := func(options string, flags uintptr) string {
		at := t.TempDir()
		if err := syscall.Mount("none", at, "tmpfs", flags, options); err != nil {
			t.Skip("no mounts here:", err)
		}
		t.Cleanup(func() { syscall.Unmount(at, 0) })
		return at
	}
	for _, size := range []string{"100k", "400k", "900k", "2m", "6m"} {
		refused(t, filepath.Join(mount("size="+size, 0), "data"), nil, "the disk is full")
	}
	for _, inodes := range []string{"3", "8", "12", "20"} {
		refused(t, filepath.Join(mount("nr_inodes="+inodes, 0), "data"), nil, "inodes")
	}
	refused(t, filepath.Join(mount("", syscall.MS_RDONLY), "data"), nil, "read-only")
	// A full disk below data.
	at := mount("size=64m", 0)
	if err := os.Rename(s.dir, s.dir+".away"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.CopyFS(filepath.Join(at, "data"), os.DirFS(s.dir+".away")), os.Symlink(filepath.Join(at, "data"), s.dir)); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"token.jwk", "master.key"} {
		os.Chmod(filepath.Join(at, "data", "keys", key), 0o600)
	}
	fill := filepath.Join(at, "fill")
	os.WriteFile(fill, make([]byte, 80<<20), 0o600) // fills the disk
	for _, left := range []int64{0, 8 << 10, 64 << 10, 256 << 10, 2 << 20} {
		info, err := os.Stat(fill)
		if err == nil {
			err = os.Truncate(fill, info.Size()-left)
		}
		if err != nil {
			t.Fatal(err)
		}
		refused(t, s.dir, nil, "the disk is full")
	}
	os.Remove(fill)
	if out, ended := once(t, s.dir); ended {
		t.Errorf("with room again: %s", out)
	}
	if err := syscall.Mount("none", at, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skip("no remounts here:", err)
	}
	refused(t, s.dir, nil, "read-only")
}

// TestFileInPlaceOfFolder replaces folders by files, and files by folders.
func TestFileInPlaceOfFolder(t *testing.T) {
	t.Parallel()
	s := used(t)
	for _, part := range []string{"keys", "scratch", "landing", "lake", "profile", "credentials.json", "lock"} {
		path := filepath.Join(s.dir, part)
		err := os.Rename(path, path+".away")
		if slices.Contains([]string{"credentials.json", "lock"}, part) {
			err = errors.Join(err, os.Mkdir(path, 0o700))
		} else {
			err = errors.Join(err, os.WriteFile(path, []byte("x"), 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
		refused(t, s.dir, nil, path, "in the place of a folder")
		if err := errors.Join(os.RemoveAll(path), os.Rename(path+".away", path)); err != nil {
			t.Fatal(err)
		}
	}
}
