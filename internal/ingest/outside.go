package ingest

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"golang.org/x/sync/errgroup"

	"roster/internal/audience"
	"roster/internal/background"
	"roster/internal/identity"
	"roster/internal/lake"
	"roster/internal/tabular"
)

// An adoption is a run whose input are the changes that other programs made to the dataset after Roster's last commit.
// The run reads the rows that are there now and were not there before. It computes their keys and content hashes from
// their values, because system columns written by other programs are not trusted. Then each row is a change of the
// members that Roster left: added, updated, or unchanged if only the position of the row is different. Members whose
// rows are gone leave. A row without a valid identity is a reject. Of several rows of one person, one stays.
//
// Members whom other programs updated keep their times. Members whom other programs added get the time of the run,
// unless their rows are in a file that Roster wrote: then an earlier version was restored, and its times apply. If the
// snapshots of all runs are gone, rows with the right key and hash count as unchanged.

// modeAdopt is the mode of the snapshot of an adoption.
const modeAdopt = "adopt"

// propOutside contains the list of other programs' snapshots before the snapshot, as JSON.
const propOutside = "roster.outside"

// Flags of records of rows that other programs wrote. After the values of the audience's fields, their payload has the
// values of the columns that other programs added, and ends with the times of the row, 16 bytes.
const (
	flagSameKey = 1 << 1 // the key in the row matches its values
	flagIntact  = 1 << 2 // the hash in the row matches its values, and its times are valid
	timesSize   = 16
)

// adoption is the state of an attempt of an adoption.
type adoption struct {
	*lake.Outside
	attempt *attempt
	last    lake.Snapshot // Roster's last commit
	added   []string      // names of the columns that other programs added
	lost    bool          // the table does not have the snapshot of Roster's last commit
	// doomed contains the new rows that must not stay in their files, by file and position.
	doomed  [][]atomic.Uint64
	fresh   atomic.Int64 // number of new rows
	members atomic.Int64 // number of members that Roster left
	kept    atomic.Int64 // number of their rows that are still there
}

// planOutside returns the manifest of an adoption: the data files with rows of other programs.
func (a *attempt) planOutside(ctx context.Context) ([]audience.PlannedFile, error) {
	ad := &adoption{attempt: a, added: a.dataset.AddedColumns()}
	var before *lake.Dataset
	var known bool
	var err error
	if ad.last, known = a.dataset.LastOwn(); known {
		if before, err = a.dataset.At(ad.last.ID); err != nil {
			return nil, err
		}
	}
	ad.lost = !known && len(a.dataset.Foreign()) > 0
	opts := lake.StateOptions{Identities: a.stateColumns(), Cache: leastPart}
	if ad.Outside, err = a.dataset.OpenOutside(ctx, before, opts); err != nil {
		return nil, fmt.Errorf("compare the dataset with what the last run left: %w", err)
	}
	snap, _ := a.dataset.Current()
	files := make([]audience.PlannedFile, len(ad.Files))
	ad.doomed = make([][]atomic.Uint64, len(ad.Files))
	for i, f := range ad.Files {
		files[i] = audience.PlannedFile{Path: strings.TrimPrefix(f.Path, a.dataset.Location()+"/"), Size: f.Bytes, ModifiedAt: snap.Time.UTC(),
			Version: strconv.FormatInt(snap.ID, 10), Status: audience.FileRead}
		ad.doomed[i] = make([]atomic.Uint64, (f.Rows+63)/64)
	}
	a.adoption = ad
	return files, nil
}

// adopt reads the rows of other programs and merges them with the members that Roster left.
func (a *attempt) adopt(ctx context.Context) (*merged, *audience.RunResult, error) {
	ad := a.adoption
	a.reads = make([]fileRead, len(a.files))
	if err := a.timed("read", func() error { return ad.read(ctx) }); err != nil {
		return nil, nil, err
	}
	result := &audience.RunResult{Outside: outsideOf(a.dataset)}
	if err := a.rejects.close(result); err != nil {
		return nil, nil, err
	}
	m, err := a.mergeStep(ctx)
	if err != nil {
		return nil, nil, err
	}
	ad.count(m)
	if err := a.fillLedger(m, result); err != nil {
		return nil, nil, err
	}
	m.silent = changedNothing(result.Rows, result.Members) && !ad.lost && a.spec.aside
	return m, result, nil
}

