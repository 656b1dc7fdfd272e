package lake

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	icebergio "github.com/apache/iceberg-go/io"

	"roster/internal/fault"
)

// durableFS writes the files of iceberg-go durably: a file is on disk, and so is its name, before Close returns. iceberg-go's own local
// files are not synced, and a catalog row that survives a crash of the machine must not name a file that did not.
type durableFS struct{ icebergio.LocalFS }

// errUnwritten is what a file is that iceberg-go could not write.
var errUnwritten = errors.New("lake: a file of the table could not be written")

func unwritten(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errUnwritten, err)
}

// Open opens a file whose checksums are checked.
func (durableFS) Open(name string) (icebergio.File, error) {
	path, err := filePath(name)
	if err != nil {
		return nil, err
	}
	f, err := openSums(path)
	if err != nil {
		return nil, opened(path, err)
	}
	return f, nil
}

// ReadFile reads a file and checks it.
func (fs durableFS) ReadFile(name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

func (durableFS) Create(name string) (icebergio.FileWriter, error) {
	path, err := filePath(name)
	if err != nil {
		return nil, err
	}
	f, err := createDurable(path)
	if err != nil {
		return nil, unwritten(err)
	}
	return tableFile{f}, nil
}

// tableFile is a file that iceberg-go writes; its errors are errUnwritten.
type tableFile struct{ *durableFile }

func (f tableFile) Write(p []byte) (int, error) {
	n, err := f.durableFile.Write(p)
	return n, unwritten(err)
}

func (f tableFile) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(f.durableFile, r)
	return n, unwritten(err)
}

func (f tableFile) Close() error { return unwritten(f.durableFile.Close()) }

func (fs durableFS) WriteFile(name string, content []byte) error {
	w, err := fs.Create(name)
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	return errors.Join(err, w.Close())
}

// createDurable creates a file and its directories; closing it makes it durable.
func createDurable(path string) (*durableFile, error) {
	if err := mkdirDurable(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := fault.At("lake.create"); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if err := fault.At("lake.create" + fault.Done); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &durableFile{file: f, path: path, sums: newSummer()}, nil
}

// durableFile is a file that is written, in order, with its checksums.
type durableFile struct {
	file    *os.File
	path    string
	sums    *summer
	named   bool // closing it puts the hash of the content into its name
	closed  bool
	written int64 // bytes
	begun   int64 // bytes that the kernel was asked to write to the disk
}

// beginEvery is how much is written to a file before the kernel is asked to bring it to the disk. It does so meanwhile:
// otherwise a file of 128 MiB is first written when it is synced, while its writer waits.
const beginEvery = 8 << 20

func (f *durableFile) Write(p []byte) (int, error) {
	if err := fault.At("lake.write"); err != nil {
		return 0, err
	}
	n, err := f.file.Write(p)
	_, _ = f.sums.Write(p[:n])
	if err != nil {
		return n, err
	}
	if f.written += int64(n); f.written-f.begun >= beginEvery {
		beginSync(f.file, f.begun, f.written-f.begun)
		f.begun = f.written
	}
	return n, fault.At("lake.write" + fault.Done)
}

// Close syncs the file and its directory, and writes the checksums. Closing twice does nothing.
func (f *durableFile) Close() error {
	if f.closed {
		return nil
	}
	f.closed = true
	err := fault.At("lake.sync")
	if err == nil {
		err = f.file.Sync()
	}
	if cerr := f.file.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = f.keepSums()
	}
	if err != nil {
		return fmt.Errorf("make %s durable: %w", f.path, err)
	}
	return errors.Join(syncDir(filepath.Dir(f.path)), fault.At("lake.sync"+fault.Done))
}

// keepSums names the file by its hash when that is wanted, and writes its checksums beside it.
func (f *durableFile) keepSums() error {
	sums := f.sums.end()
	if f.named {
		path := nameByHash(f.path, sums.whole)
		if err := os.Rename(f.path, path); err != nil {
			return err
		}
		f.path = path
	}
	return writeSums(f.path, sums)
}

// abandon closes a file that is not wanted, and removes it.
func (f *durableFile) abandon() {
	if !f.closed {
		f.closed = true
		f.file.Close()
	}
	os.Remove(f.path)
	os.Remove(f.path + sumsSuffix)
}

// mkdirDurable creates a directory and its parents, and syncs the parent of each that it created.
func mkdirDurable(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if err := mkdirDurable(parent); err != nil {
		return err
	}
	if err := fault.At("lake.mkdir"); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return errors.Join(syncDir(parent), fault.At("lake.mkdir"+fault.Done))
}

// syncDirectories makes the names of the table's directories durable. Each was when it was created, unless the
// process was killed at that moment.
func (d *Dataset) syncDirectories() error {
	dirs := []string{d.lake.warehouse, filepath.Dir(d.dir), d.dir}
	for _, name := range []string{"metadata", "data", "roster"} {
		dirs = append(dirs, filepath.Join(d.dir, name))
	}
	for _, dir := range dirs {
		if err := syncDir(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("make %s durable: %w", dir, err)
	}
	return nil
}

// removeDurable removes a directory with everything in it, and makes that durable.
func removeDurable(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := fault.At("lake.remove"); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return errors.Join(syncDir(filepath.Dir(dir)), fault.At("lake.remove"+fault.Done))
}

// remove removes a file and its checksums; one that is gone already is no error.
func remove(path string) error {
	if err := fault.At("lake.remove"); err != nil {
		return err
	}
	for _, p := range []string{path, path + sumsSuffix} {
		if err := os.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return fault.At("lake.remove" + fault.Done)
}
