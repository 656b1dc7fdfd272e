package pebble

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"roster/internal/identity"
	"roster/internal/profile"
)

// Options tune a store; the zero value means the defaults.
type Options struct {
	CacheBytes    int64 // block cache, default 64 MiB
	MemTableBytes int64 // default 16 MiB
	Log           *slog.Logger
	AsFound       bool   // do not replace a damaged store: return ErrDamaged
	FS            vfs.FS // default the operating system's; replaced in tests
}

// Store is a profile store in a directory. A damaged database is renamed and replaced by an empty one; then every
// audience must be projected again.
type Store struct {
	dir string
	o   Options

	mu       sync.Mutex
	engine   *engine // nil while a damaged engine is replaced, and after Close
	closed   bool
	renewing sync.WaitGroup
	lost     chan struct{} // contains a value after the engine was replaced

	// trust is held shared during look-ups.
	trust    sync.RWMutex
	unsure   bool                       // the engine was replaced, and the pointers have not been compared since
	distrust map[uint32]map[uint32]bool // by sandbox and audience
}

var _ profile.Store = (*Store)(nil)

// Open opens the store in dir, and creates it if it is absent.
func Open(dir string, o Options) (*Store, error) {
	o.CacheBytes = cmp.Or(o.CacheBytes, 64<<20)
	o.MemTableBytes = cmp.Or(o.MemTableBytes, 16<<20)
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{dir: dir, o: o, distrust: map[uint32]map[uint32]bool{}, lost: make(chan struct{}, 1)}
	e, err := s.open()
	if isDamage(err) && o.AsFound {
		return nil, fmt.Errorf("%w: %w", profile.ErrDamaged, err)
	}
	if isDamage(err) {
		if err := s.putAside(err); err != nil {
			return nil, err
		}
		e, err = s.open()
	}
	s.engine = e
	return s, err
}

func (s *Store) open() (*engine, error) {
	var e *engine
	ready := make(chan struct{})
	defer close(ready)
	e, err := openEngine(s.dir, s.o, func() {
		go func() {
			<-ready
			s.renew(e, errors.New("a file does not match its checksums"))
		}()
	})
	return e, err
}

// isDamage reports whether an error means that the files differ from the written data. A file that the operating system
// or another process makes unreadable is not damaged.
func isDamage(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if errors.As(err, new(*systemError)) {
		return false
	}
	if errors.Is(err, profile.ErrDamaged) || pebble.IsCorruptionError(err) || errors.Is(err, fs.ErrNotExist) {
		return true
	}
	var no syscall.Errno
	var at *fs.PathError
	return !errors.As(err, &no) && !errors.As(err, &at)
}

// putAside renames the directory of a damaged store.
func (s *Store) putAside(cause error) error {
	aside := fmt.Sprintf("%s-damaged-%s", s.dir, time.Now().UTC().Format("20060102T150405.000"))
	if err := s.o.FS.Rename(s.dir, aside); err != nil {
		return fmt.Errorf("put the damaged profile store aside: %w", err)
	}
	if dir, err := s.o.FS.OpenDir(path.Dir(filepath.ToSlash(s.dir))); err == nil {
		err = errors.Join(dir.Sync(), dir.Close())
		if err != nil {
			return fmt.Errorf("put the damaged profile store aside: %w", err)
		}
	}
	s.o.Log.Error("the profile store is damaged; it is put aside and built again from the datasets, and look-ups are refused meanwhile. "+
		"Remove the directory that was put aside when nobody wants to look into it", "directory", s.dir, "aside", aside, "error", cause)
	return nil
}

// renew replaces a damaged engine by an empty one.
func (s *Store) renew(was *engine, cause error) {
	s.mu.Lock()
	if s.closed || s.engine != was || was == nil {
		s.mu.Unlock()
		return
	}
	s.engine = nil
	s.renewing.Add(1)
	s.mu.Unlock()
	defer s.renewing.Done()
	s.setUnsure(true)
	if err := was.closeDamaged(); err != nil {
		s.o.Log.Warn("close the damaged profile store", "error", err)
	}
	err := s.putAside(cause)
	var e *engine
	if err == nil {
		e, err = s.open()
	}
	if err != nil {
		s.o.Log.Error("the damaged profile store could not be replaced; look-ups are refused until the next start", "error", err)
		return
	}
	s.mu.Lock()
	s.engine = e
	s.mu.Unlock()
	select {
	case s.lost <- struct{}{}:
	default:
	}
}

// Lost delivers a value after a damaged engine was replaced by an empty one. All audiences must then be projected
// again, and look-ups are refused until Compared is called.
func (s *Store) Lost() <-chan struct{} { return s.lost }

// Compared declares that the pointers were compared, and that every audience that differs is distrusted.
func (s *Store) Compared() { s.setUnsure(false) }

func (s *Store) setUnsure(unsure bool) {
	s.trust.Lock()
	defer s.trust.Unlock()
	s.unsure = unsure
}

// use calls fn with the engine, and replaces the engine if fn finds damage.
func (s *Store) use(fn func(e *engine) error) (err error) {
	s.mu.Lock()
	e := s.engine
	if e != nil {
		e.users.RLock()
	}
	s.mu.Unlock()
	if e == nil {
		return profile.ErrRebuilding
	}
	defer e.users.RUnlock()
	defer func() {
		if errors.Is(err, profile.ErrDamaged) || pebble.IsCorruptionError(err) {
			cause := err
			go s.renew(e, cause)
			err = fmt.Errorf("%w: %w", profile.ErrRebuilding, err)
		}
	}()
	return fn(e)
}

