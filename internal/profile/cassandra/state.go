package cassandra

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"roster/internal/audience"
	"roster/internal/profile"
)

// state is the state of an audience: one row.
type state struct {
	generation int64 // the generation that look-ups see; 0 if no run was applied
	stamp      int64 // of the last change of the audience; generations begin with the stamp that is their name
	pointer    profile.Pointer
	written    int64 // rows written in the generation
	distrusted bool
}

// generation is a generation of an audience of which there may be rows.
type generation struct {
	name  int64
	level int   // the highest level of its rows in members
	stamp int64 // of the last run that began to write
}

// Stamps. A run's stamp is the next one. A new generation leaves a gap, so that its stamp also exceeds that of a run
// that another process is applying, and of a mark of distrust.
const (
	distrustGap   = 500
	generationGap = 1000
)

const stateColumns = "generation, stamp, seq, refreshed_at, run, written, distrusted"

// scanned returns the variables that a row of audiences is read into, and a function that returns the state.
func scanned() (dest []any, read func() state) {
	var st state
	var run string
	return []any{&st.generation, &st.stamp, &st.pointer.Seq, &st.pointer.RefreshedAt, &run, &st.written, &st.distrusted}, func() state {
		st.pointer.Run = audience.RunID(run)
		return st
	}
}

// state reads the state of an audience from a quorum.
func (s *Store) state(ctx context.Context, ref profile.Ref) (st state, err error) {
	dest, read := scanned()
	err = s.each(ctx, func() error { st = read(); return nil }, dest,
		"SELECT "+stateColumns+" FROM audiences WHERE sandbox = ? AND audience = ?", int32(ref.Sandbox), int32(ref.Audience))
	return st, err
}

// states reads the states of all audiences.
func (s *Store) states(ctx context.Context) (map[profile.Ref]state, error) {
	all := map[profile.Ref]state{}
	var sandbox, audience int32
	dest, read := scanned()
	err := s.each(ctx, func() error {
		all[profile.Ref{Sandbox: uint32(sandbox), Audience: uint32(audience)}] = read()
		return nil
	}, append([]any{&sandbox, &audience}, dest...), "SELECT sandbox, audience, "+stateColumns+" FROM audiences")
	return all, err
}

// keepRemoved is how long the state of a removed audience is kept. It makes a later change of the audience newer than
// the removal even if the clocks of two processes differ.
const keepRemoved = 30 * 24 * time.Hour

// save writes the state of an audience, with its stamp, and the distrust if that changes, too.
func (s *Store) save(ctx context.Context, ref profile.Ref, st state, trust bool) error {
	columns, marks := "sandbox, audience, generation, stamp, seq, refreshed_at, run, written", "?, ?, ?, ?, ?, ?, ?, ?"
	args := []any{int32(ref.Sandbox), int32(ref.Audience), st.generation, st.stamp, st.pointer.Seq, st.pointer.RefreshedAt, string(st.pointer.Run), st.written}
	if trust {
		columns, marks, args = columns+", distrusted", marks+", ?", append(args, st.distrusted)
	}
	text := "INSERT INTO audiences (" + columns + ") VALUES (" + marks + ")"
	if st.generation == 0 && !st.distrusted {
		text, args = text+" USING TTL ?", append(args, int(keepRemoved.Seconds()))
	}
	if err := s.exec(ctx, st.stamp, text, args...); err != nil {
		return err
	}
	s.known(ref.Sandbox).changes.Add(1)
	return nil
}

// generations lists the generations of an audience.
func (s *Store) generations(ctx context.Context, ref profile.Ref) (all []generation, err error) {
	var g generation
	err = s.each(ctx, func() error { all = append(all, g); return nil }, []any{&g.name, &g.level, &g.stamp},
		"SELECT generation, level, stamp FROM generations WHERE sandbox = ? AND audience = ?", int32(ref.Sandbox), int32(ref.Audience))
	return all, err
}

func (s *Store) saveGeneration(ctx context.Context, ref profile.Ref, g generation) error {
	return s.exec(ctx, g.stamp, "INSERT INTO generations (sandbox, audience, generation, level, stamp) VALUES (?, ?, ?, ?, ?)",
		int32(ref.Sandbox), int32(ref.Audience), g.name, g.level, g.stamp)
}

