package ingest

import (
	"time"

	"roster/internal/audience"
	"roster/internal/lake"
)

// mergeRules are the rules of a run's merge. Times are in microseconds since the epoch.
type mergeRules struct {
	now     int64
	full    bool
	replace bool                                 // the run rewrites the whole dataset
	expiry  audience.Expiry                      // expiry of the current members
	renew   bool                                 // the run contains every member, or extends the time of every member
	erased  func(st *lake.StateRows, i int) bool // reports whether a member is erased; nil unless the run erases
}

// tally contains the counts of a merge.
type tally struct {
	files   []audience.Rows // for each file of the manifest
	removed int64
	expired int64
	// state is the sum of the content hashes of the members that the merge has read, modulo 2^64.
	state   uint64
	samples *samples // nil if no samples are needed
}

func newTally(files int) *tally { return &tally{files: make([]audience.Rows, files)} }

func (t *tally) plus(o *tally) {
	for i := range o.files {
		t.files[i] = t.files[i].Plus(o.files[i])
	}
	t.removed += o.removed
	t.expired += o.expired
	t.state += o.state
}

func (t *tally) rows() (sum audience.Rows) {
	for _, f := range t.files {
		sum = sum.Plus(f)
	}
	return sum
}

// sink receives the decisions of a merge. Parameter i is a row of the state, and r is a row of the bucket.
type sink interface {
	// bind begins a part of a bucket. buf contains its records. st is the current state of the same range of keys.
	bind(buf []byte, st *lake.StateRows)
	// put writes r as the row of a member since the given time. was is the row that r replaces, or -1.
	put(r row, since int64, was int) error
	// retire deletes the row from the dataset. The person may stay a member with another row.
	retire(i int) error
	// enter records that the person of r is a member and was seen now. was is the row that r replaces, or -1.
	enter(r row, since int64, was int) error
	// exit records that the person is no longer a member, from at on.
	exit(i int, at int64) error
	// erase deletes the row and all data of the person's membership.
	erase(i int) error
	// endPart ends the part that bind began.
	endPart() error
	// close ends the range.
	close() error
	// addTo adds the results of the range to the results of the merge. stateFiles are the files of the state.
	addTo(m *merged, stateFiles []lake.DataFile)
}

// mergeBucket decides for each row of a bucket, and for each member in the bucket's range of keys, how the membership
// changes. rows must be sorted and without duplicates. buf contains their records. st is the current state of the same
// range of keys.
func mergeBucket(rules mergeRules, buf []byte, rows []row, st *lake.StateRows, t *tally, out sink) error {
	i := 0
	for _, r := range rows {
		key := r.key()
		for i < len(st.IDs) && st.IDs[i].Compare(key) < 0 {
			if err := absent(rules, st, i, t, out); err != nil {
				return err
			}
			i++
		}
		was := -1
		if i < len(st.IDs) && st.IDs[i] == key {
			was = i
			i++
		}
		if err := decide(rules, buf, r, st, was, t, out); err != nil {
			return err
		}
	}
	for ; i < len(st.IDs); i++ {
		if err := absent(rules, st, i, t, out); err != nil {
			return err
		}
	}
	return nil
}

// absent handles a member that is not in the files.
func absent(rules mergeRules, st *lake.StateRows, i int, t *tally, out sink) error {
	if rules.erased != nil && rules.erased(st, i) {
		t.removed++
		return out.erase(i)
	}
	if rules.expiry.Over(st.Seen[i], rules.now) {
		t.expired++
		return leave(rules, i, rules.expiry.At(st.Seen[i]), out)
	}
	if !rules.full {
		return nil
	}
	t.removed++
	return leave(rules, i, rules.now, out)
}

// decide handles a row of the files. was is the row of the same person in the state, or -1.
func decide(rules mergeRules, buf []byte, r row, st *lake.StateRows, was int, t *tally, out sink) error {
	head := buf[r.at:]
	counts := &t.files[r.file()]
	leaves := head[offFlags]&flagLeaves != 0
	if was >= 0 && rules.expiry.Over(st.Seen[was], rules.now) {
		t.expired++
		if leaves {
			counts.DeletedNotMember++
			return leave(rules, was, rules.expiry.At(st.Seen[was]), out)
		}
		counts.Added++
		t.samples.add(changeAdded, r)
		return rewrite(rules, r, rules.now, was, out)
	}
	switch {
	case leaves && was < 0:
		counts.DeletedNotMember++
		return nil
	case leaves:
		counts.Deleted++
		t.samples.add(changeDeleted, r)
		return leave(rules, was, rules.now, out)
	case was < 0:
		counts.Added++
		t.samples.add(changeAdded, r)
		return write(r, rules.now, was, out)
	}
	if int64(contentOf(head)) != st.Row[was] {
		counts.Updated++
		t.samples.add(changeUpdated, r)
		return rewrite(rules, r, st.Since[was], was, out)
	}
	counts.Unchanged++
	switch {
	case !rules.full:
		return rewrite(rules, r, st.Since[was], was, out)
	case rules.replace:
		// The run's refresh stamp renews the member, so the row is written again only if the run rewrites the dataset.
		return out.put(r, st.Since[was], was)
	}
	return nil
}

// rewrite replaces row was with r.
func rewrite(rules mergeRules, r row, since int64, was int, out sink) error {
	if !rules.replace {
		if err := out.retire(was); err != nil {
			return err
		}
	}
	return write(r, since, was, out)
}

func write(r row, since int64, was int, out sink) error {
	if err := out.put(r, since, was); err != nil {
		return err
	}
	return out.enter(r, since, was)
}

func leave(rules mergeRules, i int, at int64, out sink) error {
	if !rules.replace {
		if err := out.retire(i); err != nil {
			return err
		}
	}
	return out.exit(i, at)
}

// dryOutput is a sink that writes nothing. It is used for a dry run, and for the bucket that estimates how much a run
// changes.
type dryOutput struct {
	buf     []byte
	state   *lake.StateRows
	rows    int64 // rows passed to put
	retired int64
	content uint64 // see output
}

func (h *dryOutput) bind(buf []byte, st *lake.StateRows) { h.buf, h.state = buf, st }

func (h *dryOutput) put(r row, _ int64, _ int) error {
	h.rows++
	h.content += contentOf(h.buf[r.at:])
	return nil
}

func (h *dryOutput) putSeen(r row, since, _ int64, was int) error { return h.put(r, since, was) }
func (*dryOutput) enterSeen(row, int64, int64, int) error         { return nil }
func (h *dryOutput) addContent(sum uint64)                        { h.content += sum }

func (h *dryOutput) retire(i int) error {
	h.retired++
	h.content -= uint64(h.state.Row[i])
	return nil
}

func (*dryOutput) enter(row, int64, int) error { return nil }
func (*dryOutput) exit(int, int64) error       { return nil }
func (h *dryOutput) erase(i int) error         { return h.retire(i) }
func (*dryOutput) endPart() error              { return nil }
func (*dryOutput) close() error                { return nil }

func (h *dryOutput) addTo(m *merged, _ []lake.DataFile) {
	m.content += h.content
	m.nWritten += h.rows
	m.nRetired += h.retired
}

// rulesOf returns the rules of a run for a state whose members were all renewed at refreshed.
func rulesOf(run *audience.Run, ttl time.Duration, refreshed time.Time) mergeRules {
	return mergeRules{
		now: run.CreatedAt.Truncate(time.Second).UnixMicro(), full: run.Request.Replaces(), renew: run.Request.Renews(),
		expiry: audience.ExpiryOf(ttl, refreshed),
	}
}
