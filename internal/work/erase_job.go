package work

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/ingest"
	"roster/internal/job"
	"roster/internal/meta"
	"roster/internal/profile"
)

// Erasures of a sandbox that wait for the same audience go together: one run removes all of these people, and the files
// are rewritten once. Such a group has a leader, one of the erasures, whose row has the common progress. A work order is
// a group from the beginning. Other erasures get a leader when a worker takes them up, and groups that wait for the same
// audience are united.

// maxGroup is the largest number of erasures that go together.
const maxGroup = 10_000

// erasing returns the jobs of the sandboxes with unfinished erasures.
func (s *Service) erasing(ctx context.Context) ([]job.Job, error) {
	sandboxes, err := s.cfg.Store.ErasingSandboxes(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for unfinished erasures: %w", err)
	}
	var jobs []job.Job
	for _, scope := range sandboxes {
		jobs = append(jobs, job.OfErasures(scope))
	}
	return jobs, nil
}

// errLater ends the work on erasures that have to wait.
var errLater = errors.New("work: the erasure waits")

// doErase does the part of the erasures of a sandbox that is possible now; Recover enqueues the rest. One group does not
// overtake another in an audience in which that one waits.
func (s *Service) doErase(ctx context.Context, id string) error {
	scope, _ := job.ErasingScope(id)
	worksIn(ctx, scope)
	leaders, err := s.eraseLeaders(ctx, scope)
	if err != nil {
		return err
	}
	waiting := map[audience.ID]bool{}
	for i := range leaders {
		failed := s.eraseGroup(ctx, &leaders[i], waiting)
		if failed != nil && !errors.Is(failed, errLater) && !errors.Is(failed, ingest.ErrBusy) && !notOurs(failed) {
			err = errors.Join(err, fmt.Errorf("erasure %s: %w", leaders[i].ID, failed))
		}
	}
	return err
}

// eraseLeaders returns the leaders of the erasures of a sandbox, the oldest first.
func (s *Service) eraseLeaders(ctx context.Context, scope audience.Scope) ([]audience.Erasure, error) {
	list, err := s.cfg.Store.ErasureLeaders(ctx, scope)
	if err != nil {
		return nil, fmt.Errorf("look for unfinished erasures: %w", err)
	}
	var groups [][]audience.Erasure // each led by its first
	for _, e := range list {
		if i := slices.IndexFunc(groups, func(g []audience.Erasure) bool { return goTogether(&g[0], &e) }); i >= 0 {
			groups[i] = append(groups[i], e)
		} else {
			groups = append(groups, []audience.Erasure{e})
		}
	}
	var leaders []audience.Erasure
	for _, g := range groups {
		if len(g) > 1 || g[0].Leader == "" {
			if g, err = s.unite(ctx, g); err != nil {
				return nil, err
			}
		}
		leaders = append(leaders, g...)
	}
	return leaders, nil
}

// goTogether reports whether two groups wait for the same audience, and none of them has begun there.
func goTogether(a, b *audience.Erasure) bool {
	idle := func(p *audience.ErasureProgress) bool { return p.Current == nil && len(p.Replaced) == 0 }
	if a.Progress.Apart || b.Progress.Apart {
		return false
	}
	return a.Progress.After == b.Progress.After && a.Progress.Forgotten == b.Progress.Forgotten && idle(&a.Progress) && idle(&b.Progress)
}

// unite makes the first of some leaders, or erasures without a leader, the leader of the others and of those whom they
// led, and returns the leaders after that. The versions of the rows show other workers that they were regrouped.
func (s *Service) unite(ctx context.Context, leaders []audience.Erasure) (left []audience.Erasure, err error) {
	err = s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
		left = nil
		size := 0
		for _, e := range leaders {
			ids := []audience.ErasureID{e.ID}
			if e.Leader != "" {
				led, err := tx.ErasuresLedBy(ctx, e.ID)
				if err != nil {
					return err
				}
				for _, e := range led {
					ids = append(ids, e.ID)
				}
			}
			if size+len(ids) > maxGroup {
				left, size = append(left, e), 0
			} else if left == nil {
				left = append(left, e)
			}
			size += len(ids)
			last := &left[len(left)-1]
			if err := tx.SaveErasure(ctx, &e); err != nil {
				return err
			}
			if last.ID == e.ID {
				last.Version = e.Version
			}
			if err := tx.SetErasureLeader(ctx, last.ID, ids...); err != nil {
				return err
			}
			last.Leader = last.ID
		}
		return nil
	})
	return left, err
}

// erasures are erasures in progress that go together.
type erasures struct {
	s       *Service
	all     []audience.Erasure // PROCESSING, the oldest first
	lead    int                // index of the leader
	people  []ingest.Person    // of all
	byKey   map[identity.Key][]int
	keys    map[identity.Key]bool
	former  []identity.Key // all keys, including those of the former rule
	latest  time.Time      // when the newest was created
	changed map[int]bool   // not saved, except for the leader
	sandbox uint32
}