// next returns the stamp of a new generation. It exceeds all stamps of the audience, also those of a generation that
// another process is writing. Beyond that it is the time in microseconds, as write times are elsewhere.
func next(st state, all []generation) int64 {
	stamp := max(time.Now().UnixMicro(), st.stamp+generationGap)
	for _, g := range all {
		stamp = max(stamp, g.stamp+generationGap)
	}
	return stamp
}

// view is what this process read of the states of a sandbox's audiences. It does not change.
type view struct {
	loaded     time.Time // when reading began
	changes    int64     // of this process until then
	audiences  map[uint32]state
	distrusted bool
}

// known has the newest view of a sandbox.
type known struct {
	loading sync.Mutex
	changes atomic.Int64 // how often this process changed a state
	view    atomic.Pointer[view]
	failed  time.Time // when a quorum last failed to answer; guarded by loading
}

// askOne is how long one replica is asked at once after a quorum failed to answer.
const askOne = 10 * time.Second

func (s *Store) known(sandbox uint32) *known {
	k, ok := s.views.Load(sandbox)
	if !ok {
		k, _ = s.views.LoadOrStore(sandbox, &known{})
	}
	return k.(*known)
}

// current returns the view unless it is old.
func (k *known) current() *view {
	if v := k.view.Load(); v != nil && v.changes == k.changes.Load() && time.Since(v.loaded) < fresh {
		return v
	}
	return nil
}

// view returns a view that is fresh and has all changes of this process. If a quorum of the replicas does not answer, one
// replica is asked; if none does, the view may be older.
func (s *Store) view(ctx context.Context, sandbox uint32) (*view, error) {
	k := s.known(sandbox)
	if v := k.current(); v != nil {
		return v, nil
	}
	k.loading.Lock()
	defer k.loading.Unlock()
	if v := k.current(); v != nil {
		return v, nil
	}
	v := &view{loaded: time.Now(), changes: k.changes.Load()}
	err := error(nil)
	quorum := time.Since(k.failed) > askOne
	if quorum {
		err = s.readView(ctx, v, sandbox, gocql.LocalQuorum)
	}
	if err != nil && ctx.Err() == nil {
		k.failed = time.Now()
	}
	if ctx.Err() == nil && (!quorum || err != nil) {
		err = s.readView(ctx, v, sandbox, gocql.LocalOne)
	}
	if was := k.view.Load(); err != nil && was != nil && was.changes == v.changes && ctx.Err() == nil {
		return was, nil
	}
	if err != nil {
		return nil, explain(err)
	}
	k.view.Store(v)
	return v, nil
}

func (s *Store) readView(ctx context.Context, v *view, sandbox uint32, c gocql.Consistency) error {
	ctx, cancel := context.WithTimeout(ctx, s.a.Timeout/2)
	defer cancel()
	v.audiences, v.distrusted = map[uint32]state{}, false
	var num int32
	dest, read := scanned()
	dest = append([]any{&num}, dest...)
	it := s.session.Query("SELECT audience, "+stateColumns+" FROM audiences WHERE sandbox = ?", int32(sandbox)).Consistency(c).IterContext(ctx)
	for it.Scan(dest...) {
		st := read()
		v.audiences[uint32(num)] = st
		v.distrusted = v.distrusted || st.distrusted
	}
	return it.Close()
}

// mark is the distrust of an audience by this process.
type mark struct {
	stored chan struct{} // closed when other processes can see it, or storing it failed
	stamp  int64         // of the stored mark; 0 if it is not stored. Read after stored is closed.
}

// storeTimeout limits the time for which Distrust tries to tell other processes.
const storeTimeout = time.Minute

