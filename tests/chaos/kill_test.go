// Package chaos kills Roster while it works, and checks that nothing is lost or done twice.
package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"roster/client"
	"roster/internal/app"
	"roster/tests/rostertest"
)

// setting returns a number that a variable may make larger.
func setting(t *testing.T, name string, def int) int {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return def
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

func person(i int) string { return fmt.Sprintf("person%d@example.com", i) }

// write writes n people; every tenth has other values in another edition.
func write(t *testing.T, path string, n, edition int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b strings.Builder
	b.WriteString("mail,name,points\n")
	for i := range n {
		points := i
		if i%10 == 0 {
			points += edition
		}
		fmt.Fprintf(&b, "%s,Name %d,%d\n", person(i), i%5000, points)
		if b.Len() > 1<<20 {
			if _, err := f.WriteString(b.String()); err != nil {
				t.Fatal(err)
			}
			b.Reset()
		}
	}
	if _, err := f.WriteString(b.String()); err != nil {
		t.Fatal(err)
	}
}

// TestKill kills an import at random instants, starts it again each time, and compares the result with that of an
// undisturbed import.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for a while; not with -short")
	}
	rows, kills := setting(t, "ROSTER_CHAOS_ROWS", 40_000), setting(t, "ROSTER_CHAOS_KILLS", 6)
	seed := uint64(setting(t, "ROSTER_CHAOS_SEED", int(time.Now().UnixNano()&0xffff)))
	t.Logf("%d rows, %d kills, ROSTER_CHAOS_SEED=%d", rows, kills, seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first.csv"), filepath.Join(dir, "second.csv")
	write(t, first, rows, 0)
	write(t, second, rows+rows/20, 1)

	calm := filepath.Join(dir, "calm")
	start := time.Now()
	place := filepath.Join(dir, "people.csv")
	var want, got []rostertest.Imported
	for _, file := range []string{first, second} {
		rostertest.Place(t, file, place)
		want = append(want, rostertest.Import(t, calm, place, "mail=Email", "--full"))
	}
	whole := time.Since(start) / 2

	wild := filepath.Join(dir, "wild")
	for _, file := range []string{first, second} {
		rostertest.Place(t, file, place)
		got = append(got, importUnderFire(t, rnd, wild, place, kills/2, whole))
	}
	c := serve(t, wild)
	if g, w := done(t, c, got[1].AudienceID), done(t, serve(t, calm), want[1].AudienceID); g != w {
		t.Errorf("all runs together:\n got %+v\nwant %+v", g, w)
	}
	if g, w := got[1].Run.Members.After, want[1].Run.Members.After; g != w {
		t.Errorf("%d members, want %d", g, w)
	}
	check(t, c, rnd, rows+rows/20)
	checkScratch(t, wild)
	recount(t, wild, got[1], first, second)
}

// importUnderFire starts an import repeatedly and kills all but the last.
func importUnderFire(t *testing.T, rnd *rand.Rand, data, file string, kills int, whole time.Duration) rostertest.Imported {
	t.Helper()
	for range kills {
		cmd := rostertest.ImportCommand(t.Context(), t, data, file, "mail=Email", "--full")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case <-ended: // the import ended before the kill
		case <-time.After(time.Duration(rnd.Int64N(int64(whole)))):
			cmd.Process.Signal(syscall.SIGKILL)
			<-ended
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, err := rostertest.ImportCommand(ctx, t, data, file, "mail=Email", "--full").Output()
	if err != nil {
		t.Fatalf("the import does not end after %d kills: %v\n%s", kills, err, out)
	}
	var im rostertest.Imported
	if err := json.Unmarshal(out, &im); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return im
}

// serve serves a data directory until the test ends.
func serve(t *testing.T, data string) *client.Client {
	t.Helper()
	a, err := app.New(t.Context(), app.Config{DataDir: data, Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Stop(context.Background()) })
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := client.LoadCredentials(app.CredentialsPath(data))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// effects are the changes of all runs of an audience together.
type effects struct{ Added, Updated, Deleted, Removed int64 }

// done sums the successful runs. If a killed command did not report its run, the run was done all the same. Importing
// the same file again changes nothing, so the sums equal those of undisturbed imports.
func done(t *testing.T, c *client.Client, audienceID string) (e effects) {
	t.Helper()
	list, err := c.Runs(t.Context(), audienceID, url.Values{"limit": {"40"}})
	if err != nil {
		t.Fatal(err)
	}
	if list.Page.TotalCount > len(list.Runs) {
		t.Fatalf("%d runs are more than one page", list.Page.TotalCount)
	}
	for _, r := range list.Runs {
		if r.Status != client.Success {
			t.Errorf("run %s is %s: %+v", r.RunID, r.Status, r.Error)
			continue
		}
		if w := r.Rows; w.Read != w.Rejected+w.Duplicates+w.Added+w.Updated+w.Unchanged+w.Deleted+w.DeletedNotMember {
			t.Errorf("the rows of run %s do not add up (invariant 1): %+v", r.RunID, w)
		}
		if m := r.Members; m.After != m.Before+r.Rows.Added-r.Rows.Deleted-m.Removed-m.Expired {
			t.Errorf("the members of run %s do not add up (invariant 2): %+v %+v", r.RunID, m, r.Rows)
		}
		e.Added += r.Rows.Added
		e.Updated += r.Rows.Updated
		e.Deleted += r.Rows.Deleted
		e.Removed += r.Members.Removed
	}
	return e
}

// check looks up members and people who are not members.
func check(t *testing.T, c *client.Client, rnd *rand.Rand, members int) {
	t.Helper()
	for range 1000 {
		if got := status(t, c, person(rnd.IntN(members))); got != "realized" {
			t.Fatalf("a member is %q", got)
		}
		if got := status(t, c, "stranger"+person(rnd.IntN(members))); got != "" {
			t.Fatalf("a stranger is %q", got)
		}
	}
}

// checkScratch checks that killed runs left no scratch files.
func checkScratch(t *testing.T, data string) {
	t.Helper()
	left, err := os.ReadDir(filepath.Join(data, "scratch"))
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("%d scratch files are left", len(left))
	}
}

// recount compares the dataset with the files by another reader, if that is installed.
func recount(t *testing.T, data string, im rostertest.Imported, files ...string) {
	t.Helper()
	python := os.Getenv("ROSTER_TEST_PYTHON")
	if python == "" {
		return
	}
	args := []string{"../interop/recount.py", rostertest.Metadata(t, data, im.AudienceID), "mail"}
	for _, f := range files {
		args = append(args, "full="+f)
	}
	out, err := exec.CommandContext(t.Context(), python, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var r struct{ Rows, Distinct, Expected, Wrong, Snapshots int }
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if r.Wrong != 0 || r.Rows != r.Expected || r.Distinct != r.Rows || r.Snapshots < 2 {
		t.Errorf("pyiceberg sees %+v", r)
	}
}

// status looks an e-mail address up and returns the membership's status, "" if there is none.
func status(t *testing.T, c *client.Client, mail string) string {
	t.Helper()
	p, found, err := c.Lookup(t.Context(), "email", mail)
	if err != nil {
		t.Fatal(err)
	}
	if !found {
		return ""
	}
	for _, audiences := range p.Entity.SegmentMembership {
		for _, m := range audiences {
			return m.Status
		}
	}
	return ""
}
