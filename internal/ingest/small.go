package ingest

import "context"

// A run is small if its files have at most smallBytes and there are fewer than smallFiles of them. Compressed files may
// be larger than their stored size.
const (
	smallBytes = 8 << 20
	smallFiles = 1000
)

// Small reports whether a run has little to read. It lists the files and does not read them.
func Small(ctx context.Context, s *Spec) (bool, error) {
	if !s.Run.Request.Traits().ReadsFiles() {
		return false, nil
	}
	found, err := list(ctx, s, smallFiles)
	if err != nil || len(found) >= smallFiles {
		return false, err
	}
	var before map[string]bool
	if s.Run.Request.OnlyNew() {
		if before, err = s.Host.ReadBefore(ctx, found); err != nil {
			return false, err
		}
	}
	var bytes int64
	for _, f := range found {
		if skipReason(s, f, before) == "" {
			bytes += f.Size
		}
	}
	return bytes <= smallBytes, nil
}