// changedNothing reports whether the rows that other programs wrote are those of the members as they were.
func changedNothing(rows audience.Rows, members audience.Members) bool {
	return rows == (audience.Rows{Read: rows.Read, Unchanged: rows.Unchanged}) && members == (audience.Members{Before: members.Before, After: members.Before})
}

// count corrects the counts of the merge with the counts of the rows read, because the dataset's own totals may be
// wrong.
func (ad *adoption) count(m *merged) {
	before, live := ad.members.Load(), ad.kept.Load()+ad.fresh.Load()
	if ad.lost {
		known := m.tally.rows()
		there := known.Unchanged + known.Updated + known.Deleted
		before = ad.attempt.spec.Audience.Members
		m.tally.removed = max(before-there, 0)
		// There are more rows than there were members, so at least the surplus was added. Which rows these are is unknown.
		for i := range m.tally.files {
			f := &m.tally.files[i]
			added := min(max(there-before, 0), f.Unchanged)
			f.Unchanged, f.Added, there = f.Unchanged-added, f.Added+added, there-added
		}
		before = max(before, there)
	}
	m.doomed = map[string][]uint64{}
	for i, f := range ad.Files {
		words := make([]uint64, len(ad.doomed[i]))
		for w := range words {
			words[w] = ad.doomed[i][w].Load()
			m.nRetired += int64(bits.OnesCount64(words[w]))
		}
		m.doomed[f.Path] = words
	}
	m.stateRows, m.live = before, &live
	m.nRetired += before - live
	// If an earlier version was restored, the changes do not describe the times of all members.
	basis, _ := ad.attempt.dataset.Basis()
	m.delta.Incomplete = ad.lost || basis.ID != ad.last.ID
}

// read spills the new rows of all files. It reads several files in parallel.
func (ad *adoption) read(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(ad.attempt.p.workers())
	for i := range ad.Files {
		g.Go(background.Recovering(func() error { return ad.readFile(ctx, i) }))
	}
	return g.Wait()
}

func (ad *adoption) readFile(ctx context.Context, i int) error {
	a := ad.attempt
	defer a.spec.Host.Reading(a.files[i].Path)()
	var names []string
	for _, f := range a.codec.fields {
		names = append(names, f.Name)
	}
	fields := len(names)
	names = append(names, lake.ColID, lake.ColContent, lake.ColSince, lake.ColSeen, lake.ColRun, lake.ColFile, lake.ColLine)
	names = append(names, ad.added...)
	rt := router{attempt: a, index: i, encoder: encoder{codec: a.codec}, out: a.spill.writer()}
	err := ad.Scan(ctx, i, lake.Reading{Memory: int64(a.perWorker(4))}, names, func(rec lake.OutsideBatch) error {
		columns := arrow.NewSchema(rec.Schema().Fields()[:fields], nil)
		values := array.NewRecordBatch(columns, rec.Columns()[:fields], rec.NumRows())
		defer values.Release()
		rt.encoder.bind(values)
		stored := storedColumns{rec.Column(fields).(*array.FixedSizeBinary), rec.Column(fields + 1).(*array.Int64),
			rec.Column(fields + 2).(*array.Timestamp), rec.Column(fields + 3).(*array.Timestamp), rec.Columns()[fields+4 : fields+7], rec.Columns()[fields+7:]}
		var rejects []tabular.Reject
		rows := int64(0)
		for row := range int(rec.NumRows()) {
			if !rec.IsNew(row) {
				continue
			}
			rows++
			reject, err := ad.route(&rt, &stored, row, rec.First+int64(row), rec.Unfit[row])
			if err != nil {
				return err
			}
			if reject != nil {
				rejects = append(rejects, *reject)
			}
		}
		ad.fresh.Add(rows)
		a.reads[i].rows.Add(rows)
		a.reads[i].rejected.Add(int64(len(rejects)))
		a.rowsRead.Add(rows)
		a.p.rowsRead.Add(rows)
		if a.spec.Run.Request.DryRun { // a comparison only counts
			return nil
		}
		return a.rejects.add(i, rejects)
	})
	return errors.Join(err, rt.out.flush())
}

// storedColumns are the columns of a batch other than the audience's fields.
type storedColumns struct {
	id          *array.FixedSizeBinary
	content     *array.Int64
	since, seen *array.Timestamp
	origin      []arrow.Array
	added       []arrow.Array // columns that other programs added
}

