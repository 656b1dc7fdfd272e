package abuse

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// crowd is an audience that has had runs, and what a look-up of some people answers.
type crowd struct {
	*server
	audience string
	who      []string
	want     map[string]answer
	old      string // a copy of the profile store after the first run
}

// newCrowd makes an audience: people join, join later, and leave.
func newCrowd(t *testing.T) *crowd {
	c := &crowd{server: start(t), want: map[string]answer{}}
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

// same says whether an answer is the one from before the damage, but for what names the request.
func same(a, b answer) bool {
	return a.status == b.status && (a.status == http.StatusNotFound || a.body == b.body)
}

// wantHealed looks everybody up until nobody is refused any more: a refusal says when to ask again, and no answer is wrong.
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

// TestProfileStoreHeals damages the profile store of a stopped server in every way: it answers right, or refuses until it is healed.
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
