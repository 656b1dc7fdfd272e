package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"roster/tests/servertest"
)

func TestRing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "secrets.json")
	if _, err := KeyFile(filepath.Join(dir, "master.key"), true); err != nil {
		t.Fatal(err)
	}
	open := func() *Ring {
		t.Helper()
		key, err := KeyFile(filepath.Join(dir, "master.key"), false)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Open(path, key)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := open()
	first, err := r.Seal([]byte("hush"), "here")
	if err != nil || strings.Contains(first, "hush") {
		t.Fatal(first, err)
	}
	if err := r.Rotate(); err != nil {
		t.Fatal(err)
	}
	second, err := r.Seal([]byte("hush, too"), "here")
	if err != nil {
		t.Fatal(err)
	}
	r = open()
	for sealed, want := range map[string]string{first: "hush", second: "hush, too"} {
		if got, err := r.Open(sealed, "here"); err != nil || string(got) != want {
			t.Errorf("opened as %q, %v", got, err)
		}
		if _, err := r.Open(sealed, "there"); err == nil {
			t.Error("a secret was opened at another place")
		}
	}
	if _, err := r.Open("rubbish", "here"); err == nil {
		t.Error("rubbish was opened")
	}

	other, err := Key(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, keySize)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, other); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("by another master key: %v", err)
	}
	if err := r.Rewrap(other); err != nil {
		t.Fatal(err)
	}
	moved, err := Open(path, other)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := moved.Open(first, "here"); err != nil || string(got) != "hush" {
		t.Errorf("opened as %q, %v", got, err)
	}
	if err := r.Rotate(); err != nil { // by the master key that it has now
		t.Fatal(err)
	}
	if _, err := Open(path, other); err != nil {
		t.Error(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 2 {
		t.Errorf("files %v, %v", files, err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, info.Mode(), err)
		}
	}
}

func TestBadMasterKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"short":    {"c2hvcnQ=", 0o600, "not a master key"},
		"no text":  {"", 0o600, "not a master key"},
		"readable": {"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", 0o644, "chmod 600"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := KeyFile(path, true); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := KeyFile(filepath.Join(dir, "absent"), false); err == nil {
		t.Error("an absent master key was made although nobody asked for it")
	}
}

// TestKMS has the ring's master key in a key service.
func TestKMS(t *testing.T) {
	address := servertest.Moto(t)
	for name, value := range map[string]string{"AWS_ENDPOINT_URL_KMS": "http://" + address, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"} {
		t.Setenv(name, value)
	}
	req, err := http.NewRequest(http.MethodPost, "http://"+address+"/", strings.NewReader(`{"Description":"roster"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "TrentService.CreateKey")
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/kms/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var made struct {
		KeyMetadata struct {
			KeyID string `json:"KeyId"`
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&made); err != nil || made.KeyMetadata.KeyID == "" {
		t.Fatal(resp.Status, err)
	}
	key, err := KMS(t.Context(), "awskms://"+made.KeyMetadata.KeyID+"?region=us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "secrets.json")
	r, err := Open(path, key)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := r.Seal([]byte("hush"), "here")
	if err != nil {
		t.Fatal(err)
	}
	again, err := Open(path, key)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open(sealed, "here"); err != nil || string(got) != "hush" {
		t.Errorf("opened as %q, %v", got, err)
	}
	// The context binds the ring: with another one, or none, it cannot be opened.
	bound, err := KMS(t.Context(), "awskms:///"+made.KeyMetadata.KeyID+"?region=us-east-1&context_use=roster&endpoint="+url.QueryEscape("http://"+address))
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Rewrap(bound); err != nil {
		t.Fatal(err)
	}
	if again, err = Open(path, bound); err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open(sealed, "here"); err != nil || string(got) != "hush" {
		t.Errorf("opened as %q, %v", got, err)
	}
	if _, err := Open(path, key); err == nil {
		t.Error("the ring is opened without its context")
	}
}

// TestWrongKMS refuses addresses before anybody is asked.
func TestWrongKMS(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"nothing://x":                           "awskms://KEY-ID",
		"awskms://":                             "names no key",
		"awskms:///?region=us-east-1":           "names no key",
		"awskms://k?region=a&region=b":          "region occurs 2 times",
		"awskms://k?planet=mars":                `"planet" is not a parameter`,
		"awskms://k?role=reader":                "ARN of a role",
		"awskms://k?fips=perhaps":               "fips must be true or false",
		"awskms://k?dualstack=":                 "dualstack must be true or false",
		"awskms://k?region=%zz":                 "malformed",
		"awskms://k?profile=no-such-profile-is": "no-such-profile-is",
	} {
		if _, err := KMS(t.Context(), address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
	for _, address := range []string{"awskms://1234abcd?region=us-east-1&fips=true&dualstack=false", "awskms:///arn:aws:kms:us-east-1:111122223333:key/1234abcd", "awskms:///alias/roster?region=eu-west-1",
		"awskms://k?region=us-east-1&role=arn:aws:iam::111122223333:role/roster"} {
		if _, err := KMS(t.Context(), address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}
