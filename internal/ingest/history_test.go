package ingest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"roster/internal/audience"
	"roster/internal/lake"
	"roster/internal/profile"
)

// version is the state after a run.
type version struct {
	run   audience.RunID
	rows  []string
	mails map[string]profile.Membership
	phone map[string]profile.Membership
}

// TestHistory executes random sequences of runs, rollbacks, extensions, compactions and expiries, with restarts. It
// compares each restored version with its original.
func TestHistory(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			h := &history{world: newWorld(t, []audience.Field{{Name: "mail", Type: audience.String, IdentityNs: "Email"},
				{Name: "tel", Type: audience.String, IdentityNs: "Phone"}, {Name: "city", Type: audience.String},
				{Name: "gone", Type: audience.Boolean, Role: audience.RoleDelete}}), rnd: rand.New(rand.NewPCG(seed, 7))}
			for i := range 60 {
				h.mails = append(h.mails, fmt.Sprintf("p%d@example.com", i))
				h.phones = append(h.phones, fmt.Sprint(1000+i))
			}
			for step := range 40 {
				h.step(step)
			}
			if h.compactions == 0 {
				t.Error("nothing was compacted")
			}
			t.Run("pyiceberg", h.wantReadByOthers)
		})
	}
}

type history struct {
	*world
	rnd           *rand.Rand
	mails, phones []string
	versions      []version
	compactions   int
	expired       bool // versions were removed
}

func (h *history) step(n int) {
	h.t.Helper()
	h.now = h.now.Add(time.Duration(h.rnd.IntN(3)*h.rnd.IntN(48)) * time.Hour) // often within the same second
	switch x := h.rnd.IntN(11); {
	case x < 6 || len(h.versions) == 0:
		h.files(n)
		h.keep(h.mustRun(h.rnd.IntN(3) == 0))
	case x < 8:
		v := h.versions[h.rnd.IntN(len(h.versions))]
		r := h.rollback(v.run)
		if got := rowsOf(h.t, h.dataset()); !slices.Equal(got, v.rows) {
			h.t.Fatalf("step %d: %d rows came back of %d", n, len(got), len(v.rows))
		}
		h.wantAsBefore("Email", h.mails, v.mails)
		h.wantAsBefore("Phone", h.phones, v.phone)
		h.keep(r)
	case x < 9:
		h.reopen()
	case x < 10:
		h.extends(n)
	default:
		h.expire()
	}
	h.compact()
	h.wantAgrees()
	if n%5 == 4 {
		h.wantRebuilt(n)
	}
}

// extends extends the time of the members. Each member has another TTL. Nobody else becomes a member.
func (h *history) extends(n int) {
	h.t.Helper()
	before := h.memberships("Email", h.mails)
	members := 0
	for _, m := range before {
		if h.realized(m) {
			members++
		}
	}
	r := h.extend()
	if (r.Status == audience.Success) != (members > 0) {
		h.t.Fatalf("step %d: %s with %d members, %v", n, r.Status, members, r.Error)
	}
	end := r.CreatedAt.Truncate(time.Second).Add(h.aud.TTL())
	for id, m := range h.memberships("Email", h.mails) {
		if was := h.realized(before[id]); h.realized(m) != was || was && !m.Expiry(h.aud.TTL()).Equal(end) {
			h.t.Fatalf("step %d: %s: %+v became %+v", n, id, before[id], m)
		}
	}
	if r.Status == audience.Success {
		h.keep(r)
	}
}

// files writes the files of a run.
func (h *history) files(n int) {
	h.clear()
	var b strings.Builder
	b.WriteString("mail,tel,city,gone\n")
	for range h.rnd.IntN(40) + 1 {
		fmt.Fprintf(&b, "%s,%s,c%d,%v\n", h.mails[h.rnd.IntN(len(h.mails))], h.phones[h.rnd.IntN(len(h.phones))], h.rnd.IntN(3), h.rnd.IntN(8) == 0)
	}
	h.put(fmt.Sprintf("%d.csv", n), b.String())
}

