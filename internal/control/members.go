package control

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"roster/internal/audience"
	"roster/internal/ingest"
	"roster/internal/lake"
	"roster/internal/meta"
)

// MaxMembers is how many members one page of a member list may have.
const MaxMembers = 1_000_000

// How much of a filtered list one page looks at: rows, of which the last batch may be more, and for how long.
const (
	filteredRows = 1 << 20
	filteredFor  = time.Second
)

// memberColumns are the system columns that a member list reads after the fields.
var memberColumns = []string{lake.ColSince, lake.ColSeen, lake.ColRun, lake.ColFile, lake.ColLine}

// MemberQuery selects members of an audience.
type MemberQuery struct {
	Fields []string       // names, ignoring case, in the order wanted; all fields when empty
	AsOf   audience.RunID // the members as of that run; "" for those of now; From goes before it
	Limit  int            // most members of the page, 1 to MaxMembers; 0 for all
	From   *MemberPlace   // Next of the page before; nil for the first
	// Filters must all hold. A page of filtered members ends when as many rows were looked at, or for as long, as one
	// request may: it may have few members or none, and yet a Next.
	Filters []MemberFilter
}

// MemberPlace is a place in a list of members: in a snapshot of the dataset, the rows after a number of live
// ones that a scan from a file's row brings. At is the time that decides who is a member, in epoch microseconds;
// all pages of a list have the same.
type MemberPlace struct {
	Snapshot int64 `json:"s"`
	At       int64 `json:"t"`
	File     int   `json:"f"`
	Row      int64 `json:"r"`
	Skip     int   `json:"k"`
}

// MemberList is one page of an audience's members. It shows the same however the audience changes meanwhile.
type MemberList struct {
	Fields []audience.Field // columns of each batch
	Next   *MemberPlace     // where the next page begins, nil when this one is the last

	service *Service
	dataset *lake.Dataset
	terms   terms
	limit   int // most members of the page, 0 for all
	from    MemberPlace
	where   memberTests
	runs    *runs
}

// MemberBatch is a part of a MemberList. It is valid until the function that got it returns.
type MemberBatch struct {
	Columns []arrow.Array // of the fields
	Rows    []int         // rows of the columns that are members, ascending
	terms   terms
	since   []arrow.Timestamp
	seen    []arrow.Timestamp
	run     []int64
	file    []int32
	line    []int64
	runs    *runs
	where   memberTests
}

// Since is when the member of a row became one, in epoch microseconds.
func (b *MemberBatch) Since(row int) int64 { return int64(b.since[row]) }

// Seen is the time of the run that last brought the member of a row, in epoch microseconds; a full run that left
// the row as it was counts for Expires alone.
func (b *MemberBatch) Seen(row int) int64 { return int64(b.seen[row]) }

// Expires is when the membership of a row ends, in epoch microseconds.
func (b *MemberBatch) Expires(row int) int64 { return b.terms.expires(int64(b.seen[row])) }

// Line is the line of Origin's file that a row comes from.
func (b *MemberBatch) Line(row int) int64 { return b.line[row] }

// Origin is the run that wrote a row and the file that it comes from; "" for what is not known any more.
func (b *MemberBatch) Origin(ctx context.Context, row int) (run audience.RunID, file string, err error) {
	r, err := b.runs.get(ctx, b.run[row])
	if err != nil {
		return "", "", err
	}
	return r.ID, fileOf(r, b.file[row]).Path, nil
}

// terms decide who is a member at a time. Times are epoch microseconds.
type terms struct {
	at        int64
	refreshed int64 // when a full run last brought every member; 0 when none did
	ttl       int64 // microseconds
}

func termsOf(aud *audience.Audience, snap lake.Snapshot, at time.Time) (terms, error) {
	t := terms{at: at.UnixMicro(), ttl: aud.TTL().Microseconds()}
	refreshed, err := ingest.RefreshedAt(snap)
	if err != nil || refreshed.IsZero() {
		return t, err
	}
	t.refreshed = refreshed.UnixMicro()
	return t, nil
}

