package ingest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"

	"roster/internal/audience"
	"roster/internal/source"
)

// maxSkipsListed is the maximum number of skipped objects in a run's manifest. A folder keeps its old files, so there
// may be many.
const maxSkipsListed = 1000

// plan lists the objects of the run's window and pins the objects that the run will read, in name order.
func (p *Pipeline) plan(ctx context.Context, s *Spec) ([]audience.PlannedFile, error) {
	if !s.Run.Request.Traits().ReadsFiles() {
		return nil, nil
	}
	found, err := list(ctx, s, math.MaxInt)
	if absent := new(audience.Error); errors.As(err, &absent) && absent.Code == audience.Impossible {
		return nil, audience.Errorf(audience.Invalid, "%s", absent.Message) // contract, section 5
	}
	if err != nil {
		return nil, err
	}
	switch {
	case len(found) == 0 && source.IsPattern(s.path()):
		return nil, audience.Errorf(audience.Invalid, "no file matches %q; upload one, or correct sourceSpec.path", s.path())
	case len(found) == 0:
		return nil, audience.Errorf(audience.Invalid, "there is no file under %q; upload one, or correct sourceSpec.path", s.path())
	}
	// Some stores do not list in the byte order of paths: a Data Lake with folders lists folder by folder.
	slices.SortFunc(found, func(a, b audience.PlannedFile) int { return strings.Compare(a.Path, b.Path) })
	var before map[string]bool
	if s.Run.Request.OnlyNew() {
		if before, err = s.Host.ReadBefore(ctx, found); err != nil {
			return nil, fmt.Errorf("look up what earlier runs have read: %w", err)
		}
	}
	files := found[:0]
	skipped := 0
	for _, f := range found {
		f.Status = audience.FileRead
		if f.Reason = skipReason(s, f, before); f.Reason != "" {
			f.Status = audience.FileSkipped
			if skipped++; skipped > maxSkipsListed {
				continue
			}
		}
		files = append(files, f)
	}
	if err := p.waitSettled(ctx, s, files); err != nil {
		return nil, err
	}
	files, skipped = passEmpty(s, files, skipped)
	return files, enough(s, files, skipped)
}

// emptyFile is the reason why an empty file of a folder is skipped.
const emptyFile = "an empty file"

// symbolicLink is the reason why a link in a folder is skipped, regardless of the window and of its target.
const symbolicLink = "a symbolic link, which is never followed"

// passEmpty skips the empty files of a folder. It is called after the files have settled, because a file that is being
// written is empty at first. A full run without that file would remove its members.
func passEmpty(s *Spec, files []audience.PlannedFile, skipped int) (left []audience.PlannedFile, nowSkipped int) {
	if s.oneFile() {
		return files, skipped
	}
	left = files[:0]
	for _, f := range files {
		if f.Status == audience.FileRead && f.Size == 0 {
			f.Status, f.Reason = audience.FileSkipped, emptyFile
			if skipped++; skipped > maxSkipsListed {
				continue
			}
		}
		left = append(left, f)
	}
	return left, skipped
}

// enough returns an error if a missing file would make members leave.
func enough(s *Spec, files []audience.PlannedFile, skipped int) error {
	read := 0
	for _, f := range files {
		switch {
		case f.Status == audience.FileRead:
			read++
		case f.Status == audience.FileUnsettled && s.Run.Request.Replaces():
			return audience.Errorf(audience.Impossible, "%q is still being written: a full run without it would remove the members that it names; "+
				"start the run again once the file is complete", f.Path)
		}
	}
	if read == 0 && s.Run.Request.Replaces() {
		return audience.Errorf(audience.Invalid, "no file to read under %q in the run's window (%d skipped): "+
			"a full run without files would remove every member; check sourceSpec.path and the window, or delete the audience", s.path(), skipped)
	}
	return nil
}

// path returns the path that the run reads: the audience's path, or the corrected file of a resubmit.
func (s *Spec) path() string {
	if s.Run.Request.Traits().Input == audience.FromFile {
		return s.Run.Request.File
	}
	return s.Audience.Source.Path
}

