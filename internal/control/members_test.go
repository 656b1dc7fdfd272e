package control_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"roster/internal/audience"
	"roster/internal/blob/local"
	"roster/internal/control"
	"roster/internal/identity"
	"roster/internal/lake"
	"roster/internal/members"
	"roster/internal/profile"
)

// listed is a world whose audience has its own dataset.
type listed struct {
	*world
	aud      audience.Audience
	datasets *lake.Lake
	table    lake.TableID
}

func newListed(t *testing.T) *listed {
	t.Helper()
	w := newWorld(t)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(w.dir, "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	disk, err := local.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	datasets, err := lake.Open(t.Context(), lake.Config{Store: disk, Warehouse: filepath.Join(w.dir, "lake"), Catalog: db, Dialect: "sqlite"})
	if err != nil {
		t.Fatal(err)
	}
	cfg := w.config("worker-1")
	cfg.Lake = datasets
	w.use(cfg)
	l := &listed{world: w, datasets: datasets, aud: w.submit(draft("list"))}
	l.table = lake.TableID{Namespace: "ABC_40RosterOrg__prod", Name: string(l.aud.ID)}
	return l
}

// row is a member of a dataset.
type row struct {
	mail string
	seen time.Time
	run  int64
	file int
	line int64
}

// commit replaces the dataset by these rows, as the run does.
func (l *listed) commit(run audience.Run, refreshed time.Time, rows ...row) {
	l.t.Helper()
	d, err := l.datasets.Load(l.t.Context(), l.table)
	if err != nil {
		l.t.Fatal(err)
	}
	type cells = map[string]any
	var list []cells
	for _, r := range rows {
		key := identity.KeyOf("Email", []byte(r.mail))
		at := r.seen.Format("2006-01-02T15:04:05Z")
		list = append(list, cells{"mail": r.mail, "_roster_id": base64.StdEncoding.EncodeToString(key[:]), "_roster_row": 1, "_roster_since": at,
			"_roster_seen": at, "_roster_run": r.run, "_roster_file": r.file, "_roster_line": r.line})
	}
	slices.SortFunc(list, func(a, b cells) int {
		x, _ := base64.StdEncoding.DecodeString(a["_roster_id"].(string))
		y, _ := base64.StdEncoding.DecodeString(b["_roster_id"].(string))
		return bytes.Compare(x, y)
	})
	text, err := json.Marshal(list)
	if err != nil {
		l.t.Fatal(err)
	}
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, d.Schema(), bytes.NewReader(text))
	if err != nil {
		l.t.Fatal(err)
	}
	defer rec.Release()
	dir := fmt.Sprintf("%s-%d", run.ID, 1)
	f, err := d.NewFile(dir)
	if err != nil {
		l.t.Fatal(err)
	}
	if err := f.Write(rec); err != nil {
		l.t.Fatal(err)
	}
	file, err := f.Close()
	if err != nil {
		l.t.Fatal(err)
	}
	props := map[string]string{}
	if !refreshed.IsZero() {
		props["roster.refreshed-at"] = fmt.Sprint(refreshed.Unix())
	}
	if _, err := d.Commit(l.t.Context(), lake.Commit{Run: run.ID, Replace: true, Add: []lake.DataFile{file}, Dir: dir, Props: props}); err != nil {
		l.t.Fatal(err)
	}
}

// ended starts a run and ends it SUCCESS with the world's manifest.
func (l *listed) ended() audience.Run {
	l.t.Helper()
	r := l.start(l.aud.ID)
	l.handle(runJob(r))
	return l.run(l.aud.ID, r.ID)
}