// qualified is when the member was last brought, by name or by a full run.
func (t terms) qualified(seen int64) int64 { return max(seen, t.refreshed) }

func (t terms) expires(seen int64) int64 { return t.qualified(seen) + t.ttl }

// has reports whether who was last seen then is a member.
func (t terms) has(seen int64) bool { return t.at < t.expires(seen) }

// Members opens a list of an audience's members: who is one now, or was one as of a run.
func (s *Service) Members(ctx context.Context, a audience.Actor, id audience.ID, q MemberQuery) (*MemberList, error) {
	if err := allow(a, toRead); err != nil {
		return nil, err
	}
	if q.Limit < 0 || q.Limit > MaxMembers {
		return nil, audience.InvalidField("limit", "must be from 1 to %d", MaxMembers)
	}
	aud, err := s.audience(ctx, s.cfg.Store, a, id)
	if err != nil {
		return nil, err
	}
	aud = aud.SeenBy(a.Grants)
	fields, err := fieldsNamed(&aud, q.Fields)
	if err != nil {
		return nil, err
	}
	d, err := s.dataset(ctx, &aud)
	if err != nil {
		return nil, err
	}
	where, err := newMemberTests(&aud, q.Filters)
	if err != nil {
		return nil, err
	}
	l := &MemberList{service: s, Fields: fields, limit: q.Limit, where: where, runs: s.newRuns(&aud)}
	if d, err = s.version(ctx, &aud, d, q, l); err != nil {
		return nil, err
	}
	snap, ok := d.Current()
	if !ok {
		l.limit = 0
		return l, nil // no run has brought anybody
	}
	at := time.UnixMicro(l.from.At)
	if l.terms, err = termsOf(&aud, snap, at); err != nil {
		return nil, err
	}
	l.dataset, l.from.Snapshot = d, snap.ID
	if len(where) > 0 {
		return l, l.findFiltered(ctx)
	}
	return l, l.findNext(ctx)
}

// dataset opens the audience's dataset.
func (s *Service) dataset(ctx context.Context, aud *audience.Audience) (*lake.Dataset, error) {
	d, err := s.cfg.Lake.Load(ctx, lake.TableOf(aud.Scope, aud.ID))
	if errors.Is(err, lake.ErrNotExist) {
		return nil, notFound("audience", aud.ID) // deleted at this moment
	}
	if err != nil {
		return nil, fmt.Errorf("open the dataset of audience %s: %w", aud.ID, err)
	}
	return d, nil
}

// fieldsNamed returns the audience's fields of these names.
func fieldsNamed(aud *audience.Audience, names []string) ([]audience.Field, error) {
	if len(names) == 0 {
		return aud.Fields, nil
	}
	var wrong audience.Problems
	var fields []audience.Field
	seen, index := map[int]bool{}, aud.FieldIndex()
	for _, name := range names {
		switch n, known := index[audience.NameKey(name)]; {
		case !known:
			wrong.Add("fields", "the audience has no field %.64q", name)
		case seen[n]:
			wrong.Add("fields", "%.64q is named twice", name)
		default:
			seen[n] = true
			fields = append(fields, aud.Fields[n])
		}
	}
	return fields, wrong.Err()
}

