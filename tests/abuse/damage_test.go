package abuse

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"roster/tests/rostertest"
)

// crowd is an audience after several runs, with the result of a look-up of some people.
type crowd struct {
	*server
	audience string
	who      []string
	want     map[string]answer
	old      string // a copy of the profile store after the first run
}

// newCrowd creates an audience: some people join, some join later, and some leave.
func newCrowd(t *testing.T, flags ...string) *crowd {
	c := &crowd{server: start(t, flags...), want: map[string]answer{}}
	people := func(from, to int) []byte {
		var b strings.Builder
		b.WriteString("email,phone\n")
		for i := from; i < to; i++ {
			fmt.Fprintf(&b, "p%d@example.com,+4930%06d\n", i, i)
		}
		return []byte(b.String())
	}
	run := func(from, to int, body string) {
		c.put("crowd.csv", people(from, to))
		if c.audience == "" {
			c.audience = c.submit(c.connect(), "crowd", "crowd.csv", "file", `[{"name":"email","type":"string","identityNs":"email"},{"name":"phone","type":"string","identityNs":"phone"}]`)
		}
		if r := c.run(c.audience, body); r["status"] != "SUCCESS" {
			t.Fatalf("run: %v", r)
		}
	}
	run(0, 3000, `{}`)
	c.stop()
	c.old = filepath.Join(t.TempDir(), "old")
	if err := os.CopyFS(c.old, os.DirFS(c.profile())); err != nil {
		t.Fatal(err)
	}
	c.open()
	run(3000, 3500, `{"differentialIngestion":true}`)
	run(1000, 3600, `{"differentialIngestion":false,"force":true}`)
	for i := 0; i < 3700; i += 90 {
		c.who = append(c.who, fmt.Sprintf("p%d@example.com", i))
	}
	for _, who := range c.who {
		a := c.lookUp(who)
		if a.status != http.StatusOK && a.status != http.StatusNotFound {
			t.Fatalf("%s: %d %s", who, a.status, a.body)
		}
		c.want[who] = a
	}
	return c
}

func (c *crowd) profile() string { return filepath.Join(c.dir, "profile") }

func (c *crowd) lookUp(who string) answer {
	return c.call("GET", "/data/core/ups/access/entities?schema.name=_xdm.context.profile&entityId="+url.QueryEscape(who)+"&entityIdNS=email", "")
}

// same reports whether a response equals the one from before the damage. It ignores the body of a 404, which names the
// request.
func same(a, b answer) bool {
	return a.status == b.status && (a.status == http.StatusNotFound || a.body == b.body)
}

