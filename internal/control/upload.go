package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/source"
)

// landingFolder holds a folder for each sandbox's landing zone, and beside them the uploads that are not whole.
const landingFolder = "landing"

// unfinishedUpload begins the names of uploads that are not whole.
const unfinishedUpload = ".upload-"

// Upload puts a file into the landing zone of the actor's sandbox, in the place of one that is there. Nobody
// sees it before it is whole and on the disk. The path may begin with the landing zone's container.
func (s *Service) Upload(ctx context.Context, a audience.Actor, name string, r io.Reader) (o source.Object, err error) {
	name = audience.LandingPath(name)
	d, err := s.begin(ctx, a, allow(a, toWrite), audience.FileUpload, name)
	if err != nil {
		return source.Object{}, err
	}
	defer d.end(ctx, &err)
	if err := checkUpload(name); err != nil {
		return source.Object{}, err
	}
	if o, err = s.put(ctx, a.Scope, name, r); err == nil {
		d.changes(nil, map[string]any{"size": o.Size, "version": o.Version})
	}
	return o, err
}

// put puts a file into the landing zone of a sandbox.
func (s *Service) put(ctx context.Context, scope audience.Scope, name string, r io.Reader) (source.Object, error) {
	root, err := s.landing(scope.Sandbox)
	if err != nil {
		return source.Object{}, err
	}
	defer root.Close()
	target := path.Join(scope.Sandbox, name)
	if err := makeRoom(root, target); err != nil {
		return source.Object{}, err
	}
	temp := unfinishedUpload + uuid.NewString()
	if err := receive(ctx, root, temp, r); err != nil {
		return source.Object{}, errors.Join(err, root.Remove(temp))
	}
	if err := root.Rename(temp, target); err != nil {
		return source.Object{}, errors.Join(fmt.Errorf("put the upload in its place: %w", err), root.Remove(temp))
	}
	if err := syncFolder(root, path.Dir(target)); err != nil {
		return source.Object{}, err
	}
	src, err := s.open(ctx, scope, nil)
	if err != nil {
		return source.Object{}, err
	}
	defer src.close()
	o, err := src.Stat(ctx, name)
	if err != nil {
		return source.Object{}, fmt.Errorf("look at the uploaded file: %w", err)
	}
	s.uploaded.add(uploadedFile{scope, o.Path, o.Version})
	return o, nil
}

// checkUpload refuses paths that leave the landing zone and names that a run would pass over.
func checkUpload(name string) error {
	if problem := audience.CheckPath(name); problem != "" {
		return audience.InvalidField("path", "%s", problem)
	}
	for part := range strings.SplitSeq(name, "/") {
		if len(part) > 255 {
			return audience.InvalidField("path", "has a part with %d bytes; at most 255 are allowed", len(part))
		}
	}
	if reason := source.PassedOver(name); reason != "" {
		return audience.InvalidField("path", "is a place that runs pass over: %s", reason)
	}
	return nil
}

// landing opens the folder of the landing zones, in which the sandbox's is there.
func (s *Service) landing(sandbox string) (*os.Root, error) {
	dir := filepath.Join(s.cfg.DataDir, landingFolder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the landing zone: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the landing zone: %w", err)
	}
	if err := root.MkdirAll(sandbox, 0o700); err != nil {
		return nil, errors.Join(fmt.Errorf("open the landing zone: %w", err), root.Close())
	}
	return root, nil
}

// makeRoom makes the folders above the target. Neither they nor the target may be symbolic links, and where the
// target goes there may be a file but no folder.
func makeRoom(root *os.Root, target string) error {
	sandbox, name, _ := strings.Cut(target, "/")
	folder := sandbox
	parts := strings.Split(name, "/")
	for _, part := range parts[:len(parts)-1] {
		above := folder
		folder = path.Join(folder, part)
		info, err := root.Lstat(folder)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if err := root.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("make a folder in the landing zone: %w", err)
			}
			if err := syncFolder(root, above); err != nil {
				return err
			}
		case err != nil:
			return fmt.Errorf("look at a folder in the landing zone: %w", err)
		case !info.IsDir():
			return audience.InvalidField("path", "%q in it is not a folder", strings.TrimPrefix(folder, sandbox+"/"))
		}
	}
	info, err := root.Lstat(target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at a file in the landing zone: %w", err)
	}
	if !info.Mode().IsRegular() {
		return audience.InvalidField("path", "%q is there and is not a file", name)
	}
	return nil
}

// receive writes what the client sends to a new file and to the disk.
func receive(ctx context.Context, root *os.Root, name string, r io.Reader) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("begin the upload: %w", err)
	}
	defer f.Close()
	sent := &sender{ctx: ctx, r: r}
	n, err := io.Copy(f, sent)
	if sent.err != nil {
		return audience.Errorf(audience.Invalid, "the upload broke off after %d bytes: %w", n, sent.err)
	}
	if err != nil {
		return fmt.Errorf("write the upload: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write the upload to the disk: %w", err)
	}
	return f.Close()
}

// sender reads what a client sends and keeps its error apart from the disk's.
type sender struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (s *sender) Read(p []byte) (int, error) {
	if s.err = s.ctx.Err(); s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// syncFolder brings a folder's entries to the disk.
func syncFolder(root *os.Root, name string) error {
	d, err := root.Open(name)
	if err != nil {
		return fmt.Errorf("open a folder of the landing zone: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("write a folder of the landing zone to the disk: %w", err)
	}
	return nil
}

// clearUploads removes the uploads that an earlier process did not finish.
func (s *Service) clearUploads() {
	left, _ := filepath.Glob(filepath.Join(s.cfg.DataDir, landingFolder, unfinishedUpload+"*"))
	for _, name := range left {
		if err := os.Remove(name); err != nil {
			s.cfg.Log.Warn("remove an unfinished upload", "error", err)
		}
	}
}