// version returns the version of the dataset that the query wants, and puts into l where and for which time the
// page begins. A run's members are those of its own time, whoever's time was over since.
func (s *Service) version(ctx context.Context, aud *audience.Audience, d *lake.Dataset, q MemberQuery, l *MemberList) (*lake.Dataset, error) {
	if q.From != nil {
		l.from = *q.From
		return at(d, l.from.Snapshot, "the version of the audience that this cursor goes through is not kept any more; begin again without cursor")
	}
	if q.AsOf == "" {
		l.from.At = s.now().UnixMicro()
		return d, nil
	}
	key, ok := audience.Canonical(q.AsOf)
	if !ok {
		return nil, notFound("run", q.AsOf)
	}
	run, err := s.cfg.Store.Run(ctx, aud.Scope, aud.ID, key)
	if err != nil {
		return nil, absent(err, "run", q.AsOf)
	}
	const gone = "the members as of run %s are not there: it did not end SUCCESS, was a dry run, or its version is not kept any more"
	snap, ok := d.FindVersion(run.ID)
	if !ok {
		return nil, audience.Errorf(audience.Impossible, gone, run.ID)
	}
	l.from.At = run.CreatedAt.UnixMicro()
	return at(d, snap.ID, fmt.Sprintf(gone, run.ID))
}

// at returns the dataset as of a snapshot; the refusal when that is not kept.
func at(d *lake.Dataset, snapshot int64, refusal string) (*lake.Dataset, error) {
	then, err := d.At(snapshot)
	if errors.Is(err, lake.ErrNotExist) {
		return nil, audience.Errorf(audience.Impossible, "%s", refusal)
	}
	return then, err
}

// errEnough ends a scan.
var errEnough = errors.New("control: enough members")

