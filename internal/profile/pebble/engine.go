// Package pebble is the embedded profile store, on cockroachdb/pebble. A large delta is written as sorted tables beside
// the store and ingested atomically; a small one is one synced batch.
package pebble

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/colblk"
	"github.com/cockroachdb/pebble/v2/vfs"

	"roster/internal/background"
	"roster/internal/fault"
	"roster/internal/identity"
	"roster/internal/profile"
)

// engine is a Pebble database in a directory, which it locks.
type engine struct {
	db    *pebble.DB
	fs    vfs.FS
	loads string // directory of tables before their ingestion
	opts  *pebble.Options
	ptrs  sync.Map // profile.Ref → profile.Pointer, all stored pointers
	// fresh means that the database was empty when it was opened; begun contains the audiences that have been written
	// since.
	fresh bool
	begun sync.Map // profile.Ref → struct{}
	lock  *pebble.Lock
	// users is held shared during each use of the engine, and exclusively to close it.
	users sync.RWMutex
	// applies is held shared while a run is applied, and exclusively by a step of RemoveExited.
	applies sync.RWMutex
	close   sync.Once
	err     error
}

// comparer orders keys by their bytes and defines the prefix of a key for the Bloom filters.
var comparer = func() *pebble.Comparer {
	c := *pebble.DefaultComparer
	c.Name = "roster.v1"
	c.Split = split
	c.ImmediateSuccessor = func(dst, prefix []byte) []byte {
		dst = append(dst, prefix...)
		if len(prefix) != prefixSize {
			return append(dst, 0)
		}
		for i := len(dst) - 1; i >= 0; i-- {
			if dst[i]++; dst[i] != 0 {
				break
			}
		}
		return dst
	}
	return &c
}()

// openEngine opens the database in dir, and creates it if it is absent.
func openEngine(dir string, o Options, corrupt func()) (_ *engine, err error) {
	if err := o.FS.MkdirAll(dir, 0o700); err != nil {
		return nil, &systemError{err}
	}
	lock, err := pebble.LockDirectory(dir, o.FS)
	if err != nil {
		return nil, &systemError{fmt.Errorf("lock the profile store in %s: %w", dir, err)}
	}
	defer func() {
		if err != nil {
			lock.Close()
		}
	}()
	defer recovered(&err)
	if err := intact(o.FS, dir); err != nil {
		return nil, err
	}
	schema := colblk.DefaultKeySchema(comparer, 16)
	opts := &pebble.Options{
		FS: o.FS, Lock: lock, Comparer: comparer, CacheSize: o.CacheBytes, MemTableSize: uint64(o.MemTableBytes),
		FormatMajorVersion: pebble.FormatNewest, Logger: logger{o.Log, new(atomic.Int64)},
		KeySchema: schema.Name, KeySchemas: sstable.MakeKeySchemas(&schema),
		CompactionConcurrencyRange: func() (int, int) { return 1, max(1, background.Cores()/2) },
		LBaseMaxBytes:              256 << 20,
		EventListener:              &pebble.EventListener{DataCorruption: func(pebble.DataCorruptionInfo) { corrupt() }},
	}
	opts.TargetFileSizes[0] = 16 << 20
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		opts.Levels[i].FilterType = pebble.TableFilter
		opts.Levels[i].BlockSize = 8 << 10
		opts.Levels[i].IndexBlockSize = 128 << 10 // one block per table
	}
	opts.EnsureDefaults()
	loads := filepath.Join(dir, "loads")
	if err := o.FS.RemoveAll(loads); err != nil {
		return nil, fmt.Errorf("clear the profile store's loads: %w", err)
	}
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return nil, fmt.Errorf("open the profile store in %s: %w", dir, err)
	}
	if err := o.FS.MkdirAll(loads, 0o700); err != nil {
		db.Close()
		return nil, fmt.Errorf("open the profile store in %s: %w", dir, err)
	}
	s := &engine{db: db, lock: lock, fs: o.FS, loads: loads, opts: opts}
	if err := s.readPointers(); err != nil {
		db.Close()
		return nil, fmt.Errorf("read the audiences' pointers in %s: %w", dir, err)
	}
	if s.fresh, err = s.empty(); err != nil {
		db.Close()
		return nil, err
	}
	return s, nil
}

// empty reports whether the database has no records.
func (s *engine) empty() (bool, error) {
	it, err := s.db.NewIter(nil)
	if err != nil {
		return false, err
	}
	first := it.First()
	return !first, errors.Join(it.Error(), it.Close())
}