// keep stores the state after a run.
func (h *history) keep(r audience.Run) {
	h.versions = append(h.versions, version{r.ID, rowsOf(h.t, h.dataset()), h.memberships("Email", h.mails), h.memberships("Phone", h.phones)})
}

func (h *history) compact() {
	h.t.Helper()
	before := rowsOf(h.t, h.dataset())
	asked := false
	done, err := h.pipeline.Compact(h.t.Context(), h.table, func(context.Context) error { asked = true; return nil })
	if err != nil || done != asked {
		h.t.Fatal(done, asked, err)
	}
	if !done {
		return
	}
	h.compactions++
	d := h.dataset()
	if got := rowsOf(h.t, d); !slices.Equal(got, before) {
		h.t.Fatalf("a compaction left %d rows of %d", len(got), len(before))
	}
	snap, _ := d.Current()
	last := h.versions[len(h.versions)-1]
	was, _ := d.FindRun(last.run)
	if v, ok := d.FindVersion(last.run); !ok || v.ID != snap.ID || snap.Run != "" || snap.Version != last.run || was.Run != last.run || snap.Props["roster.refreshed-at"] != was.Props["roster.refreshed-at"] {
		h.t.Fatalf("the snapshot of a compaction says %v", snap.Props)
	}
}

// expire expires the older versions.
func (h *history) expire() {
	h.t.Helper()
	snaps := h.dataset().Snapshots()
	before := snaps[h.rnd.IntN(len(snaps))].Time
	h.expired = true
	if _, err := h.dataset().Expire(h.t.Context(), before); err != nil {
		h.t.Fatal(err)
	}
	if _, _, err := h.dataset().RemoveOrphans(h.t.Context(), lake.OrphanOptions{Before: time.Now().Add(time.Minute), InUse: func(audience.RunID) bool { return false }}); err != nil {
		h.t.Fatal(err)
	}
	h.versions = slices.DeleteFunc(h.versions, func(v version) bool {
		_, ok := h.dataset().FindVersion(v.run)
		return !ok
	})
}

// wantReadByOthers compares all versions with the rows that pyiceberg reads.
func (h *history) wantReadByOthers(t *testing.T) {
	python := os.Getenv("ROSTER_TEST_PYTHON")
	if python == "" {
		t.Skip("set ROSTER_TEST_PYTHON to a Python that has pyiceberg to run this test")
	}
	const script = `
import sys
from pyiceberg.table import StaticTable
t = StaticTable.from_metadata(sys.argv[1])
for s in sys.argv[2:]:
    rows = t.scan(snapshot_id=int(s)).to_arrow().to_pylist()
    print(s, len(rows), sum(r["_roster_row"] for r in rows) % 2**64, sum(r["_roster_line"] for r in rows))
`
	d := h.dataset()
	args := []string{"-c", script, strings.TrimPrefix(d.MetadataLocation(), "file://")}
	var want []string
	for _, s := range d.Snapshots() {
		then, err := d.At(s.ID)
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, fmt.Sprint(s.ID))
		want = append(want, fmt.Sprint(s.ID, then.Rows(), sumOf(t, then, "_roster_row"), sumOf(t, then, "_roster_line")))
	}
	out, err := exec.CommandContext(t.Context(), python, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := strings.Split(strings.TrimSpace(string(out)), "\n"); !slices.Equal(got, want) {
		t.Errorf("pyiceberg reads\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// sumOf returns the sum modulo 2^64 of a column.
func sumOf(t *testing.T, d *lake.Dataset, column string) (sum uint64) {
	t.Helper()
	err := d.Scan(t.Context(), lake.ScanOptions{Columns: []string{column}}, func(rec arrow.RecordBatch, _ lake.Position) error {
		for _, v := range rec.Column(0).(interface{ Int64Values() []int64 }).Int64Values() {
			sum += uint64(v)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}
