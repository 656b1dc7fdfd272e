package e2e

import (
	"testing"

	"roster/internal/app"
	"roster/tests/servertest"
)

// TestCassandra runs a server whose profile store is on Cassandra: imports, look-ups, a rollback, an erasure and restarts.
func TestCassandra(t *testing.T) {
	servertest.NeedCassandra(t)
	t.Parallel()
	cluster, err := servertest.StartCassandra(t.TempDir(), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	s := start(t, func(c *app.Config) {
		c.ProfileURL = "cassandra://" + cluster.Hosts[0] + "/roster?replication=1&timeout=30s"
	})
	const stay = "mail,phone,points,day\nada@x.org,+441,1,\ncleo@x.org,+443,3,\neva@x.org,+445,5,\nfay@x.org,+446,6,\ngus@x.org,+447,7,\n"
	s.land("in.csv", stay+"bob@x.org,+442,2,\n")
	id := s.submit(membersBody("list", "in.csv", true))
	first := s.ingest(id, fullRun)
	status := func(mail, want string) {
		t.Helper()
		if got := s.lookup("Email", mail, id); got != want {
			t.Errorf("%s is %q, want %q", mail, got, want)
		}
	}
	status("ada@x.org", "realized")
	status("dora@x.org", "")
	s.land("in.csv", stay+"dora@x.org,+444,4,\n")
	s.ingest(id, fullRun)
	status("bob@x.org", "exited")
	status("dora@x.org", "realized")

	s.stop()
	s.open()
	status("ada@x.org", "realized")
	status("bob@x.org", "exited")
	back := s.call("POST", ais+"/"+id+"/runs/"+first["runId"].(string)+"/rollback", "{}").ok(200)["runId"].(string)
	if run := s.poll(ais+"/"+id+"/run/"+back, ended); run["status"] != "SUCCESS" {
		t.Fatalf("the rollback ended as %v", run)
	}
	status("bob@x.org", "realized")
	status("dora@x.org", "exited")

	s.erase("Phone", "+441")
	for _, restarted := range []bool{false, true} {
		if restarted {
			s.stop()
			s.open()
		}
		for ns, identity := range map[string]string{"Phone": "+441", "Email": "ada@x.org"} {
			if _, found := s.profile(ns, identity); found {
				t.Errorf("the erased %s is found", ns)
			}
		}
		status("cleo@x.org", "realized")
	}
}
