package memory_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"roster/internal/memory"
)

const mib = 1 << 20

func begin(t *testing.T, b *memory.Budget) *memory.Share {
	t.Helper()
	s, err := b.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestShares: the bases of several runs and what they take stay within the budget.
func TestShares(t *testing.T) {
	t.Parallel()
	b := memory.New(512 * mib)
	var held int64
	for range 4 {
		s := begin(t, b)
		held += s.Base
		for s.Take(mib) {
			held += mib
		}
		if s.Base < 12*mib {
			t.Errorf("a run has a base of %d MiB", s.Base/mib)
		}
	}
	if held > 512*mib {
		t.Errorf("four runs hold %d MiB of 512", held/mib)
	}
}

// TestTaken: a run has at most half for itself, gives back what it took, and all of it at its end.
func TestTaken(t *testing.T) {
	t.Parallel()
	b := memory.New(512 * mib)
	s := begin(t, b)
	all := int64(0)
	for s.Take(mib) {
		all += mib
	}
	if all < 150*mib || all > 256*mib {
		t.Errorf("a run alone takes %d MiB of 512", all/mib)
	}
	s.Give(mib)
	if !s.Take(mib) || s.Take(mib) {
		t.Error("what was given back cannot be taken once")
	}
	s.End()
	if again := begin(t, b); again.Base != s.Base || !again.Take(all) {
		t.Error("a run that ended holds on to memory")
	}
}

// TestBegin: with a small budget runs wait for others to end, and stop to wait with their context.
func TestBegin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := memory.New(64 * mib)
		var first []*memory.Share
		for range 4 {
			first = append(first, begin(t, b))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := b.Begin(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a fifth run in 64 MiB begins: %v", err)
		}
		first[0].End()
		begin(t, b)
	})
}

// TestAnswer: answers get what they want while there is plenty, then less; they wait for their turn, but not for ever.
// One that is too large is alone.
func TestAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := memory.New(64 * mib)
		if got, _, err := b.Answer(t.Context(), 8*mib, mib); err != nil || got != 8*mib {
			t.Fatalf("the first answer has %d bytes: %v", got, err)
		}
		got, release, err := b.Answer(t.Context(), 8*mib, mib)
		if err != nil || got != mib {
			t.Fatalf("the second answer has %d bytes: %v", got, err)
		}
		release()
		if _, release, err = b.Answer(t.Context(), 8*mib, 1<<40); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.Answer(t.Context(), 8*mib, mib); !errors.Is(err, memory.ErrBusy) {
			t.Fatalf("beside an answer that holds all: %v", err)
		}
		all := release
		go func() {
			time.Sleep(time.Second)
			all()
			all()
		}()
		if _, release, err = b.Answer(t.Context(), 8*mib, mib); err != nil {
			t.Fatal(err)
		}
		release()
	})
}