// wantHealed looks everybody up until no look-up is refused. A refusal must have a time to retry, and no response may
// be wrong.
func (c *crowd) wantHealed(what string) {
	c.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; {
		refused := 0
		for _, who := range c.who {
			a := c.lookUp(who)
			switch {
			case a.status == http.StatusServiceUnavailable:
				if n, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || n < 1 {
					c.t.Fatalf("%s: a refusal without Retry-After: %s", what, a.body)
				}
				refused++
			case !same(a, c.want[who]):
				c.t.Fatalf("%s: %s is answered\n%d %s\nnot\n%d %s", what, who, a.status, a.body, c.want[who].status, c.want[who].body)
			}
		}
		if refused == 0 {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s: look-ups are still refused", what)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// damage changes a file.
func damage(t *testing.T, path string, fn func(b []byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil && len(b) > 0 {
		err = os.WriteFile(path, fn(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func flip(b []byte) []byte {
	b[rand.IntN(len(b))] ^= 1 << rand.IntN(8)
	return b
}

// TestProfileStoreHeals damages the profile store of a stopped server in every way. Look-ups are right, or refused
// until the store is healed.
func TestProfileStoreHeals(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	try := func(what string, harm func()) {
		t.Helper()
		c.stop()
		harm()
		c.open()
		c.wantHealed(what)
	}
	try("removed", func() { os.RemoveAll(c.profile()) })
	try("an old copy", func() {
		os.RemoveAll(c.profile())
		if err := os.CopyFS(c.profile(), os.DirFS(c.old)); err != nil {
			t.Fatal(err)
		}
	})
	for range 2 {
		for _, pattern := range []string{"*.log", "MANIFEST-*", "*.sst", "OPTIONS-*", "marker.*"} {
			for _, way := range []string{"flipped", "removed", "halved"} {
				files, _ := filepath.Glob(filepath.Join(c.profile(), pattern))
				if len(files) == 0 {
					continue
				}
				path := files[rand.IntN(len(files))]
				try(filepath.Base(path)+" "+way, func() {
					switch way {
					case "removed":
						os.Remove(path)
					case "halved":
						damage(t, path, func(b []byte) []byte { return b[:len(b)/2] })
					default:
						damage(t, path, flip)
					}
				})
			}
		}
	}
	if r := c.run(c.audience, `{"differentialIngestion":false,"force":true}`); r["status"] != "SUCCESS" {
		t.Errorf("a run after all that: %v", r)
	}
}

// roster runs a command on the server's data directory and returns its exit code and output.
func (s *server) roster(args ...string) (code int, out string) {
	s.t.Helper()
	text, err := exec.Command(rostertest.Binary(s.t), append(append(args, "--data-dir", s.dir), s.database()...)...).CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode(), string(text)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return 0, string(text)
}

// TestDamagedLake flips bits in every kind of file of a dataset. No list of members is wrong, an error names the file,
// roster check finds it, and a full run repairs it.
func TestDamagedLake(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	if code, out := c.roster("check"); code != 0 {
		t.Fatalf("before any damage: %d %s", code, out)
	}
	list := func() answer { return c.call("GET", ais+"/"+c.audience+"/members?limit=1000", "") }
	want := list()
	if want.status != http.StatusOK {
		t.Fatalf("%d %s", want.status, want.body)
	}
	files := func(pattern string) []string {
		found, err := filepath.Glob(filepath.Join(c.dir, "lake", "*", "*", pattern))
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(found, func(p string) bool { return strings.HasSuffix(p, ".sum") })
	}
	wrong, refused := 0, 0
	for _, pattern := range []string{"data/*/*", "metadata/*.avro", "metadata/*.json", "roster/*/*"} {
		for range 20 {
			paths := files(pattern)
			path := paths[rand.IntN(len(paths))]
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			damage(t, path, flip)
			switch a := list(); {
			case a.status == http.StatusOK && a.body != want.body:
				wrong++
				t.Errorf("%s: a wrong list", path)
			case a.status >= 500 && strings.Contains(a.body, filepath.Base(path)):
				refused++
			case a.status != http.StatusOK:
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("80 flips: %d wrong, %d refused by name", wrong, refused)
	live := files("data/*/*.parquet")
	for _, path := range live {
		damage(t, path, flip)
	}
	for _, at := range []string{"beside the server", "at rest"} {
		if at == "at rest" {
			c.stop()
		}
		if code, out := c.roster("check"); code != 1 || !strings.Contains(out, filepath.Base(live[0])) {
			t.Errorf("%s: %d %s", at, code, out)
		}
	}
	c.open()
	if r := c.run(c.audience, `{"differentialIngestion":false,"force":true}`); r["status"] != "SUCCESS" || r["replacedFiles"] == nil {
		t.Fatalf("a full run: %v", r)
	}
	if a := list(); a.status != http.StatusOK {
		t.Errorf("after it: %d %s", a.status, a.body)
	}
	if code, out := c.roster("profile", "rebuild", c.audience); code != 0 || !strings.Contains(out, "1 audience") {
		t.Errorf("rebuild: %d %s", code, out)
	}
	c.stop()
	if code, out := c.roster("profile", "rebuild"); code != 0 {
		t.Errorf("rebuild at rest: %d %s", code, out)
	}
	c.open()
	if a := c.lookUp("p1500@example.com"); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
}