// Close implements profile.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	e := s.engine
	s.engine, s.closed = nil, true
	s.mu.Unlock()
	s.renewing.Wait()
	if e == nil {
		return nil
	}
	e.users.Lock()
	defer e.users.Unlock()
	return e.Close()
}

// Apply implements profile.Store.
func (s *Store) Apply(ctx context.Context, ref profile.Ref, p profile.Pointer, d profile.Delta) error {
	return s.use(func(e *engine) error { return e.Apply(ctx, ref, p, d) })
}

// Pointer implements profile.Store.
func (s *Store) Pointer(ctx context.Context, ref profile.Ref) (p profile.Pointer, err error) {
	err = s.use(func(e *engine) error { p, err = e.Pointer(ctx, ref); return err })
	return p, err
}

// Pointers implements profile.Store.
func (s *Store) Pointers(ctx context.Context) (all map[profile.Ref]profile.Pointer, err error) {
	err = s.use(func(e *engine) error { all, err = e.Pointers(ctx); return err })
	return all, err
}

// Distrust implements profile.Store.
func (s *Store) Distrust(ref profile.Ref) {
	s.trust.Lock()
	defer s.trust.Unlock()
	if s.distrust[ref.Sandbox] == nil {
		s.distrust[ref.Sandbox] = map[uint32]bool{}
	}
	s.distrust[ref.Sandbox][ref.Audience] = true
}

// Distrusted implements profile.Store.
func (s *Store) Distrusted() (refs []profile.Ref) {
	s.trust.RLock()
	defer s.trust.RUnlock()
	for sandbox, list := range s.distrust {
		for num := range list {
			refs = append(refs, profile.Ref{Sandbox: sandbox, Audience: num})
		}
	}
	slices.SortFunc(refs, func(a, b profile.Ref) int {
		return cmp.Or(cmp.Compare(a.Sandbox, b.Sandbox), cmp.Compare(a.Audience, b.Audience))
	})
	return refs
}

func (s *Store) believe(ref profile.Ref) {
	s.trust.Lock()
	defer s.trust.Unlock()
	delete(s.distrust[ref.Sandbox], ref.Audience)
	if len(s.distrust[ref.Sandbox]) == 0 {
		delete(s.distrust, ref.Sandbox)
	}
}

// Replace implements profile.Store.
func (s *Store) Replace(ctx context.Context, ref profile.Ref, p profile.Pointer, d profile.Delta) error {
	s.Distrust(ref)
	err := s.use(func(e *engine) error { return e.Replace(ctx, ref, p, d) })
	if err == nil {
		s.believe(ref)
	}
	return err
}

// Digests implements profile.Store.
func (s *Store) Digests(ctx context.Context) (all map[profile.Ref]profile.Digest, err error) {
	err = s.use(func(e *engine) error { all, err = e.Digests(ctx); return err })
	return all, err
}

// Lookup implements profile.Store.
func (s *Store) Lookup(ctx context.Context, sandbox uint32, keys []identity.Key) (found [][]profile.Membership, err error) {
	err = s.trusted(sandbox, func(e *engine) error { found, err = e.Lookup(ctx, sandbox, keys); return err })
	return found, err
}

// Sharing implements profile.Store.
func (s *Store) Sharing(ctx context.Context, sandbox uint32, key identity.Key, fn func(profile.Membership) error) error {
	return s.trusted(sandbox, func(e *engine) error { return e.Sharing(ctx, sandbox, key, fn) })
}

// trusted is use for reads of memberships of a sandbox. It refuses them while an audience of the sandbox is distrusted.
func (s *Store) trusted(sandbox uint32, fn func(e *engine) error) error {
	s.trust.RLock()
	defer s.trust.RUnlock()
	return s.use(func(e *engine) error {
		if s.unsure || len(s.distrust[sandbox]) > 0 {
			return profile.ErrRebuilding
		}
		return fn(e)
	})
}

// RemoveAudience implements profile.Store.
func (s *Store) RemoveAudience(ctx context.Context, ref profile.Ref) error {
	err := s.use(func(e *engine) error { return e.RemoveAudience(ctx, ref) })
	if err == nil {
		s.believe(ref)
	}
	return err
}

// RemoveIdentities implements profile.Store.
func (s *Store) RemoveIdentities(ctx context.Context, sandbox uint32, keys []identity.Key) error {
	return s.use(func(e *engine) error { return e.RemoveIdentities(ctx, sandbox, keys) })
}

// RemoveMembers implements profile.Store.
func (s *Store) RemoveMembers(ctx context.Context, sandbox uint32, keys []identity.Key, others []profile.Member) error {
	return s.use(func(e *engine) error { return e.RemoveMembers(ctx, sandbox, keys, others) })
}

// RemoveExited implements profile.Store.
func (s *Store) RemoveExited(ctx context.Context, before int64) (removed int64, err error) {
	err = s.use(func(e *engine) error { removed, err = e.RemoveExited(ctx, before); return err })
	return removed, err
}
