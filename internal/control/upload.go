package control

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"roster/internal/audience"
	"roster/internal/landing"
	"roster/internal/source"
)

// Upload receives a file, or a part of one, for the landing zone of the actor's sandbox. The file is not visible before
// it is complete and durable; then it replaces a file of that name. The path may begin with the landing zone's
// container.
func (s *Service) Upload(ctx context.Context, a audience.Actor, name string, u landing.Upload) (state landing.State, err error) {
	name = audience.LandingPath(name)
	d, err := s.begin(ctx, a, allow(a, toWrite), audience.FileUpload, name)
	if err != nil {
		return landing.State{}, err
	}
	defer d.end(ctx, &err)
	if err := landing.CheckName(name); err != nil {
		return landing.State{}, err
	}
	admitted, err := s.requests.admit(a.Scope, limitedUploads, s.cfg.Limits.Uploads)
	if err != nil {
		return landing.State{}, err
	}
	defer admitted()
	if state, err = s.put(ctx, a.Scope, name, u); err != nil {
		return landing.State{}, err
	}
	if !state.Completed {
		d.unfinished()
		return state, nil
	}
	d.entry.Changes(nil, map[string]any{"size": state.File.Size, "version": state.File.Version, "sha256": hex.EncodeToString(state.SHA256)})
	return state, nil
}

// put receives a file, or a part of one, for a sandbox's landing zone.
func (s *Service) put(ctx context.Context, scope audience.Scope, name string, u landing.Upload) (landing.State, error) {
	state, err := s.cfg.Landing.Put(ctx, scope, name, u)
	if err == nil && state.Completed {
		s.cfg.Sources.Uploaded(scope, state.File.Path, state.File.Version)
	}
	return state, err
}

// File is a file of a landing zone.
type File struct {
	Path     string
	Size     int64 // bytes
	Version  string
	Modified time.Time
	Expires  time.Time // when it will be removed
}

// Files lists the files of the actor's landing zone whose paths begin with prefix, in the order of their paths, after
// the path after. A limit of 0 is landing.DefaultFiles. more means that there are further files. As for an exploration,
// only clients that may create audiences of the files may list them.
func (s *Service) Files(ctx context.Context, a audience.Actor, prefix, after string, limit int) (files []File, more bool, err error) {
	if err := allow(a, toWrite); err != nil {
		return nil, false, err
	}
	list, more, err := s.cfg.Landing.List(ctx, a.Scope.Sandbox, prefix, after, limit)
	files = make([]File, len(list))
	for i, o := range list {
		files[i] = File{Path: o.Path, Size: o.Size, Version: o.Version, Modified: o.Modified, Expires: o.Modified.Add(landing.TTL)}
	}
	return files, more, err
}

// DeleteFile removes a file from the actor's landing zone. A run that is reading it fails.
func (s *Service) DeleteFile(ctx context.Context, a audience.Actor, name string) (err error) {
	name = audience.LandingPath(name)
	d, err := s.begin(ctx, a, allow(a, toWrite), audience.FileDelete, name)
	if err != nil {
		return err
	}
	defer d.end(ctx, &err)
	if err := landing.CheckName(name); err != nil {
		return err
	}
	err = s.cfg.Landing.Remove(ctx, a.Scope.Sandbox, name)
	if errors.Is(err, source.ErrNotExist) {
		return audience.Errorf(audience.NotFound, "there is no file %q in the landing zone of sandbox %q", name, a.Scope.Sandbox)
	}
	if errors.Is(err, source.ErrOutside) {
		return audience.InvalidField("path", "leads through a symbolic link")
	}
	return err
}
