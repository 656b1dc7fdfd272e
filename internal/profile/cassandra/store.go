// Package cassandra is the profile store on a cluster of Apache Cassandra or ScyllaDB, for memberships beyond the disk
// of one machine. docs/decisions/20261130-cassandra.md says why the tables are as they are.
//
// Nothing is written with the time of a clock as its write time. The write time of a row is a *stamp*: each change of an
// audience has a larger stamp than the one before. A late or repeated write of an older change therefore loses against
// a newer one, and changes nothing if it was applied. A row is removed with its own write time, because in Cassandra a
// removal wins against a write of the same time: the run that wrote the row cannot bring it back, a later run can.
//
// The rows of an audience belong to a *generation*. Replace writes a new generation, which look-ups see when one row,
// the audience's state, names it. Rows of other generations are removed later.
package cassandra

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"roster/internal/profile"
)

// Options are the options of a store.
type Options struct {
	User, Password string
	TLS            *tls.Config // used if the address asks for TLS
	Owner          string      // the id of the installation that the keyspace belongs to
	AsFound        bool        // create nothing
	Log            *slog.Logger
}

// Times of a store.
const (
	// fresh is how long a process uses what it read of the state of a sandbox's audiences. Another process's changes of
	// pointers and distrust appear within this time.
	fresh = time.Second
	// steady is the age of what it read up to which a look-up may end with it.
	steady = 2 * fresh
	// grace is how long Replace waits, after it distrusted an audience, before it removes the former rows. Within this
	// time every other process has noticed the distrust.
	grace = 3 * fresh
	// writePatience is how long a request is repeated when replicas do not answer. Runs try again later.
	writePatience = 30 * time.Second
)

// Store is a profile store in a keyspace.
type Store struct {
	a       Address
	log     *slog.Logger
	session *gocql.Session
	writes  *pace // writes, and reads of a quorum
	reads   *pace // look-ups

	// trust is held shared during look-ups.
	trust  sync.RWMutex
	marks  map[profile.Ref]*mark // the audiences that this process distrusts
	views  sync.Map              // sandbox → *known
	closed sync.Once
}

var _ profile.Store = (*Store)(nil)

// Open opens the store at an address, and creates its tables if they are absent.
func Open(ctx context.Context, a Address, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	cluster := gocql.NewCluster(a.Hosts...)
	cluster.Port, cluster.ProtoVersion = a.Port, 4 // 4 is the newest version that both Cassandra and ScyllaDB know
	cluster.Timeout, cluster.ConnectTimeout = a.Timeout, a.Timeout
	cluster.Logger = logger{o.Log}
	cluster.DefaultIdempotence = true
	cluster.ReconnectInterval = 2 * time.Second
	cluster.ReconnectionPolicy = &gocql.ConstantReconnectionPolicy{MaxRetries: 1, Interval: time.Second}
	cluster.Metadata.CacheMode = gocql.KeyspaceOnly
	if o.User != "" {
		cluster.Authenticator = gocql.PasswordAuthenticator{Username: o.User, Password: o.Password}
	}
	if a.TLS {
		cluster.SslOpts = &gocql.SslOptions{Config: o.TLS, EnableHostVerification: true}
	}
	if err := prepare(ctx, cluster, &a, o); err != nil {
		return nil, err
	}
	cluster.Keyspace = a.Keyspace
	cluster.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.DCAwareRoundRobinPolicy(a.DC), gocql.ShuffleReplicas())
	session, err := connect(*cluster)
	if err != nil {
		return nil, err
	}
	return &Store{a: a, log: o.Log, session: session, marks: map[profile.Ref]*mark{},
		writes: newPace(a.Concurrency, writePatience, 0), reads: newPace(a.Concurrency, a.Timeout, a.Timeout/2)}, nil
}

func connect(cluster gocql.ClusterConfig) (*gocql.Session, error) {
	s, err := cluster.CreateSession()
	if err != nil {
		return nil, fmt.Errorf("connect to the Cassandra cluster: %w", err)
	}
	return s, nil
}

// Close implements profile.Store.
func (s *Store) Close() error {
	s.closed.Do(s.session.Close)
	return nil
}

// exec executes a statement that changes rows, with a write time.
func (s *Store) exec(ctx context.Context, stamp int64, text string, args ...any) error {
	return s.writes.do(ctx, func(ctx context.Context) error {
		return s.session.Query(text, args...).WithTimestamp(stamp).Consistency(s.a.Writes).ExecContext(ctx)
	})
}

// pageRows is the number of rows of a page of an answer.
const pageRows = 2000

// each calls row for every row of a quorum's answer, after reading the row into dest. A page that fails is asked for
// again; no row is given twice.
func (s *Store) each(ctx context.Context, row func() error, dest []any, text string, args ...any) error {
	var state []byte
	for {
		var it *gocql.Iter
		err := s.writes.do(ctx, func(ctx context.Context) error {
			it = s.session.Query(text, args...).Consistency(gocql.LocalQuorum).PageSize(pageRows).PageState(state).IterContext(ctx)
			if it.NumRows() == 0 {
				return it.Close()
			}
			return nil
		})
		if err != nil {
			return err
		}
		next := it.PageState()
		for it.Scan(dest...) {
			if err := row(); err != nil {
				return err
			}
		}
		if err := it.Close(); err != nil {
			return explain(err)
		}
		if len(next) == 0 {
			return nil
		}
		state = next
	}
}

// logger forwards the driver's messages.
type logger struct{ log *slog.Logger }

func (l logger) Error(msg string, fields ...gocql.LogField)   { l.say(slog.LevelWarn, msg, fields) }
func (l logger) Warning(msg string, fields ...gocql.LogField) { l.say(slog.LevelWarn, msg, fields) }
func (l logger) Info(msg string, fields ...gocql.LogField)    { l.say(slog.LevelDebug, msg, fields) }
func (l logger) Debug(msg string, fields ...gocql.LogField)   { l.say(slog.LevelDebug, msg, fields) }

func (l logger) say(level slog.Level, msg string, fields []gocql.LogField) {
	if !l.log.Enabled(context.Background(), level) {
		return
	}
	args := []any{"message", msg}
	for _, f := range fields {
		args = append(args, f.Name, f.Value.String())
	}
	l.log.Log(context.Background(), level, "cassandra", args...)
}