// Distrust implements profile.Store. Other processes see the distrust as soon as it is stored, which goes on in the
// background.
func (s *Store) Distrust(ref profile.Ref) {
	m, begun := s.mark(ref)
	if !begun {
		return
	}
	go func() {
		defer close(m.stored)
		ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
		defer cancel()
		st, err := s.state(ctx, ref)
		if err == nil {
			stamp := st.stamp + distrustGap
			err = s.exec(ctx, stamp, "UPDATE audiences SET distrusted = true WHERE sandbox = ? AND audience = ?", int32(ref.Sandbox), int32(ref.Audience))
			m.stamp = stamp
		}
		if err != nil {
			m.stamp = 0
			s.log.Warn("other processes do not know yet that the memberships of an audience are not trusted", "sandbox-number", ref.Sandbox, "audience-number", ref.Audience, "error", err)
		}
	}()
}

// mark refuses look-ups of this process; begun is false if it refuses them already.
func (s *Store) mark(ref profile.Ref) (m *mark, begun bool) {
	s.trust.Lock()
	defer s.trust.Unlock()
	if m := s.marks[ref]; m != nil {
		return m, false
	}
	m = &mark{stored: make(chan struct{})}
	s.marks[ref] = m
	return m, true
}

// markAlone is mark for a caller that stores the distrust itself.
func (s *Store) markAlone(ctx context.Context, ref profile.Ref) error {
	m, begun := s.mark(ref)
	if begun {
		close(m.stored)
	}
	return s.marked(ctx, ref)
}

// marked waits for a Distrust that is being stored, which would otherwise come after the changes of the caller.
func (s *Store) marked(ctx context.Context, ref profile.Ref) error {
	s.trust.RLock()
	m := s.marks[ref]
	s.trust.RUnlock()
	if m == nil {
		return nil
	}
	select {
	case <-m.stored:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) believe(ref profile.Ref) {
	s.trust.Lock()
	defer s.trust.Unlock()
	delete(s.marks, ref)
}

// Distrusted implements profile.Store. It lists the audiences that this process distrusts, and those that it knows
// another process distrusts.
func (s *Store) Distrusted() (refs []profile.Ref) {
	s.trust.RLock()
	for ref := range s.marks {
		refs = append(refs, ref)
	}
	s.trust.RUnlock()
	s.views.Range(func(sandbox, k any) bool {
		if v := k.(*known).view.Load(); v != nil && v.distrusted && v.changes == k.(*known).changes.Load() {
			for num, st := range v.audiences {
				if ref := (profile.Ref{Sandbox: sandbox.(uint32), Audience: num}); st.distrusted && !slices.Contains(refs, ref) {
					refs = append(refs, ref)
				}
			}
		}
		return true
	})
	slices.SortFunc(refs, func(a, b profile.Ref) int {
		return cmp.Or(cmp.Compare(a.Sandbox, b.Sandbox), cmp.Compare(a.Audience, b.Audience))
	})
	return refs
}

// trusted returns a view if no audience of the sandbox is distrusted. The caller holds trust.
func (s *Store) trusted(ctx context.Context, sandbox uint32) (*view, error) {
	v, err := s.view(ctx, sandbox)
	if err != nil {
		return nil, err
	}
	if v.distrusted {
		return nil, profile.ErrRebuilding
	}
	for ref, m := range s.marks {
		if ref.Sandbox == sandbox && !m.lifted(v.audiences[ref.Audience]) {
			return nil, profile.ErrRebuilding
		}
	}
	return v, nil
}

// lifted reports whether another process has replaced the audience since this one stored its mark.
func (m *mark) lifted(now state) bool {
	select {
	case <-m.stored:
		return m.stamp > 0 && now.stamp > m.stamp
	default:
		return false
	}
}

// Pointer implements profile.Store.
func (s *Store) Pointer(ctx context.Context, ref profile.Ref) (profile.Pointer, error) {
	st, err := s.state(ctx, ref)
	return st.pointer, err
}

// Pointers implements profile.Store.
func (s *Store) Pointers(ctx context.Context) (map[profile.Ref]profile.Pointer, error) {
	states, err := s.states(ctx)
	all := map[profile.Ref]profile.Pointer{}
	for ref, st := range states {
		if st.generation != 0 {
			all[ref] = st.pointer
		}
		if st.distrusted {
			s.Distrust(ref) // an earlier process began to project it
		}
	}
	return all, err
}
