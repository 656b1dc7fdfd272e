package cassandra

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// schemaVersion is the version of the tables that this version of Roster knows.
const schemaVersion = 1

// tables are the tables of a store. Numbers of sandboxes and audiences are 32 bits without a sign, stored as int.
//
//   - memberships has a partition for each identity in a sandbox, so a look-up reads one partition. The member is empty
//     if its key is the identity. The write time of a row is the stamp of the run that wrote it.
//   - members lists the rows of each generation of an audience, in 2^level partitions by the first bits of the identity.
//   - others lists the identities of a member apart from the primary one.
//   - audiences has the pointer of each audience, and the generation that look-ups see.
//   - generations lists every generation of which there may be rows.
var tables = []string{
	`CREATE TABLE IF NOT EXISTS memberships (sandbox int, identity blob, audience int, generation bigint, member blob,
		exited boolean, since bigint, seen bigint, at bigint, PRIMARY KEY ((sandbox, identity), audience, generation, member))`,
	`CREATE TABLE IF NOT EXISTS members (sandbox int, audience int, generation bigint, level int, bucket int, identity blob, member blob,
		PRIMARY KEY ((sandbox, audience, generation, level, bucket), identity, member))`,
	`CREATE TABLE IF NOT EXISTS others (sandbox int, member blob, audience int, generation bigint, identity blob,
		PRIMARY KEY ((sandbox, member), audience, generation, identity))`,
	`CREATE TABLE IF NOT EXISTS audiences (sandbox int, audience int, generation bigint, stamp bigint, seq bigint, refreshed_at bigint, run text,
		written bigint, distrusted boolean, PRIMARY KEY (sandbox, audience))`,
	`CREATE TABLE IF NOT EXISTS generations (sandbox int, audience int, generation bigint, level int, stamp bigint, PRIMARY KEY ((sandbox, audience), generation))`,
}

// prepare creates what is missing of the keyspace and its tables, and claims them for the owner. Every statement is
// idempotent, so that several processes may do this at once.
func prepare(ctx context.Context, cluster *gocql.ClusterConfig, a *Address, o Options) error {
	s, err := connect(*cluster)
	if err != nil {
		return err
	}
	defer s.Close()
	if a.DC, err = dataCentre(ctx, s, a.DC); err != nil {
		return err
	}
	exec := func(text string) error {
		if err := s.Query(text).Consistency(gocql.LocalQuorum).ExecContext(ctx); err != nil {
			return explain(err)
		}
		return nil
	}
	var found string
	err = s.Query("SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?", a.Keyspace).Consistency(gocql.LocalOne).ScanContext(ctx, &found)
	if err != nil && !errors.Is(err, gocql.ErrNotFound) {
		return explain(err)
	}
	if err != nil {
		create := "CREATE KEYSPACE IF NOT EXISTS " + a.Keyspace + " WITH replication = {'class': 'NetworkTopologyStrategy', '" + a.DC + "': %v}"
		if a.Replication == 0 || o.AsFound {
			return fmt.Errorf("the cluster has no keyspace %s. Create it (%s), or add replication=3 to the address and Roster creates it with 3 replicas", a.Keyspace, fmt.Sprintf(create, 3))
		}
		if err := exec(fmt.Sprintf(create, a.Replication)); err != nil {
			return fmt.Errorf("create the keyspace %s: %w", a.Keyspace, err)
		}
	}
	if o.AsFound {
		return owned(ctx, s, a.Keyspace, o.Owner)
	}
	// The table of the version comes first: a newer version's tables are then left as they are.
	if err := exec("CREATE TABLE IF NOT EXISTS " + a.Keyspace + ".roster (part text PRIMARY KEY, version int, owner text)"); err != nil {
		return fmt.Errorf("create the tables in the keyspace %s: %w", a.Keyspace, err)
	}
	if err := s.AwaitSchemaAgreement(ctx); err != nil {
		return explain(err)
	}
	if _, err := s.Query("INSERT INTO "+a.Keyspace+".roster (part, version, owner) VALUES ('profile', ?, ?) IF NOT EXISTS", schemaVersion, o.Owner).
		Consistency(gocql.LocalQuorum).SerialConsistency(gocql.LocalSerial).MapScanCASContext(ctx, map[string]any{}); err != nil {
		return fmt.Errorf("claim the keyspace %s: %w", a.Keyspace, explain(err))
	}
	if err := owned(ctx, s, a.Keyspace, o.Owner); err != nil {
		return err
	}
	for _, text := range tables {
		if err := exec(strings.Replace(text, "IF NOT EXISTS ", "IF NOT EXISTS "+a.Keyspace+".", 1)); err != nil {
			return fmt.Errorf("create the tables in the keyspace %s: %w", a.Keyspace, err)
		}
	}
	return explain(s.AwaitSchemaAgreement(ctx))
}

// owned returns an error unless the tables have a version that this one knows and belong to the owner.
func owned(ctx context.Context, s *gocql.Session, keyspace, owner string) error {
	var version int
	var has string
	err := s.Query("SELECT version, owner FROM "+keyspace+".roster WHERE part = 'profile'").Consistency(gocql.LocalQuorum).ScanContext(ctx, &version, &has)
	switch {
	case err != nil:
		return fmt.Errorf("read the version of the tables in the keyspace %s: %w", keyspace, explain(err))
	case version > schemaVersion:
		return fmt.Errorf("the tables in the keyspace %s have version %d, and this version of Roster knows version %d at most; start the newer version of Roster that made them", keyspace, version, schemaVersion)
	case has != owner:
		return fmt.Errorf("the keyspace %s belongs to another installation of Roster, whose file id holds %.100q; this one's holds %.100q. Give this one a keyspace of its own, or restore its file id if that was lost", keyspace, has, owner)
	}
	return nil
}

// dataCentre returns the wanted data centre if the cluster has it, or else the only one that it has.
func dataCentre(ctx context.Context, s *gocql.Session, wanted string) (string, error) {
	var all []string
	for _, table := range []string{"system.local", "system.peers"} {
		it := s.Query("SELECT data_center FROM " + table).Consistency(gocql.One).IterContext(ctx)
		var dc string
		for it.Scan(&dc) {
			all = append(all, dc)
		}
		if err := it.Close(); err != nil {
			return "", explain(err)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if wanted != "" {
		if !slices.Contains(all, wanted) {
			return "", fmt.Errorf("the cluster has no data centre %s, but %s", wanted, strings.Join(all, ", "))
		}
		return wanted, nil
	}
	if len(all) != 1 {
		return "", fmt.Errorf("the cluster has the data centres %s; name the one that this server is in with dc=… in the address", strings.Join(all, ", "))
	}
	return all[0], nil
}
