package abuse

import (
	"context"
	"database/sql"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"roster/internal/meta/metatest"
)

// postgres is a PostgreSQL database that belongs to one test, behind a connection that the test can cut.
type postgres struct {
	t     *testing.T
	admin *sql.DB
	name  string
	url   string // through the connection that can be cut
	to    string // the server's address

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func newPostgres(t *testing.T) *postgres {
	t.Helper()
	server := os.Getenv(metatest.PostgresVariable)
	if server == "" {
		t.Skip("set " + metatest.PostgresVariable + " to the URL of a PostgreSQL database to run this test")
	}
	db, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &postgres{t: t, admin: db, name: "abuse_" + strings.ReplaceAll(uuid.NewString(), "-", ""), to: u.Host}
	p.do("CREATE DATABASE " + p.name)
	u.Host, u.Path = l.Addr().String(), "/"+p.name
	p.url = u.String()
	t.Cleanup(func() {
		l.Close()
		p.set(true)
		for _, name := range []string{p.name, p.name + "_aged"} {
			db.ExecContext(context.Background(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		}
		db.Close()
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.carry(c)
		}
	}()
	return p
}

func (p *postgres) do(statement string) {
	p.t.Helper()
	if _, err := p.admin.ExecContext(p.t.Context(), statement); err != nil {
		p.t.Fatal(err)
	}
}

// copy copies one database to another.
func (p *postgres) copy(from, to string) {
	p.t.Helper()
	p.do("DROP DATABASE IF EXISTS " + to + " WITH (FORCE)")
	p.do("CREATE DATABASE " + to + " TEMPLATE " + from)
}

// carry forwards a connection to the server.
func (p *postgres) carry(c net.Conn) {
	defer c.Close()
	p.mu.Lock()
	cut := p.cut
	p.conns = append(p.conns, c)
	p.mu.Unlock()
	if cut {
		return
	}
	s, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer s.Close()
	go func() {
		io.Copy(s, c)
		s.Close()
	}()
	io.Copy(c, s)
}

// set cuts or restores the connection.
func (p *postgres) set(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

// database returns the server's flags for the metadata database.
func (s *server) database() []string {
	if i := slices.Index(s.flags, "--database-url"); i >= 0 {
		return s.flags[i : i+2]
	}
	return nil
}

// TestLostPostgres disconnects PostgreSQL from a server. No response is wrong meanwhile, accepted runs end, and a
// server that starts without PostgreSQL reports it.
func TestLostPostgres(t *testing.T) {
	t.Parallel()
	p := newPostgres(t)
	c := newCrowd(t, "--database-url", p.url)
	run := c.call("POST", ais+"/"+c.audience+"/run", `{"differentialIngestion":false,"force":true}`)
	if run.status != http.StatusOK {
		t.Fatalf("%d %s", run.status, run.body)
	}
	for range 3 {
		p.set(true)
		c.wantRefusedOrRight("without its database")
		if a := c.call("POST", ais+"/"+c.audience+"/run", `{}`); a.status < 500 || strings.Contains(a.body, "postgres") {
			t.Errorf("a run is asked for while the database is away: %d %s", a.status, a.body)
		}
		if a := c.call("GET", "/healthz", ""); a.status != http.StatusOK {
			t.Errorf("/healthz: %d %s", a.status, a.body)
		}
		p.set(false)
		for deadline := time.Now().Add(time.Minute); c.call("GET", ais+"/"+c.audience, "").status != http.StatusOK; <-time.After(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the database is back and the server does not notice")
			}
		}
		c.wantRefusedOrRight("after the database was away")
	}
	if r := c.poll(ais + "/" + c.audience + "/run/" + run.json(t, 200)["runId"].(string)); r["status"] != "SUCCESS" {
		t.Errorf("the run that had begun before: %v", r)
	}
	c.wantRight("after the run")
	c.stop()
	p.set(true)
	if err := c.launch(); err == nil {
		t.Error("a server starts without its database")
		c.kill()
	}
	said := c.log.tail(2 << 10)
	if lines := strings.Split(strings.TrimSpace(said), "\n"); !strings.Contains(lines[len(lines)-1], "PostgreSQL") || strings.Contains(said, "goroutine ") {
		t.Errorf("a server without its database says\n%s", said)
	}
	p.set(false)
	c.open()
	c.wantRight("after a start without its database")
}

// wantRefusedOrRight looks everybody up. A run may have renewed memberships since; nobody has joined or left.
func (c *crowd) wantRefusedOrRight(when string) (refused int) {
	c.t.Helper()
	for _, who := range c.who {
		switch a := c.lookUp(who); {
		case a.status >= 500:
			refused++
		case a.status != c.want[who].status:
			c.t.Errorf("%s: %s is answered %d, want %d: %s", when, who, a.status, c.want[who].status, a.body)
		}
	}
	return refused
}

func (c *crowd) wantRight(when string) {
	c.t.Helper()
	if n := c.wantRefusedOrRight(when); n > 0 {
		c.t.Errorf("%s: %d look-ups are refused", when, n)
	}
}