// format returns the format of the run's files.
func (s *Spec) format() audience.Format {
	f := s.Audience.Source.FormatOf()
	if s.Run.Request.Escaped {
		f.Escape = audience.Spreadsheet
	}
	return f
}

// oneFile reports whether the path names a single file.
func (s *Spec) oneFile() bool {
	return s.Run.Request.Traits().Input == audience.FromFile || s.Audience.Source.Type == audience.PathFile && !source.IsPattern(s.path())
}

// list returns the objects under the audience's path. If there are more than most, it returns the first ones in name
// order. Its errors come from sourceFailure.
func list(ctx context.Context, s *Spec, most int) ([]audience.PlannedFile, error) {
	if s.oneFile() {
		o, err := s.Source.Stat(ctx, s.path())
		if err != nil {
			return nil, s.notListed(ctx, err)
		}
		return []audience.PlannedFile{planned(o)}, nil
	}
	var files []audience.PlannedFile
	err := source.ListPath(ctx, s.Source, strings.Trim(s.path(), "/"), s.Audience.Source.Type == audience.PathFolder, func(o source.Object) error {
		if files = append(files, planned(o)); len(files) == most {
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		return nil, s.notListed(ctx, err)
	}
	return files, nil
}

// notListed returns the error for a path that cannot be listed. For an absent path, the error suggests a correction.
func (s *Spec) notListed(ctx context.Context, err error) error {
	if errors.Is(err, source.ErrNotExist) {
		return audience.Errorf(audience.Impossible, "%q does not exist in the source; upload it or correct sourceSpec.path%s", s.path(),
			source.Nearest(ctx, s.Source, strings.Trim(s.path(), "/"), !s.oneFile()))
	}
	return sourceFailure(s.path(), err)
}

func planned(o source.Object) audience.PlannedFile {
	f := audience.PlannedFile{Path: o.Path, Size: o.Size, ModifiedAt: o.Modified.UTC(), Version: o.Version}
	if o.Link {
		f.Reason = symbolicLink
	}
	return f
}

// skipReason returns the reason why an object is not read, regardless of its size, or "" if it is read.
func skipReason(s *Spec, f audience.PlannedFile, before map[string]bool) string {
	req := s.Run.Request
	if req.Traits().Input == audience.FromFile {
		return ""
	}
	if f.Reason == symbolicLink {
		return f.Reason
	}
	switch at := f.ModifiedAt.Unix(); {
	case !req.WindowStart.IsZero() && at <= req.WindowStart.Unix():
		return "modified before the run's window"
	case at > req.WindowEnd.Unix():
		return "modified after the run's window"
	case before[f.Path+"\x00"+f.Version]:
		return "read by an earlier run in this version"
	}
	if s.oneFile() {
		return ""
	}
	// Only the part of the path below the audience's folder counts.
	return source.PassedOver(strings.TrimPrefix(f.Path, source.Base(strings.Trim(s.path(), "/"))+"/"))
}

// sourceFailure converts an error of the source to an error of the run: what happened, to which path, and what to do.
func sourceFailure(path string, err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, source.ErrNotExist):
		return audience.Errorf(audience.Impossible, "%q does not exist in the source; upload it or correct sourceSpec.path", path)
	case errors.Is(err, source.ErrChanged):
		return audience.Errorf(audience.Impossible, "%q changed while the run read it; start a new run once it is complete", path)
	case errors.Is(err, source.ErrOutside):
		return audience.Errorf(audience.Invalid, "%q lies outside the root of its connection or behind a symbolic link", path)
	case errors.Is(err, source.ErrPermission):
		return audience.Errorf(audience.BadGateway, "%q cannot be read: %s; check the connection's rights", path, source.Reason(err, source.ErrPermission))
	}
	if errors.Is(err, source.ErrFailed) {
		return audience.Errorf(audience.BadGateway, "%q cannot be read: %s; start a new run, and check the connection if that fails as well", path, source.Reason(err, source.ErrFailed))
	}
	if refused := source.Refused(err); refused != nil {
		return refused
	}
	return audience.Errorf(audience.BadGateway, "%q cannot be read from the source; check the connection", path)
}