// list reads a page: the mail, the origin and the days until the end of each member.
func (l *listed) list(q control.MemberQuery) (lines []string, next *members.Position) {
	l.t.Helper()
	page, err := l.Members(l.t.Context(), l.editor, l.aud.ID, q)
	if err != nil {
		l.t.Fatal(err)
	}
	err = page.Each(l.t.Context(), func(b *members.Batch) error {
		for _, n := range b.Rows {
			run, file, err := b.Origin(l.t.Context(), n)
			if err != nil {
				return err
			}
			days := time.UnixMicro(b.Expires(n)).Sub(l.clock.now()).Hours() / 24
			lines = append(lines, fmt.Sprintf("%s %t %s:%d %.0f", shown(&b.Columns[0], n), run != "", file, b.Line(n), days))
		}
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
	slices.Sort(lines)
	return lines, page.Next
}

// shown returns the value of a row as text.
func shown(c *members.Column, row int) string {
	if c.Null(row) {
		return "(null)"
	}
	if c.Kind == members.Whole {
		return fmt.Sprint(c.Whole(row))
	}
	return c.Text(row)
}

func (l *listed) want(what string, q control.MemberQuery, want ...string) {
	l.t.Helper()
	if got, _ := l.list(q); !slices.Equal(got, want) {
		l.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

const day = 24 * time.Hour

func TestMembers(t *testing.T) {
	t.Parallel()
	l := newListed(t)
	l.want("before any run", control.MemberQuery{})
	first := l.ended()
	now := l.clock.now()
	l.commit(first, time.Time{}, row{"ada", now, 1, 0, 2}, row{"bob", now.Add(-30 * day), 1, 0, 3}, row{"cleo", now.Add(-29 * day), 1, 7, 4}, row{"dan", now, 9, 0, 5})
	l.want("by their own time", control.MemberQuery{}, "ada true in.csv:2 30", "cleo true :4 1", "dan false :5 30")
	l.want("of some fields", control.MemberQuery{Fields: []string{"points", "mail"}, Limit: 10}, "(null) false :5 30", "(null) true :4 1", "(null) true in.csv:2 30")
	_, cursor := l.list(control.MemberQuery{Limit: 2})
	if _, after := l.list(control.MemberQuery{Limit: 2, From: cursor}); cursor == nil || after != nil {
		t.Errorf("cursors %+v, %+v", cursor, after)
	}

	second := l.ended()
	l.commit(second, now, row{"ada", now, 2, 0, 2}, row{"bob", now.Add(-60 * day), 1, 0, 3})
	l.want("by a full run", control.MemberQuery{}, "ada true in.csv:2 30", "bob true in.csv:3 30")
	l.want("as of the first", control.MemberQuery{AsOf: first.ID}, "ada true in.csv:2 30", "cleo true :4 1", "dan false :5 30")
	l.clock.advance(30 * day)
	l.want("later", control.MemberQuery{})
	l.want("as of the second, later", control.MemberQuery{AsOf: second.ID}, "ada true in.csv:2 0", "bob true in.csv:3 0")

	d, err := l.datasets.Load(t.Context(), l.table)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := d.Expire(t.Context(), time.Now().Add(time.Hour)); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	_, err = l.Members(t.Context(), l.editor, l.aud.ID, control.MemberQuery{AsOf: first.ID})
	wantCode(t, "as of a version that is gone", err, audience.Impossible, string(first.ID))
	_, err = l.Members(t.Context(), l.editor, l.aud.ID, control.MemberQuery{From: cursor})
	wantCode(t, "a cursor of a version that is gone", err, audience.Impossible, "start again")
	_, err = l.Members(t.Context(), l.editor, l.aud.ID, control.MemberQuery{Limit: control.MaxMembers + 1})
	wantCode(t, "limit", err, audience.Invalid, "limit")
	nobody := l.editor
	nobody.Role = ""
	_, err = l.Members(t.Context(), nobody, l.aud.ID, control.MemberQuery{})
	wantCode(t, "without a role", err, audience.Forbidden)
}

// TestMembersBreak ends a list with an error.
func TestMembersBreak(t *testing.T) {
	t.Parallel()
	l := newListed(t)
	l.commit(l.ended(), time.Time{}, row{"ada", l.clock.now(), 1, 0, 2})
	page, err := l.Members(t.Context(), l.editor, l.aud.ID, control.MemberQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if err := page.Each(t.Context(), func(*members.Batch) error { return errDown }); !errors.Is(err, errDown) {
		t.Error(err)
	}
}

// TestMember finds members that are in the dataset and the profile store, or in only one of them.
func TestMember(t *testing.T) {
	t.Parallel()
	l := newListed(t)
	now := l.clock.now()
	run := l.ended()
	l.commit(run, time.Time{}, row{"ada", now, 1, 0, 2}, row{"bob", now, 9, 0, 3}, row{"old", now.Add(-31 * day), 1, 0, 4}, row{"gone", now.Add(-60 * day), 1, 0, 5})
	key := func(mail string) identity.Key { return identity.KeyOf("Email", []byte(mail)) }
	stored := func(namespace, id string, m profile.Membership) {
		m.Audience, m.Since, m.Seen = l.aud.Num, now.Unix()-9, now.Unix()
		l.profile.member(namespace, id, m)
	}
	stored("Phone", "+1", profile.Membership{Member: key("ada")})
	stored("Email", "left", profile.Membership{Member: key("left"), Primary: true, Exited: true, At: now.Add(-29 * day).Unix()})
	stored("Email", "long", profile.Membership{Member: key("long"), Primary: true, Exited: true, At: now.Add(-30 * day).Unix()})
	stored("Email", "just", profile.Membership{Member: key("just"), Primary: true})
	find := func(namespace, id string) (control.Member, error) {
		return l.Member(t.Context(), l.editor, l.aud.ID, control.IdentityRef{ID: id, Namespace: namespace})
	}
	for id, c := range map[string]struct {
		namespace, status string
		until             time.Duration
		line              int64
		run               audience.RunID
	}{
		"ADA ": {"email", control.Realized, 30 * day, 2, run.ID},
		"+1":   {"phone", control.Realized, 30 * day, 2, run.ID},
		"bob":  {"email", control.Realized, 30 * day, 3, ""},
		"old":  {"email", control.Exited, -day, 0, ""},
		"left": {"email", control.Exited, -29 * day, 0, ""},
	} {
		m, err := find(c.namespace, id)
		if err != nil || m.Status != c.status || !m.ValidUntil.Equal(now.Add(c.until)) || m.Audience != l.aud.ID {
			t.Errorf("%s: %+v %v", id, m, err)
			continue
		}
		if o := m.Origin; (o != nil) != (c.line > 0) || o != nil && (o.Line != c.line || o.Run != c.run || (o.File.Path == "in.csv") != (c.run != "")) {
			t.Errorf("%s: %+v", id, o)
		}
	}
	if m, err := find("email", "just"); err != nil || m.Status != control.Exited || m.Origin != nil || time.Until(m.ValidUntil).Abs() > time.Hour {
		t.Errorf("left a moment ago: %+v %v", m, err)
	}
	for _, id := range []string{"gone", "long", "nobody"} {
		m, err := find("email", id)
		wantCode(t, id+fmt.Sprint(m.Status), err, audience.NotFound, "30 days")
	}
	_, err := find("nowhere", "ada")
	wantCode(t, "namespace", err, audience.Invalid, "nowhere")
	_, err = find("email", " ")
	wantCode(t, "identity", err, audience.Invalid, "identity")
}
