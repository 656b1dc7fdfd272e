package abuse

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAgedMetadata restores an older copy of the metadata and the catalog, while the lake and the profile store are
// newer. The server returns to the older state and works from there.
func TestAgedMetadata(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	aged := t.TempDir()
	cp := func(from, to string) {
		for _, n := range []string{"roster.db", "catalog.db"} {
			for _, s := range []string{"", "-wal", "-shm"} {
				os.Remove(filepath.Join(to, n+s))
				if b, err := os.ReadFile(filepath.Join(from, n+s)); err == nil {
					if err := os.WriteFile(filepath.Join(to, n+s), b, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	c.ages(func() { cp(c.dir, aged) }, func() { cp(aged, c.dir) })
}

// TestAgedPostgres is TestAgedMetadata with the metadata and the catalog in PostgreSQL.
func TestAgedPostgres(t *testing.T) {
	t.Parallel()
	p := newPostgres(t)
	c := newCrowd(t, "--database-url", p.url)
	c.ages(func() { p.copy(p.name, p.name+"_aged") }, func() { p.copy(p.name+"_aged", p.name) })
}

// ages copies the metadata, has one more run, and restores the copy.
func (c *crowd) ages(save, restore func()) {
	t := c.t
	c.stop()
	save()
	c.open()
	c.put("crowd.csv", []byte("email,phone\nlate@example.com,+49301\n"))
	if r := c.run(c.audience, `{"differentialIngestion":true}`); r["status"] != "SUCCESS" {
		t.Fatal(r)
	}
	if a := c.lookUp("late@example.com"); a.status != 200 {
		t.Fatal(a)
	}
	c.stop()
	restore()
	code, out := c.roster("check")
	if code != 1 || !strings.Contains(out, c.audience) {
		t.Errorf("check of the mixture: %d %s", code, out)
	}
	c.open()
	c.wantHealed("aged metadata beside a newer lake and profile store")
	if a := c.lookUp("late@example.com"); a.status != 404 {
		t.Errorf("somebody whom no run that is known brought: %d", a.status)
	}
	if r := c.run(c.audience, `{"differentialIngestion":true}`); r["status"] != "SUCCESS" {
		t.Errorf("the run after: %v", r)
	}
	if a := c.lookUp("late@example.com"); a.status != 200 {
		t.Errorf("after the run: %d", a.status)
	}
	if code, out = c.roster("check"); code != 0 {
		t.Errorf("check after the run: %d %s", code, out)
	}
}