// findNext finds out where the next page begins: at the first member after as many as the limit allows.
func (l *MemberList) findNext(ctx context.Context) error {
	if l.limit == 0 {
		return nil
	}
	next, count := l.from, 0
	err := l.scan(ctx, []string{lake.ColSeen}, l.limit+1, func(rec arrow.RecordBatch, first MemberPlace, skip int) error {
		seen := rec.Column(0).(*array.Timestamp).TimestampValues()
		for i := skip; i < len(seen); i++ {
			if !l.terms.has(int64(seen[i])) {
				continue
			}
			if count++; count > l.limit {
				next.File, next.Row, next.Skip = first.File, first.Row, i
				return errEnough
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		l.Next = &next
		return nil
	}
	return err
}

// findFiltered finds out which members the page has: from the first that passes the tests to as many as the limit
// allows, or as the page looks at. It makes the page begin at the first and have as many as there are.
func (l *MemberList) findFiltered(ctx context.Context) error {
	begin, count, read, until := l.from, 0, 0, time.Now().Add(filteredFor)
	err := l.scan(ctx, append([]string{lake.ColSeen}, l.where.columns()...), 0, func(rec arrow.RecordBatch, first MemberPlace, skip int) error {
		end := func(row int) error {
			l.Next = &MemberPlace{Snapshot: first.Snapshot, At: first.At, File: first.File, Row: first.Row, Skip: row}
			return errEnough
		}
		if read >= filteredRows || read > 0 && time.Now().After(until) {
			return end(first.Skip)
		}
		seen, passes := rec.Column(0).(*array.Timestamp).TimestampValues(), l.where.of(rec)
		read += len(seen)
		for i := skip; i < len(seen); i++ {
			if !l.terms.has(int64(seen[i])) || !passes(i) {
				continue
			}
			if l.limit > 0 && count == l.limit {
				return end(i)
			}
			if count++; count == 1 {
				begin = first
				begin.Skip = i
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	l.from, l.limit = begin, count
	if count == 0 {
		l.dataset = nil // there is nothing to read
	}
	return nil
}

// batch is how many rows are read at a time, 0 for the usual number: the members of a filtered page may be far apart.
func (l *MemberList) batch() int {
	if len(l.where) > 0 {
		return 0
	}
	return l.limit
}

// scan calls fn with the batches of the dataset from where the page begins, with the place of each batch and how
// many of its rows come before the page.
func (l *MemberList) scan(ctx context.Context, columns []string, limit int, fn func(rec arrow.RecordBatch, first MemberPlace, skip int) error) error {
	first := l.from
	reading, done, err := l.service.reading(ctx, len(columns))
	if err != nil {
		return err
	}
	defer done()
	o := lake.ScanOptions{Columns: columns, From: lake.Position{File: first.File, Row: first.Row}, Reading: reading}
	if limit > 0 {
		o.BatchRows = min(limit+first.Skip, 8<<10)
	}
	return l.dataset.Scan(ctx, o, func(rec arrow.RecordBatch, next lake.Position) error {
		rows := int(rec.NumRows())
		if err := fn(rec, first, min(first.Skip, rows)); err != nil {
			return err
		}
		first.File, first.Row, first.Skip = next.File, next.Row, max(0, first.Skip-rows)
		return nil
	})
}

// Each calls fn with the members of the page. An error of fn ends it and is returned.
func (l *MemberList) Each(ctx context.Context, fn func(*MemberBatch) error) error {
	if l.dataset == nil {
		return nil
	}
	columns := make([]string, 0, len(l.Fields)+len(memberColumns))
	for _, f := range l.Fields {
		columns = append(columns, f.Name)
	}
	wanted := len(columns)
	columns = append(columns, memberColumns...)
	for _, name := range l.where.columns() {
		if !slices.Contains(columns[:wanted], name) {
			columns = append(columns, name)
		}
	}
	left := math.MaxInt
	if l.limit > 0 {
		left = l.limit
	}
	b := &MemberBatch{terms: l.terms, runs: l.runs, where: l.where}
	err := l.scan(ctx, columns, l.batch(), func(rec arrow.RecordBatch, _ MemberPlace, skip int) error {
		b.take(rec, len(l.Fields), skip, left)
		if left -= len(b.Rows); len(b.Rows) > 0 {
			if err := fn(b); err != nil {
				return err
			}
		}
		if left == 0 {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// take makes the batch show at most so many members of a record, whose first columns are the fields.
func (b *MemberBatch) take(rec arrow.RecordBatch, fields, skip, most int) {
	b.Columns, b.Rows = rec.Columns()[:fields], b.Rows[:0]
	b.since = rec.Column(fields).(*array.Timestamp).TimestampValues()
	b.seen = rec.Column(fields + 1).(*array.Timestamp).TimestampValues()
	b.run = rec.Column(fields + 2).(*array.Int64).Int64Values()
	b.file = rec.Column(fields + 3).(*array.Int32).Int32Values()
	b.line = rec.Column(fields + 4).(*array.Int64).Int64Values()
	passes := b.where.of(rec)
	for i := skip; i < len(b.seen) && len(b.Rows) < most; i++ {
		if b.terms.has(int64(b.seen[i])) && passes(i) {
			b.Rows = append(b.Rows, i)
		}
	}
}

// runs finds runs of an audience by their sequence numbers. It is not safe for concurrent use.
type runs struct {
	store meta.Runs
	aud   *audience.Audience
	found map[int64]*audience.Run // with no ID when there is none
	last  *audience.Run           // the one found last: neighbours often have the same
	seq   int64                   // its number
}

func (s *Service) newRuns(aud *audience.Audience) *runs {
	return &runs{store: s.cfg.Store, aud: aud, found: map[int64]*audience.Run{}}
}

// get returns the run of a number; one without an ID when there is none.
func (r *runs) get(ctx context.Context, seq int64) (*audience.Run, error) {
	if r.last != nil && r.seq == seq {
		return r.last, nil
	}
	run, ok := r.found[seq]
	if !ok {
		found, err := r.store.RunBySeq(ctx, r.aud.Scope, r.aud.ID, seq)
		if err != nil && !errors.Is(err, meta.ErrNotFound) {
			return nil, fmt.Errorf("run %d of audience %s: %w", seq, r.aud.ID, err)
		}
		run = &found
		r.found[seq] = run
	}
	r.last, r.seq = run, seq
	return run, nil
}

// fileOf returns a file of the run's manifest, the zero value when it is not known.
func fileOf(r *audience.Run, n int32) audience.PlannedFile {
	if n < 0 || int(n) >= len(r.Planned) {
		return audience.PlannedFile{}
	}
	return r.Planned[n]
}
