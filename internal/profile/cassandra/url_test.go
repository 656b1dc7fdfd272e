package cassandra

import (
	"slices"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

func TestParse(t *testing.T) {
	t.Parallel()
	a, err := Parse("cassandra://10.0.0.1:9043,db.example.com,[2001:db8::1]:9044,[2001:db8::2]/roster_1?dc=eu-west&reads=LOCAL_QUORUM&writes=EACH_QUORUM&replication=3&concurrency=8&timeout=3s&cert=/c.pem&key=/k.pem")
	if err != nil {
		t.Fatal(err)
	}
	hosts := []string{"10.0.0.1:9043", "db.example.com:9042", "[2001:db8::1]:9044", "[2001:db8::2]:9042"}
	if !slices.Equal(a.Hosts, hosts) || a.Port != 9043 {
		t.Errorf("hosts %v, port %d", a.Hosts, a.Port)
	}
	want := Address{Port: 9043, Keyspace: "roster_1", DC: "eu-west", Replication: 3, Reads: gocql.LocalQuorum, Writes: gocql.EachQuorum, Concurrency: 8, Timeout: 3 * time.Second,
		TLS: true, Cert: "/c.pem", Key: "/k.pem"}
	if !same(a, want) {
		t.Errorf("%+v, want %+v", a, want)
	}
	a, err = Parse("cassandra://db/roster")
	if err != nil || a.Reads != gocql.LocalOne || a.Writes != gocql.LocalQuorum || a.TLS || a.Replication != 0 {
		t.Errorf("%+v %v", a, err)
	}
}

// same compares addresses apart from their hosts.
func same(a, b Address) bool {
	return slices.Equal([]any{a.Port, a.Keyspace, a.DC, a.Replication, a.Reads, a.Writes, a.Concurrency, a.Timeout, a.TLS, a.CA, a.Cert, a.Key},
		[]any{b.Port, b.Keyspace, b.DC, b.Replication, b.Reads, b.Writes, b.Concurrency, b.Timeout, b.TLS, b.CA, b.Cert, b.Key})
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for text, mention := range map[string]string{
		"postgres://db/roster":                        "cassandra://",
		"cassandra:///roster":                         "a host",
		"cassandra://db,/roster":                      "a host",
		"cassandra://a:b:c/roster":                    "a host",
		"cassandra://db:0/roster":                     "port",
		"cassandra://db:cql/roster":                   "port",
		"cassandra://db":                              "keyspace",
		"cassandra://db/Roster":                       "keyspace",
		"cassandra://db/roster;drop":                  "keyspace",
		"cassandra://me:hunter2@db/roster":            "ROSTER_PROFILE_PASSWORD",
		"cassandra://db/roster?password=hunter2":      "no parameter",
		"cassandra://db/roster?reads=ONE":             "LOCAL_ONE or LOCAL_QUORUM",
		"cassandra://db/roster?writes=LOCAL_ONE":      "LOCAL_QUORUM or",
		"cassandra://db/roster?writes=local_quorum":   "LOCAL_QUORUM or",
		"cassandra://db/roster?dc=a&dc=b":             "2 times",
		"cassandra://db/roster?dc='":                  "data centre",
		"cassandra://db/roster?replication=0":         "between 1 and 9",
		"cassandra://db/roster?concurrency=lots":      "between 1 and 4096",
		"cassandra://db/roster?timeout=1ms":           "between 1s and 1m",
		"cassandra://db/roster?tls=perhaps":           "true or false",
		"cassandra://db/roster?ca=ca.pem":             "absolute",
		"cassandra://db/roster?cert=/c.pem":           "belong together",
		"cassandra://db/roster?%zz":                   "name=value",
		"cassandra://db/" + strings.Repeat("a", 49):   "48",
		"cassandra://db/roster/more?tls=true":         "keyspace",
		"cassandra://db/roster?replication=3;tls=yes": "name=value",
	} {
		_, err := Parse(text)
		if err == nil || !strings.Contains(err.Error(), mention) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error does not mention %q: %v", text, mention, err)
		}
	}
}
