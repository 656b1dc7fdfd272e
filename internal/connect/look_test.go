package connect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"roster/internal/audience"
	"roster/internal/source"
)

// oneError is a store whose every answer is an error.
type oneError struct {
	source.Store
	err error
}

func (s oneError) Stat(context.Context, string) (source.Object, error)             { return source.Object{}, s.err }
func (s oneError) List(context.Context, string, func(o source.Object) error) error { return s.err }

// absentPath is a store in which no path exists. Its root is listed with an error.
type absentPath struct {
	source.Store
	rootError error
}

func (s absentPath) Stat(_ context.Context, path string) (source.Object, error) {
	return source.Object{}, fmt.Errorf("%s: %w", path, source.ErrNotExist)
}

func (s absentPath) List(_ context.Context, folder string, _ func(o source.Object) error) error {
	if folder != "" {
		return fmt.Errorf("%s: %w", folder, source.ErrNotExist)
	}
	return s.rootError
}

func TestExists(t *testing.T) {
	t.Parallel()
	for _, typ := range []audience.PathType{audience.PathFile, audience.PathFolder} {
		spec := audience.SourceSpec{Path: "lists/a", Type: typ}
		for err, want := range map[error]audience.Code{
			source.ErrOutside: audience.Invalid, source.ErrPermission: audience.Invalid,
			errors.New("input/output error"): audience.BadGateway, nil: "",
		} {
			if err != nil {
				err = fmt.Errorf("lists/a: %w", err)
			}
			absent, got := Exists(t.Context(), oneError{err: err}, spec)
			if absent != "" || want == "" && got != nil || want != "" && audience.CodeOf(got) != want {
				t.Errorf("%s, %v: %q, %v", typ, err, absent, got)
			}
		}
		// A path that is not there is one thing, a root that is not there another.
		absent, err := Exists(t.Context(), absentPath{}, spec)
		if !strings.Contains(absent, "lists/a") || err != nil {
			t.Errorf("%s, an absent path: %q, %v", typ, absent, err)
		}
		for _, broken := range []error{source.ErrNotExist, source.ErrNoBucket, source.ErrPermission} {
			if absent, err := Exists(t.Context(), absentPath{rootError: broken}, spec); absent != "" || audience.CodeOf(err) == "" {
				t.Errorf("%s, a root of which the store says %v: %q, %v", typ, broken, absent, err)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var coded *audience.Error
	if _, err := Exists(ctx, oneError{err: ctx.Err()}, audience.SourceSpec{Path: "a", Type: audience.PathFile}); !errors.Is(err, context.Canceled) || errors.As(err, &coded) {
		t.Errorf("a stopping process failed a task: %v", err)
	}
}
