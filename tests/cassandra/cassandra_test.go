// Package cassandra tests the profile store on a real cluster of three nodes, some of which stop.
package cassandra

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/profile"
	"roster/internal/profile/cassandra"
	"roster/internal/profile/profiletest"
	"roster/tests/servertest"
)

var cluster *servertest.Cassandra

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if os.Getenv(servertest.CassandraJars) == "" {
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "roster-cassandra-*")
		if err == nil {
			defer os.RemoveAll(dir)
			cluster, err = servertest.StartCassandra(dir, 3)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer cluster.Close()
		return m.Run()
	}())
}

var keyspaces atomic.Int64

// keyspace returns the address of a keyspace of the test's own, without parameters.
func keyspace(t *testing.T) string {
	t.Helper()
	servertest.NeedCassandra(t)
	return fmt.Sprintf("cassandra://%s/test_%d", strings.Join(cluster.Hosts, ","), keyspaces.Add(1))
}

// strict makes a read see every acknowledged write.
const strict = "&reads=LOCAL_QUORUM"

// params create a keyspace on all nodes. The time limit suits a machine that does much else.
const params = "?replication=3&timeout=30s"

func tryOpen(t *testing.T, address string, o cassandra.Options) (*cassandra.Store, error) {
	t.Helper()
	a, err := cassandra.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	s, err := cassandra.Open(t.Context(), a, o)
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

func open(t *testing.T, address string) *cassandra.Store {
	t.Helper()
	s, err := tryOpen(t, address, cassandra.Options{Owner: "this installation"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSuite spreads the identities over the nodes, without copies, which would take three times as long. The other tests
// have three replicas.
func TestSuite(t *testing.T) {
	servertest.NeedCassandra(t)
	profiletest.Run(t, func(t *testing.T) profile.Store { return open(t, keyspace(t)+"?replication=1&timeout=30s"+strict) })
}

var ref = profile.Ref{Sandbox: 1, Audience: 1}

func pointer(n int64) profile.Pointer {
	if n == 0 {
		return profile.Pointer{}
	}
	return profile.Pointer{Seq: n, Run: audience.RunID(fmt.Sprint("run ", n))}
}

// step returns the delta of run n, which follows run n-1.
func step(n int64, changes ...profile.Change) profiletest.Delta {
	d := profiletest.NewDelta(1, changes...)
	base := pointer(n - 1)
	d.After = &base
	return d
}

func enter(n int, at int64) profile.Change {
	return profile.Change{Key: profiletest.Key(n), Member: profiletest.Key(n), Since: at, Seen: at}
}

func exit(n int, at int64) profile.Change {
	return profile.Change{Key: profiletest.Key(n), Member: profiletest.Key(n), Since: 1, Seen: 1, Exited: true, At: at}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func lookUp(t *testing.T, s profile.Store, n int) []profile.Membership {
	t.Helper()
	found, err := s.Lookup(t.Context(), ref.Sandbox, []identity.Key{profiletest.Key(n)})
	must(t, err)
	return found[0]
}

// paused is a delta whose reader stops before the first change until the test lets it continue.
type paused struct {
	profiletest.Delta
	begun, resume chan struct{}
}

func (p paused) Open(ctx context.Context, part int) (profile.ChangeReader, error) {
	close(p.begun)
	<-p.resume
	return p.Delta.Open(ctx, part)
}

// TestLate has a process pause in the middle of a run. Another process takes the run over, and applies the next one.
// What the first process then writes changes nothing.
func TestLate(t *testing.T) {
	address := keyspace(t) + params + strict
	one, two := open(t, address), open(t, address)
	must(t, one.Apply(t.Context(), ref, pointer(1), step(1, enter(1, 10), enter(2, 10))))
	second := step(2, enter(1, 20), enter(3, 20), enter(4, 20))
	late := paused{second, make(chan struct{}), make(chan struct{})}
	done := make(chan error)
	go func() { done <- two.Apply(t.Context(), ref, pointer(2), late) }()
	<-late.begun
	must(t, one.Apply(t.Context(), ref, pointer(2), second))
	must(t, one.Apply(t.Context(), ref, pointer(3), step(3, exit(3, 30))))
	must(t, one.RemoveIdentities(t.Context(), ref.Sandbox, []identity.Key{profiletest.Key(4)}))
	close(late.resume)
	must(t, <-done)
	if p, err := one.Pointer(t.Context(), ref); err != nil || p != pointer(3) {
		t.Errorf("the pointer is %+v: %v", p, err)
	}
	if m := lookUp(t, one, 3); len(m) != 1 || !m[0].Exited {
		t.Errorf("who left is shown as %+v", m)
	}
	if m := lookUp(t, one, 4); len(m) != 0 {
		t.Errorf("who was erased is shown as %+v", m)
	}
	if m := lookUp(t, one, 1); len(m) != 1 || m[0].Seen != 20 {
		t.Errorf("%+v", m)
	}
	must(t, one.Apply(t.Context(), ref, pointer(4), step(4, enter(4, 40)))) // who was erased comes again
	if m := lookUp(t, one, 4); len(m) != 1 || m[0].Seen != 40 {
		t.Errorf("%+v", m)
	}
	digests, err := one.Digests(t.Context())
	if d := digests[ref]; err != nil || d.Count != 3 || d.Pointer != pointer(4) {
		t.Errorf("%+v %v", digests, err)
	}
}

// TestSecondProcess replaces an audience while another process looks its members up. The other process shows the former
// members, refuses, or shows the new ones; never less.
func TestSecondProcess(t *testing.T) {
	address := keyspace(t) + params + strict
	one, two := open(t, address), open(t, address)
	const members = 300
	var first, second []profile.Change
	for n := range members {
		first, second = append(first, enter(n, 10)), append(second, enter(n, 20))
	}
	must(t, one.Apply(t.Context(), ref, pointer(1), step(1, first...)))
	if m := lookUp(t, two, 1); len(m) != 1 {
		t.Fatalf("%+v", m)
	}
	one.Distrust(ref)
	for {
		if _, err := two.Lookup(t.Context(), ref.Sandbox, []identity.Key{profiletest.Key(1)}); errors.Is(err, profile.ErrRebuilding) {
			break
		}
	}
	if refs := two.Distrusted(); len(refs) != 1 || refs[0] != ref {
		t.Errorf("the other process distrusts %v", refs)
	}
	must(t, one.Replace(t.Context(), ref, pointer(2), profiletest.NewDelta(1, second...)))
	replaced := make(chan error)
	go func() { replaced <- one.Replace(t.Context(), ref, pointer(3), profiletest.NewDelta(1, first...)) }()
	for n, done := 0, false; !done || n%members != 0; n++ {
		found, err := two.Lookup(t.Context(), ref.Sandbox, []identity.Key{profiletest.Key(n % members)})
		if err != nil && !errors.Is(err, profile.ErrRebuilding) {
			t.Fatal(err)
		}
		if err == nil && len(found[0]) != 1 {
			t.Fatalf("member %d is not found", n%members)
		}
		select {
		case err := <-replaced:
			must(t, err)
			done = true
		default:
		}
	}
	if m := lookUp(t, two, 1); len(m) != 1 || m[0].Seen != 10 {
		t.Errorf("%+v", m)
	}
}

// TestRefused opens keyspaces that this version, or this installation, may not use.
func TestRefused(t *testing.T) {
	address := keyspace(t)
	refused := func(address string, o cassandra.Options, mention string) {
		t.Helper()
		if _, err := tryOpen(t, address, o); err == nil || !strings.Contains(err.Error(), mention) {
			t.Errorf("the error does not mention %q: %v", mention, err)
		}
	}
	refused(address, cassandra.Options{Owner: "a"}, "CREATE KEYSPACE")
	refused(address+params, cassandra.Options{Owner: "a", AsFound: true}, "no keyspace")
	refused(address+params+"&dc=elsewhere", cassandra.Options{Owner: "a"}, "elsewhere")
	if _, err := tryOpen(t, address+params, cassandra.Options{Owner: "a"}); err != nil {
		t.Fatal(err)
	}
	refused(address, cassandra.Options{Owner: "b"}, "another installation")
	if _, err := tryOpen(t, address, cassandra.Options{Owner: "a", AsFound: true}); err != nil {
		t.Error(err)
	}
	c := gocql.NewCluster(cluster.Hosts...)
	a, err := cassandra.Parse(address)
	must(t, err)
	c.Port, c.Keyspace, c.ProtoVersion = a.Port, a.Keyspace, 4
	session, err := c.CreateSession()
	must(t, err)
	defer session.Close()
	must(t, session.Query("UPDATE roster SET version = 2 WHERE part = 'profile' IF EXISTS").Exec())
	refused(address, cassandra.Options{Owner: "a"}, "newer version of Roster")
}

// TestBatch looks up a thousand identities at once.
func TestBatch(t *testing.T) {
	s := open(t, keyspace(t)+params+strict)
	const people = 1000
	var changes []profile.Change
	keys := make([]identity.Key, people)
	for n := range people {
		keys[n] = profiletest.Key(n)
		if n%3 != 0 {
			changes = append(changes, enter(n, int64(n)))
		}
	}
	must(t, s.Apply(t.Context(), ref, pointer(1), step(1, changes...)))
	found, err := s.Lookup(t.Context(), ref.Sandbox, keys)
	must(t, err)
	for n, m := range found {
		if n%3 == 0 && len(m) != 0 || n%3 != 0 && (len(m) != 1 || m[0].Seen != int64(n)) {
			t.Fatalf("%d: %+v", n, m)
		}
	}
}

// TestNodesDown stops one node of three, then another, and starts that one again. It stays the last test.
func TestNodesDown(t *testing.T) {
	address := keyspace(t) + params
	s := open(t, address)
	const people = 100
	run := func(n int64) (changes []profile.Change) {
		for i := range people {
			changes = append(changes, enter(int(n)*people+i, n))
		}
		return changes
	}
	shown := func(s *cassandra.Store, runs ...int64) {
		t.Helper()
		for _, n := range runs {
			for i := range people {
				if m := lookUp(t, s, int(n)*people+i); len(m) != 1 || m[0].Seen != n {
					t.Fatalf("member %d of run %d: %+v", i, n, m)
				}
			}
		}
	}
	must(t, s.Apply(t.Context(), ref, pointer(1), step(1, run(1)...)))
	cluster.Kill(2)
	must(t, s.Apply(t.Context(), ref, pointer(2), step(2, run(2)...)))
	strictly := open(t, address+strict)
	shown(strictly, 1, 2)
	cluster.Kill(1)
	shown(s, 1, 2) // one replica answers, and it has what two of two confirmed
	third := step(3, run(3)...)
	err := s.Apply(t.Context(), ref, pointer(3), third)
	if err == nil || !strings.Contains(err.Error(), "the Cassandra cluster: ") || !strings.Contains(err.Error(), "repeated for 30s") {
		t.Errorf("a run without a quorum: %v", err)
	}
	must(t, cluster.Start(1))
	for deadline := time.Now().Add(5 * time.Minute); ; {
		if err = s.Apply(t.Context(), ref, pointer(3), third); err == nil || time.Now().After(deadline) {
			break
		}
		t.Log(err)
	}
	must(t, err)
	shown(strictly, 1, 2, 3)
	if p, err := strictly.Pointer(t.Context(), ref); err != nil || p != pointer(3) {
		t.Errorf("%+v %v", p, err)
	}
}