// readPointers reads all pointers into memory, because every look-up needs them.
func (s *engine) readPointers() error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{tagPointer}, UpperBound: []byte{tagPointer + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		ref, err := readPointerKey(it.Key())
		if err != nil {
			return err
		}
		p, err := readPointer(v)
		if err != nil {
			return err
		}
		s.ptrs.Store(ref, p)
	}
	return it.Error()
}

// logger forwards Pebble's messages: its information as debug, its errors as errors. An operation that Pebble retries
// continuously, such as a write to a full disk, is logged once per repeatEvery.
type logger struct {
	log  *slog.Logger
	said *atomic.Int64 // time of the last logged background failure, in nanoseconds
}

const repeatEvery = 30 * time.Second

func (l logger) Infof(format string, args ...any) {
	l.log.Debug("pebble", "message", fmt.Sprintf(format, args...))
}

func (l logger) Errorf(format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if strings.HasPrefix(message, "background error") {
		last, now := l.said.Load(), time.Now().UnixNano()
		if now-last < int64(repeatEvery) || !l.said.CompareAndSwap(last, now) {
			return
		}
	}
	l.log.Error("pebble", "message", message)
}

// Fatalf ends the process. Pebble calls it when it cannot continue, for example when it cannot write its log, and then
// holds locks that would never be released. The data on disk is consistent; the next start continues from there.
func (l logger) Fatalf(format string, args ...any) {
	l.log.Error("the profile store cannot continue, so the server ends; if the disk is full, free some space and start the server again", "message", fmt.Sprintf(format, args...))
	os.Exit(1)
}

// Close closes the database.
func (s *engine) Close() error {
	s.close.Do(func() { s.err = errors.Join(s.db.Close(), s.lock.Close()) })
	return s.err
}

// Pointer implements profile.Store.
func (s *engine) Pointer(_ context.Context, ref profile.Ref) (profile.Pointer, error) {
	if p, ok := s.ptrs.Load(ref); ok {
		return p.(profile.Pointer), nil
	}
	return profile.Pointer{}, nil
}

// Lookup implements profile.Store.
func (s *engine) Lookup(ctx context.Context, sandbox uint32, keys []identity.Key) ([][]profile.Membership, error) {
	out := make([][]profile.Membership, len(keys))
	if len(keys) == 0 {
		return out, nil
	}
	it, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return nil, fmt.Errorf("look up memberships: %w", err)
	}
	defer it.Close()
	order := make([]int, len(keys)) // ascending keys, so that Pebble seeks forward from one to the next
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return bytes.Compare(keys[a][:], keys[b][:]) })
	var prefix [prefixSize]byte
	for _, i := range order {
		for ok := it.SeekPrefixGE(appendPrefix(prefix[:0], sandbox, keys[i])); ok; ok = it.Next() {
			v, err := it.ValueAndErr()
			if err == nil {
				out[i], err = s.collect(ctx, out[i], sandbox, it.Key(), v)
			}
			if err != nil {
				return nil, fmt.Errorf("look up memberships: %w", err)
			}
		}
		if err := it.Error(); err != nil {
			return nil, fmt.Errorf("look up memberships: %w", err)
		}
	}
	return out, nil
}

// Sharing implements profile.Store.
func (s *engine) Sharing(ctx context.Context, sandbox uint32, key identity.Key, fn func(profile.Membership) error) error {
	it, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return fmt.Errorf("look up the members with an identity: %w", err)
	}
	defer it.Close()
	for ok := it.SeekPrefixGE(appendPrefix(nil, sandbox, key)); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("look up the members with an identity: %w", err)
		}
		m, err := s.membership(ctx, sandbox, it.Key(), v)
		if err != nil {
			return fmt.Errorf("look up the members with an identity: %w", err)
		}
		if err := fn(m); err != nil {
			return err
		}
	}
	return it.Error()
}

// membership decodes a record.
func (s *engine) membership(ctx context.Context, sandbox uint32, key, value []byte) (profile.Membership, error) {
	m := profile.Membership{Audience: binary.BigEndian.Uint32(key[prefixSize:]), Member: readMember(key), Primary: len(key) == shortKey}
	if err := readValue(value, &m); err != nil {
		return m, err
	}
	p, err := s.Pointer(ctx, profile.Ref{Sandbox: sandbox, Audience: m.Audience})
	m.RefreshedAt = p.RefreshedAt
	return m, err
}

