package lake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	icebergio "github.com/apache/iceberg-go/io"
	"golang.org/x/sync/errgroup"

	"roster/internal/audience"
	"roster/internal/blob"
)

// files implements file access for all tables on a byte store. The path of a location is the path of an object. When
// Close of a writer returns, the file is complete and durable. The local files of iceberg-go are not durable: after a
// crash of the machine, a catalog row could name a file that is lost. Each file is read and written with checksums
// (sums.go).
type files struct {
	store    blob.Store
	original blob.Store // store without copies
	base     string     // the location of the store's root, without a slash at the end
	root     string     // directory of new tables
	former   string     // another directory that may have older tables; only on the local disk
}

var (
	_ icebergio.ReadFileIO  = files{}
	_ icebergio.WriteFileIO = files{}
)

// errUnwritten is the error for a file that iceberg-go could not write.
var errUnwritten = errors.New("lake: a file of the table could not be written")

func unwritten(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errUnwritten, err)
}

// uncached returns the files without copies.
func (fs files) uncached() files {
	fs.store = fs.original
	return fs
}

// storeTroubles are the errors of a bucket that clients may know, without the object that they are about.
var storeTroubles = []error{blob.ErrCredentials, blob.ErrPermission, blob.ErrNoBucket, blob.ErrUnreachable, blob.ErrFailed}

// Trouble returns the error that clients see for an error of the bucket that contains the tables. It returns nil for any
// other error, and if the tables lie on the local disk.
func (l *Lake) Trouble(err error) *audience.Error {
	i := slices.IndexFunc(storeTroubles, func(kind error) bool { return errors.Is(err, kind) })
	if l.files.local() || i < 0 {
		return nil
	}
	return audience.Errorf(audience.BadGateway, "the object store of the datasets: %v; the server's log has the details", storeTroubles[i])
}

// open returns the files in the form that iceberg-go expects.
func (fs files) open(context.Context) (icebergio.IO, error) { return fs, nil }

// Open implements icebergio.IO. Reads of the file check its checksums.
func (fs files) Open(location string) (icebergio.File, error) {
	p, err := fs.pathOf(location)
	if err != nil {
		return nil, err
	}
	f, err := fs.openSums(p)
	if err != nil {
		return nil, opened(p, err)
	}
	return f, nil
}

// ReadFile implements icebergio.ReadFileIO.
func (fs files) ReadFile(location string) ([]byte, error) {
	f, err := fs.Open(location)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// exists returns nil if there is a file at the location, and blob.ErrNotExist if there is none.
func (fs files) exists(ctx context.Context, location string) error {
	p, err := fs.pathOf(location)
	if err == nil {
		_, err = fs.store.Stat(ctx, p)
	}
	return err
}

// Create implements icebergio.WriteFileIO.
func (fs files) Create(location string) (icebergio.FileWriter, error) {
	p, err := fs.pathOf(location)
	if err != nil {
		return nil, err
	}
	dir := fs.root
	rel, ok := strings.CutPrefix(p, dir+"/")
	if dir == "" {
		rel, ok = p, true
	}
	if !ok {
		dir = path.Dir(path.Dir(p)) // the file of a table elsewhere
		rel = strings.TrimPrefix(p, dir+"/")
	}
	f, err := fs.create(dir, rel)
	if err != nil {
		return nil, unwritten(err)
	}
	return tableFile{f}, nil
}

// WriteFile implements icebergio.WriteFileIO.
func (fs files) WriteFile(location string, content []byte) error {
	w, err := fs.Create(location)
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	return errors.Join(err, w.Close())
}

// Remove implements icebergio.IO.
func (fs files) Remove(location string) error {
	p, err := fs.pathOf(location)
	if err != nil {
		return err
	}
	return fs.store.Below(path.Dir(p)).Remove(context.Background(), path.Base(p), path.Base(p)+sumsSuffix)
}

// tableFile is a file that iceberg-go writes. Its errors wrap errUnwritten.
type tableFile struct{ *newFile }

func (f tableFile) Write(p []byte) (int, error) {
	n, err := f.newFile.Write(p)
	return n, unwritten(err)
}

// ReadFrom implements io.ReaderFrom.
func (f tableFile) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(f.newFile, r)
	return n, unwritten(err)
}

func (f tableFile) Close() error { return unwritten(f.newFile.Close()) }

// newFile is a file that is being written sequentially, with its checksums.
type newFile struct {
	in     files
	store  blob.Store // store of the directory
	dir    string     // the directory
	path   string     // path in the directory
	w      blob.Writer
	sums   *summer
	named  bool // Close adds the hash of the content to the name, if the store can rename
	closed bool
}

// create begins a file at a path below a directory. The directory must exist, or be the table's own directory.
func (fs files) create(dir, p string) (*newFile, error) {
	store := fs.store.Below(dir)
	// Every name is used once. A bucket that has lost the answer to its own success would call the object an existing one.
	w, err := store.Create(context.Background(), p, blob.CreateOptions{IfAbsent: fs.local()})
	if err != nil {
		return nil, err
	}
	return &newFile{in: fs, store: store, dir: dir, path: p, w: w, sums: newSummer()}, nil
}

// location returns the present or future location of the file.
func (f *newFile) location() string { return f.in.locationOf(path.Join(f.dir, f.path)) }

func (f *newFile) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	_, _ = f.sums.Write(p[:n]) // never fails
	return n, err
}

// Close writes the checksums and makes the file durable. A second call does nothing.
func (f *newFile) Close() error {
	if f.closed {
		return nil
	}
	f.closed = true
	sums := f.sums.end()
	if r, ok := f.w.(blob.Renamer); ok && f.named {
		f.path = nameByHash(f.path, sums.whole)
		r.Rename(f.path)
	}
	if err := f.commit(sums); err != nil {
		f.remove()
		return fmt.Errorf("make %s durable: %w", path.Base(f.path), err)
	}
	return nil
}

// commit makes the file and its checksums durable.
func (f *newFile) commit(s *sums) error {
	if f.in.local() {
		if err := writeSums(f.store, f.path, s); err != nil {
			return err
		}
		return f.w.Commit()
	}
	// Both are requests to the bucket, which take their time.
	var g errgroup.Group
	g.Go(func() error { return writeSums(f.store, f.path, s) })
	g.Go(f.w.Commit)
	err := g.Wait()
	if err != nil {
		_ = f.store.Remove(context.Background(), f.path) // otherwise the file is an orphan
	}
	return err
}

// abandon removes a file that is not needed, whether it is finished or not.
func (f *newFile) abandon() {
	if f.closed {
		_ = f.store.Remove(context.Background(), f.path) // otherwise the file is an orphan
	}
	f.closed = true
	f.remove()
}

// remove closes the file without commit, and removes the file and its checksums.
func (f *newFile) remove() {
	f.w.Abort()
	_ = f.store.Remove(context.Background(), f.path+sumsSuffix) // otherwise the file is an orphan
}
