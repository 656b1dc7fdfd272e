package metamorphic

import (
	"maps"
	"slices"

	"roster/internal/audience"
)

// model is the expected state of an audience: the row of each member, by its key.
type model struct {
	pairs bool // members are pairs of identities
	rows  map[string]row
}

func newModel(pairs bool) model { return model{pairs, map[string]row{}} }

func (m model) clone() model { return model{m.pairs, maps.Clone(m.rows)} }

// ingest applies a run that reads rows, of which later ones win, and returns its ledger. No member expires.
func (m model) ingest(rows []row, full bool) (audience.Rows, audience.Members) {
	count := audience.Rows{Read: int64(len(rows))}
	members := audience.Members{Before: int64(len(m.rows))}
	last := map[string]row{}
	for _, r := range rows {
		id := r.key(m.pairs)
		if id == "" {
			count.Rejected++
			continue
		}
		if _, again := last[id]; again {
			count.Duplicates++
		}
		last[id] = r
	}
	if full {
		for id := range m.rows {
			if _, brought := last[id]; !brought {
				delete(m.rows, id)
				members.Removed++
			}
		}
	}
	for id, r := range last {
		m.apply(id, r, &count)
	}
	members.After = int64(len(m.rows))
	return count, members
}

// apply applies the last row of a person.
func (m model) apply(id string, r row, count *audience.Rows) {
	old, member := m.rows[id]
	switch {
	case r.leaves() && member:
		count.Deleted++
		delete(m.rows, id)
		return
	case r.leaves():
		count.DeletedNotMember++
		return
	case !member:
		count.Added++
	case old.member(m.pairs) == r.member(m.pairs):
		count.Unchanged++
	default:
		count.Updated++
	}
	m.rows[id] = r
}

// rollBack sets m to the earlier state then, and returns the ledger of the rollback.
func (m model) rollBack(then model) (audience.Rows, audience.Members) {
	count, members := audience.Rows{Read: int64(len(then.rows))}, audience.Members{Before: int64(len(m.rows)), After: int64(len(then.rows))}
	for id := range m.rows {
		if _, member := then.rows[id]; !member {
			delete(m.rows, id)
			members.Removed++
		}
	}
	for id, r := range then.rows {
		m.apply(id, r, &count)
	}
	return count, members
}

// members returns the members that the dataset should have, sorted.
func (m model) members() []string {
	out := make([]string, 0, len(m.rows))
	for _, r := range m.rows {
		out = append(out, r.member(m.pairs))
	}
	slices.Sort(out)
	return out
}
