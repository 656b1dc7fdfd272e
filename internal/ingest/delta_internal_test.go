package ingest

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"

	"roster/internal/profile"
)

type memoryFile struct{ bytes.Buffer }

func (*memoryFile) Close() error { return nil }

// changesOfEveryKind returns n changes with every combination of omitted values.
func changesOfEveryKind(n int, now int64) []profile.Change {
	list := make([]profile.Change, n)
	for i := range list {
		c := &list[i]
		binary.BigEndian.PutUint64(c.Key[:], uint64(i)<<20)
		c.Member, c.Since, c.Seen = c.Key, now, now
		if i&1 != 0 {
			c.Member[15] = 1
		}
		if i&2 != 0 {
			c.Since = now - int64(i)
		}
		if i&4 != 0 {
			c.Seen = now + int64(i)
		}
		if i&8 != 0 {
			c.Exited, c.At = true, now
		}
		if i&16 != 0 {
			c.At += 5
		}
		c.Erased = i&32 != 0
	}
	return list
}

func writeDelta(t *testing.T, now int64, list []profile.Change) []byte {
	t.Helper()
	var f memoryFile
	w, err := newDeltaWriter(&f, now)
	if err == nil {
		err = writeAll(w, list)
	}
	if err == nil {
		err = w.close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return f.Bytes()
}

func readDelta(part []byte, now int64) (list []profile.Change, err error) {
	r, err := newDeltaReader(io.NopCloser(bytes.NewReader(part)), "delta-000", now)
	for err == nil {
		var c profile.Change
		if c, err = r.Next(); err == nil {
			list = append(list, c)
		}
	}
	return list, err
}

// A part is read as it was written, also if a change crosses the border of two blocks.
func TestDeltaIsReadAsWritten(t *testing.T) {
	t.Parallel()
	const now = 1_700_000_000
	for _, n := range []int{0, 1, 63, 40_000} {
		want := changesOfEveryKind(n, now)
		got, err := readDelta(writeDelta(t, now, want), now)
		if err != io.EOF {
			t.Fatalf("%d changes: %v", n, err)
		}
		if len(got) != n {
			t.Fatalf("%d changes of %d", len(got), n)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("change %d of %d is %+v, want %+v", i, n, got[i], want[i])
			}
		}
	}
}

// A part that is truncated anywhere, or in which any bit is flipped, is never read without an error.
func TestDeltaThatIsNotWhole(t *testing.T) {
	t.Parallel()
	const now = 1_700_000_000
	part := writeDelta(t, now, changesOfEveryKind(64, now))
	for n := range part {
		if _, err := readDelta(part[:n], now); err == nil || err == io.EOF {
			t.Errorf("cut off after %d of %d bytes: %v", n, len(part), err)
		}
		for bit := range 8 {
			flipped := bytes.Clone(part)
			flipped[n] ^= 1 << bit
			if _, err := readDelta(flipped, now); err == nil || err == io.EOF {
				t.Errorf("bit %d of byte %d flipped: %v", bit, n, err)
			}
		}
	}
}
