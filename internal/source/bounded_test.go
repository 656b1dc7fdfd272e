package source_test

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"roster/internal/source"
)

// slow is a store that takes its time for every object of a listing, has so many, and answers after a while.
type slow struct {
	each, answer time.Duration
	objects      int
}

func (s slow) wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s slow) List(ctx context.Context, _ string, fn func(source.Object) error) error {
	for i := range s.objects {
		if err := s.wait(ctx, s.each); err != nil {
			return err
		}
		if err := fn(source.Object{Path: strconv.Itoa(i)}); err != nil {
			return err
		}
	}
	return nil
}

func (s slow) Browse(ctx context.Context, folder string, fn func(source.Object, bool) error) error {
	return s.List(ctx, folder, func(o source.Object) error { return fn(o, false) })
}

func (s slow) Stat(ctx context.Context, path string) (source.Object, error) {
	return source.Object{Path: path}, s.wait(ctx, s.answer)
}

func (s slow) Open(ctx context.Context, _ source.Object, _, _ int64) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("text")), s.wait(ctx, s.answer)
}

type slowLinked struct{ slow }

func (s slowLinked) ListLinks(ctx context.Context, folder string, fn func(source.Object) error) error {
	return s.List(ctx, folder, fn)
}

type slowAtomic struct{ slow }

func (slowAtomic) Atomic() {}

type slowBoth struct{ slowLinked }

func (slowBoth) Atomic() {}

func TestBounded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		store  slow
		fails  bool
		within time.Duration
		mine   time.Duration // that whoever lists takes for each object
	}{
		"quick":                      {store: slow{each: time.Millisecond, objects: 5000}},
		"slow, but gets on":          {store: slow{each: 50 * time.Millisecond, objects: 30_000}},
		"an object every minute":     {store: slow{each: time.Minute, objects: 1 << 20}, fails: true, within: 6 * time.Minute},
		"an object every two":        {store: slow{each: 2 * time.Second, objects: 1 << 20}, fails: true, within: 10 * time.Minute},
		"without end":                {store: slow{each: 90 * time.Millisecond, objects: 1 << 20}, fails: true, within: time.Hour},
		"nothing":                    {store: slow{each: 24 * time.Hour, objects: 1}, fails: true, within: 5 * time.Minute},
		"quick, for one that is not": {store: slow{each: time.Millisecond, objects: 100}, mine: 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				for kind, list := range map[string]func(source.Store, func()) error{
					"list": func(s source.Store, fn func()) error {
						return s.List(t.Context(), "x", func(source.Object) error { fn(); return nil })
					},
					"browse": func(s source.Store, fn func()) error {
						return s.Browse(t.Context(), "x", func(source.Object, bool) error { fn(); return nil })
					},
					"links": func(s source.Store, fn func()) error {
						return source.ListAll(t.Context(), s, "x", func(source.Object) error { fn(); return nil })
					},
				} {
					start := time.Now()
					err := list(source.Bounded(slowLinked{c.store}), func() { time.Sleep(c.mine) })
					took := time.Since(start)
					if c.fails != errors.Is(err, source.ErrFailed) || !c.fails && err != nil || c.fails && took > c.within {
						t.Errorf("%s: %v after %s", kind, err, took)
					}
				}
			})
		})
	}
}

func TestBoundedAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for wait, fails := range map[time.Duration]bool{time.Second: false, time.Hour: true} {
			s := source.Bounded(slow{answer: wait})
			if _, err := s.Stat(t.Context(), "a"); fails != errors.Is(err, source.ErrFailed) {
				t.Errorf("stat, %s: %v", wait, err)
			}
			r, err := s.Open(t.Context(), source.Object{Path: "a"}, 0, -1)
			if fails != errors.Is(err, source.ErrFailed) {
				t.Errorf("open, %s: %v", wait, err)
			}
			if r != nil {
				if text, err := io.ReadAll(r); string(text) != "text" {
					t.Errorf("%q, %v", text, err)
				}
				r.Close()
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := source.Bounded(slow{answer: time.Hour}).Stat(ctx, "a"); !errors.Is(err, context.Canceled) || errors.Is(err, source.ErrFailed) {
			t.Errorf("cancelled: %v", err)
		}
	})
}

// TestBoundedKinds keeps what a store is.
func TestBoundedKinds(t *testing.T) {
	t.Parallel()
	for _, s := range []source.Store{slow{}, slowLinked{}, slowAtomic{}, slowBoth{}} {
		_, linked := s.(source.Linked)
		_, atomic := s.(source.Atomic)
		b := source.Bounded(s)
		if _, is := b.(source.Linked); is != linked {
			t.Errorf("%T is linked: %v", s, is)
		}
		if _, is := b.(source.Atomic); is != atomic {
			t.Errorf("%T is atomic: %v", s, is)
		}
	}
}
