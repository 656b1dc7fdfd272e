package metamorphic

import (
	"slices"

	"roster/internal/audience"
)

// model is what an audience should be: the row of each member, by its identity.
type model map[string]row

// ingest applies a run that reads rows, the last ones last, and returns its ledger. Nobody's time is over.
func (m model) ingest(rows []row, full bool) (audience.Rows, audience.Members) {
	count := audience.Rows{Read: int64(len(rows))}
	members := audience.Members{Before: int64(len(m))}
	last := map[string]row{}
	for _, r := range rows {
		id := r.identity()
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
		for id := range m {
			if _, brought := last[id]; !brought {
				delete(m, id)
				members.Removed++
			}
		}
	}
	for id, r := range last {
		m.apply(id, r, &count)
	}
	members.After = int64(len(m))
	return count, members
}

// apply applies the last row of a person.
func (m model) apply(id string, r row, count *audience.Rows) {
	old, member := m[id]
	switch {
	case r.leaves() && member:
		count.Deleted++
		delete(m, id)
		return
	case r.leaves():
		count.DeletedNotMember++
		return
	case !member:
		count.Added++
	case old.member() == r.member():
		count.Unchanged++
	default:
		count.Updated++
	}
	m[id] = r
}

// rollBack makes m what then is, and returns the ledger of the run that does so.
func (m model) rollBack(then model) (audience.Rows, audience.Members) {
	count, members := audience.Rows{Read: int64(len(then))}, audience.Members{Before: int64(len(m)), After: int64(len(then))}
	for id := range m {
		if _, member := then[id]; !member {
			delete(m, id)
			members.Removed++
		}
	}
	for id, r := range then {
		m.apply(id, r, &count)
	}
	return count, members
}

// members returns the members as the dataset should have them, sorted.
func (m model) members() []string {
	out := make([]string, 0, len(m))
	for _, r := range m {
		out = append(out, r.member())
	}
	slices.Sort(out)
	return out
}