// whole reports whether a row has a value in each system column.
func (s *storedColumns) whole(row int) bool {
	return s.content.IsValid(row) && s.since.IsValid(row) && s.seen.IsValid(row) &&
		!slices.ContainsFunc(s.origin, func(c arrow.Array) bool { return c.IsNull(row) })
}

// route spills a row of another program's file, or returns the reason for a reject. A new row stays in its file only if
// the merge decides so. unfit is a column with a value that does not fit its type; "" if there is none.
func (ad *adoption) route(rt *router, stored *storedColumns, row int, pos int64, unfit string) (*tabular.Reject, error) {
	ad.doomed[rt.index][pos>>6].Or(1 << (pos & 63))
	rec, key, ok := rt.encoder.encode(row, uint64(rt.index)<<lineBits|uint64(pos)&lineMask)
	reject := tabular.Reject{Line: pos, Lines: 1, Offset: -1}
	if reject.Column, reject.Code, reject.Reason = rt.noIdentity(); reject.Code != "" {
		return &reject, nil
	}
	for _, f := range rt.attempt.codec.fields {
		if f.Name == unfit {
			reject.Column, reject.Code, reject.Reason = unfit, tabular.CodeType, "another program wrote a value that does not fit the type "+string(f.Type)
			return &reject, nil
		}
	}
	if !ok {
		return nil, fmt.Errorf("ingest: %s, row %d: a row without a primary identity was not rejected", ad.attempt.files[rt.index].Path, pos)
	}
	if rt.suppressed(key, rec) {
		reject.Code, reject.Reason = codeSuppressed, "the row names a person who was erased, and whom the server's settings keep out"
		return &reject, nil
	}
	since, seen := int64(0), int64(0)
	if stored.id.IsValid(row) && identity.Key(stored.id.Value(row)) == key {
		rec[offFlags] |= flagSameKey
		if stored.whole(row) {
			since, seen = int64(stored.since.Value(row)), int64(stored.seen.Value(row))
			if stored.content.Value(row) == int64(binary.LittleEndian.Uint64(rec[offContent:])) && since <= seen {
				rec[offFlags] |= flagIntact
			}
		}
	}
	for _, col := range stored.added {
		rec = lake.AppendEncoded(rec, col, row)
	}
	rec = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(rec, uint64(since)), uint64(seen))
	binary.LittleEndian.PutUint32(rec[offLength:], uint32(len(rec)-headSize))
	return nil, rt.out.write(&key, rec)
}

// noIdentity returns the reason why the last encoded row cannot be a member's row, or nothing if it can.
func (rt *router) noIdentity() (column, code, reason string) {
	for i := range rt.attempt.columns {
		c := &rt.attempt.columns[i]
		var text []byte
		if rt.encoder.at[i] >= 0 && (c.Primary || c.Supplemental || c.Namespace != "") {
			text = rt.encoder.textOf(i)
		}
		switch {
		case identity.Blank(text):
			if c.Primary || c.Supplemental {
				return c.Name, tabular.CodeIdentity, "another program wrote the row without an identity"
			}
		case c.Namespace != "":
			if reason := identity.Impossible(c.Namespace, text); reason != "" {
				return c.Name, tabular.CodeIdentityForm, reason
			}
		}
	}
	return "", "", ""
}

// adoptionSink is a sink of an adoption.
type adoptionSink interface {
	sink
	// putSeen and enterSeen are like put and enter, with the time at which the member was last seen.
	putSeen(r row, since, seen int64, was int) error
	enterSeen(r row, since, seen int64, was int) error
	// addContent adds to the sum of the content hashes.
	addContent(sum uint64)
}

// mergeBucket decides for each new row of a part, and for each member that Roster left, how the membership changes.
func (ad *adoption) mergeBucket(rules mergeRules, p part, st *lake.StateRows, t *tally, out adoptionSink) error {
	ad.members.Add(int64(len(st.IDs)))
	i := 0
	for _, r := range p.rows {
		key := r.key()
		for ; i < len(st.IDs) && st.IDs[i].Compare(key) < 0; i++ {
			if err := ad.absent(rules, st, i, t, out); err != nil {
				return err
			}
		}
		was := -1
		if i < len(st.IDs) && st.IDs[i] == key {
			was = i
			i++
		}
		if err := ad.decide(rules, p.buf, r, st, was, t, out); err != nil {
			return err
		}
	}
	for ; i < len(st.IDs); i++ {
		if err := ad.absent(rules, st, i, t, out); err != nil {
			return err
		}
	}
	return nil
}

