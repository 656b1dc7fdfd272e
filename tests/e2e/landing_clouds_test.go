package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"roster/client"
	"roster/internal/app"
)

// param is a parameter of a connection to a cloud.
func (c cloud) param(name string) string {
	return c.body(c.address)["auth"].(map[string]any)["params"].(map[string]any)[name].(string)
}

// gcsAddress is the address of a bucket of a server of Google Cloud Storage, for which the environment has an account.
func gcsAddress(t *testing.T) string {
	c, account := gcsCloud(t), filepath.Join(t.TempDir(), "account.json")
	writeFile(t, account, c.param("serviceAccountJson"))
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", account)
	return "gs://people/zones?endpoint=http://" + c.address
}

// azureAddress is the address of a container of Azurite, for which the environment has a connection string.
func azureAddress(t *testing.T) string {
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", azureByString(t).param("connectionString"))
	return "azblob://people/zones"
}

// TestLandingInOtherClouds keeps the landing zones in a bucket of Google Cloud Storage and in a container of Azure.
func TestLandingInOtherClouds(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) (address string){"GCS": gcsAddress, "Azure": azureAddress} {
		t.Run(name, func(t *testing.T) {
			address := open(t)
			s := start(t, func(c *app.Config) { c.LandingURL, c.LandingQuota = address, 4<<20 })
			walkThroughSeed(t, s, landingPlace)
			c, err := client.LoadCredentials(app.CredentialsPath(s.dir))
			if err != nil {
				t.Fatal(err)
			}
			text := rowsOf(0, 50_000)
			for range 2 { // the second time the file exists
				up, err := c.UploadFile(t.Context(), "lists/people.csv", strings.NewReader(text), int64(len(text)), nil)
				if err != nil || up.Size != int64(len(text)) {
					t.Fatal(up, err)
				}
			}
			if _, err := c.UploadFile(t.Context(), "lists/more.csv", strings.NewReader(strings.Repeat("x", 3<<20)), 3<<20, nil); err == nil || !strings.Contains(err.Error(), "--landing-quota") {
				t.Errorf("more than the quota: %v", err)
			}
			id := s.submit(fmt.Sprintf(`{"name": "people", "originName": "CUSTOM_UPLOAD", "fields": %s, "sourceSpec": {"path": "lists", "type": "folder", "cloudType": "DLZ"}}`, peopleFields))
			if run := s.ingest(id, "{}"); run["status"] != "SUCCESS" || run["rows"].(map[string]any)["added"] != 50_000.0 {
				t.Errorf("%v", run)
			}
			if files, err := c.Files(t.Context(), "lists/", "", 0); err != nil || len(files.Files) != 1 {
				t.Errorf("%+v, %v", files, err)
			}
			if err := c.DeleteFile(t.Context(), "lists/people.csv"); err != nil {
				t.Error(err)
			}
			s.call("DELETE", "/landing/lists/people.csv", "").refused(404, "100940-404", "lists/people.csv")
		})
	}
}
