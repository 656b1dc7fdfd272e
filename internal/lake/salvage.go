package lake

import (
	"context"
	"errors"
	"io"

	"github.com/apache/iceberg-go/table"
)

// DamagedFile returns the file that an ErrDamaged describes, as a path below the directory of all tables. For other
// errors, it returns "".
func DamagedFile(err error) string {
	var d *damagedError
	if errors.As(err, &d) {
		return d.place
	}
	return ""
}

// Salvaged are the readable rows of a snapshot with damaged files.
type Salvaged struct {
	State   *State   // the data files that are not damaged
	Damaged []string // damaged files, as paths below the directory of all tables
	Lost    int64    // live rows in damaged data files, or in data files with damaged position deletes
}

// Salvage reads all files of the snapshot and leaves out the damaged ones.
func (d *Dataset) Salvage(ctx context.Context, opts StateOptions) (*Salvaged, error) {
	s := &Salvaged{State: &State{opts: opts, in: d.lake.files}}
	all, err := d.OpenState(ctx, opts)
	if errors.Is(err, ErrDamaged) { // the list of files, or the list of deleted rows, is unknown
		s.Damaged, s.Lost = []string{DamagedFile(err)}, d.Rows()
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	live := int64(0)
	for i, f := range all.data {
		err := f.verify(ctx)
		if errors.Is(err, ErrDamaged) {
			s.Damaged = append(s.Damaged, DamagedFile(err))
			continue
		}
		if err != nil {
			return nil, err
		}
		s.State.data, s.State.files = append(s.State.data, f), append(s.State.files, all.files[i])
		live += f.Rows - f.deleted.count()
	}
	s.Lost = d.Rows() - live
	return s, nil
}

// verify reads the whole file and decodes the columns that a merge needs, because the file may have no checksums.
func (f *stateFile) verify(ctx context.Context) error {
	path, err := f.in.pathOf(f.Path)
	if err != nil {
		return err
	}
	if err := f.in.verifyFile(ctx, path); err != nil {
		return err
	}
	foot, err := f.footer()
	for g := 0; err == nil && g < len(foot.groups); g++ {
		if err = ctx.Err(); err == nil {
			err = decodeGroup(g, foot)
		}
	}
	return unreadable(ctx.Err(), f.Path, err)
}

func decodeGroup(index int, foot *footer) (err error) {
	defer recovered(&err)
	return (&stateGroup{index: index}).read(foot)
}

// verifyFile reads a whole file, not a copy of it, and checks its checksums.
func (fs files) verifyFile(ctx context.Context, path string) error {
	f, err := fs.uncached().openSums(path)
	if err != nil {
		return opened(path, err)
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, &contextReader{ctx, f})
	return err
}

// contextReader returns the context's error after the context ends.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// stageAnew stages a snapshot with the added files only. It does not read the manifests of the current snapshot, which
// may be damaged.
func (d *Dataset) stageAnew(_ context.Context, c Commit) (stagedCommit, error) {
	s, err := d.newSnapshot()
	if err != nil {
		return nil, err
	}
	for _, f := range c.Add {
		s.add(f.file)
	}
	return s.write(table.OpOverwrite, d.summaryOf(c, d.rowsAfter(c, nil)))
}