// absent handles a member without a new row.
func (ad *adoption) absent(rules mergeRules, st *lake.StateRows, i int, t *tally, out adoptionSink) error {
	if ad.Kept(st.File[i], st.Pos[i]) {
		ad.kept.Add(1)
		return nil
	}
	out.addContent(-uint64(st.Row[i]))
	if rules.expiry.Over(st.Seen[i], rules.now) {
		t.expired++
		return out.exit(i, rules.expiry.At(st.Seen[i]))
	}
	t.removed++
	return out.exit(i, rules.now)
}

// decide handles a new row. was is the row of the same person that Roster left, or -1.
func (ad *adoption) decide(rules mergeRules, buf []byte, r row, st *lake.StateRows, was int, t *tally, out adoptionSink) error {
	head := buf[r.at:]
	counts := &t.files[r.file()]
	content := int64(binary.LittleEndian.Uint64(head[offContent:]))
	kept := was >= 0 && ad.Kept(st.File[was], st.Pos[was])
	switch {
	case kept:
		ad.kept.Add(1)
	case was >= 0:
		out.addContent(-uint64(st.Row[was]))
	}
	same := was >= 0 && st.Row[was] == content
	switch {
	case head[offFlags]&flagLeaves != 0 && was < 0:
		counts.DeletedNotMember++
		return nil
	case head[offFlags]&flagLeaves != 0:
		counts.Deleted++
		if kept {
			if err := out.retire(was); err != nil {
				return err
			}
		}
		return out.exit(was, rules.now)
	case same && kept && len(ad.added) == 0: // the values of added columns may differ
		counts.Duplicates++
		return nil
	case same, ad.lost && head[offFlags]&flagIntact != 0:
		counts.Unchanged++
	case was >= 0, ad.lost && head[offFlags]&flagSameKey != 0:
		counts.Updated++
	default:
		counts.Added++
	}
	if kept {
		if err := out.retire(was); err != nil {
			return err
		}
	}
	since, seen, stays := ad.times(rules, head, r.file(), st, was)
	if stays {
		ad.doomed[r.file()][r.line()>>6].And(^(uint64(1) << (r.line() & 63)))
		out.addContent(uint64(content))
	} else if err := out.putSeen(r, since, seen, was); err != nil {
		return err
	}
	if same && since == st.Since[was] && seen == st.Seen[was] {
		return nil
	}
	return out.enterSeen(r, since, seen, was)
}

// times returns the times for the member of a new row. The result stays is true if the row already contains these
// times, the right key and the right hash.
func (ad *adoption) times(rules mergeRules, head []byte, file int, st *lake.StateRows, was int) (since, seen int64, stays bool) {
	payload := payloadOf(head)
	at := payload[len(payload)-timesSize:]
	hasSince, hasSeen := int64(binary.LittleEndian.Uint64(at)), int64(binary.LittleEndian.Uint64(at[8:]))
	intact := head[offFlags]&flagIntact != 0
	switch {
	case intact && (ad.Own(file) || ad.lost && hasSeen <= rules.now):
		since, seen = hasSince, hasSeen
	case was >= 0:
		since, seen = st.Since[was], st.Seen[was]
	default:
		since, seen = rules.now, rules.now
	}
	return since, seen, intact && since == hasSince && seen == hasSeen
}

// outsideOf returns the changes of other programs to a dataset, in the form of a run's ledger.
func outsideOf(d *lake.Dataset) (list []audience.OutsideSnapshot) {
	for _, f := range d.Foreign() {
		list = append(list, audience.OutsideSnapshot{ID: f.ID, Operation: f.Operation, Engine: f.Engine, At: f.Time.UTC()})
	}
	return list
}

// adoptedBefore returns the snapshots of other programs that Roster adopted after the last run of files. If another
// program dropped the table, the result says so with the time now, because the time of the drop is unknown.
func adoptedBefore(d *lake.Dataset, now time.Time) (list []audience.OutsideSnapshot, err error) {
	if d.Anew() {
		return []audience.OutsideSnapshot{{Operation: operationDrop, At: now.UTC()}}, nil
	}
	snap, ok := d.Current()
	if text := snap.Props[propOutside]; ok && text != "" {
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			return nil, fmt.Errorf("the dataset's snapshot %d has an unreadable %s: %w", snap.ID, propOutside, err)
		}
	}
	return list, nil
}
