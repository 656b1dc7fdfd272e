package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"roster/internal/app"
	"roster/tests/servertest"
)

// TestLakeInBucket keeps the datasets in an object store: runs, rejects, values, a rollback, an erasure, a restart, and the
// deletion of an audience. Only copies of objects are in the data directory.
func TestLakeInBucket(t *testing.T) {
	root := t.TempDir()
	bucket := filepath.Join(root, "people")
	if err := os.Mkdir(bucket, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", s3Key)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3Secret)
	address := "s3://people/sets of Łódź?endpoint=http://" + servertest.VersityGWOf(t, root, s3Key, s3Secret)
	s := start(t, func(c *app.Config) { c.LakeURL = address })
	const first = "mail,phone,points,day\nada.lovelace@x.org,+441,1,2026-02-01\nbob@x.org,+442,2,\ncleo@x.org,+443,3,\n"
	s.land("in.csv", first+"dora@x.org,+444,many,\n")
	id := s.submit(strings.TrimSuffix(membersBody("list", "in.csv", true), "}") + `, "keepRejectedRows": true, "guards": {"maxRejectedPercent": 100}}`)
	before := s.ingest(id, fullRun)
	firstRun := before["runId"].(string)
	if got := s.call("GET", ais+"/"+id+"/runs/"+firstRun+"/rejects", ""); !strings.Contains(string(got.body), "many") {
		t.Errorf("the rejects are %s", got.body)
	}
	s.land("in.csv", first+"dora@x.org,+444,4,\n")
	s.ingest(id, fullRun)
	if lake, err := os.ReadDir(filepath.Join(s.dir, "lake")); err == nil && len(lake) > 0 {
		t.Errorf("the data directory has %v", lake)
	}

	s.stop()
	s.open() // on the same bucket
	members := func() string { t.Helper(); return names(s.call("GET", ais+"/"+id+"/members", "").lines()) }
	if got := members(); got != "ada.lovelace@x.org bob@x.org cleo@x.org dora@x.org" {
		t.Errorf("the members are %s", got)
	}
	s.poll(ais+"/"+id+"/runs/"+s.call("POST", ais+"/"+id+"/runs/"+firstRun+"/rollback", "").ok(200)["runId"].(string), ended)
	if got := members(); got != "ada.lovelace@x.org bob@x.org cleo@x.org" {
		t.Errorf("the members after the rollback are %s", got)
	}
	values := s.call("GET", "/data/core/ups/access/entities?"+url.Values{"entityId": {"bob@x.org"}, "entityIdNS": {"email"}, "fields": {"externalAudiences." + id + ".points"}}.Encode(), "")
	values.ok(200)

	if objects, copies := holding(t, bucket, "ada.lovelace@x.org"), s.holders("ada.lovelace@x.org"); len(objects) == 0 || len(copies) == 0 {
		t.Fatalf("%v and %v hold the mail before it is erased", objects, copies)
	}
	s.erase("email", "ada.lovelace@x.org")
	if objects, copies := holding(t, bucket, "ada.lovelace@x.org"), s.holders("ada.lovelace@x.org"); len(objects)+len(copies) > 0 {
		t.Errorf("%v and %v hold the mail", objects, copies)
	}

	// Another data directory must not use the folder.
	other, err := app.New(t.Context(), app.Config{DataDir: filepath.Join(t.TempDir(), "data"), Listen: "127.0.0.1:0", LakeURL: address})
	if err == nil {
		t.Error("another data directory may use the folder", other.Stop(context.Background()))
	} else if !strings.Contains(err.Error(), "belongs to another data directory") {
		t.Error(err)
	}
	// Nor must this one lose the place of its datasets.
	s.stop()
	for _, elsewhere := range []string{"", "s3://people/elsewhere?" + strings.SplitN(address, "?", 2)[1]} {
		cfg := app.Config{DataDir: s.dir, Listen: "127.0.0.1:0", LakeURL: elsewhere}
		if a, err := app.New(t.Context(), cfg); err == nil {
			t.Error(errors.Join(fmt.Errorf("the place %q is accepted", elsewhere), a.Stop(context.Background())))
		} else if !strings.Contains(err.Error(), "the catalog names a dataset at s3://people/sets of Łódź/") {
			t.Error(err)
		}
	}
	s.open()
	s.call("DELETE", ais+"/"+id, "").ok(204)
	waitUntil(t, "nothing of the audience is in the bucket", func() bool { return len(holding(t, bucket, "par1"))+len(holding(t, bucket, "snapshot")) == 0 })
}

// TestLakeStoreFails makes the object store of the datasets answer errors, also after it has done what was asked, and lose
// answers. Each run ends. One that fails says why and changes nothing, and one that succeeds is one version.
func TestLakeStoreFails(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "people"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", s3Key)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3Secret)
	var mu sync.Mutex
	rnd, broken := rand.New(rand.NewPCG(1, 2)), 0 // one of so many requests fails; 0 is none
	proxy := servertest.Proxy(t, servertest.VersityGWOf(t, root, s3Key, s3Secret), func(r *http.Request) servertest.Fault {
		mu.Lock()
		defer mu.Unlock()
		if broken == 0 || rnd.IntN(broken) > 0 {
			return servertest.Fault{}
		}
		// Clients of S3 repeat a request after 503 and after a lost answer, but not after 409.
		return []servertest.Fault{{Status: 503, After: true}, {After: true}, {Status: 409, After: true}, {Status: 409, After: true}, {Status: 503}}[rnd.IntN(5)]
	})
	breakOne := func(of int) {
		mu.Lock()
		defer mu.Unlock()
		broken = of
	}
	s := start(t, func(c *app.Config) { c.LakeURL = "s3://people/sets?endpoint=http://" + proxy })
	s.land("in.csv", "mail,phone,points,day\nfirst@x.org,+440,1,\n")
	id := s.submit(membersBody("list", "in.csv", true))
	s.ingest(id, fullRun)
	want, succeeded, failed := []string{"first@x.org"}, 1, 0
	for i := range 10 {
		who := fmt.Sprintf("m%02d@x.org", i)
		s.land("in.csv", "mail,phone,points,day\n"+who+",+441,2,\n")
		breakOne(20 + 5*i)
		run := s.poll(ais+"/"+id+"/runs/"+s.call("POST", ais+"/"+id+"/runs", "{}").ok(200)["runId"].(string), ended)
		breakOne(0)
		switch e, _ := run["error"].(map[string]any); {
		case run["status"] == "SUCCESS":
			want, succeeded = append(want, who), succeeded+1
		case run["status"] != "FAILED" || e["code"] != "100970-502" || !strings.Contains(fmt.Sprint(e["detail"]), "object store of the datasets"):
			t.Errorf("run %d ended %v: %v", i, run["status"], e)
		default:
			failed++
		}
		if got := names(s.call("GET", ais+"/"+id+"/members", "").lines()); got != strings.Join(want, " ") {
			t.Fatalf("after run %d, which ended %v, the members are %s, want %v", i, run["status"], got, want)
		}
	}
	if succeeded == 1 || failed == 0 {
		t.Errorf("%d runs succeeded and %d failed, so that one kind was not tested", succeeded, failed)
	}
	versions := s.call("GET", ais+"/"+id+"/versions?limit=40", "").ok(200)["versions"].([]any)
	if len(versions) != succeeded {
		t.Errorf("%d versions of %d runs that succeeded", len(versions), succeeded)
	}
	s.stop() // while the store still answers
}

// TestLakeInOtherClouds keeps the datasets in Google Cloud Storage and in Azure.
func TestLakeInOtherClouds(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) (address string){"GCS": gcsAddress, "Azure": azureAddress} {
		t.Run(name, func(t *testing.T) {
			address := open(t)
			s := start(t, func(c *app.Config) { c.LakeURL = address })
			s.land("in.csv", "mail,phone,points,day\nada@x.org,+441,1,2026-02-01\nbob@x.org,+442,2,\n")
			id := s.submit(membersBody("list", "in.csv", true))
			s.ingest(id, fullRun)
			s.land("in.csv", "mail,phone,points,day\ncleo@x.org,+443,3,\n")
			s.ingest(id, "{}")
			if got := names(s.call("GET", ais+"/"+id+"/members", "").lines()); got != "ada@x.org bob@x.org cleo@x.org" {
				t.Errorf("the members are %s", got)
			}
			s.stop()
			s.open()
			if got := s.lookup("email", "cleo@x.org", id); got != "realized" {
				t.Errorf("the new member is %q", got)
			}
			s.erase("email", "ada@x.org")
			s.call("DELETE", ais+"/"+id, "").ok(204)
		})
	}
}