// collect adds a record to an identity's memberships. Of two in one audience it keeps the preferred one.
func (s *engine) collect(ctx context.Context, list []profile.Membership, sandbox uint32, key, value []byte) ([]profile.Membership, error) {
	m, err := s.membership(ctx, sandbox, key, value)
	if err != nil {
		return nil, err
	}
	if n := len(list); n > 0 && list[n-1].Audience == m.Audience {
		if last := &list[n-1]; better(m, *last) {
			*last = m
		}
		return list, nil
	}
	return append(list, m), nil
}

func better(a, b profile.Membership) bool {
	switch {
	case a.Exited != b.Exited:
		return b.Exited
	case a.Exited:
		return a.At > b.At
	}
	return a.Seen > b.Seen
}

// smallDelta is the largest number of changes that are written as one batch.
const smallDelta = 20_000

// Apply implements profile.Store.
func (s *engine) Apply(ctx context.Context, ref profile.Ref, p profile.Pointer, d profile.Delta) error {
	s.applies.RLock()
	defer s.applies.RUnlock()
	have, err := s.Pointer(ctx, ref)
	if err != nil {
		return err
	}
	if have.Run != "" && p.Run != "" {
		if have.Run == p.Run {
			return nil
		}
	} else if have.Seq >= p.Seq {
		return nil
	}
	if base, known := d.Base(); known && !have.Same(base) {
		return fmt.Errorf("%w: it is at run %d, they follow run %d", profile.ErrBase, have.Seq, base.Seq)
	}
	return s.write(ctx, ref, p, d)
}

// write writes changes together with the pointer, so that after any damage the pointer never exists without its
// changes.
func (s *engine) write(ctx context.Context, ref profile.Ref, p profile.Pointer, d profile.Delta) error {
	s.begun.Store(ref, struct{}{})
	if d.Count() > smallDelta {
		if err := s.load(ctx, ref, p, d); err != nil {
			return err
		}
		s.ptrs.Store(ref, p)
		return nil
	}
	batch := s.db.NewBatch()
	defer batch.Close()
	if err := s.fill(ctx, batch, ref, d); err != nil {
		return err
	}
	if err := batch.Set(pointerKey(ref), pointerValue(p), nil); err != nil {
		return err
	}
	if err := fault.At("profile.commit"); err != nil {
		return err
	}
	if err := batch.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("move an audience's pointer: %w", err)
	}
	s.ptrs.Store(ref, p)
	return fault.At("profile.commit" + fault.Done)
}

// Replace implements profile.Store, except for the distrust.
func (s *engine) Replace(ctx context.Context, ref profile.Ref, p profile.Pointer, d profile.Delta) error {
	s.applies.RLock()
	defer s.applies.RUnlock()
	if _, begun := s.begun.Load(ref); begun || !s.fresh { // otherwise the store has no data of the audience
		s.ptrs.Delete(ref) // first, so that a crash in between is detected
		if err := s.db.Delete(pointerKey(ref), pebble.Sync); err != nil {
			return err
		}
		if err := s.RemoveAudience(ctx, ref); err != nil {
			return err
		}
	}
	return s.write(ctx, ref, p, d)
}

// Pointers implements profile.Store.
func (s *engine) Pointers(context.Context) (map[profile.Ref]profile.Pointer, error) {
	all := map[profile.Ref]profile.Pointer{}
	s.ptrs.Range(func(ref, p any) bool {
		all[ref.(profile.Ref)] = p.(profile.Pointer)
		return true
	})
	return all, nil
}

// fill adds a delta to a batch.
func (s *engine) fill(ctx context.Context, batch *pebble.Batch, ref profile.Ref, d profile.Delta) error {
	var key, value []byte
	return eachChange(ctx, d, func(c *profile.Change) error {
		key = appendKey(key[:0], ref, c)
		if c.Erased {
			return batch.Delete(key, nil)
		}
		value = appendValue(value[:0], c)
		return batch.Set(key, value, nil)
	})
}

func eachChange(ctx context.Context, d profile.Delta, fn func(*profile.Change) error) error {
	for part := range d.Parts() {
		r, err := d.Open(ctx, part)
		if err != nil {
			return err
		}
		if err := readPart(ctx, r, fn); err != nil {
			return err
		}
	}
	return nil
}

// readPart calls fn for every change of a part and closes it.
func readPart(ctx context.Context, r profile.ChangeReader, fn func(*profile.Change) error) error {
	defer r.Close()
	var c profile.Change
	for n := 0; ; n++ {
		if n&0xfff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		var err error
		c, err = r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := fn(&c); err != nil {
			return err
		}
	}
}