// eraseGroup does the part of the erasures with a leader that is possible now. It adds the audience in which they wait to
// waiting.
func (s *Service) eraseGroup(ctx context.Context, leader *audience.Erasure, waiting map[audience.ID]bool) error {
	g, err := s.erasuresOf(ctx, leader)
	if err != nil {
		return err
	}
	sandbox, err := s.cfg.Store.Sandbox(ctx, leader.Scope)
	if errors.Is(err, meta.ErrNotFound) {
		return g.end(ctx) // and nothing of the sandbox is left
	}
	if err != nil {
		return err
	}
	g.sandbox = sandbox.Num
	if err := g.removeFromProfile(ctx); err != nil {
		return err
	}
	if err := g.audiences(ctx, waiting); err != nil {
		return err
	}
	return g.end(ctx)
}

// erasuresOf returns the erasures with a leader. The last result is kept, because a group of many erasures is needed at
// each step.
func (s *Service) erasuresOf(ctx context.Context, leader *audience.Erasure) (*erasures, error) {
	s.groupMu.Lock()
	g := s.group
	s.group = nil
	s.groupMu.Unlock()
	if g != nil && g.leader().ID == leader.ID && g.leader().Version == leader.Version && len(g.changed) == 0 {
		return g, nil
	}
	list, err := s.cfg.Store.ErasuresLedBy(ctx, leader.ID)
	if err != nil {
		return nil, err
	}
	g = &erasures{s: s, byKey: map[identity.Key][]int{}, keys: map[identity.Key]bool{}, changed: map[int]bool{}}
	var broken []audience.Erasure
	for _, e := range list {
		if e.Status != audience.Processing {
			continue
		}
		who, failed := s.openIdentity(&e)
		if failed != nil {
			broken, err = append(broken, e), failed
			continue
		}
		keys := identity.KeysOf(e.Namespace, who.Given, who.Normal)
		if e.ID == leader.ID {
			g.lead = len(g.all)
		}
		g.byKey[keys.Key] = append(g.byKey[keys.Key], len(g.all))
		g.keys[keys.Key] = true
		g.former = append(g.former, keys.All()...)
		g.all = append(g.all, e)
		g.people = append(g.people, ingest.Person{Key: keys.Key, Values: [][]byte{who.Normal, who.Given}})
		if e.CreatedAt.After(g.latest) {
			g.latest = e.CreatedAt
		}
	}
	switch {
	case len(broken) > 0 && len(g.all) == 0:
		return nil, err
	case len(broken) > 0:
		return nil, errors.Join(err, g.leave(ctx, leader, broken))
	case len(g.all) == 0:
		return nil, errLater // ended by another worker
	}
	return g, nil
}

// keep keeps the erasures for the next step.
func (g *erasures) keep() {
	g.s.groupMu.Lock()
	defer g.s.groupMu.Unlock()
	g.s.group = g
}

// leave separates the others from erasures whose identity cannot be decrypted. Those wait, each on its own, for the key.
func (g *erasures) leave(ctx context.Context, leader *audience.Erasure, broken []audience.Erasure) error {
	return g.s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
		next := g.all[g.lead]
		if next.ID != leader.ID {
			own := next.Progress
			next.Progress = leader.Progress
			next.Progress.Members, next.Progress.Audiences, next.Progress.Order = own.Members, own.Audiences, own.Order
			if err := tx.SaveErasure(ctx, &next); err != nil {
				return err
			}
		}
		for _, e := range broken {
			e.Progress.Apart = true
			if err := errors.Join(tx.SaveErasure(ctx, &e), tx.SetErasureLeader(ctx, e.ID, e.ID)); err != nil {
				return err
			}
		}
		var ids []audience.ErasureID
		for _, e := range g.all {
			ids = append(ids, e.ID)
		}
		return tx.SetErasureLeader(ctx, next.ID, ids...)
	})
}

func (g *erasures) leader() *audience.Erasure { return &g.all[g.lead] }

func (g *erasures) progress() *audience.ErasureProgress { return &g.leader().Progress }

