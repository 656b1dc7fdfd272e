package e2e

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"testing"

	"roster/client"
)

// TestAccounts reads through connections like those in AEP's samples, without bucket, container or folder. The root
// lists the buckets, the first part of a path is the bucket, and a pattern selects files in it.
func TestAccounts(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) cloud{
		"S3": s3Cloud, "another S3": motoCloud, "GCS by HMAC keys": hmacCloud, "Azure by connection string": azureByString, "GCS": gcsCloud,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := open(t)
			c.put("lists/a.csv", rowsOf(0, 3))
			c.put("lists/b.csv", rowsOf(3, 5))
			c.put("lists/notes.txt", "for people to read\n")
			narrow := c.body
			c.body = func(address string) map[string]any {
				body := narrow(address)
				params := maps.Clone(body["auth"].(map[string]any)["params"].(map[string]any))
				for _, name := range []string{"bucketName", "container", "folderPath"} {
					delete(params, name)
				}
				params["maxConcurrentConnections"], params["disableChunking"] = 5, "true"
				return of(body["connectionSpec"].(map[string]any)["id"].(string), body["auth"].(map[string]any)["specName"].(string), params)
			}
			s := start(t, loopback)
			conn := c.connected(s, c.address)
			kept := s.call("GET", flow+"/"+conn, "").ok(200)["items"].([]any)[0].(map[string]any)["auth"].(map[string]any)["params"].(map[string]any)
			if kept["maxConcurrentConnections"] != 5.0 || kept["disableChunking"] != "true" {
				t.Errorf("what tunes is not answered as it was sent: %v", kept)
			}
			s.call("POST", flow+"/"+conn+"/test", "").ok(200)
			explore := func(query string) (paths []string) {
				t.Helper()
				a := s.call("GET", flow+"/"+conn+"/explore?"+query, "")
				var list []client.ExploredEntry
				if err := json.Unmarshal(a.body, &list); err != nil {
					t.Fatalf("%s: %s", query, a.body)
				}
				for _, e := range list {
					paths = append(paths, e.Path)
				}
				return paths
			}
			for query, want := range map[string]string{"objectType=root": "people", "objectType=folder&object=/": "people", "objectType=FOLDER&object=/people": "people/exports",
				"objectType=folder&object=people/exports/lists/": "people/exports/lists/a.csv"} {
				if got := explore(query); !slices.Contains(got, want) {
					t.Errorf("%s: %q", query, got)
				}
			}
			pattern := "/people/*/lists/*.csv"
			if got := explore("objectType=folder&object=" + url.QueryEscape(pattern)); !slices.Equal(got, []string{"people/exports/lists/a.csv", "people/exports/lists/b.csv"}) {
				t.Errorf("the pattern matches %q", got)
			}
			id := s.audienceOf(conn, pattern, "file")
			run := s.ingest(id, `{"differentialIngestion": false}`)
			if run["status"] != "SUCCESS" || len(run["files"].([]any)) != 2 || run["members"].(map[string]any)["after"] != 5.0 {
				t.Errorf("%v", run)
			}
		})
	}
}
