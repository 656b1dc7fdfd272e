package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
)

// Pending returns a fingerprint of the files that a differential run would read at the end of its window, without
// waiting for any file. It returns "" if there are none. The fingerprint changes if the set of files or a version of a
// file changes.
func Pending(ctx context.Context, s *Spec) (string, error) {
	found, err := list(ctx, s, math.MaxInt)
	if err != nil {
		return "", err
	}
	before, err := s.Host.ReadBefore(ctx, found)
	if err != nil {
		return "", fmt.Errorf("look up what earlier runs have read: %w", err)
	}
	sum, now := sha256.New(), s.Run.Request.WindowEnd
	n := 0
	for _, f := range found {
		if f.Size == 0 && !s.oneFile() || skipReason(s, f, before) != "" || !s.Settle.Settled(f, now) {
			continue
		}
		n++
		fmt.Fprintf(sum, "%s\x00%s\x00", f.Path, f.Version)
	}
	if n == 0 {
		return "", nil
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