// removeFromProfile removes the identities, and the members with them, from the profile store. If a run in progress
// writes them again, they are in its dataset, from which the erase run removes them.
func (g *erasures) removeFromProfile(ctx context.Context) error {
	if g.progress().Forgotten {
		return nil
	}
	var others []profile.Member
	var keys []identity.Key
	for i := range g.all {
		keys = append(keys, g.people[i].Key)
		p := &g.all[i].Progress
		for _, m := range p.Members {
			other := profile.Member{Audience: m.Audience}
			if _, err := hex.Decode(other.Key[:], []byte(m.Key)); err != nil {
				return fmt.Errorf("the members of erasure %s cannot be read: %w", g.all[i].ID, err)
			}
			others = append(others, other)
		}
		if len(p.Members) > 0 {
			p.Members = nil
			g.changed[i] = true
		}
	}
	if err := g.s.cfg.Profile.RemoveIdentities(ctx, g.sandbox, g.former); err != nil {
		return err
	}
	if err := g.s.cfg.Profile.RemoveMembers(ctx, g.sandbox, keys, others); err != nil {
		return err
	}
	g.progress().Forgotten = true
	return g.save(ctx, nil)
}

// save saves the leader and the erasures that changed. The function also is optional and part of the transaction.
func (g *erasures) save(ctx context.Context, also func(tx meta.Tx) error) error {
	g.changed[g.lead] = true
	now := g.s.now()
	saved := map[int]audience.Erasure{}
	err := g.s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
		for i := range g.changed {
			e := g.all[i]
			e.UpdatedAt = now
			if err := tx.SaveErasure(ctx, &e); err != nil {
				return err
			}
			saved[i] = e
		}
		if also != nil {
			return also(tx)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, e := range saved {
		g.all[i] = e
	}
	clear(g.changed)
	g.keep()
	return nil
}

// end ends the erasures and removes the last record of the identities.
func (g *erasures) end(ctx context.Context) error {
	now := g.s.now()
	for i := range g.all {
		if p := &g.all[i].Progress; len(p.Members)+len(p.Replaced) > 0 {
			p.Members, p.Replaced, g.changed[i] = nil, nil, true
		}
	}
	err := g.s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
		for i := range g.changed {
			e := g.all[i]
			if err := tx.SaveErasure(ctx, &e); err != nil {
				return err
			}
		}
		return tx.EndErasures(ctx, g.leader().ID, now)
	})
	if err != nil {
		return err
	}
	for i := range g.all {
		e := &g.all[i]
		e.Status, e.Error, e.Sealed, e.EndedAt = audience.Success, nil, "", now
		g.s.logErasure(e)
	}
	return nil
}

// openIdentity returns the identity of an erasure, in the normal form of this version of Roster.
func (s *Service) openIdentity(e *audience.Erasure) (who audience.ErasedIdentity, err error) {
	text, err := s.cfg.Secrets.Open(e.Sealed, meta.SealedErasure.Place(string(e.ID)))
	if err != nil {
		return who, err
	}
	if err := json.Unmarshal(text, &who); err != nil {
		return who, errors.New("the identity of the erasure cannot be decrypted")
	}
	who.Normal = identity.Normalise(e.Namespace, who.Given, nil)
	return who, nil
}

// eraseKeys returns the keys of the people whom an erase run removes. An earlier version of Roster may have started the
// run, for one erasure.
func (s *Service) eraseKeys(ctx context.Context, r meta.Erasures, run *audience.Run) (map[identity.Key]bool, error) {
	first, err := r.Erasure(ctx, run.Scope, run.Request.Erasure)
	if err != nil {
		return nil, err
	}
	list := []audience.Erasure{first}
	if first.Leader == first.ID {
		if list, err = r.ErasuresLedBy(ctx, first.ID); err != nil {
			return nil, err
		}
	}
	keys := make(map[identity.Key]bool, len(list))
	for i := range list {
		key, err := s.eraseKey(&list[i])
		if err != nil {
			return nil, err
		}
		keys[key] = true
	}
	return keys, nil
}

func (s *Service) eraseKey(e *audience.Erasure) (key identity.Key, err error) {
	if e.Sealed == "" { // the erasure has ended
		return identity.ParseXID(e.XID)
	}
	who, err := s.openIdentity(e)
	return identity.KeyOf(e.Namespace, who.Normal), err
}

// suppressed returns the identities whose rows a run rejects.
func (s *Service) suppressed(ctx context.Context, r meta.Erasures, run *audience.Run) (map[identity.Key]bool, error) {
	if !s.cfg.SuppressErased || !run.Request.Traits().ReadsFiles() {
		return nil, nil
	}
	return erasedKeys(ctx, r, run.Scope)
}

// erasedKeys returns the identities that were, or are being, erased from a sandbox.
func erasedKeys(ctx context.Context, r meta.Erasures, scope audience.Scope) (map[identity.Key]bool, error) {
	list, err := r.ErasedIdentities(ctx, scope)
	if err != nil {
		return nil, err
	}
	keys := make(map[identity.Key]bool, len(list))
	for _, text := range list {
		key, err := identity.ParseXID(text)
		if err != nil {
			return nil, fmt.Errorf("an erased identity cannot be read: %w", err)
		}
		keys[key] = true
	}
	return keys, nil
}
